"""How a board's serial line reaches the host, and the fastest rate that both ends can make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

#: Relative error of the device's baud rate that is accepted: both ends together may be off by 2.5 % at least.
MAX_BAUD_ERROR = 0.01
_SLOWEST = 115_200


@dataclass(frozen=True)
class Bridge:
    """A chip that makes a serial port of a USB plug.

    Attributes
    ----------
    name
        What it is called; ``adapter`` stands for whatever the user connects to header pins.
    fastest
        Its highest rate in baud.
    least
        A clock that makes no rate from this one on is not used, unless it is too slow for that.
    eighths
        Whether slower rates are `fastest` divided by any number of eighths from 2 on, besides 1 and 1.5, as FTDI's
        chips have it (application note AN_120); otherwise they are `fastest` divided by whole numbers.
    """

    name: str
    fastest: int
    least: int
    eighths: bool = False

    def rates(self) -> Iterator[Fraction]:
        """Its rates in baud, fastest first, down to 115,200."""
        numbers = [8, 12, *range(16, 8 * self.fastest // _SLOWEST + 1)] if self.eighths else range(8, 1 << 12, 8)
        for number in numbers:
            if (rate := Fraction(8 * self.fastest, number)) >= _SLOWEST:
                yield rate

    def best_rate(self, clock_hz: float) -> int | None:
        """The fastest of its rates that a device with this clock makes within 1 %; None if it makes none worth using.

        The device's UART divides its clock by any number from 4 on.
        """
        from autapse_hw.uart import MIN_DIVISOR, baud_error

        for rate in map(int, self.rates()):
            if rate < self.least and clock_hz > 2 * MIN_DIVISOR * rate:
                return None
            if clock_hz >= MIN_DIVISOR * rate and abs(baud_error(clock_hz, rate)) <= MAX_BAUD_ERROR:
                return rate
        return None


FT2232H = Bridge("FT2232H", 12_000_000, 4_000_000, eighths=True)
FT231X = Bridge("FT231X", 3_000_000, 2_000_000, eighths=True)
ADAPTER = Bridge("adapter", 1_000_000, 1_000_000)
