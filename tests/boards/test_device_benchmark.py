"""The benchmark of the devices: the arithmetic of a row, with a flow that achieves given clocks; one real point."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autapse.cli import _common, app
from autapse.errors import ToolFailedError
from autapse_boards import benchmark
from autapse_boards.benchmark import POINTS, Point, choose_points, device_benchmark
from autapse_boards.device_speed import DeviceSpeed, NotMeasured
from autapse_boards.limits import Limit
from autapse_boards.report import Hop, Use
from autapse_boards.timing import Timing
from autapse_boards.tools import Tool

MHZ = 1e6
SHEET = Limit("block RAM", 150e6, "table 4.16")
UNKNOWN = Limit("SB_MAC16 with pipeline registers", None, "none")


def timing(mhz):
    path = (Hop("logic", mhz, "sum"),)
    return Timing(mhz * MHZ, 60 * MHZ, path, {"logic": Use(round(mhz), 5280)}, (SHEET, UNKNOWN))


@pytest.fixture
def tools(monkeypatch):
    """No tools: tops reach 64, 60, 62 MHz by seed, bare datapaths 70, 170 and 80 MHz. Gives what was asked for."""
    asked = []

    class FakeFlow:
        def __init__(self, q, board, tiling, form, tell):
            self.tools = {"yosys": Tool("yosys", ("yosys",), "1.0")}
            self.seconds = {"synthesis": 2.04}
            asked.append((board.name, str(tiling), form, q.formats.W.bits, q.formats.operand_bits))

        def elaborate(self, clocking, folder):
            asked.append(clocking.frequency)

        def synthesise(self, folder):
            assert Path(folder).is_dir()

        def place_route(self, folder, seed):
            return timing([64.0, 60.0, 62.0][seed - 1])

    def place_bare(bare, part, folder, seeds, target_hz, tell):
        asked.append((bare.form.name, str(bare.tiling), bare.words, part.key, target_hz))
        return [timing([70.0, 170.0, 80.0][seed - 1]) for seed in seeds], 7.0

    monkeypatch.setattr(benchmark, "Flow", FakeFlow)
    monkeypatch.setattr(benchmark, "place_bare", place_bare)
    return asked


def test_a_row(tools):
    """51 rows and 52 columns on 8x2 lanes are 7 tiles of 26 slots; 2650 elements of the matrices."""
    (r,) = device_benchmark(choose_points("up5k-8"), seeds=3, count=lambda *_: 182)
    assert tools == [
        ("icebreaker", "8x2", "mac8x8", 8, 8),
        Fraction(60 * 10**6),
        ("mac8x8", "8x2", 182, "up5k", 60e6),
    ]
    assert (r.name, r.device, r.seeds, r.target_hz) == ("up5k-8", "iCE40UP5K-SG48", (1, 2, 3), 60e6)
    assert (r.cycles_per_step, r.counted_cycles, r.useful_products) == (182, 182, 2650)
    assert r.lane_efficiency == pytest.approx(2650 / (16 * 182))
    assert (r.top.median_hz, r.top.best_hz, r.top.clamped_by) == (62e6, 64e6, None)
    assert r.top.critical_path == (Hop("logic", 62.0, "sum"),)
    assert r.top.resources == {"logic": Use(62, 5280)}
    # 170 MHz are more than the data sheet allows.
    assert (r.bare.fmax_hz, r.bare.median_hz, r.bare.best_hz) == ((70e6, 150e6, 80e6), 80e6, 150e6)
    assert r.bare.timing_hz == (70e6, 170e6, 80e6)
    assert (r.bare.clamped_by, r.bare.no_figure_for) == (SHEET, (UNKNOWN.block,))
    assert r.ratio == 62 / 80
    assert r.steps_per_second == pytest.approx(62e6 / 182)
    assert r.step_seconds == pytest.approx(182 / 62e6)
    assert r.peak_macs == pytest.approx(16 * 62e6)
    assert r.useful_macs == pytest.approx(2650 / 182 * 62e6)
    assert {k: r.seconds[k] for k in ("synthesis", "bare")} == {"synthesis": 2.0, "bare": 7.0}


def test_two_seeds_have_a_mean_and_the_slower_path(tools):
    (r,) = device_benchmark(choose_points("up5k-8"), target_hz=50.1e6)
    assert r.top.median_hz == 62e6  # of 64 and 60
    assert r.top.critical_path[0].nanoseconds == 60.0
    assert r.counted_cycles is None
    assert r.target_hz <= 50.1e6


def test_a_step_of_one_of_several_sequences_takes_all_their_time(tools):
    point = Point("x", "ecp5-25f", "ulx3s_25f", 8, "mult18", "6x2*3")
    (r,) = device_benchmark([point], units=10, seeds=1)
    assert r.step_seconds == pytest.approx(3 * r.cycles_per_step / 64e6)
    assert r.steps_per_second == pytest.approx(64e6 / r.cycles_per_step)


def test_one_that_fails_does_not_end_the_others(tools, monkeypatch):
    lines = []

    def count(q, lanes, form):
        if form == "mac8x8":
            raise ToolFailedError("no simulator")

    first, second = device_benchmark(choose_points("up5k"), seeds=1, count=count, progress=lines.append)
    assert first == NotMeasured("up5k-8", "up5k", "no simulator")
    assert isinstance(second, DeviceSpeed)
    assert "up5k-8: no simulator" in lines


def test_points_are_chosen_by_name_and_device():
    names = lambda text: [p.name for p in choose_points(text)]  # noqa: E731
    assert names("hx8k,up5k-8,hx8k-fit") == ["hx8k-15x2", "hx8k-fit", "up5k-8"]
    assert names("ecp5-85f") == ["ecp5-85f-16"]
    assert names("all") == [p.name for p in POINTS if p.device != "ecp5-85f"]
    with pytest.raises(ValueError, match=r"^devices are all or some of up5k, .*, hx8k-fit, .*; not 'xc7'$"):
        choose_points("up5k,xc7")


def test_seeds_are_refused():
    with pytest.raises(ValueError, match="seeds must be at least 1, not 0"):
        device_benchmark(POINTS, seeds=0)


@pytest.fixture
def quick_host(monkeypatch):
    from autapse import benchmark as host

    small = {"units": 4, "inputs": 1, "outputs": 1, "steps": 5, "batches": (1,), "repetitions": 1}
    measure = host.host_benchmark
    monkeypatch.setattr(host, "LEAST_SECONDS", 0.001)
    monkeypatch.setattr(host, "host_benchmark", lambda **options: measure(**options | small))


def test_the_command_prints_json(tools, quick_host):
    arguments = ["bench", "--devices", "up5k-8", "--seeds", "3", "--clock", "48", "--no-count", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    (device,) = data["devices"]
    assert data["host"]["units"] == 4
    assert (device["tiling"], device["lanes"], device["form"], device["target_hz"]) == ("8x2", 16, "mac8x8", 48e6)
    assert (device["top"]["median_hz"], device["bare"]["best_hz"], device["ratio"]) == (62e6, 150e6, 62 / 80)
    assert device["bare"]["clamped_by"]["source"] == "table 4.16"
    assert device["steps_per_second"] == pytest.approx(62e6 / 182)


def test_the_command_prints_a_table(tools, quick_host, monkeypatch):
    monkeypatch.setattr(benchmark, "POINTS", (POINTS[0], Point("too-large", "up5k", "icebreaker", 16, lanes="9")))
    monkeypatch.setattr(_common.out, "_width", 250)
    result = CliRunner().invoke(app, ["bench", "--devices", "all", "--no-count", "--seeds", "3"])
    assert result.exit_code == 0, result.output
    for text in ("8x2 mac8x8", "8/8/", "62.0 (64.0)", "80.0 (150.0)*", "0.78", "340,659", "0.99 (0.90)", "62 of 5280"):
        assert text in result.stdout
    assert "9 DSPs needed, 8 available" in result.stdout


@pytest.mark.slow
def test_a_real_point():
    """A tiny network on an HX8K, from the simulation to the clocks of both designs."""
    from autapse.cli.bench import _counted

    point = Point("tiny", "hx8k", "ice40_hx8k_b_evn", 8, "booth", "3x2")
    (r,) = device_benchmark([point], seeds=1, count=_counted, units=6)
    assert isinstance(r, DeviceSpeed), r
    assert r.counted_cycles == r.cycles_per_step
    assert 40e6 < r.top.median_hz < r.bare.median_hz <= 275e6
    assert 0 < r.bare.resources["logic"].used < r.top.resources["logic"].used < 7680
    assert r.top.critical_path
    assert set(r.seconds) == {"count", "elaborate", "synthesis", "place_route", "bare"}
