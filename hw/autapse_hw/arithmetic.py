"""The contract's rounding and saturation as Amaranth expressions, and small pipeline helpers.

`autapse.fixed` has the same rules on integers.
"""

import math

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import signed as signed_shape


def incremented(value: Value) -> Value:
    """``value + 1``, modulo what its bits hold, without a carry chain: of up to four bits a table each and no more."""
    return Cat(bit ^ value[:k].all() for k, bit in enumerate(value))


def shift_round(value: Value, shift: int) -> Value:
    """``value / 2**shift`` to nearest, ties away from zero: one adder whose carry-in is the inverted sign.

    A shift of 0 or less multiplies. The result has all the bits that it needs.
    """
    if shift <= 0:
        return value.shift_left(-shift)
    half = 1 << (shift - 1)
    # value + half - (value < 0), with the sign as a carry-in
    total = value + (half - 1) + ~value[-1]
    return total.as_signed().shift_right(shift)


def rounding_increment(value: Value, shift: int) -> Value:
    """What the bits of `value` above `shift` must be raised by: ``shift_round(v, s) == (v >> s) + increment``.

    One bit, without a carry chain: the half is there, and, for a negative value, something below it too.
    """
    if shift <= 0:
        return Const(0, 1)
    half = value[shift - 1]
    return half & (~value[-1] | value[: shift - 1].any()) if shift > 1 else half & ~value[-1]


def rounded_magnitude(m: Module, total: Value, shift: int, near: int) -> tuple[Value, Value]:
    """Magnitude and sign of the signed `total` over ``2**shift``, rounded ties away from zero, two cycles later.

    The magnitude has near + 1 bits: one that `near` bits do not hold is only known to be so large.
    """
    # |total| rounded is (above ^ sign) + increment, where `above` are the bits that stay, and where the increment
    # holds both the rounding and the negation. What lies beyond the activation's limit needs no exact magnitude,
    # only one that is beyond it too: so the sum is as short as the limit, and a bit above it says far out.
    sign, above = total[-1], total
    increment: Value = sign
    if shift > 0:
        half, below = total[shift - 1], total[: shift - 1].any()
        increment = Mux(sign, ~half | ~below, half)
        above = total[shift:]
    above = extended(above, near)
    above_near, sign_late, far, increment_late = Signal(near), Signal(), Signal(), Signal()
    left = max(0, -shift)  # then there are no bits to round, and the magnitude gets zeros below
    m.d.sync += [
        above_near.eq(above[:near] ^ sign.replicate(near)),
        far.eq((above[max(0, near - left) :] ^ sign.replicate(len(above) - max(0, near - left))).any()),
        sign_late.eq(sign),
        increment_late.eq(increment),
    ]
    magnitude, negative = Signal(near + 1), Signal()
    m.d.sync += [
        magnitude.eq(((above_near + increment_late).shift_left(left))[: near + 1] | Mux(far, 1 << near, 0)),
        negative.eq(sign_late),
    ]
    return magnitude, negative


def saturate(value: Value, max_code: int) -> Value:
    """The signed `value` limited to ±max_code, in the bits of max_code and a sign."""
    bits = max_code.bit_length() + 1
    limited = Mux(value > max_code, max_code, Mux(value < -max_code, -max_code, value))
    return limited[:bits].as_signed()


def is_lowest(value: Value) -> Value:
    """Whether the signed `value` is the most negative code, which has no negative."""
    return value[-1] & ~value[:-1].any()


def symmetric(value: Value, lowest: Value | None = None) -> Value:
    """The signed `value`, with the most negative code replaced by its neighbour.

    `lowest` is :func:`is_lowest` of it, where that is there already.
    """
    lowest = is_lowest(value) if lowest is None else lowest
    return Cat(value[0] | lowest, value[1:]).as_signed()


def extended(value: Value, bits: int) -> Value:
    """The signed `value` in at least so many bits."""
    return Cat(value, value[-1].replicate(max(0, bits - len(value)))).as_signed()


def delayed(m: Module, value: Value, cycles: int) -> Value:
    """`value`, that many cycles later."""
    for _ in range(cycles):
        value = _stage(m, value)
    return value


