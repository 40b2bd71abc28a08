"""The activation unit: an `autapse.activation.Activation` as a pipeline, one result a cycle."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.activation import Activation, Segments
from autapse_hw.arithmetic import delayed, multiply, multiply_add, multiply_latency
from autapse_hw.memories import Rom
from autapse_hw.schedule import activation_latency

# Bits of a table that is made of logic: some 50 cells.
_LOGIC_BITS = 512


class ActivationUnit(wiring.Component):
    """y = activation(±magnitude), `latency` cycles later, one a cycle, without stalls.

    Parameters
    ----------
    activation
        The function on integers.
    magnitude_bits
        Unsigned bits of the magnitude.
    memory
        Kind of the table's memory.

    Members
    -------
    magnitude : In(magnitude_bits), negative : In(1)
        Magnitude and sign of the input code.
    y : Out(signed(activation.out.bits))
        The result.
    over : Out(1)
        Beside it: the magnitude is at or beyond the limit from which on the result is constant, and the sign is one
        that has a result. For monitors; costs nothing unconnected.
    """

    magnitude: Signal
    negative: Signal
    y: Signal
    over: Signal

    def __init__(self, activation: Activation, magnitude_bits: int, memory: str) -> None:
        self.activation, self._memory = activation, memory
        self.latency = activation_latency(activation)
        super().__init__(
            {
                "magnitude": In(unsigned(magnitude_bits)),
                "negative": In(1),
                "y": Out(signed(activation.out.bits)),
                "over": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # The table is read at the magnitude while the comparison with the limit decides whether its word counts. The
        # flags then travel beside the polynomial. One stage applies the limit and complements a negative result, the
        # last one adds what is missing to the complement, and the offset.
        a = self.activation
        m = Module()
        inner = self.latency - 2
        over = delayed(m, self.magnitude >= a.limit, inner)
        negative = delayed(m, self.negative, inner)
        m.d.comb += self.over.eq(delayed(m, over & ~negative if a.rectify else over, 2))
        ends = (a.out.max_code - a.offset, a.top) if a.offset + a.top > a.out.max_code else (a.top, a.top)
        end = Mux(negative, ends[1], ends[0])  # of a positive and of a negative result
        if a.segments is None:
            f = delayed(m, self.magnitude[: a.top.bit_length()], inner)
            largest = min(a.limit - 1, (1 << a.top.bit_length()) - 1)
        else:
            largest = int(np.max(a.segments.evaluate(np.arange(a.limit))))
            f = self._polynomial(m, a.segments)[: largest.bit_length()]
        if largest > min(ends):
            over = over | (f > end)
        bits = max(ends).bit_length()
        limited = Signal(bits)
        m.d.comb += limited.eq(Mux(over, end, f))
        complement, carry = Signal(signed(bits + 1), reset_less=True), Signal(reset_less=True)
        inverted = Cat(limited ^ negative.replicate(bits), negative)
        m.d.sync += [
            complement.eq(Mux(negative, 0, inverted) if a.rectify else inverted),
            carry.eq(0 if a.rectify else negative),
            self.y.eq(complement + a.offset + carry),
        ]
        return m

    def _polynomial(self, m: Module, s: Segments) -> Value:
        """f at the magnitude, two cycles before the result."""
        widths = s.widths
        coefficients = zip(*(c for c in (s.c0, s.c1, s.c2) if c), strict=True)
        words = [pack(values, widths) for values in coefficients]
        kind = "logic" if table_in_logic(s) else self._memory
        m.submodules.table = table = Rom(sum(widths), len(words), words, kind)
        m.d.comb += table.addr.eq(self.magnitude[s.shift :])
        word = delayed(m, table.data, 2 - table.latency)
        parts, at = [], 0
        for bits in widths:
            parts.append(word[at : at + bits])
            at += bits
        c0 = parts[0]
        if s.degree == 0:
            return c0
        dx = delayed(m, self.magnitude[: s.shift], 2)
        slope, product_latency = parts[1], multiply_latency(s.shift)
        if s.degree == 2:
            bend = multiply(m, parts[2], dx).shift_right(s.shift)
            bent = Signal(unsigned(widths[1]), reset_less=True)
            m.d.sync += bent.eq(delayed(m, slope, product_latency) - bend)
            slope = bent
            c0, dx = delayed(m, c0, product_latency + 1), delayed(m, dx, product_latency + 1)
        return multiply_add(m, slope, dx, delayed(m, c0, product_latency - 1))[s.guard :]


def table_in_logic(s: Segments) -> bool:
    """Whether a table is so small that it would waste a block RAM."""
    return sum(s.widths) * len(s.c0) <= _LOGIC_BITS


def pack(values: tuple[int, ...], widths: tuple[int, ...]) -> int:
    """One memory word of unsigned `values`, the first lowest."""
    word, at = 0, 0
    for value, bits in zip(values, widths, strict=True):
        word |= value << at
        at += bits
    return word
