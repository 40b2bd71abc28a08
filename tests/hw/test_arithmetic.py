"""Rounding, saturation and products of the gateware on every code, against the rules of `autapse.fixed`."""

from collections.abc import Callable, Iterable

import pytest
from amaranth.hdl import Module, Signal, Value, signed, unsigned
from amaranth.sim import Simulator

from autapse import fixed
from autapse_hw.arithmetic import (
    delayed,
    extended,
    multiply,
    multiply_add,
    multiply_latency,
    rounding_increment,
    saturate,
    shift_round,
    symmetric,
)

BITS = 7
CODES = range(-(1 << (BITS - 1)), 1 << (BITS - 1))


def on_codes(expression: Callable[[Value], Value]) -> list[int]:
    """What a combinational expression of a signed value gives for every code."""
    m, value = Module(), Signal(signed(BITS))
    made = expression(value)
    result = Signal(made.shape())
    m.d.comb += result.eq(made)
    found = []

    async def bench(ctx) -> None:
        for code in CODES:
            ctx.set(value, code)
            found.append(ctx.get(result))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("shift", range(-2, BITS + 2))
def test_shift_round(shift: int) -> None:
    assert on_codes(lambda v: shift_round(v, shift)) == [fixed.shift_round(code, shift) for code in CODES]


@pytest.mark.parametrize("shift", range(BITS))
def test_rounding_increment(shift: int) -> None:
    """What it adds to the bits that stay gives the same."""
    found = on_codes(lambda v: rounding_increment(v, shift))
    assert [(code >> shift) + add for code, add in zip(CODES, found, strict=True)] == [
        fixed.shift_round(code, shift) for code in CODES
    ]


@pytest.mark.parametrize("top", [1, 15, 31, 62, 63])
def test_saturate(top: int) -> None:
    assert on_codes(lambda v: saturate(v, top)) == [max(-top, min(top, code)) for code in CODES]


def test_symmetric_and_extended() -> None:
    assert on_codes(symmetric) == [max(code, CODES[1]) for code in CODES]
    assert on_codes(lambda v: extended(v, BITS + 3)) == list(CODES)


def all_products(a_shape: object, b_shape: object, pairs: Iterable[tuple[int, int]], addend: int = 0) -> list[int]:
    """The products of all pairs, one a cycle; with an addend, plus that times the second factor."""
    m = Module()
    a, b = Signal(a_shape), Signal(b_shape)
    if addend:
        made = multiply_add(
            m, a, b, delayed(m, (b * addend)[: len(b) + addend.bit_length()], multiply_latency(len(b)) - 1)
        )
    else:
        made = multiply(m, a, b)
    result = Signal(made.shape())
    m.d.comb += result.eq(made)
    found = []
    latency = multiply_latency(len(b)) + (addend != 0)

    async def bench(ctx) -> None:
        todo = [*pairs, *[(0, 0)] * latency]
        for left, right in todo:
            ctx.set(a, left)
            ctx.set(b, right)
            await ctx.tick()
            found.append(ctx.get(result))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found[latency - 1 : -1]


@pytest.mark.parametrize("sign", [signed, unsigned])
@pytest.mark.parametrize(("a_bits", "b_bits"), [(5, 5), (4, 6), (6, 3), (3, 7), (5, 2), (2, 8)])
def test_every_product(sign: Callable[[int], object], a_bits: int, b_bits: int) -> None:
    """The word length of the second factor odd and even: the top digit is a sign alone, or two bits."""
    low = {signed: lambda bits: -(1 << (bits - 1)), unsigned: lambda bits: 0}[sign]
    # The most negative code of the first factor has no negative.
    left = range(low(a_bits) + (sign is signed), low(a_bits) + (1 << a_bits))
    pairs = [(x, y) for x in left for y in range(low(b_bits), low(b_bits) + (1 << b_bits))]
    assert all_products(sign(a_bits), sign(b_bits), pairs) == [x * y for x, y in pairs]


@pytest.mark.parametrize("addend", [3, 85])
@pytest.mark.parametrize(("a_bits", "b_bits"), [(5, 5), (4, 6), (6, 3), (3, 7), (5, 2), (2, 8), (4, 1)])
def test_every_product_and_sum(a_bits: int, b_bits: int, addend: int) -> None:
    """Addends shorter than the product, and longer."""
    pairs = [(x, y) for x in range(1 << a_bits) for y in range(1 << b_bits)]
    found = all_products(unsigned(a_bits), unsigned(b_bits), pairs, addend)
    assert found == [x * y + addend * y for x, y in pairs]
