"""The resource estimate: its structure, its accuracy against recorded builds, lane choice, and refusals."""

import re
from dataclasses import replace

import numpy as np
import pytest

from autapse.activation import design
from autapse.errors import AutapseError, DoesNotFitError
from autapse.fixed import Format
from autapse.network import Network
from autapse.quantize import quantize
from autapse_boards import BOARDS, Shape, boards_table, fit, largest_units, summaries
from autapse_boards.board import ECP5_RAM_SHAPES, ICE40_RAM_SHAPES, Resources
from autapse_boards.costs import CLOCKS, memory_blocks, needed
from autapse_boards.fit import choose_form, fits, shortage
from autapse_boards.overview import WORD_LENGTHS, _summary
from autapse_boards.parts import ecp5, ice40
from autapse_hw.lanes import FORMS
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage

HX8K, UP5K, ULX3S, LARGE = "ice40_hx8k_b_evn", "icebreaker", "ulx3s_25f", "ulx3s"


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
        arrays |= {"d": rng.uniform(0.5, 0.95, units), "g": rng.uniform(0.05, 0.5, units)}
    return quantize(Network(**arrays, activation="tanh"), weight_bits=bits, state_bits=bits, operand_bits=bits)


# Packed by nextpnr 0.11.1 from yosys 0.70: logic cells, DSPs, block RAMs, of these networks with link and clock.
RECORDED = [
    (UP5K, "mac8x8", 20, 8, "4", False, 1594, 2, 9),
    (UP5K, "mac8x8", 30, 8, "4x4/2*2", True, 4670, 8, 22),
    (UP5K, "mac8x8", 50, 8, "8x2", False, 2251, 8, 16),
    (UP5K, "mac8x8", 50, 8, "4x4/4", False, 2495, 8, 24),
    (UP5K, "mac8x8", 105, 8, "2", False, 1614, 1, 31),
    (UP5K, "mac16sum", 100, 8, "7", False, 1791, 7, 28),
    (UP5K, "mac16sum", 30, 12, "5", True, 3715, 5, 14),
    (UP5K, "mac16sum", 50, 12, "8", False, 2124, 8, 20),
    (UP5K, "mac16", 30, 12, "5", True, 4175, 5, 14),
    (UP5K, "mac16", 30, 12, "4x2", False, 2483, 8, 15),
    (UP5K, "mac16", 30, 16, "6", False, 3706, 6, 16),
    (UP5K, "generic", 20, 8, "4", False, 1471, 4, 9),
    (HX8K, "booth", 1, 8, "1", False, 1281, 0, 7),
    (HX8K, "booth", 20, 8, "4", False, 1881, 0, 9),
    (HX8K, "booth", 20, 8, "11x2", False, 4228, 0, 19),
    (HX8K, "booth", 20, 8, "11x4", False, 6776, 0, 32),
    (HX8K, "booth", 20, 8, "21x2/2", False, 6907, 0, 31),
    (HX8K, "booth", 30, 8, "15x2", False, 5338, 0, 23),
    (HX8K, "generic", 1, 4, "1", False, 1060, 0, 5),
    (HX8K, "generic", 20, 8, "1", False, 1535, 0, 8),
    (HX8K, "generic", 20, 8, "4", False, 2217, 0, 9),
    (HX8K, "generic", 20, 12, "4", False, 3690, 0, 11),
    (ULX3S, "mult18", 20, 8, "1", False, 1207, 1, 7),
    (ULX3S, "mult18", 50, 8, "26", False, 2272, 26, 12),
    (ULX3S, "mult18", 50, 8, "14x2/2", False, 2173, 28, 16),
    (ULX3S, "mult18", 320, 8, "27", False, 2794, 27, 54),
    (ULX3S, "mult18", 15, 12, "16x3/3", True, 7282, 48, 28),
    (ULX3S, "mult18", 30, 12, "8", True, 3224, 8, 9),
    (ULX3S, "mult18", 20, 16, "11x2*3", False, 3068, 22, 18),
    (ULX3S, "mult18", 50, 16, "17", False, 3042, 17, 15),
    (ULX3S, "generic", 20, 8, "4", False, 1247, 4, 7),
    (LARGE, "mult18", 50, 8, "51x3/3*2", False, 5808, 153, 45),
]


@pytest.mark.parametrize(("board", "form", "units", "bits", "tiling", "leaky", "logic", "dsps", "rams"), RECORDED)
def test_estimate_against_recorded_builds(board, form, units, bits, tiling, leaky, logic, dsps, rams):
    need = needed(Shape.of(make_network(units, bits, leaky)), BOARDS[board], Tiling.of(tiling), FORMS[form])
    assert 0.95 * logic <= need.logic <= 1.15 * logic
    assert need.dsps == dsps
    assert rams <= need.rams <= rams + 1


