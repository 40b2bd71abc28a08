"""The contract of a bank of lanes, and the form that every device, word length and simulator can take."""

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.lanes.accumulator import running_sum


class Bank(wiring.Component):
    """Lanes side by side: each multiplies its weight with the common operand, and adds the product to its sum.

    Parameters
    ----------
    lanes
        How many.
    weight_bits, operand_bits, acc_bits
        Word lengths. Weights and operands are symmetric: the most negative codes do not occur.
    segments
        Carry chains of the sums.

    Members
    -------
    w : In(lanes * weight_bits), v : In(signed(operand_bits))
        Weights, lane 0 lowest, and operand. Straight from memory: the bank registers them. A 0 adds nothing.
    clear : In(1)
        Hold the sums at 0.
    sums : Out(lanes * acc_bits)
        The running sums modulo ``2**acc_bits``. They contain a product `latency` cycles after its factors; segment k
        of them k cycles later.
    """

    latency: int

    w: Signal
    v: Signal
    clear: Signal
    sums: Signal

    def __init__(self, lanes: int, weight_bits: int, operand_bits: int, acc_bits: int, segments: int) -> None:
        self.lanes, self.weight_bits, self.acc_bits, self.segments = lanes, weight_bits, acc_bits, segments
        self.product_bits = weight_bits + operand_bits - 1
        super().__init__(
            {
                "w": In(lanes * weight_bits),
                "v": In(signed(operand_bits)),
                "clear": In(1),
                "sums": Out(lanes * acc_bits),
            }
        )

    def weight(self, lane: int) -> Value:
        """The weight of a lane, signed."""
        return self.w.word_select(lane, self.weight_bits).as_signed()

    def accumulate(self, m: Module, products: list[Value]) -> None:
        """Add up the lanes' products in logic."""
        sums = [
            running_sum(
                m, product[: self.product_bits].as_signed(), self.acc_bits, self.segments, self.clear, f"sum_{k}"
            )
            for k, product in enumerate(products)
        ]
        m.d.comb += self.sums.eq(Cat(*sums))


class GenericBank(Bank):
    """Products from the ``*`` operator, with a register before and a register behind it."""

    latency = 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        w, v = Signal.like(self.w, reset_less=True), Signal.like(self.v, reset_less=True)
        m.d.sync += [w.eq(self.w), v.eq(self.v)]
        products: list[Value] = []
        for lane in range(self.lanes):
            product = Signal(signed(self.product_bits), name=f"p_{lane}", reset_less=True)
            m.d.sync += product.eq(w.word_select(lane, self.weight_bits).as_signed() * v)
            products.append(product)
        self.accumulate(m, products)
        return m
