"""PLL settings against the tools of IceStorm and Project Trellis, and against the legal ranges."""

import re
import subprocess
from fractions import Fraction
from itertools import pairwise

import pytest

from autapse_boards.pll import MHZ, Ecp5Pll, Ice40Pll, NoPll, nearest, rates_up_to, settings
from autapse_boards.tools import find


def _printed(name, *args, cwd=None):
    done = subprocess.run([*find(name).command, *args], capture_output=True, text=True, check=True, cwd=cwd)
    return done.stdout


@pytest.mark.parametrize("mhz", [16.5, 24, 30, 36, 48, 48.5, 60, 75, 81, 99, 100, 133, 200, 264])
def test_ice40_as_icepll(mhz):
    text = _printed("icepll", "-i", "12", "-o", str(mhz))
    expected = tuple(int(re.search(rf"{name}: +(\d+)", text)[1]) for name in ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE"))
    ours = nearest("ice40", 12 * MHZ, mhz * MHZ)
    theirs = Ice40Pll(12 * MHZ, *expected[:3])
    assert abs(ours.frequency - Fraction(mhz * MHZ)) == abs(theirs.frequency - Fraction(mhz * MHZ))
    assert ours.filter_range == theirs.filter_range == expected[3]
    assert ours.frequency != theirs.frequency or ours == theirs


@pytest.mark.parametrize("mhz", [20, 50, 60, 80, 90, 100, 125, 133.5, 150, 187.5, 200, 220])
def test_ecp5_as_ecppll(mhz, tmp_path):
    _printed("ecppll", "-i", "25", "-o", str(mhz), "-f", "pll.v", cwd=tmp_path)
    text = (tmp_path / "pll.v").read_text()
    names = ("CLKI_DIV", "CLKFB_DIV", "CLKOP_DIV", "CLKOP_CPHASE")
    *dividers, phase = (int(re.search(rf"\.{name}\((\d+)\)", text)[1]) for name in names)
    theirs = Ecp5Pll(25 * MHZ, *dividers)
    ours = nearest("ecp5", 25 * MHZ, mhz * MHZ)
    assert abs(ours.frequency - Fraction(mhz * MHZ)) <= abs(theirs.frequency - Fraction(mhz * MHZ))
    if ours.frequency == theirs.frequency:
        # Oscillators as far above 600 MHz as below it are a tie, which theirs decides by the rounding of floats.
        assert (ours.in_div, ours.fb_div) == (theirs.in_div, theirs.fb_div)
        assert abs(ours.vco - 600 * MHZ) == abs(theirs.vco - 600 * MHZ)
        assert phase in (theirs.phase, theirs.phase - 1)  # theirs truncates a quotient of floats


def test_every_setting_is_legal_and_ascending():
    for family, clock in (("ice40", 12 * MHZ), ("ecp5", 25 * MHZ)):
        found = settings(family, clock)
        frequencies = [s.frequency for s in found]
        assert frequencies == sorted(set(frequencies))
        assert NoPll(clock) in found


def test_steps_are_fine_where_boards_run():
    for family, clock, low, high in (("ice40", 12 * MHZ, 17, 200), ("ecp5", 25 * MHZ, 130, 250)):
        f = [float(s.frequency) for s in settings(family, clock) if low * MHZ <= s.frequency <= high * MHZ]
        assert max(b / a for a, b in pairwise(f)) < 1.025


def test_rates_up_to():
    rates = rates_up_to("ice40", 12 * MHZ, 50 * MHZ)
    assert [float(s.frequency) / MHZ for s in rates[:3]] == [49.5, 48.75, 48.0]
    assert rates[-1] == NoPll(12 * MHZ)
    assert rates_up_to("ice40", 12 * MHZ, 11 * MHZ) == []


@pytest.mark.parametrize(
    ("kind", "args", "message"),
    [
        (Ice40Pll, (0, 43, 4), "VCO.*533"),
        (Ice40Pll, (1, 88, 4), "phase detector.*10000000"),
        (Ice40Pll, (0, 128, 4), "divf must lie in 0 to 127, not 128"),
        (Ice40Pll, (0, 63, 0), "divq must lie in 1 to 6, not 0"),
        (Ecp5Pll, (1, 81, 1), "fb_div must lie in 1 to 80, not 81"),
        (Ecp5Pll, (1, 4, 9), "VCO"),
        (Ecp5Pll, (9, 30, 8), "phase detector"),
    ],
)
def test_illegal_settings(kind, args, message):
    with pytest.raises(ValueError, match=message):
        kind(12 * MHZ if kind is Ice40Pll else 25 * MHZ, *args)


def test_unknown_family():
    with pytest.raises(ValueError, match="ice40 or ecp5, not 'gowin'"):
        settings("gowin", 25 * MHZ)
