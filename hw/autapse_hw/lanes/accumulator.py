"""The accumulators of the rows: running sums that never stop, in carry chains of a chosen length.

What a row of products adds is the difference of two readings, so nothing has to be cleared between rows, and no
multiplexer stands before the adder. The sums wrap; the differences are exact as long as a row's own sum fits.
"""

from amaranth.hdl import Cat, Module, Signal, Value, signed

from autapse_hw.arithmetic import delayed, delayed_flag


def segment_widths(bits: int, segments: int) -> list[int]:
    """`bits` cut into `segments` pieces, lowest first, as equal as they can be."""
    return [bits // segments + (k < bits % segments) for k in range(segments)]


def running_sum(m: Module, addend: Value, bits: int, segments: int, enable: Value, name: str) -> Value:
    """The sum modulo ``2**bits`` of the signed addends of all cycles with `enable`, from the next cycle on.

    Segment k, counted from the lowest, runs k cycles late.
    """
    wide = Cat(addend, addend[-1].replicate(max(0, bits - len(addend))))
    parts, at = [], 0
    carry: Value | int = 0
    for k, width in enumerate(segment_widths(bits, segments)):
        total = Signal(width + 1, name=f"{name}_{k}", reset_less=True)  # its top bit is the carry to the next segment
        counts, piece = delayed_flag(m, enable, k), delayed(m, wide[at : at + width], k)
        with m.If(counts):
            m.d.sync += total.eq(total[:width] + piece + carry)
        carry = total[width]
        parts.append(total[:width])
        at += width
    return Cat(*parts)


def adder_tree(m: Module, terms: list[Value]) -> Value:
    """The sum of signed terms, `tree_latency` cycles later: up to three in a cycle."""
    while len(terms) > 1:
        sums: list[Value] = []
        for at in range(0, len(terms), 3):
            total = terms[at]
            for term in terms[at + 1 : at + 3]:
                total = total + term
            stage = Signal(signed(len(total)), reset_less=True)
            m.d.sync += stage.eq(total)
            sums.append(stage)
        terms = sums
    return terms[0]


def tree_latency(terms: int) -> int:
    """Cycles of :func:`adder_tree`."""
    return 0 if terms <= 1 else 1 + tree_latency(-(-terms // 3))
