"""The whole design of a board but its PLL, in Amaranth's simulator: reset, then frames over the serial line."""

from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Fragment, Module, Signal
from amaranth.lib import io
from amaranth.sim import Simulator

from autapse.network import Network
from autapse.protocol import ANSWER, Command, Identity, decode_frame, encode_request, pack_ints, unpack_ints
from autapse.quantize import quantize
from autapse_boards import BOARDS
from autapse_boards.board import baud_rate
from autapse_boards.clock import HOLD_SECONDS, ClockGenerator
from autapse_boards.pll import NoPll
from autapse_boards.top import Top
from autapse_hw.system import StreamRegister, identity_of
from autapse_hw.tiling import Tiling
from autapse_hw.uart import divisor_for

BOARD = BOARDS["icebreaker"]
DIVISOR = divisor_for(BOARD.clock_hz, baud_rate(BOARD, BOARD.clock_hz))


class _Platform:
    """Hands out simulation ports for the pins of the board."""

    def __init__(self):
        self.ports = {
            BOARD.clock: io.SimulationPort("i", 1, name="clk"),
            "uart": SimpleNamespace(rx=io.SimulationPort("i", 1, name="rx"), tx=io.SimulationPort("o", 1, name="tx")),
            "led": io.SimulationPort("o", 1, name="led"),
            "button": io.SimulationPort("i", 1, name="button"),
        }

    def request(self, name, number=0, *, dir):
        assert dir == "-"
        return self.ports[name]


@pytest.fixture
def q():
    rng = np.random.default_rng(3)
    arrays = {name: rng.normal(size=size) for name, size in (("W", (3, 3)), ("W_in", (3, 2)), ("W_out", (2, 3)))}
    return quantize(Network(**arrays, b=np.zeros(3), b_out=np.zeros(2), activation="tanh"))


def test_frames_through_the_pins(q):
    platform = _Platform()
    fragment = Fragment.get(Top(q, Tiling(2), "generic", BOARD, NoPll(BOARD.clock_hz)), platform)
    clock, rx, tx = platform.ports[BOARD.clock].i, platform.ports["uart"].rx.i, platform.ports["uart"].tx.o
    inputs = np.random.default_rng(4).integers(-127, 128, size=(4, 2))
    answers = []

    async def cycle(ctx):
        ctx.set(clock, 0)
        await ctx.delay(1e-9)
        ctx.set(clock, 1)
        await ctx.delay(1e-9)

    async def host(ctx):
        line, waited = [], 0
        ctx.set(rx, 1)
        for _ in range(int(HOLD_SECONDS * BOARD.clock_hz) + 40):
            await cycle(ctx)
        frames = [encode_request(1, Command.IDENTIFY, 0), encode_request(2, Command.OPEN, 0, b"host")]
        frames += [encode_request(k, Command.STEP, k, pack_ints(x, q.formats.x.bits)) for k, x in enumerate(inputs)]
        frames.append(encode_request(len(inputs), Command.READ_STATE, len(inputs)))
        for frame in frames:
            bits = [b for byte in frame for b in (0, *(byte >> k & 1 for k in range(8)), 1)]
            received, line, waited = b"", [], 0
            while not received.endswith(b"\0"):
                if bits and waited % DIVISOR == 0:
                    ctx.set(rx, bits.pop(0))
                waited += 1
                assert waited < 20000, "no answer"
                await cycle(ctx)
                line.append(ctx.get(tx))
                # A byte is complete in the middle of its stop bit.
                if 0 in line and len(line) - line.index(0) > DIVISOR * 9.5:
                    start = line.index(0)
                    received += bytes([sum(line[start + int(DIVISOR * (k + 1.5))] << k for k in range(8))])
                    line = []
            answers.append(decode_frame(received[:-1]))

    simulator = Simulator(fragment)
    simulator.add_testbench(host)
    simulator.run()

    identity, _, *steps, state = answers
    assert Identity.from_bytes(identity.payload) == identity_of(q, Tiling(2), BOARD.clock_hz)
    expected = q.run_int(inputs[None])
    assert all(a.command == Command.STEP | ANSWER for a in steps)
    z = [unpack_ints(a.payload, q.outputs, q.formats.z.bits) for a in steps]
    np.testing.assert_array_equal(z, expected.z[0])
    np.testing.assert_array_equal(unpack_ints(state.payload, q.units, q.formats.state.bits), expected.h[0, -1])


def test_reset_lasts_15_microseconds():
    m = Module()
    port = io.SimulationPort("i", 1)
    m.domains.sync = ClockDomain("sync", reset_less=True)
    m.submodules.clock = clock = ClockGenerator(NoPll(BOARD.clock_hz), port)
    cycles = []

    async def bench(ctx):
        for number in range(400):
            ctx.set(port.i, 1)
            await ctx.delay(1e-9)
            ctx.set(port.i, 0)
            await ctx.delay(1e-9)
            if ctx.get(clock.reset):
                cycles.append(number)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert cycles == list(range(len(cycles)))
    assert HOLD_SECONDS * BOARD.clock_hz <= len(cycles) < HOLD_SECONDS * BOARD.clock_hz + 8


def test_button_resets_as_long_as_it_is_pressed():
    """And 15 µs longer; a button that bounces only begins again."""
    m = Module()
    port, button = io.SimulationPort("i", 1), Signal()
    m.domains.sync = ClockDomain("sync", reset_less=True)
    m.submodules.clock = clock = ClockGenerator(NoPll(BOARD.clock_hz), port)
    m.d.comb += clock.restart.eq(button)
    hold, seen = int(HOLD_SECONDS * BOARD.clock_hz), []

    async def bench(ctx):
        for number in range(5 * hold):
            ctx.set(button, 2 * hold <= number < 3 * hold and number % 7 != 3)
            for level in (1, 0):
                ctx.set(port.i, level)
                await ctx.delay(1e-9)
            seen.append(ctx.get(clock.reset))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert not any(seen[hold + 10 : 2 * hold])
    assert all(seen[2 * hold + 5 : 4 * hold])
    assert not any(seen[4 * hold + 10 :])


def test_stream_register_keeps_order_and_clears():
    from amaranth.hdl import unsigned

    dut = StreamRegister(unsigned(8))
    rng = np.random.default_rng(5)
    sent, got = list(range(1, 60)), []

    async def source(ctx):
        for value in sent:
            while rng.random() < 0.4:
                await ctx.tick()
            ctx.set(dut.i.payload, value)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        while len(got) < len(sent):
            ctx.set(dut.o.ready, int(rng.random() < 0.5))
            _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            if valid and ready:
                got.append(payload)
        ctx.set(dut.o.ready, 0)
        ctx.set(dut.i.valid, 1)
        await ctx.tick()
        assert ctx.get(dut.o.valid)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        assert not ctx.get(dut.o.valid)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(source)
    simulator.add_testbench(sink)
    simulator.run()
    assert got == sent
