"""The accumulator of a lane: the sum of products of a row, rows back to back, in carry chains of a chosen length."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import delayed, delayed_flag


def segment_widths(bits: int, segments: int) -> list[int]:
    """`bits` cut into `segments` pieces, lowest first, as equal as they can be."""
    return [bits // segments + (k < bits % segments) for k in range(segments)]


class Accumulator(wiring.Component):
    """Sums products; one a cycle. The caller guarantees that no partial sum leaves `acc_bits`.

    Parameters
    ----------
    product_bits, acc_bits
        Word lengths.
    segments
        Carry chains that the sum is cut into. Segment k, counted from the lowest, runs k cycles late.

    Members
    -------
    p : In(signed(product_bits))
        A product; 0 adds nothing.
    last : In(1)
        It is the last of its row. With no row under way it clears the sum.
    total : Out(signed(acc_bits))
        The sum of the row: segment 0 in the very cycle of `last`, segment k in the k-th cycle after it, for that one
        cycle.
    """

    p: Signal
    last: Signal
    total: Signal

    def __init__(self, *, product_bits: int, acc_bits: int, segments: int) -> None:
        self._segments = segments
        super().__init__({"p": In(signed(product_bits)), "last": In(1), "total": Out(signed(acc_bits))})

    def elaborate(self, platform: object) -> Module:
        # The sum leaves on its way into the accumulator, and the accumulator is cleared by its synchronous reset: a
        # multiplexer before the adder would double the carry path on iCE40. So rows follow without a bubble.
        m = Module()
        parts, at = [], 0
        carry: Signal | None = None
        wide = Cat(self.p, self.p[-1].replicate(max(0, len(self.total) - len(self.p))))
        for k, bits in enumerate(segment_widths(len(self.total), self._segments)):
            acc = Signal(bits, name=f"acc_{k}", reset_less=True)
            total = Signal(bits + 1, name=f"sum_{k}")
            addend = delayed(m, wide[at : at + bits], k)
            m.d.comb += total.eq(acc + addend + (0 if carry is None else carry))
            m.d.sync += acc.eq(Mux(delayed_flag(m, self.last, k), 0, total[:bits]))
            carry = Signal(name=f"carry_{k}", reset_less=True)
            m.d.sync += carry.eq(total[bits])
            parts.append(total[:bits])
            at += bits
        m.d.comb += self.total.eq(Cat(*parts))
        return m
