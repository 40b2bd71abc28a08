"""The resource estimate: its structure, its accuracy against recorded builds, lane choice, and refusals."""

import numpy as np
import pytest

from autapse.errors import DoesNotFitError
from autapse.network import Network
from autapse.quantize import quantize
from autapse_boards import BOARDS, Shape, boards_table, fit, largest_units, summaries
from autapse_boards.board import ECP5_RAM_SHAPES, ICE40_RAM_SHAPES
from autapse_boards.costs import memory_blocks, needed
from autapse_boards.fit import fits, shortage

HX8K, UP5K, ULX3S = "ice40_hx8k_b_evn", "icebreaker", "ulx3s_25f"


def make_network(units, bits, leaky=False, seed=0):
    rng = np.random.default_rng(seed)
    arrays = {
        "W": np.linalg.qr(rng.normal(size=(units, units)))[0],
        "W_in": 0.5 * rng.normal(size=(units, 2)),
        "b": 0.1 * rng.normal(size=units),
        "W_out": 0.3 * rng.normal(size=(1, units)),
        "b_out": np.zeros(1),
    }
    if leaky:
        arrays |= {"d": np.full(units, 0.9), "g": np.full(units, 0.1)}
    return quantize(Network(**arrays, activation="tanh"), weight_bits=bits, state_bits=bits)


# Packed by nextpnr 0.11.1 from yosys 0.70: logic cells, DSPs, block RAMs, of these networks with link and clock.
RECORDED = [
    (HX8K, 20, 6, 5, False, 1984, 0, 6),
    (HX8K, 20, 8, 1, False, 1410, 0, 6),
    (HX8K, 20, 8, 4, False, 2251, 0, 7),
    (HX8K, 20, 12, 4, False, 3917, 0, 7),
    (HX8K, 30, 16, 3, False, 4857, 0, 13),
    (HX8K, 40, 8, 14, False, 5194, 0, 12),
    (UP5K, 20, 6, 6, False, 1285, 6, 7),
    (UP5K, 20, 8, 8, False, 1429, 8, 9),
    (UP5K, 20, 12, 6, False, 1782, 7, 9),
    (UP5K, 30, 12, 5, True, 2027, 10, 9),
    (UP5K, 50, 8, 8, False, 1585, 8, 13),
    (UP5K, 50, 16, 4, False, 2252, 6, 19),
    (ULX3S, 20, 8, 1, False, 1384, 1, 2),
    (ULX3S, 30, 12, 8, True, 2381, 11, 3),
    (ULX3S, 50, 8, 26, False, 2846, 26, 7),
    (ULX3S, 50, 16, 17, False, 3197, 19, 10),
    (ULX3S, 100, 8, 26, False, 2605, 26, 9),
    (UP5K, 105, 8, 2, False, 1396, 2, 31),
    (HX8K, 110, 8, 2, False, 1991, 0, 33),
    (UP5K, 73, 16, 2, False, 2236, 4, 31),
    (ULX3S, 320, 8, 27, False, 2796, 27, 53),
]


@pytest.mark.parametrize(("board", "units", "bits", "lanes", "leaky", "logic", "dsps", "rams"), RECORDED)
def test_estimate_against_recorded_builds(board, units, bits, lanes, leaky, logic, dsps, rams):
    need = needed(Shape.of(make_network(units, bits, leaky)), BOARDS[board], lanes)
    assert 0.95 * logic <= need.logic <= 1.2 * logic
    assert need.dsps == dsps
    assert rams <= need.rams <= rams + 2


@pytest.mark.parametrize(
    ("width", "depth", "shapes", "blocks"),
    [
        (16, 256, ICE40_RAM_SHAPES, 1),
        (8, 512, ICE40_RAM_SHAPES, 1),
        (17, 256, ICE40_RAM_SHAPES, 2),
        (2, 2049, ICE40_RAM_SHAPES, 2),
        (64, 676, ICE40_RAM_SHAPES, 12),
        (16, 5671, ICE40_RAM_SHAPES, 24),  # 23 blocks would do, behind far wider multiplexers
        (36, 512, ECP5_RAM_SHAPES, 1),
        (18, 1024, ECP5_RAM_SHAPES, 1),
        (208, 104, ECP5_RAM_SHAPES, 6),
        (1, 16384, ECP5_RAM_SHAPES, 1),
    ],
)
def test_memory_blocks(width, depth, shapes, blocks):
    assert memory_blocks(width, depth, shapes) == blocks


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("bits", [8, 16])
def test_chosen_lanes_are_the_fastest_that_fit_and_no_more_than_that_takes(board, bits):
    shape = Shape.typical(30, bits)
    plan = fit(shape, board)
    cycles = shape.step_cycles(plan.lanes)
    fitting = [n for n in range(1, shape.rows + 1) if shortage(shape, BOARDS[board], n) is None]
    assert cycles == min(shape.step_cycles(n) for n in fitting)
    assert plan.lanes == min(n for n in fitting if shape.step_cycles(n) == cycles)
    assert plan.needed.dsps <= plan.available.dsps
    assert plan.needed.rams <= plan.available.rams


def test_given_lanes_are_kept():
    assert fit(make_network(20, 8), UP5K, 3).lanes == 3


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("bits", [8, 16])
def test_largest_network_is_the_largest(board, bits):
    units = largest_units(board, bits)
    assert units >= 30
    assert fits(Shape.typical(units, bits), BOARDS[board])
    assert not fits(Shape.typical(units + 1, bits), BOARDS[board])


def test_sizes_are_in_order():
    sizes = [largest_units(f"ulx3s_{size}", 8) for size in ("12f", "25f", "45f", "85f")]
    assert sizes[0] == sizes[1] < sizes[2] < sizes[3] == largest_units("ulx3s", 8)


def test_too_large_says_what_is_short_and_what_would_fit():
    with pytest.raises(DoesNotFitError) as caught:
        fit(make_network(100, 16), UP5K)
    message = str(caught.value)
    assert message.startswith("100 units with 16-bit weights do not fit icebreaker: ")
    assert "block RAMs needed, 30 available" in message
    assert "units fit at these word lengths" in message
    assert "weights of" in message
    assert "it fits ulx3s" in message
    units = int(message.split("; ")[1].split()[0])
    assert 30 < units < 100
    fit(make_network(units, 16), UP5K)


def test_too_many_lanes_says_how_many_fit():
    with pytest.raises(DoesNotFitError, match=r"on 9 lanes: 9 DSPs needed, 8 available; 8 lanes fit$"):
        fit(make_network(20, 8), UP5K, 9)
    with pytest.raises(DoesNotFitError, match=r"on 40 lanes: \d+ logic cells needed, 7065 usable of 7680 available"):
        fit(make_network(40, 8), HX8K, 40)


@pytest.mark.parametrize("lanes", [0, 22, -1])
def test_impossible_lanes(lanes):
    with pytest.raises(ValueError, match=f"lanes must lie in 1 to 21, the rows of this network, not {lanes}"):
        fit(make_network(20, 8), UP5K, lanes)


@pytest.mark.parametrize("lanes", [True, 2.0, "3"])
def test_lanes_that_are_no_number(lanes):
    with pytest.raises(TypeError, match="lanes must be an integer"):
        fit(make_network(20, 8), UP5K, lanes)


def test_overview():
    rows = summaries()
    assert [row.name for row in rows] == list(BOARDS)
    assert boards_table().row_count == len(BOARDS)
    assert rows[0].to_dict()["largest"] == {"8": largest_units(UP5K, 8), "16": largest_units(UP5K, 16)}
