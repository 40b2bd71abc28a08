"""The arithmetic of the schedule. That the core keeps to it is tested in test_core."""

import pytest

from autapse_hw.schedule import Schedule


@pytest.mark.parametrize("lanes", [8, 20])
def test_stated_lane_efficiency(lanes):
    assert Schedule(units=56, inputs=4, outputs=4, lanes=lanes, latency=10).lane_efficiency >= 0.90


def test_products_of_a_step():
    s = Schedule(units=50, inputs=3, outputs=2, lanes=8, latency=10)
    assert (s.rows, s.cols, s.tiles) == (52, 53, 7)
    assert s.useful_products == 50 * 50 + 50 * 3 + 2 * 50


def test_no_stall_once_the_drain_is_hidden():
    """cycles = ceil(rows / lanes) * cols wherever the earlier tiles hide the latency."""
    for lanes in range(1, 27):
        s = Schedule(units=50, inputs=2, outputs=1, lanes=lanes, latency=10)
        expected = -(-51 // lanes) * 52
        assert s.cycles_per_step - expected == max(0, 9 - 2 - (s.tiles - 1) * lanes + 1)
        assert s.stall == 0 or lanes < 9


def test_dependency_floor_of_one_tile():
    """With all rows in one tile a step takes the drain of all rows and the latency of one."""
    s = Schedule(units=50, inputs=2, outputs=1, lanes=51, latency=10)
    assert s.cycles_per_step == 50 + 1 + 10 - 1


@pytest.mark.parametrize(("lanes", "error"), [(0, ValueError), (52, ValueError), (1.5, TypeError), (True, TypeError)])
def test_lanes_are_checked(lanes, error):
    with pytest.raises(error, match="lanes must"):
        Schedule(units=50, inputs=2, outputs=1, lanes=lanes, latency=10)
