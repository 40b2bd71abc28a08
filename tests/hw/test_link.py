# amaranth: UnusedElaboratable=no
"""The link in front of a small core that shows every step twice taken, lost or out of order.

Most tests speak to the bytes behind the UART, which is the same hardware in a tenth of the cycles.
"""

import random
from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import crc, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from autapse.fixed import Format, IntArray
from autapse.link import Device
from autapse.protocol import (
    Command,
    Counters,
    Identity,
    cobs_decode,
    cobs_encode,
    crc16,
    decode_frame,
    encode_frame,
    pack_ints,
    unpack_ints,
)
from autapse_hw.checksum import CRC16, Checksum
from autapse_hw.framing import CobsDecoder, CobsEncoder
from autapse_hw.link import Link
from autapse_hw.server import Server

CYCLE = 1e-6
DIVISOR = 4


def identity(units: int, inputs: int, outputs: int, *bits: int) -> Identity:
    x, h, z = (Format(b, b - 3) for b in bits)
    return Identity(b"\x00net\xffnet", units, inputs, outputs, x, h, z, 8, 12_000_000)


SMALL = identity(5, 2, 3, 11, 20, 8)
SHAPES = {
    "mixed": SMALL,
    "bytes": identity(3, 3, 1, 8, 8, 8),
    "wide": identity(4, 1, 2, 17, 9, 33),
    "autapse": identity(1, 1, 1, 2, 2, 2),
}


