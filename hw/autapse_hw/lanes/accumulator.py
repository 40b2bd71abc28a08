"""The accumulators of the lanes: running sums that never stop, in carry chains of a chosen length.

What a row of products adds is the difference of two readings, so nothing has to be cleared between rows, and no
multiplexer stands before the adder. The sums wrap; the differences are exact as long as a row's own sum fits.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from autapse_hw.arithmetic import delayed


def segment_widths(bits: int, segments: int) -> list[int]:
    """`bits` cut into `segments` pieces, lowest first, as equal as they can be."""
    return [bits // segments + (k < bits % segments) for k in range(segments)]


def running_sum(
    m: Module, product: Value, bits: int, segments: int, clear: Value, name: str, extra: Value | None = None
) -> Value:
    """The sum modulo ``2**bits`` of all signed products since `clear`, the present one included from the next cycle on.

    A product may come with a bit of weight 1, `extra`, that is still to be added to it.

    Segment k, counted from the lowest, runs k cycles late.
    """
    wide = Cat(product, product[-1].replicate(max(0, bits - len(product))))
    parts, at = [], 0
    carry = extra
    for k, width in enumerate(segment_widths(bits, segments)):
        total = Signal(width + 1, name=f"{name}_{k}", reset_less=True)  # its top bit is the carry to the next segment
        addend = delayed(m, wide[at : at + width], k)
        m.d.sync += total.eq(Mux(clear, 0, total[:width] + addend + (0 if carry is None else carry)))
        carry = total[width]
        parts.append(total[:width])
        at += width
    return Cat(*parts)
