"""Multipliers that synthesis infers: for every device, every word length, and every simulator."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


def bank_members(lanes: int, weight_bits: int, operand_bits: int) -> dict[str, wiring.Member]:
    """The ports of every bank of multipliers.

    Members
    -------
    w : In(lanes * weight_bits), v : In(signed(operand_bits))
        Weights, lane 0 lowest, and the operand that all lanes share. Straight from a memory: the bank registers them.
        The most negative codes do not occur.
    p : Out(lanes * (weight_bits + operand_bits - 1))
        The products, `latency` cycles later.
    """
    return {
        "w": In(lanes * weight_bits),
        "v": In(signed(operand_bits)),
        "p": Out(lanes * (weight_bits + operand_bits - 1)),
    }


class GenericBank(wiring.Component):
    """Products from the ``*`` operator, with a register before and a register behind it."""

    latency = 2

    w: Signal
    v: Signal
    p: Signal

    def __init__(self, lanes: int, weight_bits: int, operand_bits: int) -> None:
        self._lanes, self._weight_bits = lanes, weight_bits
        super().__init__(bank_members(lanes, weight_bits, operand_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        w, v = Signal.like(self.w, reset_less=True), Signal.like(self.v, reset_less=True)
        m.d.sync += [w.eq(self.w), v.eq(self.v)]
        products = []
        for lane in range(self._lanes):
            product = Signal(signed(len(self.p) // self._lanes), name=f"p_{lane}", reset_less=True)
            m.d.sync += product.eq(w.word_select(lane, self._weight_bits).as_signed() * v)
            products.append(product)
        m.d.comb += self.p.eq(Cat(*products))
        return m
