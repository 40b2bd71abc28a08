# amaranth: UnusedElaboratable=no
"""The UART against lines that are driven and sampled outside the clock, as a real bridge does."""

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from autapse_hw.uart import MAX_ERROR, MIN_DIVISOR, UartRx, UartTx, baud_error, divisor_for

CYCLE = 1e-6


async def send(ctx: Any, line: Any, byte: int, bit: float, stop: int = 1) -> None:
    """One byte on `line`, with bits of `bit` seconds; the stop bit can be spoilt."""
    for level in [0, *((byte >> k & 1) for k in range(8)), stop]:
        ctx.set(line, level)
        await ctx.delay(bit)
    ctx.set(line, 1)


def receive(
    divisor: int | Fraction,
    mismatch: float,
    data: Sequence[int],
    *,
    gaps: random.Random | None = None,
    phase: float = 0.0,
) -> tuple[list[int], int]:
    """What UartRx makes of `data` from a sender whose bits are ``1 + mismatch`` times as long, and what it lost."""
    dut = UartRx(divisor)
    received: list[int] = []
    lost = 0

    async def sender(ctx: Any) -> None:
        ctx.set(dut.rx, 1)
        await ctx.delay((5 + phase) * CYCLE)
        for byte in data:
            await send(ctx, dut.rx, byte, float(divisor) * CYCLE * (1 + mismatch))
            if gaps is not None:
                await ctx.delay(gaps.random() * 2 * float(divisor) * CYCLE)
        await ctx.delay(3 * float(divisor) * CYCLE)

    async def receiver(ctx: Any) -> None:
        nonlocal lost
        async for _, _, valid, payload, missed in ctx.tick().sample(dut.o.valid, dut.o.payload, dut.lost):
            if valid:
                received.append(payload)
            lost += missed

    sim = Simulator(dut)
    sim.add_clock(CYCLE)
    sim.add_testbench(sender)
    sim.add_testbench(receiver, background=True)
    sim.run()
    return received, lost


@pytest.mark.parametrize("divisor", [4, 5, Fraction(25, 4), 7, 8, 12, 26, Fraction(417, 8)])
@pytest.mark.parametrize("mismatch", [-0.03, 0.0, 0.03])
def test_bytes_come_through_a_baud_mismatch(divisor: int, mismatch: float) -> None:
    rng = random.Random(int(divisor))
    data = [0x00, 0xFF, 0x55, 0xAA, 0x80, 0x01, 0x7F] + [rng.randrange(256) for _ in range(13)]
    assert receive(divisor, mismatch, data, phase=rng.random()) == (data, 0)
    assert receive(divisor, mismatch, data, phase=rng.random(), gaps=rng) == (data, 0)


@pytest.mark.parametrize("divisor", [Fraction(267, 64), Fraction(9, 2), Fraction(19, 4)])
@pytest.mark.parametrize("mismatch", [-0.025, 0.025])
def test_fractions_of_the_least_divisors_have_less_room(divisor: Fraction, mismatch: float) -> None:
    """Between 4 and 5 cycles a bit, a cycle is a quarter of it, and bits differ by one."""
    data = [0x00, 0xFF, 0x55, 0xAA, 0x80, 0x01, 0x7F]
    for phase in range(8):
        assert receive(divisor, mismatch, data, phase=phase / 8) == (data, 0)


@pytest.mark.parametrize("divisor", [4, 5, 6, 7])
@pytest.mark.parametrize("mismatch", [-0.03, 0.03])
def test_every_phase_of_the_least_divisors(divisor: int, mismatch: float) -> None:
    """The last data bit and the stop bit differ: at one of the phases the latter is seen only when looked at again."""
    data = [0x00, 0x7F, 0x80, 0x3F]
    for phase in range(16):
        assert receive(divisor, mismatch, data, phase=phase / 16) == (data, 0)


def test_a_mismatch_that_is_too_large_is_seen() -> None:
    """The test above can fail: 7 % is beyond what any receiver can take."""
    data = [0x00, 0xFF, 0x55, 0xAA, 0x80, 0x01] * 4
    assert receive(12, 0.07, data)[0] != data
    assert receive(12, -0.07, data)[0] != data


@pytest.mark.parametrize(("divisor", "width"), [(12, 1), (12, 4), (4, 1)])
def test_a_glitch_is_no_start_bit(divisor: int, width: int) -> None:
    dut = UartRx(divisor)
    received = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(width)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(20 * divisor)
        await send(ctx, dut.rx, 0x5A, divisor * CYCLE)
        await ctx.delay(2 * divisor * CYCLE)

    async def receiver(ctx: Any) -> None:
        async for _, _, valid, payload, lost in ctx.tick().sample(dut.o.valid, dut.o.payload, dut.lost):
            if valid or lost:
                received.append(payload)

    sim = Simulator(dut)
    sim.add_clock(CYCLE)
    sim.add_testbench(bench)
    sim.add_testbench(receiver, background=True)
    sim.run()
    assert received == [0x5A]