class FakeCore(wiring.Component):
    """Adds the inputs to the first units, and counts the steps in all outputs. `hold` stops it, `stalls` slow it."""

    def __init__(self, net: Identity) -> None:
        self.net = net
        super().__init__(
            {
                "x": In(stream.Signature(signed(net.input_format.bits))),
                "z": Out(stream.Signature(signed(net.z_format.bits))),
                "clear": In(1),
                "busy": Out(1),
                "dump": In(1),
                "state": Out(stream.Signature(signed(net.state_format.bits))),
                "hold": In(1),
                "stalls": In(1),
                "most_negative": Out(1),  # sticky: a code that must not reach a core
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        net = self.net
        state = Array(Signal(signed(net.state_format.bits), name=f"h{u}", init=u + 1) for u in range(net.inputs))
        noise = Signal(16, init=0xACE1)
        index, steps, rest = Signal(range(net.inputs + 1)), Signal(16), Signal(range(32))
        out = Signal(range(net.outputs + 1))
        go = ~self.hold & (~self.stalls | (noise[:2] == 0))
        m.d.sync += noise.eq(Cat(noise[1:], noise[0] ^ noise[2] ^ noise[3] ^ noise[5]))
        m.d.comb += [self.x.ready.eq(go & (index < net.inputs)), self.busy.eq((rest != 0) | (index != 0) | self.hold)]
        with m.If((rest != 0) & ~self.hold):
            m.d.sync += rest.eq(rest - 1)

        with m.If(self.x.ready & self.x.valid):
            m.d.sync += [state[index].eq(state[index] + self.x.payload), index.eq(index + 1)]
            with m.If(index == net.inputs - 1):
                m.d.sync += [steps.eq(steps + 1), out.eq(0)]
            with m.If(self.x.payload == -(1 << (net.input_format.bits - 1))):
                m.d.sync += self.most_negative.eq(1)
        taken = self.z.ready & self.z.valid
        with m.If(taken):
            m.d.sync += [out.eq(out + 1), self.z.valid.eq(0)]
            with m.If(out == net.outputs - 1):
                m.d.sync += [index.eq(0), rest.eq(9)]
        with m.If((index == net.inputs) & go & ~self.z.valid):
            m.d.sync += self.z.valid.eq(1)
            m.d.sync += self.z.payload.eq(state[out % net.inputs] + 5 * out + steps)

        unit = Signal(range(net.units))
        far = 7 * unit - 11
        m.d.comb += self.state.payload.eq(Mux(unit < net.inputs, state[unit], far))
        with m.If(self.dump & ~self.busy):
            m.d.sync += [self.state.valid.eq(1), unit.eq(0)]
        with m.If(self.state.valid & self.state.ready):
            m.d.sync += [unit.eq(unit + 1), self.state.valid.eq(unit != net.units - 1)]
        with m.If(self.clear):
            m.d.sync += [index.eq(0), steps.eq(0), rest.eq(25)]
            m.d.sync += [h.eq(u + 1) for u, h in enumerate(state)]
        return m


class Model:
    """What the fake core does."""

    def __init__(self, net: Identity) -> None:
        self.net = net
        self.reset()

    def reset(self) -> None:
        self.h = np.arange(1, self.net.inputs + 1)
        self.steps = 0

    def step(self, x: IntArray) -> IntArray:
        self.h = wrap(self.h + x, self.net.state_format.bits)
        self.steps += 1
        out = np.arange(self.net.outputs)
        return wrap(self.h[out % self.net.inputs] + 5 * out + self.steps, self.net.z_format.bits)

    def state(self) -> IntArray:
        far = wrap(7 * np.arange(self.net.units) - 11, self.net.state_format.bits)
        return np.concatenate([self.h, far[self.net.inputs :]])


def wrap(values: IntArray, bits: int) -> IntArray:
    return (values + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


class Simulated:
    """The hardware as a transport: behind its UART (``uart=True``), or without one."""

    def __init__(self, net: Identity = SMALL, *, uart: bool = False, stalls: bool = False) -> None:
        self.net = net
        self.to_device: deque[int] = deque()
        self.from_device = bytearray()
        self.now = 0
        m = Module()
        m.submodules.core = self.core = FakeCore(net)
        link: Link | Server
        if uart:
            m.submodules.link = self.link = link = Link(net, DIVISOR)
            bench, watch = self._drive_uart, self._watch_uart
        else:
            m.submodules.server = link = Server(net)
            m.submodules.decoder = self.decoder = CobsDecoder()
            m.submodules.encoder = self.encoder = CobsEncoder(4 + max(net.answer_bytes(c) for c in Command))
            wiring.connect(m, self.decoder.o, link.i)
            wiring.connect(m, link.o, self.encoder.i)
            m.d.comb += [self.encoder.again.eq(link.again), link.idle.eq(self.encoder.idle)]
            bench, watch = self._drive, self._watch
        wiring.connect(m, link.x, self.core.x)
        wiring.connect(m, self.core.z, link.z)
        m.d.comb += [self.core.clear.eq(link.clear), link.busy.eq(self.core.busy), self.core.stalls.eq(stalls)]
        wiring.connect(m, self.core.state, link.state)
        m.d.comb += self.core.dump.eq(link.dump)
        self.sequence = 99  # of the counters
        self.hold = False
        self.most_negative = False
        self.stop_bit = 1
        self.sim = Simulator(m)
        self.sim.add_clock(CYCLE)
        self.sim.add_testbench(bench, background=True)
        self.sim.add_testbench(watch, background=True)

    async def _drive(self, ctx: Any) -> None:
        while True:
            ctx.set(self.core.hold, self.hold)
            self.most_negative = bool(ctx.get(self.core.most_negative))
            offered = len(self.to_device) > 0
            ctx.set(self.decoder.i.valid, offered)
            if offered:
                ctx.set(self.decoder.i.payload, self.to_device[0])
            if (await ctx.tick().sample(self.decoder.i.ready))[2] and offered:
                self.to_device.popleft()

    async def _watch(self, ctx: Any) -> None:
        ctx.set(self.encoder.o.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(self.encoder.o.valid, self.encoder.o.payload):
            if valid:
                self.from_device.append(byte)

    async def _drive_uart(self, ctx: Any) -> None:
        ctx.set(self.link.rx, 1)
        while True:
            await ctx.delay(DIVISOR * CYCLE)
            if self.to_device:
                byte = self.to_device.popleft()
                for level in [0, *((byte >> k & 1) for k in range(8)), self.stop_bit]:
                    ctx.set(self.link.rx, level)
                    await ctx.delay(DIVISOR * CYCLE)
                ctx.set(self.link.rx, 1)

    async def _watch_uart(self, ctx: Any) -> None:
        while True:
            await ctx.negedge(self.link.tx)
            await ctx.delay(1.5 * DIVISOR * CYCLE)
            byte = 0
            for k in range(8):
                byte |= ctx.get(self.link.tx) << k
                await ctx.delay(DIVISOR * CYCLE)
            assert ctx.get(self.link.tx) == 1
            self.from_device.append(byte)

    def run(self, cycles: int) -> None:
        self.now += cycles
        self.sim.run_until(self.now * CYCLE)

    def write(self, data: bytes) -> None:
        self.to_device.extend(data)

    def read(self, timeout: float) -> bytes:
        for _ in range(40 if timeout > 0 else 0):
            if self.from_device and self.from_device[-1] == 0 and not self.to_device:
                break
            self.run(50)
        data = bytes(self.from_device)
        self.from_device.clear()
        return data

    def close(self) -> None:
        pass

    def ask(self, data: bytes, cycles: int = 300) -> bytes:
        """Send raw bytes; what comes back within `cycles` after they have left."""
        self.write(data)
        while self.to_device:
            self.run(20)
        self.run(cycles)
        return self.read(0)

    def counters(self) -> Counters:
        self.sequence = (self.sequence + 1) % 256
        answer = self.ask(encode_frame(self.sequence, Command.COUNTERS))
        return Counters.from_bytes(decode_frame(answer[:-1]).payload)


def codes(rng: np.random.Generator, net: Identity, count: int) -> IntArray:
    limit = net.input_format.max_code
    return rng.integers(-limit, limit, size=(count, net.inputs), endpoint=True)


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_a_session(name: str, stalls: bool) -> None:
    net = SHAPES[name]
    model, rng = Model(net), np.random.default_rng(1)
    with Device(Simulated(net, stalls=stalls), timeout=5.0) as device:
        assert device.identify() == net
        for _ in range(2):
            model.reset()
            device.reset()
            assert device.read_state().tolist() == model.state().tolist()
            x = codes(rng, net, 8)
            assert device.run(x).tolist() == [model.step(row).tolist() for row in x]
            assert device.read_state().tolist() == model.state().tolist()
        assert device.counters() == Counters(accepted=25, rejected=0, steps=16)


def test_a_session_over_the_wires() -> None:
    model, rng = Model(SMALL), np.random.default_rng(2)
    with Device(Simulated(uart=True, stalls=True), timeout=20.0) as device:
        assert device.identity == SMALL
        device.reset()
        x = codes(rng, SMALL, 5)
        assert device.run(x).tolist() == [model.step(row).tolist() for row in x]
        assert device.read_state().tolist() == model.state().tolist()
        assert device.counters() == Counters(accepted=9, rejected=0, steps=5)


class Lossy:
    """Loses some writes and some answers, and spoils some of both."""

    def __init__(self, inner: Simulated, seed: int) -> None:
        self.inner, self.rng = inner, random.Random(seed)
        self.faults = 0

    def _spoil(self, data: bytes) -> bytes:
        kind = self.rng.random()
        if not data or kind > 0.3:
            return data
        self.faults += 1
        at = self.rng.randrange(len(data))
        if kind < 0.1:
            return b""
        if kind < 0.2:
            return data[:at] + data[at + 1 :]
        return data[:at] + bytes([data[at] ^ 1 << self.rng.randrange(8)]) + data[at + 1 :]

    def write(self, data: bytes) -> None:
        self.inner.write(self._spoil(data))

    def read(self, timeout: float) -> bytes:
        return self._spoil(self.inner.read(timeout))

    def close(self) -> None:
        self.inner.close()


def test_no_step_is_lost_or_doubled_on_a_bad_line() -> None:
    model, rng = Model(SMALL), np.random.default_rng(3)
    lossy = Lossy(Simulated(), 3)
    with Device(lossy, timeout=0.1, retries=20, sequence=250) as device:
        device.reset()
        x = codes(rng, SMALL, 20)
        assert device.run(x).tolist() == [model.step(row).tolist() for row in x]
        assert device.counters().steps == 20
    assert lossy.faults >= 5


def test_a_repeated_frame_is_answered_again_and_not_executed() -> None:
    device = Simulated()
    x = [100, -200]
    step = encode_frame(7, Command.STEP, pack_ints(x, 11))
    answer = device.ask(step)
    assert decode_frame(answer[:-1])[:2] == (7, 0x83)
    assert unpack_ints(decode_frame(answer[:-1]).payload, 3, 8).tolist() == Model(SMALL).step(np.array(x)).tolist()
    for _ in range(3):
        assert device.ask(step) == answer
    assert device.ask(b"\x05junk\0" + step + b"\0\0") == answer  # rejected frames are not remembered
    # After another frame the same bytes are a new request; so are other inputs, and another sequence number.
    assert device.counters() == Counters(accepted=6, rejected=1, steps=1)
    assert device.ask(step) not in (answer, b"")
    assert device.ask(encode_frame(7, Command.STEP, pack_ints([100, -201], 11))) not in (answer, b"")
    assert device.ask(encode_frame(8, Command.STEP, pack_ints([100, -201], 11)))[1:2] == b"\x08"
    assert device.counters() == Counters(accepted=10, rejected=1, steps=4)


def payload_with_crc(sequence: int, command: Command, wanted: int) -> bytes:
    """A step's payload that gives the frame this CRC."""
    head = bytes([sequence, command])
    payloads = (k.to_bytes(4, "little") for k in range(1, 1 << 22))
    return next(payload for payload in payloads if crc16(head + payload) == wanted)


@pytest.mark.parametrize("field", ["sequence", "low byte of the CRC", "high byte of the CRC"])
def test_frames_that_differ_in_one_remembered_field_are_both_executed(field: str) -> None:
    first = bytes(4)
    check = crc16(bytes([9, Command.STEP]) + first)
    sequence = 10 if field == "sequence" else 9
    check ^= {"low byte of the CRC": 0x0020, "high byte of the CRC": 0x2000}.get(field, 0)
    second = payload_with_crc(sequence, Command.STEP, check)
    device = Simulated()
    assert device.ask(encode_frame(9, Command.STEP, first)) != b""
    assert device.ask(encode_frame(sequence, Command.STEP, second)) != b""
    assert device.counters().steps == 2


def test_frames_that_differ_in_the_command_alone_are_both_executed() -> None:
    step = payload_with_crc(9, Command.STEP, crc16(bytes([9, Command.READ_STATE])))
    device = Simulated()
    assert decode_frame(device.ask(encode_frame(9, Command.READ_STATE))[:-1]).command == 0x84
    assert decode_frame(device.ask(encode_frame(9, Command.STEP, step))[:-1]).command == 0x83


def spoilt(frame: bytes, at: int, bits: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ bits]) + frame[at + 1 :]


STEP = encode_frame(3, Command.STEP, bytes([1, 2, 3, 4]))
BAD = {
    "payload bit": spoilt(STEP, 4, 0x10),
    "CRC bit": spoilt(STEP, len(STEP) - 2, 0x80),
    "last COBS block cut": STEP[:-2] + b"\0",
    "one byte": b"\x02\x01\0",
    "empty body": b"\x01\0",
    "CRC alone": b"\x03\xff\xff\0",
    "short step": encode_frame(3, Command.STEP, bytes([1, 2, 3])),
    "long step": encode_frame(3, Command.STEP, bytes([1, 2, 3, 4, 5])),
    "very long step": encode_frame(3, Command.STEP, bytes(range(256)) * 2),
    "empty step": encode_frame(3, Command.STEP),
    "reset with payload": encode_frame(3, Command.RESET, b"\x01"),
    "state with a step's length": encode_frame(3, Command.READ_STATE, bytes(4)),
    "command 0": encode_frame(3, 0),
    "command 6": encode_frame(3, 6),
    "command 7": encode_frame(3, 7),
    "command 9": encode_frame(3, 9),
    "an answer": encode_frame(3, 0x81),
    "a step's answer": encode_frame(3, 0x83, bytes(4)),
}


def test_bad_frames_are_counted_and_not_answered() -> None:
    device = Simulated()
    for count, (name, frame) in enumerate(BAD.items()):
        assert device.ask(frame) == b"", name
        assert device.counters() == Counters(accepted=count + 1, rejected=count + 1, steps=0), name
    assert decode_frame(device.ask(STEP)[:-1]).command == 0x83


def test_every_single_bit_error_and_truncation_is_rejected() -> None:
    device = Simulated()
    bad = [spoilt(STEP, at, 1 << bit) for at in range(len(STEP) - 1) for bit in range(8)]
    bad += [STEP[:length] + b"\0" for length in range(1, len(STEP) - 1)]
    for frame in bad:
        assert device.ask(frame, 40) == b"", frame.hex()
    assert device.counters().steps == 0
    assert device.counters().rejected >= len(bad)  # a bit error can make a zero, and two frames of one


def test_counters_carry() -> None:
    device = Simulated()
    assert device.ask(b"\x01\0" * 515) == b""
    assert device.counters() == Counters(accepted=1, rejected=515, steps=0)


@pytest.mark.parametrize("uart", [False, True])
def test_recovery_from_garbage(uart: bool) -> None:
    rng = random.Random(5)
    device = Simulated(uart=uart)
    for _ in range(3):
        garbage = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 60)))
        assert device.ask(garbage) == b""
        answer = device.ask(b"\0" + encode_frame(1, Command.IDENTIFY), 2500 if uart else 300)
        assert Identity.from_bytes(decode_frame(answer[:-1]).payload) == SMALL


