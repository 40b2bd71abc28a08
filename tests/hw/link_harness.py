"""The link in front of a small core that shows every step twice taken, lost or out of order, as a transport."""

from collections import deque
from fractions import Fraction
from typing import Any

import numpy as np
from amaranth.hdl import Array, Cat, Module, ResetInserter, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from autapse.fixed import Format, IntArray
from autapse.protocol import Command, Counters, Frame, Identity, Status, decode_frame, encode_request
from autapse_hw.link import FrameLink, Link
from autapse_hw.trace_memory import RECORD_BYTE

CYCLE = 1e-6
BYTE = 16  # cycles without a UART: faster than any line, so that little time is simulated


def identity(units: int, inputs: int, outputs: int, *bits: int, **more: Any) -> Identity:
    x, h, z = (Format(b, b - 3) for b in bits)
    return Identity(b"\x00net\xffnet", units, inputs, outputs, x, h, z, 8, 12_000_000, **more)


SMALL = identity(5, 2, 3, 11, 20, 8)
SHAPES = {
    "mixed": SMALL,
    "bytes": identity(3, 3, 1, 8, 8, 8),
    "wide": identity(4, 1, 2, 17, 9, 33),
    "autapse": identity(1, 1, 1, 2, 2, 2),
    "two sequences": identity(2, 1, 1, 8, 12, 20, sequences=2),
    "traced": identity(3, 2, 1, 8, 8, 8, sum_bits=19),
    "two traced sequences": identity(2, 1, 1, 8, 8, 8, sequences=2, sum_bits=8),
}