def test_every_form_of_a_board_has_a_clock_and_the_generic_one_takes_all_words():
    for board in BOARDS.values():
        assert all((board.key, form) in CLOCKS for form in board.forms)
        assert FORMS["generic"] in [FORMS[form] for form in board.forms]
        assert FORMS["generic"].shortage(18, 32, 50) is None


@pytest.mark.parametrize(
    ("board", "weights", "operands", "acc", "form"),
    [
        (UP5K, 8, 8, 40, "mac8x8"),
        (UP5K, 9, 8, 32, "mac16sum"),
        (UP5K, 8, 9, 32, "mac16sum"),
        (UP5K, 16, 16, 33, "mac16"),
        (UP5K, 17, 16, 33, "generic"),
        (HX8K, 8, 8, 20, "booth"),
        (HX8K, 13, 8, 25, "generic"),
        (ULX3S, 18, 18, 50, "mult18"),
        (ULX3S, 8, 19, 30, "generic"),
    ],
)
def test_form_is_the_first_that_takes_the_words(board, weights, operands, acc, form):
    shape = replace(Shape.typical(10, 8), weight_bits=weights, operand_bits=operands, acc_bits=acc)
    assert choose_form(shape, BOARDS[board]).name == form
    assert fit(shape, board, 2).form == form


def test_a_form_has_the_columns_that_are_asked_for():
    shape = replace(Shape.typical(10, 8), operand_bits=12)
    assert fit(shape, UP5K, "4").form == "mac16sum"
    assert fit(shape, UP5K, "4x2").form == "mac16"
    with pytest.raises(ValueError, match="lane form mac16sum takes 1 column of lanes, not 2"):
        fit(shape, UP5K, "4x2", form="mac16sum")


@pytest.mark.parametrize("form", ["mac16sum", "mac16", "generic"])
def test_given_form_is_kept(form):
    assert fit(Shape.typical(10, 8), UP5K, form=form).form == form


def test_two_lanes_share_a_block():
    plan = fit(Shape.typical(50, 8), UP5K, 16)
    assert (plan.form, plan.needed.dsps) == ("mac8x8", 8)
    assert fit(Shape.typical(50, 8), UP5K, 13).needed.dsps == 7
    assert fit(Shape.typical(50, 8), UP5K).tiling.lanes <= 16


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


