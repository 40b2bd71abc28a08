"""Small logic that the parts of the server share."""

from dataclasses import dataclass, fields
from functools import reduce
from operator import or_

from amaranth.hdl import Module, Mux, Signal, Value, unsigned

#: A condition, and what is chosen by it.
Choice = tuple[Value, Value | int]


@dataclass(frozen=True)
class Additions:
    """Further terms of the server's logic, by what not all devices have; joined by ``+``.

    Attributes
    ----------
    waits
        What the state must wait for.
    writes
        When the memory is written.
    targets, bounds, bytes
        Addresses of the memory, and sources of the byte.
    """

    waits: tuple[Value, ...] = ()
    writes: tuple[Value, ...] = ()
    targets: tuple[Choice, ...] = ()
    bounds: tuple[Choice, ...] = ()
    bytes: tuple[Choice, ...] = ()

    def __add__(self, other: "Additions") -> "Additions":
        return Additions(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


def later(m: Module, value: Value) -> Signal:
    """The value of the cycle before."""
    signal = Signal(unsigned(len(value)), reset_less=True, src_loc_at=1)
    m.d.sync += signal.eq(value)
    return signal


def choose(*choices: tuple[Value, Value | int]) -> Value:
    """All values whose conditions hold, in one OR: what a multiplexer costs when no two of them do."""
    return reduce(or_, (Mux(condition, value, 0) for condition, value in choices))