def registered(m: Module, value: Value) -> Value:
    """`value` one cycle later, as a signed value of as many bits."""
    stage = Signal(signed_shape(len(value)), reset_less=True)
    m.d.sync += stage.eq(value)
    return stage


def delayed_flag(m: Module, flag: Value, cycles: int) -> Value:
    """A flag some cycles later; unlike data, it is cleared by reset."""
    for _ in range(cycles):
        stage = Signal()
        m.d.sync += stage.eq(flag)
        flag = stage
    return flag


def successor(counter: Value, count: int) -> Value:
    """The next value of a counter that counts to `count` - 1 and wraps."""
    return Mux(counter == count - 1, 0, counter + 1)


def multiply_latency(bits: int) -> int:
    """Cycles of :func:`multiply` for a second factor of so many bits."""
    return 2 + max(0, math.ceil(math.log2(-(-bits // 2))))


def multiply(m: Module, a: Value, b: Value) -> Value:
    """The product of `a` and `b`, both signed or both unsigned, `multiply_latency(len(b))` cycles later.

    Made of adders only, one to a stage, for the few products beside the lanes.
    """
    rows = _product_rows(m, a, b)
    return rows[0][1] if len(rows) == 1 else _added(m, rows)[1]


def multiply_add(m: Module, a: Value, b: Value, c: Value) -> Value:
    """``a * b + c``, all unsigned, a cycle after the product; `c` comes a cycle before the product.

    What the lower of the last two rows has below the upper one is added to `c` while the two are added: so no carry
    chain is as long as the sum.
    """
    (_, lower), *others = _product_rows(m, a, b)
    if not others:
        return _stage(m, lower + _stage(m, c))
    (at, upper), *_ = others
    low = _stage(m, lower[:at] + c[:at])
    _, high = _added(m, [(0, lower[at:]), (0, upper)])
    return Cat(_stage(m, low[:at]), _stage(m, high + _stage(m, c[at:]) + low[at:]))


def _product_rows(m: Module, a: Value, b: Value) -> list[tuple[int, Value]]:
    """The product as one row, or as two a cycle before it; each with the bit where it begins."""
    # The first stage makes 3a, and -a for a signed product; in the second each digit of two bits of `b` selects 0, 1, 2
    # or 3 times a, or 0, 1, -2 or -1 times for the top digit of a signed one; then a tree adds.
    signed = a.shape().signed
    triple, minus = _stage(m, a + a.shift_left(1)), _stage(m, -a if signed else a)
    if not signed:  # the carry alone, as a bit of its chain: complemented
        top = _stage(m, ~(a + a.shift_left(1))[-1])
        triple = Cat(triple[:-1], ~top)
    a, digits = _stage(m, a), _stage(m, b)
    rows = []
    for at in range(0, len(b), 2):
        digit = digits[at : at + 2]
        if signed and at + 2 >= len(b):
            two, three = minus.shift_left(1), minus
            if len(digit) == 1:  # a sign alone
                digit = digit.replicate(2)
        else:
            two, three = a.shift_left(1), triple
        row = Mux(digit == 0, 0, Mux(digit == 1, a, Mux(digit == 2, two, three)))
        rows.append((at, _stage(m, _cut(row, len(a) + len(b[at : at + 2])))))
    while len(rows) > 2:
        rows = [_added(m, rows[k : k + 2]) for k in range(0, len(rows), 2)]
    return rows


def _added(m: Module, pair: list[tuple[int, Value]]) -> tuple[int, Value]:
    """The sum of one or two rows, each with the bit where it begins, in a register: as long as the upper one reaches.

    It is a multiple of the first factor, and fits; so no carry leaves its chain.
    """
    (low, total), *rest = pair
    for high, row in rest:
        total = _cut(total + row.shift_left(high - low), high - low + len(row))
    return low, _stage(m, total)


def _cut(value: Value, bits: int) -> Value:
    """The lowest bits of `value`, of its sign."""
    return value[:bits].as_signed() if value.shape().signed else value[:bits]


def _stage(m: Module, value: Value) -> Value:
    register = Signal(value.shape(), reset_less=True)
    m.d.sync += register.eq(value)
    return register
