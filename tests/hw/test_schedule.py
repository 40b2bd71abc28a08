"""The arithmetic of the schedule. That the core keeps to it is tested in test_core."""

import pytest

from autapse_hw.schedule import Schedule
from autapse_hw.tiling import Tiling


def schedule(tiling, units=50, inputs=2, outputs=1, latency=14):
    return Schedule(units, inputs, outputs, Tiling.of(tiling), latency)


@pytest.mark.parametrize("lanes", [8, 20])
def test_stated_lane_efficiency(lanes):
    assert schedule(lanes, 56, 4, 4).lane_efficiency >= 0.90


def test_products_of_a_step():
    s = schedule("8x2", 50, 3, 2)
    assert (s.rows, s.cols, s.tiles, s.slots) == (52, 53, 7, 27)
    assert s.useful_products == 50 * 50 + 50 * 3 + 2 * 50


def test_no_stall_once_the_drain_is_hidden():
    """cycles = ceil(rows / lanes) * cols wherever the earlier tiles hide the latency."""
    for lanes in range(1, 27):
        s = schedule(lanes, latency=10)
        expected = -(-51 // lanes) * 52
        assert s.cycles_per_step - expected == max(0, 9 - 2 - (s.tiles - 1) * lanes + 1)
        assert s.stall == 0 or lanes < 9


@pytest.mark.parametrize("tiling", ["18x3/3", "26x2", "26x2/2", "8x2", "8x8/2", "18x9/9", "13x4"])
def test_two_dimensions(tiling):
    """With inputs waiting: ceil(rows / R) * ceil(cols / C) and the stated wait, which more sequences take away."""
    t = Tiling.of(tiling)
    product = -(-51 // t.rows) * -(-52 // t.cols)
    s = schedule(t)
    assert s.cycles_per_step == product + s.stall
    assert schedule(f"{tiling}*8").cycles_per_step == product


def test_dependency_floor_of_one_tile():
    """With all rows in one tile a step takes the drain of all rows and the latency of one."""
    assert schedule(51, latency=10).cycles_per_step == 50 + 1 + 10 - 1
    # As many drains as columns: what one column of lanes takes of a row, its drain gives back.
    assert schedule("51x3/3", latency=14).cycles_per_step == 18 + 14 - 1
    assert schedule("51x52/52", latency=14).cycles_per_step == 3 + 14 - 3


@pytest.mark.parametrize("sequences", range(1, 8))
def test_sequences_fill_the_wait(sequences):
    one, s = schedule("51x2/2"), schedule(f"51x2/2*{sequences}")
    busy = 26
    assert s.cycles_per_step >= busy
    assert sequences * s.cycles_per_step >= busy + one.stall
    if (sequences - 1) * busy >= one.stall:
        assert s.cycles_per_step == 28  # 26 cycles in which states are written, and 2 inputs


@pytest.mark.parametrize("tiling", ["8", "51", "26x2", "51x2/2", "51x3/3", "51x52/52", "17x13/1"])
def test_filling_sequences_are_the_fewest(tiling):
    """By trying: with so many nothing waits but for inputs, and with one less a state is waited for."""
    waits = [schedule(f"{tiling}*{sequences}") for sequences in range(1, 20)]
    filled = [s.stall == s.input_stall for s in waits]
    first = filled.index(True)
    assert all(filled[first:])
    assert {s.filling_sequences for s in waits} == {first + 1}


@pytest.mark.parametrize(
    ("lanes", "error"), [(0, ValueError), (52, ValueError), ("51x53", ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_lanes_are_checked(lanes, error):
    with pytest.raises(error, match="lanes must"):
        schedule(lanes)


@pytest.mark.parametrize("tiling", ["8x3/2", "7x2/2", "25x4/2"])
def test_drains_must_divide(tiling):
    with pytest.raises(ValueError, match="drains must divide"):
        schedule(tiling)


@pytest.mark.parametrize("text", ["8", "8x2", "51x3/3", "51x3/3*2", "8*4"])
def test_tilings_as_text(text):
    assert str(Tiling.of(text)) == text


@pytest.mark.parametrize("text", ["", "x", "8x", "8/", "axb", "8x2x3", "-1"])
def test_text_that_is_no_tiling(text):
    with pytest.raises(ValueError, match="lanes must be like 8, 8x2"):
        Tiling.of(text)
