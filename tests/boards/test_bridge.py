"""Rates of USB bridges, and the best one that a device's clock makes."""

from dataclasses import replace

import pytest

from autapse.errors import AutapseError
from autapse_boards import BOARDS
from autapse_boards.board import baud_rate
from autapse_boards.bridge import ADAPTER, FT231X, FT2232H, MAX_BAUD_ERROR, Bridge
from autapse_hw.uart import MIN_DIVISOR, divisor_for


def test_rates_are_those_of_ftdis_application_note():
    """AN_120: whole divisors with eighths, 1 and 1.5 but nothing else below 2; base rates of 12 and 3 Mbaud."""
    rates = [float(rate) for rate in FT2232H.rates()]
    assert rates[:5] == [12e6, 8e6, 6e6, pytest.approx(12e6 / 2.125), pytest.approx(12e6 / 2.25)]
    assert rates == sorted(rates, reverse=True)
    assert 115_200 <= rates[-1] < 116_000
    assert [float(rate) for rate in FT231X.rates()][:3] == [3e6, 2e6, 1.5e6]
    assert [float(rate) for rate in ADAPTER.rates()][:3] == [1e6, 5e5, pytest.approx(1e6 / 3)]


@pytest.mark.parametrize(
    ("bridge", "clock", "rate"),
    [
        (FT2232H, 48e6, 12_000_000),
        (FT2232H, 60e6, 12_000_000),  # five cycles a bit
        (FT2232H, 47.6e6, 8_000_000),  # 5.95 cycles a bit
        (FT2232H, 40e6, 8_000_000),
        (FT2232H, 12e6, 3_000_000),
        (FT231X, 48e6, 3_000_000),
        (FT231X, 40e6, 3_000_000),
        (ADAPTER, 60e6, 1_000_000),
        (ADAPTER, 49.5e6, 1_000_000),
        (ADAPTER, 3.3e6, 500_000),  # it cannot make more
        (ADAPTER, 2e6, 500_000),  # it cannot make more
    ],
)
def test_best_rate(bridge, clock, rate):
    assert bridge.best_rate(clock) == rate


@pytest.mark.parametrize("bridge", [FT2232H, FT231X, ADAPTER], ids=lambda bridge: bridge.name)
def test_no_faster_rate_would_do(bridge):
    for clock in range(4_000_000, 200_000_000, 1_700_000):
        best = bridge.best_rate(clock)
        fitting = []
        for rate in map(float, bridge.rates()):
            if clock >= MIN_DIVISOR * int(rate):
                fitting.append(int(rate))
        if best is None:
            assert max(fitting) < bridge.least
        else:
            assert best == max(fitting)
            assert abs(clock / float(divisor_for(clock, best)) / best - 1) <= MAX_BAUD_ERROR


def test_clock_that_makes_no_rate():
    board = replace(BOARDS["icebreaker"], bridge=Bridge("slow", 115_200, 115_200))
    with pytest.raises(AutapseError, match=r"icebreaker: a clock of 0\.1 MHz makes no rate of its slow"):
        baud_rate(board, 1e5)