def test_a_frame_with_a_lost_byte_is_rejected_and_the_next_is_not() -> None:
    """A framing error in a byte that is not needed: the frame would be good without it."""
    device = Simulated(uart=True)
    frame = encode_frame(1, Command.RESET)
    device.run(100)
    device.stop_bit = 0
    device.ask(b"\x55", 100)
    device.stop_bit = 1
    assert device.ask(frame) == b""
    assert decode_frame(device.ask(frame, 800)[:-1]).command == 0x82


@pytest.mark.parametrize("uart", [False, True])
def test_frames_during_an_execution_are_dropped(uart: bool) -> None:
    device = Simulated(uart=uart)
    step = encode_frame(1, Command.STEP, pack_ints([1, 2], 11))
    other = encode_frame(2, Command.STEP, pack_ints([3, 4], 11))
    if uart:  # the answer is still being sent
        answers = device.ask(encode_frame(0, Command.IDENTIFY) + other + other, 2500).split(b"\0")[:-1]
        assert [decode_frame(a).command for a in answers] == [0x81]
    else:
        # The torn frame begins during the execution, and what comes after it would be a good frame.
        torn = cobs_encode(b"\x11\x22\x33" + cobs_decode(other[:-1])) + b"\0"
        device.hold = True
        assert device.ask(step + other + other + torn[:4]) == b""
        device.hold = False
        answer = device.ask(b"")
        assert device.ask(torn[4:]) == b""
        assert decode_frame(answer[:-1]).sequence == 1
        assert device.counters() == Counters(accepted=2, rejected=2, steps=1)  # the three, and the torn one
    assert decode_frame(device.ask(other, 1500)[:-1]).sequence == 2