class FakeCore(wiring.Component):
    """Adds the inputs to the first units, and counts the steps in all outputs.

    `hold` stops it, `stalls` slow it; a step takes `rest` cycles more than it must.
    """

    def __init__(self, net: Identity, rest: int = 9) -> None:
        self.net, self.rest = net, rest
        self.units, self.inputs, self.outputs = (net.sequences * n for n in (net.units, net.inputs, net.outputs))
        state = stream.Signature(signed(net.state_format.bits))
        super().__init__(
            {
                "x": In(stream.Signature(signed(net.input_format.bits))),
                "z": Out(stream.Signature(signed(net.z_format.bits))),
                "clear": In(1),
                "given": In(1),
                "initial": In(state),
                "dump": In(1),
                "state": Out(state),
                "busy": Out(1),
                "saturations": Out(16, init=0x1234),
                "hold": In(1),
                "stalls": In(1),
                **({"recall": In(1), "records": Out(stream.Signature(RECORD_BYTE))} if net.sum_bits else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        net = self.net
        h = Array(Signal(signed(net.state_format.bits), name=f"h{u}", init=first(net, u)) for u in range(self.units))
        noise = Signal(16, init=0xACE1)
        index, steps, rest = Signal(range(self.inputs + 1)), Signal(16), Signal(range(max(32, self.rest + 1)))
        out, unit = Signal(range(self.outputs + 1)), Signal(range(self.units + 1))
        loading, dumping = Signal(), Signal()
        go = ~self.hold & (~self.stalls | (noise[:2] == 0))
        m.d.sync += noise.eq(Cat(noise[1:], noise[0] ^ noise[2] ^ noise[3] ^ noise[5]))
        m.d.comb += self.busy.eq((rest != 0) | (index != 0) | loading | dumping | self.hold)
        m.d.comb += self.x.ready.eq(go & (index < self.inputs) & (rest == 0) & ~loading)
        m.d.comb += self.initial.ready.eq(go & loading)
        with m.If((rest != 0) & ~self.hold):
            m.d.sync += rest.eq(rest - 1)

        with m.If(self.x.ready & self.x.valid):
            target = h[index % self.units]
            m.d.sync += [target.eq(target + self.x.payload), index.eq(index + 1)]
            with m.If(index == self.inputs - 1):
                m.d.sync += [steps.eq(steps + 1), out.eq(0)]
        with m.If(self.z.ready & self.z.valid):
            m.d.sync += [out.eq(out + 1), self.z.valid.eq(0)]
            with m.If(out == self.outputs - 1):
                m.d.sync += [index.eq(0), rest.eq(self.rest)]
        with m.If((index == self.inputs) & go & ~self.z.valid):
            m.d.sync += self.z.valid.eq(1)
            m.d.sync += self.z.payload.eq(h[out % self.units] + 5 * out + steps)

        with m.If(self.dump):
            m.d.sync += [dumping.eq(1), unit.eq(0)]
        m.d.comb += self.state.payload.eq(h[unit])
        with m.If(self.state.ready & self.state.valid):
            m.d.sync += [self.state.valid.eq(0), unit.eq(unit + 1), dumping.eq(unit < self.units - 1)]
        with m.Elif(dumping & go):
            m.d.sync += self.state.valid.eq(1)
        with m.If(self.initial.ready & self.initial.valid):
            m.d.sync += [h[unit].eq(self.initial.payload), unit.eq(unit + 1), loading.eq(unit < self.units - 1)]
        if net.sum_bits:
            self._trace(m, steps, go)
        with m.If(self.clear):
            m.d.sync += [index.eq(0), steps.eq(0), rest.eq(25), self.z.valid.eq(0), unit.eq(0), loading.eq(self.given)]
            m.d.sync += [value.eq(first(net, u)) for u, value in enumerate(h)]
        return m

    def _trace(self, m: Module, steps: Signal, go: Value) -> None:
        """Bytes of records that count on from the number of steps."""
        left, byte = Signal(range(self.net.trace_bytes + 1)), self.records.payload.data
        with m.If(self.records.ready & self.records.valid):
            m.d.sync += [self.records.valid.eq(0), left.eq(left - 1), byte.eq(byte + 1)]
        with m.Elif((left != 0) & go):
            m.d.sync += [self.records.valid.eq(1), self.records.payload.last.eq(left == 1)]
        with m.If(self.recall):
            m.d.sync += [left.eq(self.net.trace_bytes), byte.eq(steps)]


def first(net: Identity, unit: int) -> int:
    return int(wrap(np.array(unit + 1), net.state_format.bits))


def wrap(values: IntArray, bits: int) -> IntArray:
    return (values + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


class Model:
    """What the fake core does."""

    def __init__(self, net: Identity) -> None:
        self.net = net
        self.units, self.inputs, self.outputs = (net.sequences * n for n in (net.units, net.inputs, net.outputs))
        self.reset()

    def reset(self) -> None:
        self.h = np.array([first(self.net, u) for u in range(self.units)])
        self.steps = 0

    def step(self, x: IntArray) -> IntArray:
        for k, code in enumerate(x):
            self.h[k % self.units] += code
        self.h = wrap(self.h, self.net.state_format.bits)
        self.steps += 1
        out = np.arange(self.outputs)
        return wrap(self.h[out % self.units] + 5 * out + self.steps, self.net.z_format.bits)

    def run(self, x: IntArray) -> IntArray:
        return np.array([self.step(row) for row in x])

    def trace(self) -> bytes:
        return bytes((self.steps + k) & 0xFF for k in range(self.net.trace_bytes))

    def set_state(self, codes: IntArray) -> None:
        self.h = np.array(codes)
        self.steps = 0


class Simulated:
    """The hardware as a transport: behind its UART, or without one and with a byte each `BYTE` cycles."""

    def __init__(
        self,
        net: Identity = SMALL,
        *,
        divisor: int | Fraction | None = None,
        stalls: bool = False,
        gap: int = BYTE,
        rest: int = 9,
        patience: int = 3000,
    ) -> None:
        self.net = net
        self.patience = patience
        self.divisor = divisor
        self.gap = gap
        self.to_device: deque[int] = deque()
        self.from_device = bytearray()
        self.now = 0
        self.hold = False
        self.stop_bit = 1
        m = Module()
        m.submodules.core = self.core = FakeCore(net, rest)
        self.link: Link | FrameLink
        if divisor is None:
            m.submodules.link = self.link = FrameLink(net)
            benches = self._drive, self._watch
        else:
            m.submodules.link = self.link = Link(net, divisor)
            benches = self._drive_uart, self._watch_uart
        if net.sum_bits:
            wiring.connect(m, self.core.records, self.link.records)
            m.d.comb += self.core.recall.eq(self.link.recall)
        for name in ("x", "initial"):
            wiring.connect(m, getattr(self.link, name), getattr(self.core, name))
        for name in ("z", "state"):
            wiring.connect(m, getattr(self.core, name), getattr(self.link, name))
        m.d.comb += [self.core.clear.eq(self.link.clear), self.core.given.eq(self.link.given)]
        m.d.comb += [self.core.dump.eq(self.link.dump), self.link.busy.eq(self.core.busy)]
        m.d.comb += [self.link.saturations.eq(self.core.saturations), self.core.stalls.eq(stalls)]
        self._reset, self._pressed = Signal(), False
        self.sim = Simulator(ResetInserter(self._reset)(m))
        self.sim.add_clock(CYCLE)
        for bench in benches:
            self.sim.add_testbench(bench, background=True)

    async def _drive(self, ctx: Any) -> None:
        while True:
            if self.to_device:
                ctx.set(self.link.i.payload, self.to_device.popleft())
                ctx.set(self.link.i.valid, self.stop_bit)
                ctx.set(self.link.lost, not self.stop_bit)
            await ctx.tick()
            ctx.set(self.link.i.valid, 0)
            ctx.set(self.link.lost, 0)
            ctx.set(self.core.hold, self.hold)
            ctx.set(self._reset, self._pressed)
            await ctx.delay((self.gap - 1) * CYCLE)

    async def _watch(self, ctx: Any) -> None:
        while True:
            if not ctx.get(self.link.o.valid):
                await ctx.posedge(self.link.o.valid)
            self.from_device.append(ctx.get(self.link.o.payload))
            ctx.set(self.link.o.ready, 1)
            await ctx.tick()
            ctx.set(self.link.o.ready, 0)
            await ctx.delay((self.gap - 1) * CYCLE)

    async def _drive_uart(self, ctx: Any) -> None:
        bit = float(self.divisor or 0) * CYCLE
        ctx.set(self.link.rx, 1)
        await ctx.delay(5.3 * CYCLE)
        while True:
            if self.to_device:
                byte = self.to_device.popleft()
                for level in [0, *((byte >> k & 1) for k in range(8)), self.stop_bit]:
                    ctx.set(self.link.rx, level)
                    await ctx.delay(bit)
                ctx.set(self.link.rx, 1)
            else:
                await ctx.delay(bit)

    async def _watch_uart(self, ctx: Any) -> None:
        bit = float(self.divisor or 0) * CYCLE
        while True:
            await ctx.negedge(self.link.tx)
            await ctx.delay(1.5 * bit)
            byte = 0
            for k in range(8):
                byte |= ctx.get(self.link.tx) << k
                await ctx.delay(bit)
            assert ctx.get(self.link.tx) == 1
            self.from_device.append(byte)

    def run(self, cycles: int) -> None:
        self.now += cycles
        self.sim.run_until(self.now * CYCLE)

    def reset(self) -> None:
        """Press the reset button; not behind the UART."""
        self._pressed = True
        self.run(2 * self.gap)
        self._pressed = False
        self.run(1000)

    def write(self, data: bytes) -> None:
        self.to_device.extend(data)

    def read(self, timeout: float) -> bytes:
        """What has come; with a timeout, it is given `patience` cycles after all has been sent."""
        waited = 0
        while timeout > 0 and not self.from_device and (self.to_device or waited < self.patience):
            self.run(50)
            waited += 0 if self.to_device else 50
        data = bytes(self.from_device)
        self.from_device.clear()
        return data

    def close(self) -> None:
        pass

    def ask(self, data: bytes, cycles: int = 600) -> list[Frame]:
        """Send raw bytes; the answers that have come when the line has rested for `cycles`."""
        self.write(data)
        answers = bytearray()
        while self.to_device:
            self.run(20)
        rested = 0
        while rested < cycles:
            self.run(100)
            rested = 0 if self.from_device else rested + 100
            answers += self.from_device
            self.from_device.clear()
        return frames(bytes(answers))

    def open(self) -> Status:
        """Open a session, with a number of its own."""
        (answer,) = self.ask(encode_request(0, Command.OPEN, 0, b"host"))
        return Status.from_bytes(answer.payload)

    def status(self) -> Status:
        (answer,) = self.ask(encode_request(0, Command.STATUS, 0))
        return Status.from_bytes(answer.payload)

    def counters(self) -> Counters:
        (answer,) = self.ask(encode_request(0, Command.COUNTERS, 0))
        return Counters.from_bytes(answer.payload)


def frames(data: bytes) -> list[Frame]:
    assert not data or data[-1] == 0, "a frame without an end"
    return [decode_frame(part) for part in data.split(b"\0") if part]


def codes(rng: np.random.Generator, net: Identity, count: int) -> IntArray:
    limit = net.input_format.max_code
    return rng.integers(-limit, limit, size=(count, net.sequences * net.inputs), endpoint=True)
