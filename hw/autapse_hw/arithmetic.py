"""The contract's rounding and saturation as Amaranth expressions, and small pipeline helpers.

`autapse.fixed` has the same rules on integers.
"""

import math

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl import signed as signed_shape


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


def saturate(value: Value, max_code: int) -> Value:
    """The signed `value` limited to ±max_code, in the bits of max_code and a sign."""
    bits = max_code.bit_length() + 1
    limited = Mux(value > max_code, max_code, Mux(value < -max_code, -max_code, value))
    return limited[:bits].as_signed()


def symmetric(value: Value) -> Value:
    """The signed `value`, with the most negative code replaced by its neighbour."""
    lowest = value[-1] & ~value[:-1].any()
    return Cat(value[0] | lowest, value[1:]).as_signed()


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
    return 1 + max(0, math.ceil(math.log2(-(-bits // 2))))


def multiply(m: Module, a: Value, b: Value) -> Value:
    """The product of `a` and `b`, both signed or both unsigned, `multiply_latency(len(b))` cycles later.

    Made of adders only, one to a stage, for the few products beside the lanes: a digit of two bits of `b` selects 0 to
    3 times `a` (the top digit of a signed one -2 to 1 times), and a tree of registers adds them.
    """
    signed = a.shape().signed
    terms = []
    for at in range(0, len(b), 2):
        digit = b[at : at + 2]
        top = signed and at + 2 >= len(b)
        low, high = Mux(digit[0], a, 0), Mux(digit[1], a, 0) if len(digit) == 2 else None
        if top:
            term = -low if high is None else low - high.shift_left(1)
        else:
            term = low if high is None else low + high.shift_left(1)
        terms.append((at, term))
    rows = [(at, _stage(m, term)) for at, term in terms]
    while len(rows) > 1:
        pairs = [rows[k : k + 2] for k in range(0, len(rows), 2)]
        rows = [
            (
                pair[0][0],
                _stage(
                    m, pair[0][1] + pair[1][1].shift_left(pair[1][0] - pair[0][0]) if len(pair) == 2 else pair[0][1]
                ),
            )
            for pair in pairs
        ]
    product = rows[0][1][: len(a) + len(b)]
    return product.as_signed() if signed else product


def _stage(m: Module, value: Value) -> Value:
    register = Signal(value.shape(), reset_less=True)
    m.d.sync += register.eq(value)
    return register