def test_reset_and_read_state_wait_for_the_core() -> None:
    device = Simulated()
    device.hold = True
    assert device.ask(encode_frame(1, Command.RESET)) == b""
    device.hold = False
    assert decode_frame(device.ask(b"")[:-1]) == (1, 0x82, b"")
    device.hold = True
    assert device.ask(encode_frame(2, Command.READ_STATE)) == b""
    device.hold = False
    assert decode_frame(device.ask(b"")[:-1]) == (2, 0x84, pack_ints(Model(SMALL).state(), 20))


@pytest.mark.parametrize("name", SHAPES)
def test_the_most_negative_code_is_saturated(name: str) -> None:
    net = SHAPES[name]
    device, model = Simulated(net), Model(net)
    limit, size = net.input_format.max_code, -(-net.input_format.bits // 8)
    for k, code in enumerate([-limit - 1, -limit, limit, 0, -limit - 1]):
        payload = code.to_bytes(size, "little", signed=True) * net.inputs
        answer = decode_frame(device.ask(encode_frame(k, Command.STEP, payload))[:-1]).payload
        z = model.step(np.full(net.inputs, max(code, -limit)))
        assert unpack_ints(answer, net.outputs, net.z_format.bits).tolist() == z.tolist()
    assert not device.most_negative


def test_large_shapes() -> None:
    net = identity(512, 6, 300, 12, 24, 17)
    model = Model(net)
    with Device(Simulated(net), timeout=30.0) as device:
        x = codes(np.random.default_rng(4), net, 1)
        assert device.run(x).tolist() == [model.step(x[0]).tolist()]
        assert device.read_state().tolist() == model.state().tolist()


def test_the_crc_is_the_hosts() -> None:
    rng = random.Random(6)
    for length in range(20):
        data = rng.randbytes(length)
        assert crc16(data) == CRC16(8).compute(data) == crc.catalog.CRC16_X25(8).compute(data)


def test_the_crc_in_hardware() -> None:
    """Bytes at random distances, each there for two cycles; then the CRC, and a match after its own two bytes."""
    dut, rng = Checksum(), random.Random(7)

    async def feed(ctx: Any, data: bytes) -> None:
        for byte in data:
            ctx.set(dut.byte, byte)
            ctx.set(dut.step, 1)
            await ctx.tick()
            ctx.set(dut.step, 0)
            await ctx.tick()
            ctx.set(dut.byte, rng.randrange(256))
            await ctx.tick().repeat(rng.randrange(1, 4))

    async def bench(ctx: Any) -> None:
        for length in (0, 1, 2, 9, 30):
            data = rng.randbytes(length)
            check = crc16(data).to_bytes(2, "little")
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await feed(ctx, data)
            assert ctx.get(dut.o) == check[0]
            await feed(ctx, check)
            await ctx.tick()
            assert ctx.get(dut.match) == 1
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await feed(ctx, data)
            ctx.set(dut.shift, 1)
            await feed(ctx, b"\0")
            ctx.set(dut.shift, 0)
            assert ctx.get(dut.o) == check[1]
            assert ctx.get(dut.match) == 0

    sim = Simulator(dut)
    sim.add_clock(CYCLE)
    sim.add_testbench(bench)
    sim.run()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="a link needs an Identity, not 3"):
        Link(3, 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 4 cycles per bit, not 2"):
        Link(SMALL, 2)
    with pytest.raises(TypeError, match="a server needs an Identity, not None"):
        Server(None)  # type: ignore[arg-type]
