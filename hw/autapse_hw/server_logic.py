"""Small logic that the parts of the server share."""

from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value, unsigned


def later(m: Module, value: Value) -> Signal:
    """The value of the cycle before."""
    signal = Signal(unsigned(len(value)), reset_less=True, src_loc_at=1)
    m.d.sync += signal.eq(value)
    return signal


def choose(*choices: tuple[Value, Value | int]) -> Value:
    """All values whose conditions hold, in one OR: what a multiplexer costs when no two of them do."""
    return reduce(or_, (Mux(condition, value, 0) for condition, value in choices))
