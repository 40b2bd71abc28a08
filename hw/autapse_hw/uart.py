"""A UART, 8N1, with byte streams: one start bit, eight data bits from the lowest on, one stop bit."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer  # type: ignore[import-untyped]
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

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
        """The stop bit is the last one in the shift register, and stays there while the line rests.

        The timer counts below zero, so that its sign is the tick and nothing has to be compared. It starts in the
        cycle in which a byte is taken, and the line follows the shift register a cycle later; so all ticks come a
        cycle early, and after the last one there is time to raise `ready` in a register.
        """
        m = Module()
        timer = Signal(signed(bits_for(self.divisor) + 1), reset_less=True)
        ready = Signal()  # it begins as if a byte had gone out
        shift = Signal(10, init=1)  # start bit, data, stop bit; reset too, or a long reset would shift the line low
        stopping = Signal(init=1)  # only the stop bit is left
        line = Signal(init=1)
        tick = timer[-1]

        m.d.comb += [self.i.ready.eq(ready), self.tx.eq(line)]
        m.d.sync += [timer.eq(timer - 1), stopping.eq(~shift[1:].any()), line.eq(shift[0] & ~(ready & self.i.valid))]
        with m.If(tick | (ready & ~self.i.valid)):
            m.d.sync += timer.eq(self.divisor - 2)
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

        The states are one register each, and the timer counts up until its highest bit is the tick: then nothing has
        to be decoded or compared. What the tick takes from the timer goes through the same adder as what a cycle adds.
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

        full = 1 << bits_for(self.divisor)  # where the timer ticks
        timer = Signal(range(2 * full), reset_less=True)
        tick = timer[-1]
        idle = Signal(init=1)
        starting = Signal()
        running = Signal()
        broken = Signal()
        bit = Signal(4, reset_less=True)
        stopping = bit[-1]  # all data bits are in
        taken = Signal()  # the former byte had left when this one began
        shifting = Signal()
        payload = Signal(8, reset_less=True)

        ending = running & stopping & tick
        m.d.sync += [
            idle.eq(line & (idle | broken | (starting & tick) | ending)),
            starting.eq((idle & ~line) | (starting & ~tick)),
            running.eq((starting & tick & ~line) | (running & ~(stopping & tick))),
            broken.eq(~line & (broken | ending)),
            self.o.valid.eq((ending & line & taken) | (self.o.valid & ~self.o.ready)),
            self.lost.eq(ending & ~(line & taken)),
            shifting.eq(running & taken & ~stopping),
            timer.eq(timer + Mux(tick, 2 * full - (self.divisor - 1), 1)),
        ]
        with m.If(idle):
            m.d.sync += [timer.eq(full - (self.divisor // 2 - 1)), bit.eq(0)]
        with m.If(starting):
            m.d.sync += taken.eq(~self.o.valid | self.o.ready)
        with m.If(running & tick):
            m.d.sync += bit.eq(bit + 1)
        with m.If(shifting & tick):
            m.d.sync += payload.eq(Cat(payload[1:], line))
        m.d.comb += self.o.payload.eq(payload)
        return m
