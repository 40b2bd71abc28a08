"""Lanes for devices without multipliers: Booth products, radix 4, made for logic cells of one four-input table and one
adder bit, as the iCE40 HX has them.

A digit of two bits selects among -v, 0, v and 2v. With the operand common to all lanes that is one table a bit, of two
bits of the weight and two of the operand, and its register. -v is taken as ~v: the 1 that lacks is a carry into an
adder further on. A carry more than there are adders remains, for the adder that takes the product.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from autapse_hw.arithmetic import delayed, extended, registered
from autapse_hw.lanes.accumulator import Number
from autapse_hw.lanes.generic import Bank

#: Cycles from factors to products: digits, multiples, pairs of them, product.
PRODUCT_LATENCY = 4


@dataclass(frozen=True)
class Term:
    """``value + carry``, the sum of `digits` neighbouring digits' multiples; or 0 where a `gate` is given and low."""

    value: Value
    digits: int
    carry: Value | None = None
    gate: Value | None = None


def booth_products(m: Module, weights: list[Value], v: Value) -> list[Number]:
    """The products of signed `weights` with the signed operand `v`, PRODUCT_LATENCY cycles later, one a cycle.

    Neither needs a register of its own. The most negative codes do not occur. A product has the bits of both factors
    less one, and a carry, which costs the adder behind it one cell. ValueError for weights of less than 3 bits.
    """
    if shortest := [len(weight) for weight in weights if len(weight) < 3]:
        raise ValueError(f"weights for Booth products have at least 3 bits, not {min(shortest)}")
    operand = registered(m, v)
    return [_product(m, weight, operand) for weight in weights]


def _product(m: Module, weight: Value, v: Value) -> Number:
    bits, count = len(weight) + len(v) - 1, -(-len(weight) // 2)
    # Adding 1 to every digit but the top one makes them 0 to 3 where they stand for -1 to 2.
    digits = Signal(signed(len(weight) + 1), reset_less=True)
    m.d.sync += digits.eq(weight + sum(4**k for k in range(count - 1)))
    terms = [low_term(m, digits[2 * k : 2 * k + 2], v) for k in range(count - 1)]
    terms.append(_top_term(m, digits[2 * count - 2 :], v))
    # From the top, so that the gated term always meets an adder.
    pairs = [stage(m, add_terms(terms[max(0, k - 2) : k])) for k in range(count, 0, -2)][::-1]
    product = stage(m, add_terms(pairs))
    carry = Const(0, 1) if product.carry is None else product.carry
    return Number(extended(product.value, bits)[:bits].as_signed(), carry)


def low_term(m: Module, digit: Value, v: Value) -> Term:
    """``digit - 1`` times v."""
    once, twice = _multiples(v)
    value = Mux(digit[1], Mux(digit[0], twice, once), Mux(digit[0], 0, ~once))
    return Term(registered(m, value[: len(once)]), 1, delayed(m, ~digit.any(), 1))


def _top_term(m: Module, digit: Value, v: Value) -> Term:
    """``digit`` times v, from -1 to 1 in two bits, from -2 to 2 in three."""
    once, twice = _multiples(v)
    sign = digit[-1]
    if len(digit) == 2:
        value = Mux(sign, ~v, Mux(digit[0], v, 0))[: len(v)]
        return Term(registered(m, value), 1, delayed(m, sign, 1))
    size = Mux(digit[0], once, twice)
    value = Mux(sign, ~size, size)[: len(once)]
    return Term(registered(m, value), 1, delayed(m, sign, 1), delayed(m, digit.any(), 1))


def _multiples(v: Value) -> tuple[Value, Value]:
    """v and 2v, in the same bits."""
    return Cat(v, v[-1]), Cat(Const(0, 1), v)


def add_terms(terms: list[Term]) -> Term:
    """Terms side by side, lowest first, as one: the lower bits pass, the carries of all but the first go in."""
    low, *rest = terms
    if not rest:
        return low
    high = add_terms(rest) if len(rest) > 1 else rest[0]
    at = 2 * low.digits
    upper = low.value[at:].as_signed() if at < len(low.value) else low.value[-1].as_signed()
    bits = max(len(upper), len(high.value)) + 1
    ones, twos = extended(upper, bits), extended(high.value, bits)
    total = (ones + twos if high.carry is None else ones + twos + high.carry)[:bits]
    if high.gate is not None:  # behind the adder, in the table that the adder uses: before it, it would take cells
        total = Mux(high.gate, total, ones)[:bits]
    return Term(Cat(extended(low.value, at)[:at], total).as_signed(), low.digits + high.digits, low.carry)


def stage(m: Module, term: Term) -> Term:
    """The term, which has no gate, a cycle later."""
    return Term(registered(m, term.value), term.digits, None if term.carry is None else delayed(m, term.carry, 1))


class BoothBank(Bank):
    """Products of Booth digits, the sum behind them."""

    product_latency = PRODUCT_LATENCY

    def products(self, m: Module) -> list[list[Number]]:
        columns = [
            booth_products(m, [self.weight(row, col) for row in range(self.rows)], self.operand(col))
            for col in range(self.cols)
        ]
        return [list(row) for row in zip(*columns, strict=True)]
