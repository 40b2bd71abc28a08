"""The contract's rounding and saturation as Amaranth expressions, and small pipeline helpers.

`autapse.fixed` has the same rules on integers.
"""

from amaranth.hdl import Module, Mux, Signal, Value
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


def saturate(value: Value, max_code: int) -> Value:
    """The signed `value` limited to ±max_code, in the bits of max_code and a sign."""
    bits = max_code.bit_length() + 1
    limited = Mux(value > max_code, max_code, Mux(value < -max_code, -max_code, value))
    return limited[:bits].as_signed()


def delayed(m: Module, value: Value, cycles: int) -> Value:
    """`value`, that many cycles later."""
    for _ in range(cycles):
        stage = Signal(value.shape(), reset_less=True)
        m.d.sync += stage.eq(value)
        value = stage
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
