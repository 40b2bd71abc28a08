"""A UART, 8N1: one start bit, eight data bits from the lowest on, one stop bit.

A bit lasts a number of clock cycles that need not be whole: timers count in fractions of a cycle, so bits differ by a
cycle, and their mean is right.
"""

from fractions import Fraction

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer  # type: ignore[import-untyped]
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from autapse_hw.arithmetic import incremented

MIN_DIVISOR = 4
#: No divisor of :func:`divisor_for` is further off than this.
MAX_ERROR = 0.002


def divisor_for(clock_hz: float, baud: float) -> Fraction:
    """Clock cycles per bit for `baud`, with as few fraction bits as keep the rate within :data:`MAX_ERROR`.

    ValueError if the clock is too slow for it.
    """
    if clock_hz <= 0 or baud <= 0:
        raise ValueError(f"clock and baud rate are positive, not {clock_hz} Hz and {baud} baud")
    if clock_hz < MIN_DIVISOR * baud:
        raise ValueError(f"{baud} baud need a clock of at least {MIN_DIVISOR * baud} Hz, not {clock_hz} Hz")
    scale = 1
    while abs(clock_hz / baud / (divisor := Fraction(round(clock_hz / baud * scale), scale)) - 1) > MAX_ERROR:
        scale *= 2
    return divisor


def baud_error(clock_hz: float, baud: float) -> float:
    """Relative error of the baud rate that :func:`divisor_for` gives; positive is too fast.

    Both ends together may be off by 3 %: ``tests/hw/test_uart.py`` tries that.
    """
    return clock_hz / float(divisor_for(clock_hz, baud)) / baud - 1


def check_divisor(divisor: int | Fraction) -> Fraction:
    """`divisor` as a fraction; TypeError or ValueError if this is not a number of cycles per bit."""
    if not isinstance(divisor, int | Fraction):
        raise TypeError(f"a divisor is an integer or a Fraction, not {divisor!r}")
    divisor = Fraction(divisor)
    if divisor < MIN_DIVISOR:
        raise ValueError(f"a divisor is at least {MIN_DIVISOR} cycles per bit, not {divisor}")
    if divisor.denominator & (divisor.denominator - 1):
        raise ValueError(f"the denominator of a divisor is a power of two, not {divisor.denominator}")
    return divisor


class UartTx(wiring.Component):
    """Sends bytes, back to back when they wait: one each ``10 * divisor`` cycles.

    Parameters
    ----------
    divisor : int or Fraction
        Clock cycles per bit, at least 4; the denominator is a power of two.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to send; taken when the former one has been sent.
    tx : Out(1)
        The line; high at rest.
    """

    i: stream.Interface
    tx: Signal

    def __init__(self, divisor: int | Fraction) -> None:
        self.divisor = check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The stop bit is the last one in the shift register, and stays there while the line rests.

        The timer counts below zero, so that its sign is the tick and nothing has to be compared; what it is below zero
        by stays in it. It starts in the cycle in which a byte is taken, and the line follows the shift register a cycle
        later; so all ticks come a cycle early, and after the last one there is time to raise `ready` in a register.
        """
        m = Module()
        one = self.divisor.denominator  # a cycle
        bit = self.divisor.numerator
        timer = Signal(signed(bits_for(bit) + 1), reset_less=True)
        ready = Signal()  # it begins as if a byte had gone out
        shift = Signal(10, init=1)  # start bit, data, stop bit; reset too, or a long reset would shift the line low
        stopping = Signal(init=1)  # only the stop bit is left
        line = Signal(init=1)
        tick = timer[-1]

        m.d.comb += [self.i.ready.eq(ready), self.tx.eq(line)]
        m.d.sync += [stopping.eq(~shift[1:].any()), line.eq(shift[0] & ~(ready & self.i.valid))]
        m.d.sync += timer.eq(timer + Mux(tick, bit - one, -one))
        with m.If(ready & ~self.i.valid):
            m.d.sync += timer.eq(bit - 2 * one)
        with m.If(ready):
            with m.If(self.i.valid):
                m.d.sync += [ready.eq(0), shift.eq(Cat(0, self.i.payload, 1))]
        with m.Elif(tick):
            with m.If(stopping):
                m.d.sync += ready.eq(1)
            with m.Else():
                m.d.sync += shift.eq(shift[1:])
        return m


class UartRx(wiring.Component):
    """Receives bytes. Nothing can hold the line back, so each is there for one cycle, whether it is taken or not.

    Parameters
    ----------
    divisor : int or Fraction
        Clock cycles per bit, at least 4; the denominator is a power of two.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    o : Out(stream.Signature(8, always_ready=True))
        The bytes. Each bit is the majority of three samples, a cycle apart.
    lost : Out(1)
        High for one cycle for each byte whose stop bit was low.
    """

    rx: Signal
    o: stream.Interface
    lost: Signal

    def __init__(self, divisor: int | Fraction) -> None:
        self.divisor = check_divisor(divisor)
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8, always_ready=True)), "lost": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The line is filtered first and looked at afterwards, so edges and samples are delayed alike.

        The middle of the start bit must still be low, or it was a glitch. An edge is seen up to a cycle late; so bits
        are looked at half a cycle before the middle that follows from it, and the stop bit, where a mismatch of the
        rates has added up, twice: there and a cycle later. It must be high in one of the two. After a stop bit that is
        low the line must rise before a start bit counts, so that a break is one lost byte and not many zeros. The
        receiver is ready for the next start bit from then on, which is what lets a faster sender in.

        The states are one register each, and the timer counts up until its highest bit is the tick: then nothing has
        to be decoded or compared. What the tick takes from the timer goes through the same adder as what a cycle adds.
        """
        m = Module()
        synchronised = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, synchronised, init=1)
        line = Signal(init=1)
        earlier = Signal(2, init=3)
        m.d.sync += earlier.eq(Cat(synchronised, earlier[0]))
        a, b, c = synchronised, earlier[0], earlier[1]
        m.d.sync += line.eq((a & b) | (b & c) | (a & c))

        one = self.divisor.denominator  # a cycle
        bit = self.divisor.numerator
        full = 1 << bits_for(bit)  # where the timer ticks
        half = (bit - one) // 2 - one // 2  # ticks of a fractional timer come half a cycle late on average
        timer = Signal(range(2 * full), reset_less=True)
        tick = timer[-1]
        idle = Signal(init=1)
        starting = Signal()
        running = Signal()
        late = Signal()  # the stop bit was low when it was looked at first
        broken = Signal()
        count = Signal(4, reset_less=True)
        stopping = count[-1]  # all data bits are in
        payload = Signal(8, reset_less=True)

        ending = running & stopping & tick
        good = line & (ending | late)
        m.d.sync += [
            idle.eq((line & (idle | broken | (starting & tick))) | good),
            starting.eq((idle & ~line) | (starting & ~tick)),
            running.eq((starting & tick & ~line) | (running & ~(stopping & tick))),
            late.eq(ending & ~line),
            broken.eq(~line & (broken | late)),
            self.o.valid.eq(good),
            self.lost.eq(late & ~line),
            timer.eq(timer + Mux(tick, 2 * full + one - bit, one)),
        ]
        with m.If(idle):
            m.d.sync += [timer.eq(full + one - half), count.eq(0)]
        with m.If(running & tick):
            m.d.sync += count.eq(incremented(count))
            with m.If(~stopping):
                m.d.sync += payload.eq(Cat(payload[1:], line))
        m.d.comb += self.o.payload.eq(payload)
        return m