def allowed(shape, form, most):
    """Every tiling of up to so many lanes that a network of this shape can have."""
    for rows in range(1, shape.rows + 1):
        for cols in range(1, min(shape.cols, form.columns, most // rows) + 1):
            for drains in range(1, cols + 1):
                if cols % drains == 0 and (rows == shape.rows or rows % drains == 0):
                    yield Tiling(rows, cols, drains)


@pytest.mark.parametrize("board", [UP5K, HX8K, "ulx3s_12f", LARGE])
@pytest.mark.parametrize(("units", "bits"), [(5, 8), (13, 8), (20, 12), (30, 16)])
def test_chosen_tiling_is_the_fastest_that_fits_and_has_no_more_lanes_than_that_takes(board, units, bits):
    """Of all, by force. No device has 160 multipliers, or logic for as many lanes."""
    shape = Shape.typical(units, bits)
    plan = fit(shape, board)
    form = FORMS[plan.form]
    fitting = [t for t in allowed(shape, form, 160) if shortage(shape, BOARDS[board], t, form) is None]
    cycles = {t: shape.schedule(t, form).cycles_per_step for t in fitting}
    assert plan.schedule.cycles_per_step == min(cycles.values())
    equal = [t for t in fitting if cycles[t] == min(cycles.values())]
    assert (plan.tiling.lanes, plan.tiling.drains) == min((t.lanes, t.drains) for t in equal)
    assert plan.needed.dsps <= plan.available.dsps
    assert plan.needed.rams <= plan.available.rams


@pytest.mark.parametrize("lanes", [3, "3", "3x2", Tiling(2, 4, 2), "4x2/2*3"])
def test_given_lanes_are_kept(lanes):
    assert fit(make_network(20, 8), UP5K, lanes).tiling == Tiling.of(lanes)


@pytest.mark.parametrize("lanes", [None, "21x2/2", "21x2/2*3"])
def test_sequences_are_planned_and_fill_the_wait(lanes):
    q = make_network(20, 8)
    plan = fit(q, LARGE, lanes, sequences=3)
    assert plan.tiling.sequences == plan.schedule.tiling.sequences == 3
    one = fit(q, LARGE, replace(plan.tiling, sequences=1))
    assert plan.schedule.cycles_per_step < one.schedule.cycles_per_step
    assert plan.needed.rams >= one.needed.rams
    enough = fit(q, LARGE, one.tiling, sequences=one.schedule.filling_sequences).schedule
    assert enough.stall == enough.input_stall < one.schedule.stall


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
    with pytest.raises(DoesNotFitError, match=r"on 17 lanes \(mac8x8\): 9 DSPs needed, 8 available; 16 lanes fit$"):
        fit(make_network(20, 8), UP5K, 17)
    with pytest.raises(
        DoesNotFitError, match=r"on 40 lanes \(booth\): \d+ logic cells needed, 6835 usable of 7680 available"
    ):
        fit(make_network(40, 8), HX8K, 40)


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        (0, "lanes must be at least 1, not 0"),
        (-1, "lanes must be at least 1, not -1"),
        (22, "lanes must lie in 1 to 21, the rows of this network, not 22"),
        ("2x23", "columns of lanes must lie in 1 to 22, the columns of this network, not 23"),
        ("2x3/2", "drains must divide the 3 columns of lanes; 2 do not"),
        ("3x2/2", "drains must divide the 3 rows of lanes; 2 do not"),
        ("two", r"lanes must be like 8, 8x2 \(rows x columns\) or 51x3/3\*2 \(drains, sequences\); not 'two'"),
        ("2*0", "sequences must be at least 1, not 0"),
    ],
)
def test_impossible_lanes(lanes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(make_network(20, 8), UP5K, lanes)


def test_impossible_columns_and_sequences():
    with pytest.raises(ValueError, match=r"^lane form mac16sum takes 1 column of lanes, not 2$"):
        fit(make_network(20, 8), UP5K, "2x2", "mac16sum")
    with pytest.raises(ValueError, match=r"^lanes 2\*3 have 3 sequences already, and cannot have 2$"):
        fit(make_network(20, 8), UP5K, "2*3", sequences=2)
    with pytest.raises(ValueError, match=r"^sequences must be at least 1, not 0$"):
        fit(make_network(20, 8), UP5K, sequences=0)


@pytest.mark.parametrize("lanes", [True, 2.0])
def test_lanes_that_are_no_number(lanes):
    with pytest.raises(TypeError, match="lanes must be an integer"):
        fit(make_network(20, 8), UP5K, lanes)


def test_overview():
    rows = summaries(everything=True)
    assert [row.name for row in rows if row.buildable] == list(BOARDS)
    assert rows[0].to_dict()["largest"] == {"8": largest_units(UP5K, 8), "16": largest_units(UP5K, 16)}
    assert rows[0].to_dict()["lanes"] == {"8": fit(Shape.typical(50, 8), UP5K).tiling.lanes, "16": 8}
    carrying = summaries()
    assert carrying == [row for row in rows if row.refused is None]
    assert boards_table(rows).row_count == len(carrying)


def test_overview_has_the_boards_without_a_file():
    rows = {row.name: row for row in summaries(everything=True)}
    assert len(rows) >= 36
    for name, like in (
        ("icesugar", UP5K),
        ("blackice_ii", HX8K),
        ("versa_ecp5", "ulx3s_45f"),
        ("butterstick", "ulx3s"),
    ):
        assert not rows[name].buildable
        assert rows[name].largest == rows[like].largest
    assert (rows["fomu_pvt"].device, rows["butterstick"].device) == ("iCE40UP5K-UWG30", "LFE5UM5G-85F-8BG381")
    assert {rows[name].clock_hz for name in ("fomu_pvt", "butterstick")} == {48_000_000, 30_000_000}
    assert "logic cells needed" in rows["icestick"].refused
    assert "too far off" in rows["upduino_v1"].refused
    assert not any(name.startswith(("machxo", "tinyfpga_ax")) for name in rows)  # other families of the same maker


def summary(board):
    return _summary(board, {bits: largest_units(board, bits) for bits in WORD_LENGTHS})


def test_too_small_a_device_is_refused():
    small = replace(BOARDS["tinyfpga_bx"], name="small", part=ice40("iCE40LP384", "CM49"))
    assert re.fullmatch(r"\d+ block RAMs needed, 0 available", summary(small).refused)
    resources = Resources(logic=900, dsps=0, rams=32)
    small = replace(small, part=replace(small.part, resources=resources))
    assert re.fullmatch(r"\d+ logic cells needed, 801 usable of 900 available", summary(small).refused)
    assert summary(small).largest == {8: 0, 16: 0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ice40("iCE40HX2K", "CT256"), "no iCE40 'iCE40HX2K'; there are LP384"),
        (lambda: ecp5("LFE5U-12F", "QFN48", "6"), "no ECP5 'LFE5U-12F' in package 'QFN48' of speed grade '6'"),
        (lambda: ecp5("LFE5U-12F", "BG381", "9"), "of speed grade '9'"),
    ],
)
def test_parts_that_do_not_exist(make, message):
    with pytest.raises(AutapseError, match=message):
        make()


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_parts_agree_with_the_platforms_of_amaranth(board):
    """Device, package, speed grade and clock, and nextpnr's options, which amaranth has as well."""
    platform = board.platform()
    assert board.device.startswith(platform.device)
    assert board.device.endswith(platform.package)
    assert board.part.nextpnr[0] == platform._nextpnr_device_options[platform.device]
    if board.family == "ecp5":
        assert board.part.nextpnr[2] == platform._nextpnr_package_options[platform.package].upper()
        assert board.part.speed == board.part.nextpnr[4] == platform.speed
    (clock,) = (r.clock for r in platform.resources.values() if r.name == board.clock)
    if clock is not None:  # amaranth-boards does not say it for the OrangeCrab's variants
        assert clock.frequency == board.clock_hz


