"""The accumulators of the rows: running sums that never stop, in carry chains of a chosen length.

What a row of products adds is the difference of two readings, so nothing has to be cleared between rows, and no
multiplexer stands before the adder. The sums wrap; the differences are exact as long as a row's own sum fits.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value

from autapse_hw.arithmetic import delayed, delayed_flag, extended, registered


def segment_widths(bits: int, segments: int) -> list[int]:
    """`bits` cut into `segments` pieces, lowest first, as equal as they can be."""
    return [bits // segments + (k < bits % segments) for k in range(segments)]


@dataclass(frozen=True)
class Number:
    """The signed number ``value + carry``: a carry waits for the next adder, where it costs little or nothing."""

    value: Value
    carry: Value | None = None


def running_sum(m: Module, addend: Number, bits: int, segments: int, enable: Value, name: str) -> Value:
    """The sum modulo ``2**bits`` of the addends of all cycles with `enable`, from the next cycle on.

    Segment k, counted from the lowest, runs k cycles late.
    """
    # A bare carry leaves its chain by a wire; one that is complemented is one more cell of the chain. So each second
    # segment adds complements, with the complement of the carry: ~(s + a + c) = ~s + ~a + ~c.
    wide = extended(addend.value, bits)
    parts, at = [], 0
    carry: Value | int = 0 if addend.carry is None else addend.carry
    for k, width in enumerate(segment_widths(bits, segments)):
        total, carry_out = Signal(width, name=f"{name}_{k}", reset_less=True), Signal(reset_less=True)
        counts, piece = delayed_flag(m, enable, k), delayed(m, alternated(wide[at : at + width], k), k)
        with m.If(counts):
            m.d.sync += Cat(total, carry_out).eq(carry_complemented(total + piece + carry, width))
        carry = carry_out
        parts.append(alternated(total, k))
        at += width
    return Cat(*parts)


def alternated(value: Value, segment: int) -> Value:
    """What the carry chain of that segment takes and gives for `value`: each second one works on complements."""
    return ~value if segment % 2 else value


def carry_complemented(total: Value, bits: int) -> Value:
    """The sum with its carry, bit `bits`, as the next segment takes it: complemented."""
    return Cat(total[:bits], ~total[bits])


def adder_tree(m: Module, terms: list[Number]) -> Number:
    """The sum of the terms, `tree_latency` cycles later. Each adder takes two terms and one carry."""
    while len(terms) > 1:
        terms = [_added(m, terms[at : at + 2]) for at in range(0, len(terms), 2)]
    return terms[0]


def tree_latency(terms: int) -> int:
    """Cycles of :func:`adder_tree`."""
    return max(0, terms - 1).bit_length()


def _added(m: Module, terms: list[Number]) -> Number:
    """One or two terms, a cycle later; the first one's carry remains."""
    first, *rest = terms
    total, bits = first.value, len(first.value)
    for term in rest:
        total = total + term.value if term.carry is None else total + term.value + term.carry
        bits = max(bits, len(term.value)) + 1
    return Number(registered(m, total[:bits]), None if first.carry is None else delayed(m, first.carry, 1))
