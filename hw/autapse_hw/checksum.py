"""The CRC of the serial protocol, in hardware."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import crc, wiring  # type: ignore[attr-defined]  # the stubs lack crc
from amaranth.lib.wiring import In, Out

from autapse.protocol import CRC_FINAL, CRC_INITIAL, CRC_POLYNOMIAL

#: The CRC of `autapse.protocol`.
CRC16 = crc.Algorithm(
    crc_width=16,
    polynomial=CRC_POLYNOMIAL,
    initial_crc=CRC_INITIAL,
    reflect_input=True,
    reflect_output=True,
    xor_output=CRC_FINAL,
)


class Checksum(wiring.Component):
    """Takes a byte in three cycles, and gives its value byte by byte.

    Members
    -------
    start : In(1)
        High for one cycle: begin, for the first time or again.
    byte, step : In(8), In(1)
        `step` is high for one cycle when a byte counts; the byte stays for another one.
    shift : In(1)
        The byte does not count: a `step` only moves the value by eight bits. For the two cycles after the step.
    o : Out(8)
        The lower byte of the CRC, three cycles after the last step.
    match : Out(1)
        The bytes so far end with their own CRC; four cycles after the last step.
    """

    start: Signal
    byte: Signal
    step: Signal
    shift: Signal
    o: Signal
    match: Signal

    def __init__(self) -> None:
        super().__init__(
            {"start": In(1), "byte": In(8), "step": In(1), "shift": In(1), "o": Out(8), "match": Out(1)},
        )

    def elaborate(self, platform: object) -> Module:
        """For the reflected CRC of this polynomial, half a byte makes each new bit the sum of three: one LUT."""
        m = Module()
        value = Signal(CRC16.crc_width, reset_less=True)
        half = Signal(4, reset_less=True)
        first = Signal()
        second = Signal()
        bits: list[Value] = list(value)
        for k in range(4):
            feedback = (bits[0] ^ half[k]) & ~self.shift
            bits = [*bits[1:], Const(0)]
            taps = f"{CRC16.polynomial:0{CRC16.crc_width}b}"
            bits = [bit ^ feedback if tap == "1" else bit for bit, tap in zip(bits, taps, strict=True)]

        m.d.comb += self.o.eq(value ^ CRC16.xor_output)
        m.d.sync += [half.eq(Mux(self.step, self.byte[:4], self.byte[4:])), first.eq(self.step), second.eq(first)]
        m.d.sync += [self.match.eq(value == CRC16(8).residue())]
        with m.If(first | second):
            m.d.sync += [bit.eq(new) for bit, new in zip(value, bits, strict=True)]
        with m.If(self.start):
            m.d.sync += value.eq(CRC16.initial_crc)
        return m