def test_a_hundred_units_of_nine_bits_fit_the_icebreaker_with_a_linear_table():
    """Nearly the largest of them: all block RAMs are in use."""
    table = design("tanh", 8, Format(9, 8), "linear")
    shape = Shape(100, 1, 1, 9, 9, 23, 9, 9, table)
    plan = fit(shape, UP5K)
    assert (plan.form, plan.tiling.lanes, plan.needed.rams) == ("mac16sum", 7, 30)
    with pytest.raises(DoesNotFitError, match=r"block RAMs needed, 30 available; 101 units fit"):
        fit(replace(shape, units=102), UP5K)


def test_weights_that_are_too_many_for_block_ram_go_into_spram():
    """Only with uploads, since no bitstream fills it; and only where the device has it."""
    small, large = Shape.typical(50, 8), Shape.typical(200, 8)
    plan = fit(small, UP5K, upload=True)
    assert (plan.storage, plan.reason, plan.needed.sprams) == (Storage.UPLOAD, "", 0)
    plan = fit(large, UP5K, upload=True)
    assert plan.storage == Storage.SPRAM
    assert plan.reason == "87 block RAMs needed, 30 available"
    assert 0 < plan.needed.sprams <= 4
    assert plan.needed.rams <= 30
    with pytest.raises(DoesNotFitError, match="with --upload it fits, with its weights in SPRAM"):
        fit(large, UP5K)
    with pytest.raises(DoesNotFitError, match=r"SPRAMs needed, 4 available; \d+ units fit"):
        fit(Shape.typical(500, 8), UP5K, upload=True)
    with pytest.raises(DoesNotFitError, match="block RAMs needed, 32 available"):
        fit(Shape.typical(200, 8), HX8K, upload=True)
    assert fit(small, UP5K).storage == Storage.FIXED


@pytest.mark.parametrize("tiling", ["8x2", "4"])
def test_uploads_cost_what_their_parts_do(tiling):
    """Logic for the uploader and each stripe; block RAMs as before, but for the rounding to stripes."""
    shape = Shape.typical(50, 8)
    fixed, upload = fit(shape, UP5K, tiling).needed, fit(shape, UP5K, tiling, upload=True).needed
    assert upload.dsps == fixed.dsps
    assert 200 < upload.logic - fixed.logic < 600
    assert fixed.rams <= upload.rams <= fixed.rams + 3


def test_a_stack_of_layers_takes_no_uploads():
    q = quantize(replace(make_network(12, 8).network, layers=(7, 5)))
    assert fit(q, ULX3S).schedule.layers == (7, 5)
    with pytest.raises(
        ValueError, match=r"a stack of layers, here \(7, 5\), cannot be uploaded: build it without --upload"
    ):
        fit(q, ULX3S, upload=True)


def test_no_uploads_are_offered_to_a_stack_of_layers():
    single = replace(Shape.typical(250, 8), layers=())
    with pytest.raises(DoesNotFitError, match="with --upload it fits"):
        fit(single, UP5K)
    with pytest.raises(DoesNotFitError, match="units with 8-bit weights do not fit") as caught:
        fit(replace(single, layers=(150, 100)), UP5K)
    assert "--upload" not in str(caught.value)
