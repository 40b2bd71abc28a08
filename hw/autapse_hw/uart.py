"""A UART, 8N1, with byte streams: one start bit, eight data bits from the lowest on, one stop bit."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer  # type: ignore[import-untyped]
from amaranth.lib.wiring import In, Out

MIN_DIVISOR = 4


def divisor_for(clock_hz: float, baud: float) -> int:
    """Clock cycles per bit that come nearest to `baud`; ValueError if the clock is too slow for it."""
    if clock_hz <= 0 or baud <= 0:
        raise ValueError(f"clock and baud rate are positive, not {clock_hz} Hz and {baud} baud")
    divisor = round(clock_hz / baud)
    if divisor < MIN_DIVISOR:
        raise ValueError(f"{baud} baud need a clock of at least {MIN_DIVISOR * baud} Hz, not {clock_hz} Hz")
    return divisor


def baud_error(clock_hz: float, baud: float) -> float:
    """Relative error of the baud rate that :func:`divisor_for` gives; positive is too fast.

    Both ends together may be off by 2.5 %: ``tests/hw/test_uart.py`` tries that for divisors from 4 to 26.
    """
    return clock_hz / divisor_for(clock_hz, baud) / baud - 1


def check_divisor(divisor: int) -> None:
    """TypeError or ValueError if this is not a number of cycles per bit."""
    if not isinstance(divisor, int):
        raise TypeError(f"a divisor is an integer, not {divisor!r}")
    if divisor < MIN_DIVISOR:
        raise ValueError(f"a divisor is at least {MIN_DIVISOR} cycles per bit, not {divisor}")


class UartTx(wiring.Component):
    """Sends bytes, back to back when they wait: one each ``10 * divisor`` cycles.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 4.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes to send; taken when the former one has been sent.
    tx : Out(1)
        The line; high at rest.
    """

    i: stream.Interface
    tx: Signal

    def __init__(self, divisor: int) -> None:
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """One shift register holds the data and stop bits; the register at its end is the line itself.

        The last bit ends one cycle early, since the cycle in which the next byte is taken belongs to the stop bit.
        """
        m = Module()
        timer = Signal(range(self.divisor))
        left = Signal(range(11))
        shift = Signal(9, init=0x1FF)
        line = Signal(init=1)
        tick = Signal()

        m.d.comb += self.i.ready.eq(left == 0)
        m.d.comb += [self.tx.eq(line), tick.eq(timer == 0)]
        with m.If(left == 0):
            with m.If(self.i.valid):
                m.d.sync += [line.eq(0), shift.eq(Cat(self.i.payload, 1)), left.eq(10), timer.eq(self.divisor - 1)]
        with m.Elif(tick):
            m.d.sync += [line.eq(shift[0]), shift.eq(Cat(shift[1:], 1)), left.eq(left - 1)]
            m.d.sync += timer.eq(self.divisor - 1)
            with m.If(left == 2):
                m.d.sync += timer.eq(self.divisor - 2)
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m


class UartRx(wiring.Component):
    """Receives bytes. Nothing can hold the line back, so a byte that is not taken within a bit's time costs the next.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 4. From 8 on, each bit is the majority of three samples around its middle.

    Members
    -------
    rx : In(1)
        The line, asynchronous.
    o : Out(stream.Signature(8))
        The bytes, each held until it is taken.
    lost : Out(1)
        High for one cycle for each byte that was lost: its stop bit was low, or the former one was still there.
    """

    rx: Signal
    o: stream.Interface
    lost: Signal

    def __init__(self, divisor: int) -> None:
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({"rx": In(1), "o": Out(stream.Signature(8)), "lost": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The line is filtered first and looked at afterwards, so edges and samples are delayed alike.

        The middle of the start bit must still be low, or it was a glitch. After a stop bit that is low the line must
        rise before a start bit counts, so that a break is one lost byte and not many zeros. The receiver is ready
        for the next start bit from the middle of the stop bit on, which is what lets a faster sender in.
        """
        m = Module()
        synchronised = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, synchronised, init=1)
        line = Signal(init=1)
        if self.divisor >= 8:
            earlier = Signal(2, init=3)
            m.d.sync += earlier.eq(Cat(synchronised, earlier[0]))
            a, b, c = synchronised, earlier[0], earlier[1]
            m.d.sync += line.eq((a & b) | (b & c) | (a & c))
        else:
            m.d.comb += line.eq(synchronised)

        timer = Signal(range(self.divisor))
        tick = Signal()
        bit = Signal(range(8))
        taken = Signal()  # the former byte had left when this one began
        m.d.comb += tick.eq(timer == 0)
        m.d.sync += [timer.eq(timer - 1), self.lost.eq(0)]
        with m.If(tick):
            m.d.sync += timer.eq(self.divisor - 1)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += timer.eq(self.divisor // 2 - 1)
                with m.If(~line):
                    m.next = "START"
            with m.State("START"):
                with m.If(tick):
                    m.d.sync += [bit.eq(0), taken.eq(~self.o.valid | self.o.ready)]
                    with m.If(line):
                        m.next = "IDLE"
                    with m.Else():
                        m.next = "DATA"
            with m.State("DATA"):
                with m.If(tick):
                    m.d.sync += bit.eq(bit + 1)
                    with m.If(taken):
                        m.d.sync += self.o.payload.eq(Cat(self.o.payload[1:], line))
                    with m.If(bit == 7):
                        m.next = "STOP"
            with m.State("STOP"):
                with m.If(tick):
                    m.d.sync += self.lost.eq(~(line & taken))
                    with m.If(line & taken):
                        m.d.sync += self.o.valid.eq(1)
                    m.next = "IDLE"
                    with m.If(~line):
                        m.next = "BREAK"
            with m.State("BREAK"):
                with m.If(line):
                    m.next = "IDLE"
        return m
