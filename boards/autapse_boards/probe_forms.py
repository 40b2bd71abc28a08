"""Lanes that the probe compares on devices without multipliers: those of the core, and those that lost.

A form takes the weights straight from memory, rows of signed values, and the registered operands, one a column. It
gives the number of each row that is to be summed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from autapse_hw.arithmetic import delayed, registered
from autapse_hw.lanes.accumulator import Number, adder_tree
from autapse_hw.lanes.ice40_logic import Term, add_terms, booth_products, stage
from autapse_hw.lanes.winograd import pair

Rows = Callable[[Module, list[list[Value]], list[Value]], list[Number]]


@dataclass(frozen=True)
class ProbeForm:
    """A way to build the lanes.

    Attributes
    ----------
    rows
        Makes them.
    extra_bits
        Of the sums, beyond those of the products.
    cycles
        Cycles that a lane takes for one product.
    """

    rows: Rows
    extra_bits: int = 0
    cycles: int = 1


def _generic(m: Module, weights: list[list[Value]], operands: list[Value]) -> list[Number]:
    """Yosys's own multiplier, between two registers."""
    operands = [delayed(m, v, 1) for v in operands]
    return [
        adder_tree(
            m, [Number(registered(m, delayed(m, w, 1).as_signed() * v)) for w, v in zip(row, operands, strict=True)]
        )
        for row in weights
    ]


def _booth(m: Module, weights: list[list[Value]], operands: list[Value]) -> list[Number]:
    columns = [booth_products(m, [row[c] for row in weights], v) for c, v in enumerate(operands)]
    return [adder_tree(m, list(row)) for row in zip(*columns, strict=True)]


def _winograd(m: Module, weights: list[list[Value]], operands: list[Value]) -> list[Number]:
    if len(operands) % 2:
        raise ValueError(f"Winograd's product takes an even number of columns, not {len(operands)}")
    return [
        adder_tree(
            m,
            [Number(pair(m, (row[c], row[c + 1]), (operands[c], operands[c + 1]))) for c in range(0, len(operands), 2)],
        )
        for row in weights
    ]


def _encoded(m: Module, weights: list[list[Value]], operands: list[Value]) -> list[Number]:
    """Booth digits as the memory could hold them, -1 as the complement alone: what lacks is a constant of the row."""
    operands = [delayed(m, v, 1) for v in operands]

    def product(w: Value, v: Value) -> Value:
        once, twice = Cat(v, v[-1]), Cat(Const(0, 1), v)
        digits = delayed(m, w, 1)
        terms = []
        for k in range(0, len(digits), 2):
            low, high = digits[k], digits[k + 1]
            value = Mux(high, Mux(low, twice, once), Mux(low, 0, ~once))[: len(once)]
            terms.append(Term(registered(m, value), 1))
        while len(terms) > 1:
            terms = [stage(m, add_terms(terms[k : k + 2])) for k in range(0, len(terms), 2)]
        return terms[0].value.as_signed()

    return [adder_tree(m, [Number(product(w, v)) for w, v in zip(row, operands, strict=True)]) for row in weights]


def _array(bits_a_stage: int) -> Rows:
    """Array: a row of adders for each bit of the weight, the bit selecting behind the adder.

    Two halves of the weight side by side; `bits_a_stage` rows between registers.
    """

    def half(m: Module, bits: Value, v: Value, negative: bool) -> Value:
        total, low = Mux(bits[0], v, 0)[: len(v)].as_signed(), list[Value]()
        for k in range(1, len(bits)):
            if k % bits_a_stage == 0:
                low, total = [delayed(m, bit, 1) for bit in low], registered(m, total)
                bits, v = delayed(m, bits, 1), registered(m, v)
            low, total = [*low, total[0]], total[1:].as_signed()
            wider = Cat(total, total[-1].replicate(len(v) + 1 - len(total)))
            subtract = negative and k == len(bits) - 1
            added = (total + (~v).as_signed() + 1 if subtract else total + v)[: len(v) + 1]
            total = Mux(bits[k], added, wider).as_signed()
        return registered(m, Cat(*low, total))

    def rows(m: Module, weights: list[list[Value]], operands: list[Value]) -> list[Number]:
        operands = [registered(m, v) for v in operands]

        def product(w: Value, v: Value) -> Value:
            bits, middle = delayed(m, w, 1), len(w) // 2
            low, high = half(m, bits[:middle], v, False), half(m, bits[middle:], v, True)
            upper = (low[middle:].as_signed() + high.as_signed())[: len(w) + len(v) - 1 - middle]
            return registered(m, Cat(low[:middle], upper))

        return [adder_tree(m, [Number(product(w, v)) for w, v in zip(row, operands, strict=True)]) for row in weights]

    return rows


def _serial(m: Module, weights: list[list[Value]], operands: list[Value]) -> list[Number]:
    """One bit of the weight a cycle; the operand, common to all, is shifted meanwhile. The sum stands in the probe."""
    bits = len(weights[0][0])
    cycle, operand = Signal(range(bits)), Signal(signed(len(operands[0]) + bits - 1), reset_less=True)
    last = cycle == bits - 1
    m.d.sync += [cycle.eq(Mux(last, 0, cycle + 1)), operand.eq(Mux(last, operands[0], operand << 1))]
    rows: list[Number] = []
    for row in weights:
        shift = Signal(bits, reset_less=True)
        m.d.sync += shift.eq(Mux(last, row[0], shift[1:]))
        rows.append(Number(Mux(shift[0], operand, 0)[: len(operand)].as_signed()))
    return rows


#: The forms by name.
PROBE_FORMS: Mapping[str, ProbeForm] = {
    "generic": ProbeForm(_generic),
    "array": ProbeForm(_array(4)),
    "array2": ProbeForm(_array(2)),
    "booth": ProbeForm(_booth),
    "encoded": ProbeForm(_encoded),
    "winograd": ProbeForm(_winograd, extra_bits=1),
    "serial": ProbeForm(_serial, cycles=8),
}
