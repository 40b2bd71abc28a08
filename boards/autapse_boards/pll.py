"""Settings of the phase-locked loops of iCE40 and ECP5: which clocks a board can make.

Sources of the limits: iCE40 sysCLOCK PLL usage guide (FPGA-TN-02052) and its data sheets; ECP5 sysCLOCK usage guide
(FPGA-TN-02200). They are those that ``icepll`` and ``ecppll`` use, with whose results the tests compare ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

MHZ = 1_000_000


@dataclass(frozen=True)
class NoPll:
    """The board's clock as it is."""

    clock_hz: int

    @property
    def frequency(self) -> Fraction:
        """Hz, exact."""
        return Fraction(self.clock_hz)


@dataclass(frozen=True)
class Ice40Pll:
    """Settings of SB_PLL40_CORE or SB_PLL40_PAD with simple feedback: ``f = f_in (divf + 1) / (divr + 1) / 2**divq``.

    ValueError for settings outside the legal ranges: input 10 to 133 MHz, phase detector 10 to 133 MHz, VCO 533 to
    1066 MHz, output 16 to 275 MHz.
    """

    clock_hz: int
    divr: int
    divf: int
    divq: int

    def __post_init__(self) -> None:
        _check("divr", self.divr, 0, 15)
        _check("divf", self.divf, 0, 127)
        _check("divq", self.divq, 1, 6)
        _check("the PLL's input frequency in Hz", self.clock_hz, 10 * MHZ, 133 * MHZ)
        _check("the phase detector's frequency in Hz", self.pfd, 10 * MHZ, 133 * MHZ)
        _check("the VCO's frequency in Hz", self.vco, 533 * MHZ, 1066 * MHZ)
        _check("the output frequency in Hz", self.frequency, 16 * MHZ, 275 * MHZ)

    @property
    def pfd(self) -> Fraction:
        """Frequency of the phase detector in Hz."""
        return Fraction(self.clock_hz, self.divr + 1)

    @property
    def vco(self) -> Fraction:
        """Frequency of the oscillator in Hz."""
        return self.pfd * (self.divf + 1)

    @property
    def frequency(self) -> Fraction:
        """Hz, exact."""
        return self.vco / (1 << self.divq)

    @property
    def filter_range(self) -> int:
        """Setting of the loop filter, by the phase detector's frequency."""
        return 1 + sum(self.pfd >= limit * MHZ for limit in (17, 26, 44, 66, 101))


@dataclass(frozen=True)
class Ecp5Pll:
    """Settings of EHXPLLL with feedback from its own output: ``f = f_in fb_div / in_div``, ``vco = f out_div``.

    ValueError for settings outside the legal ranges: input 8 to 400 MHz, phase detector 3.125 to 400 MHz, VCO 400 to
    800 MHz, output 10 to 400 MHz.
    """

    clock_hz: int
    in_div: int
    fb_div: int
    out_div: int

    def __post_init__(self) -> None:
        _check("in_div", self.in_div, 1, 128)
        _check("fb_div", self.fb_div, 1, 80)
        _check("out_div", self.out_div, 1, 128)
        _check("the PLL's input frequency in Hz", self.clock_hz, 8 * MHZ, 400 * MHZ)
        _check("the phase detector's frequency in Hz", self.pfd, 3_125_000, 400 * MHZ)
        _check("the VCO's frequency in Hz", self.vco, 400 * MHZ, 800 * MHZ)
        _check("the output frequency in Hz", self.frequency, 10 * MHZ, 400 * MHZ)

    @property
    def pfd(self) -> Fraction:
        """Frequency of the phase detector in Hz."""
        return Fraction(self.clock_hz, self.in_div)

    @property
    def frequency(self) -> Fraction:
        """Hz, exact."""
        return self.pfd * self.fb_div

    @property
    def vco(self) -> Fraction:
        """Frequency of the oscillator in Hz."""
        return self.frequency * self.out_div

    @property
    def phase(self) -> int:
        """CLKOP_CPHASE: half a period, as ``ecppll`` has it; with feedback from this output it shifts nothing."""
        return self.out_div // 2


Clocking = NoPll | Ice40Pll | Ecp5Pll


@cache
def settings(family: str, clock_hz: int) -> tuple[Clocking, ...]:
    """All frequencies that a board with this family and clock can make, ascending, each by its best settings.

    The board's own clock is one of them, without a PLL. Best is the oscillator nearest to the middle of its range
    (600 MHz on ECP5, as ``ecppll`` has it), then the fastest phase detector.
    """
    best: dict[Fraction, Clocking] = {}
    if family == "ice40":
        for ice40 in _legal(Ice40Pll, clock_hz, _ice40(clock_hz)):
            best.setdefault(ice40.frequency, ice40)
    elif family == "ecp5":
        found = list(_legal(Ecp5Pll, clock_hz, _ecp5(clock_hz)))
        for ecp5 in sorted(found, key=lambda s: (abs(s.vco - 600 * MHZ), -s.vco, s.in_div)):
            best.setdefault(ecp5.frequency, ecp5)
    else:
        raise ValueError(f"a family is ice40 or ecp5, not {family!r}")
    best[Fraction(clock_hz)] = NoPll(clock_hz)
    return tuple(best[f] for f in sorted(best))


def rates_up_to(family: str, clock_hz: int, limit_hz: float) -> list[Clocking]:
    """The settings whose frequency is at most `limit_hz`, fastest first."""
    return [s for s in reversed(settings(family, clock_hz)) if s.frequency <= limit_hz]


def nearest(family: str, clock_hz: int, wanted_hz: float) -> Clocking:
    """The settings whose frequency is nearest to `wanted_hz`."""
    return min(settings(family, clock_hz), key=lambda s: abs(s.frequency - Fraction(wanted_hz)))


def _legal(kind: Any, clock_hz: int, candidates: Iterable[tuple[int, int, int]]) -> Iterator[Any]:
    """The settings that their class accepts."""
    for candidate in candidates:
        try:
            yield kind(clock_hz, *candidate)
        except ValueError:
            continue


def _ice40(clock_hz: int) -> Iterator[tuple[int, int, int]]:
    """divr, divf, divq that put the oscillator into its range."""
    for divr in range(16):
        for count in _counts(Fraction(clock_hz, divr + 1), 533 * MHZ, 1066 * MHZ, 128):
            yield from ((divr, count - 1, divq) for divq in range(1, 7))


def _ecp5(clock_hz: int) -> Iterator[tuple[int, int, int]]:
    """in_div, fb_div, out_div that put the oscillator into its range."""
    for in_div in range(1, clock_hz // 3_125_000 + 1):
        for fb_div in range(1, 81):
            output = Fraction(clock_hz * fb_div, in_div)
            yield from ((in_div, fb_div, out_div) for out_div in _counts(output, 400 * MHZ, 800 * MHZ, 80))


def _counts(step: Fraction, low: int, high: int, most: int) -> range:
    """How many steps, up to `most`, make `low` to `high`."""
    return range(max(1, math.ceil(low / step)), min(most, math.floor(high / step)) + 1)


def _check(name: str, value: Any, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in {low} to {high}, not {value}")
