"""The activation unit: an `autapse.activation.Activation` as a pipeline, one result a cycle."""

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse.activation import Activation, Segments
from autapse_hw.arithmetic import delayed, multiply, multiply_latency
from autapse_hw.schedule import activation_latency


class ActivationUnit(wiring.Component):
    """y = activation(±magnitude), `latency` cycles later, one a cycle, without stalls.

    Parameters
    ----------
    activation
        The function on integers.
    magnitude_bits
        Unsigned bits of the magnitude.

    Members
    -------
    magnitude : In(magnitude_bits), negative : In(1)
        Magnitude and sign of the input code.
    y : Out(signed(activation.out.bits))
        The result.
    """

    magnitude: Signal
    negative: Signal
    y: Signal

    def __init__(self, activation: Activation, magnitude_bits: int) -> None:
        self.activation = activation
        self.latency = activation_latency(activation)
        super().__init__(
            {
                "magnitude": In(unsigned(magnitude_bits)),
                "negative": In(1),
                "y": Out(signed(activation.out.bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # The table is read at the magnitude while the comparison with the limit decides whether its word counts. The
        # flags then travel beside the polynomial. One stage applies the limit, the last one sign, offset, saturation.
        a = self.activation
        m = Module()
        inner = self.latency - 2
        over = delayed(m, self.magnitude >= a.limit, inner)
        negative = delayed(m, self.negative, inner + 1)
        if a.segments is None:
            f = delayed(m, self.magnitude[: a.top.bit_length()], inner)
        else:
            f = self._polynomial(m, a.segments)
            if np.max(a.segments.evaluate(np.arange(a.limit))) > a.top:
                over = over | (f > a.top)
        magnitude = Signal(range(a.top + 1), reset_less=True)
        m.d.sync += magnitude.eq(Mux(over, a.top, f))
        positive: Value = magnitude + a.offset
        if a.offset + a.top > a.out.max_code:
            positive = Mux(positive > a.out.max_code, a.out.max_code, positive)
        m.d.sync += self.y.eq(Mux(negative, 0 if a.rectify else a.offset - magnitude, positive))
        return m

    def _polynomial(self, m: Module, s: Segments) -> Value:
        """f at the magnitude, two cycles before the result."""
        widths = s.widths
        coefficients = zip(*(c for c in (s.c0, s.c1, s.c2) if c), strict=True)
        words = [pack(values, widths) for values in coefficients]
        m.submodules.table = table = Memory(shape=unsigned(sum(widths)), depth=len(words), init=words)
        port = table.read_port()
        index = self.magnitude[s.shift :]
        m.d.comb += [port.en.eq(1), port.addr.eq(index)]
        parts, at = [], 0
        for bits in widths:
            parts.append(delayed(m, port.data[at : at + bits], 1))
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
        product = multiply(m, slope, dx)
        total = Signal(unsigned(max(widths[0], widths[1] + s.shift) + 1 - s.guard), reset_less=True)
        m.d.sync += total.eq((delayed(m, c0, product_latency) + product) >> s.guard)
        return total


def pack(values: tuple[int, ...], widths: tuple[int, ...]) -> int:
    """One memory word of unsigned `values`, the first lowest."""
    word, at = 0, 0
    for value, bits in zip(values, widths, strict=True):
        word |= value << at
        at += bits
    return word