@pytest.mark.parametrize("spared", [0, 1])
@pytest.mark.parametrize(("divisor", "where"), [(d, k) for d in (4, 6, 12) for k in range(1, d - 1)])
def test_single_wrong_samples_are_outvoted(divisor: int, where: int, spared: int) -> None:
    """One cycle of noise in every bit, at any place but its edges; and in all but the start bit, which it moves."""
    byte = 0xC5
    dut = UartRx(divisor)
    received: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(5)
        for number, level in enumerate([0, *((byte >> k & 1) for k in range(8)), 1]):
            for cycle in range(divisor):
                ctx.set(dut.rx, level ^ (cycle == where and number >= spared))
                await ctx.tick()
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(divisor)

    run(dut, bench, received)
    assert received == [byte]


def run(dut: UartRx, bench: Any, received: list[int]) -> None:
    """Run a bench; `received` gets the bytes, and -1 for each that was lost."""

    async def receiver(ctx: Any) -> None:
        async for _, _, valid, payload, lost in ctx.tick().sample(dut.o.valid, dut.o.payload, dut.lost):
            if valid or lost:
                received.append(-1 if lost else payload)

    sim = Simulator(dut)
    sim.add_clock(CYCLE)
    sim.add_testbench(bench)
    sim.add_testbench(receiver, background=True)
    sim.run()


@pytest.mark.parametrize("divisor", [4, 6])
def test_a_break_is_one_lost_byte(divisor: int) -> None:
    dut = UartRx(divisor)
    received: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(5)
        ctx.set(dut.rx, 0)
        await ctx.tick().repeat(50 * divisor)
        ctx.set(dut.rx, 1)
        await ctx.tick().repeat(2 * divisor)
        await send(ctx, dut.rx, 0x11, divisor * CYCLE, stop=0)
        await ctx.delay(divisor * CYCLE)
        await send(ctx, dut.rx, 0x22, divisor * CYCLE)
        await ctx.tick().repeat(2 * divisor)

    run(dut, bench, received)
    assert received == [-1, -1, 0x22]


@pytest.mark.parametrize("divisor", [4, 9, Fraction(19, 4)])
def test_sender_and_receiver_back_to_back(divisor: int | Fraction) -> None:
    """Ten bits a byte, without a gap on average, and then with random waits of the user."""
    m = Module()
    m.submodules.tx = tx = UartTx(divisor)
    m.submodules.rx = rx = UartRx(divisor)
    m.d.comb += rx.rx.eq(tx.tx)
    rng = random.Random(int(divisor))
    data = [rng.randrange(256) for _ in range(24)]
    received: list[int] = []
    waits: list[int] = []

    async def sender(ctx: Any) -> None:
        ctx.set(tx.i.valid, 1)
        for k, byte in enumerate(data):
            if k >= 12:
                ctx.set(tx.i.valid, 0)
                await ctx.tick().repeat(rng.randrange(1, int(20 * divisor)))
                ctx.set(tx.i.valid, 1)
            ctx.set(tx.i.payload, byte)
            waited = 1
            while not (await ctx.tick().sample(tx.i.ready))[2]:
                waited += 1
            if 1 <= k < 12:
                waits.append(waited)
        ctx.set(tx.i.valid, 0)
        await ctx.tick().repeat(int(13 * divisor))

    async def receiver(ctx: Any) -> None:
        async for _, _, valid, payload, lost in ctx.tick().sample(rx.o.valid, rx.o.payload, rx.lost):
            assert not lost
            if valid:
                received.append(payload)

    sim = Simulator(m)
    sim.add_clock(CYCLE)
    sim.add_testbench(sender)
    sim.add_testbench(receiver, background=True)
    sim.run()
    assert received == data
    assert sum(waits) == pytest.approx(10 * divisor * len(waits), abs=1)


def test_divisors_and_their_errors() -> None:
    assert divisor_for(12e6, 115200) == 104
    assert divisor_for(50e6, 12e6) == Fraction(267, 64)
    assert divisor_for(12e6, 3e6) == 4
    assert baud_error(12e6, 115200) == pytest.approx(0.0016, abs=1e-4)
    for clock in (12e6, 33.333e6, 48e6, 50e6, 61.5e6, 100e6):
        for baud in (9600, 115200, 921600, 1e6, 3e6, 12e6):
            if clock >= MIN_DIVISOR * baud:
                assert abs(baud_error(clock, baud)) <= MAX_ERROR
    with pytest.raises(ValueError, match=r"3000001 baud need a clock of at least 12000004 Hz, not 10000000.0 Hz"):
        divisor_for(10e6, 3000001)
    with pytest.raises(ValueError, match="positive"):
        divisor_for(0, 9600)


@pytest.mark.parametrize("component", [UartTx, UartRx])
def test_bad_divisors_are_named(component: type[wiring.Component]) -> None:
    with pytest.raises(ValueError, match="at least 4 cycles per bit, not 3"):
        component(3)
    with pytest.raises(TypeError, match=r"not 8\.0"):
        component(8.0)
    with pytest.raises(ValueError, match="power of two, not 3"):
        component(Fraction(16, 3))


@pytest.mark.parametrize("cycles", [1, 5, 50, 300])
def test_the_line_rests_high_through_a_reset(cycles: int) -> None:
    """A board holds its reset until the PLL has locked; a low line would be a break to the host."""
    uart, reset = UartTx(12), Signal()
    levels = []

    async def bench(ctx: Any) -> None:
        for k in range(cycles + 400):
            ctx.set(reset, k < cycles)
            levels.append(ctx.get(uart.tx))
            await ctx.tick()

    simulator = Simulator(ResetInserter(reset)(uart))
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert set(levels) == {1}
