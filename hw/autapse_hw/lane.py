"""Multiply-accumulate lanes: one interface, and the form that every device can build."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class MacLane(wiring.Component):
    """A lane: the sum of products of a row, one product a cycle, rows back to back.

    The generic form: a multiplier that synthesis infers, a product register, and an accumulator in logic.

    Parameters
    ----------
    weight_bits, operand_bits, acc_bits
        Word lengths. The caller guarantees that no partial sum leaves `acc_bits`.

    Members
    -------
    w : In(signed(weight_bits))
        Weight. From a register, so that the multiplier has the whole cycle.
    v : In(signed(operand_bits))
        Operand; 0 adds nothing, which is how a lane idles.
    last : In(1)
        This product is the last of its row. With no row under way it clears the sum.
    total : Out(signed(acc_bits))
        The sum of the row, in the one cycle that comes :attr:`latency` cycles after its `last`.
    """

    latency = 1

    w: Signal
    v: Signal
    last: Signal
    total: Signal

    def __init__(self, *, weight_bits: int, operand_bits: int, acc_bits: int) -> None:
        super().__init__(
            {
                "w": In(signed(weight_bits)),
                "v": In(signed(operand_bits)),
                "last": In(1),
                "total": Out(signed(acc_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # The sum leaves on its way into the accumulator, and the accumulator is cleared by its synchronous reset: a
        # multiplexer before the adder would double the carry path on iCE40. So rows follow without a bubble.
        m = Module()
        product = Signal(signed(len(self.w) + len(self.v)), reset_less=True)
        last = Signal(reset_less=True)
        acc = Signal.like(self.total, reset_less=True)
        m.d.comb += self.total.eq(acc + product)
        m.d.sync += [product.eq(self.w * self.v), last.eq(self.last), acc.eq(self.total)]
        with m.If(last):
            m.d.sync += acc.eq(0)
        return m
