"""Two products for one multiplication: Winograd's inner product (IEEE Trans. Computers C-17, 1968).

``(w0 + v1) (w1 + v0) = w0 v0 + w1 v1 + w0 w1 + v0 v1``: for each pair of columns one multiplication, of numbers a bit
longer. What is too much depends on the weights alone, a constant of the row that its bias can hold, or on the operands
alone: that is the sum of a row whose weights are 0, one for all rows.

The multiplier has Booth digits as in `ice40_logic`. Its multiplicand is taken in half units, as an odd number, whose
negative has all bits but the lowest inverted, and needs no carry.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed

from autapse_hw.lanes.ice40_logic import Term, add_terms, stage

#: Cycles from factors to a pair's number: sums of weight and operand, multiples, pairs of them, product.
PAIR_LATENCY = 4


def pair_offset(w0: int, w1: int, weight_bits: int, operand_bits: int) -> int:
    """What `pair` has of weights alone: ``pair(w, v) == pair(0, v) + 2 * (w0 * v0 + w1 * v1) + pair_offset(w)``."""
    return 2 * w0 * w1 + 2 * _shift(max(weight_bits, operand_bits) + 1) * w0 + w1


def pair(m: Module, w: tuple[Value, Value], v: tuple[Value, Value]) -> Value:
    """``(2 (w0 + v1) + 1) (w1 + v0 + c)`` with a constant c, signed, PAIR_LATENCY cycles later, one a cycle.

    Signed weights, as they come from memory, and operands, which come from registers. The most negative codes do not
    occur.
    """
    bits = max(len(w[0]), len(v[0])) + 1
    a, b = Signal(signed(bits), reset_less=True), Signal(bits, reset_less=True)
    m.d.sync += [a.eq(w[0] + v[1]), b.eq(w[1] + v[0])]
    odd = Cat(Const(1, 1), a).as_signed()
    count = bits // 2
    terms = [Term(_multiple(_digit(b, k), odd), 1) for k in range(count)]
    if bits % 2:  # the sign, inverted, is the top digit: 0 or 1
        terms[-1] = add_terms([terms[-1], Term(odd, 1, gate=~b[-1])])
    terms = [stage(m, term) for term in terms]
    pairs = [stage(m, add_terms(terms[k : k + 2])) for k in range(0, count, 2)]
    return stage(m, add_terms(pairs)).value.as_signed()


def _shift(bits: int) -> int:
    """c: the sign bit inverted adds its weight, and each digit stands for one less than it says."""
    return (1 << (bits - 1)) - ((1 << 2 * (bits // 2)) - 1) // 3


def _digit(b: Value, k: int) -> Value:
    """Digit `k` of `b`, whose top bit is inverted."""
    top = 2 * k + 1
    return Cat(b[top - 1], ~b[top] if top == len(b) - 1 else b[top])


def _multiple(digit: Value, odd: Value) -> Value:
    """``digit - 1`` times the odd number, exactly."""
    once, twice = Cat(odd, odd[-1]), Cat(Const(0, 1), odd)
    minus = Cat(odd[0], ~once[1:])
    return Mux(digit[1], Mux(digit[0], twice, once), Mux(digit[0], 0, minus))[: len(once)].as_signed()
