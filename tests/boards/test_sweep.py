"""Sweeps: what a table holds, that nothing is done twice, and that a killed worker or a Ctrl-C loses nothing."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from distributed import LocalCluster

from autapse import gallery
from autapse.errors import AutapseError, MissingToolError, ToolFailedError
from autapse.loading import load
from autapse.network import Network
from autapse_boards.fit import fit
from autapse_boards.report import Use
from autapse_boards.sweep import AUTO, Judge, Row, Space, Words, pieces, sweep
from autapse_boards.sweep.pareto import front, with_front
from autapse_boards.sweep.pieces import Piece

BOARD = "ice40_hx8k_b_evn"


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster in this process, so that what it runs can be replaced and counted."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def nets():
    rng = np.random.default_rng(0)
    three = Network(W=0.5 * rng.normal(size=(3, 3)), W_in=rng.normal(size=(3, 1)))
    return {"three": three, "xor": load(gallery.path("xor"))}


@pytest.fixture
def counted(monkeypatch):
    """The kinds of the pieces that were really worked on."""
    kinds = []
    run = Piece.run

    def counting(self, scratch=None):
        kinds.append(self.kind)
        return run(self, scratch)

    monkeypatch.setattr(Piece, "run", counting)
    return kinds


def few(judge=None):
    return replace(judge or Judge(), trials=20)


def test_words():
    assert Words.of("8") == (Words(8, 8, 8),)
    assert Words.of("6-8") == (Words(6, 6, 6), Words(7, 7, 7), Words(8, 8, 8))
    assert Words.of("8/10") == (Words(8, 10, 10),)
    assert Words.of("8/10/6") == (Words(8, 10, 6),)
    for text in ("", "8/", "8-6", "8/9/10/11", "eight"):
        with pytest.raises(ValueError, match="word lengths must be like"):
            Words.of(text)


def test_what_a_space_refuses(nets):
    with pytest.raises(ValueError, match="at least one of its words"):
        Space(nets, words=())
    with pytest.raises(AutapseError, match="no board 'arduino'"):
        Space(nets, boards=("arduino",))
    with pytest.raises(ValueError, match="lanes must be like"):
        Space(nets, lanes=("many",))
    with pytest.raises(ValueError, match="seeds must not be negative, not -1"):
        Space(nets, seeds=(1, -1))
    with pytest.raises(ValueError, match="no task 'xorr'"):
        Judge("xorr")
    assert (
        len(list(Space(nets, (Words(8, 8, 8), Words(5, 6, 7)), (BOARD,), (AUTO, "1", "1"), (1, 2)).points()))
        == 2 * 2 * 2 * 2
    )


def test_front_is_that_of_the_definition():
    values = np.random.default_rng(1).integers(0, 6, (60, 3)).astype(float)
    best = front(values)
    for k, row in enumerate(values):
        beaten = any((other >= row).all() and (other > row).any() for other in values)
        assert best[k] == (not beaten)
    assert 0 < best.sum() < len(best)


def test_each_network_has_a_front_of_its_own():
    def row(network, score, steps, logic, refused=None):
        return Row(network, 8, 8, 8, BOARD, "1", 1, refused, score=score, steps_per_second=steps, logic=logic)

    rows = [row("a", 0.9, 10.0, 5), row("a", 0.8, 9.0, 5), row("a", 0.8, 9.0, 4), row("b", 0.1, 1.0, 9)]
    marked = with_front([*rows, row("b", 1.0, 99.0, 1, "no room")])
    assert [r.front for r in marked] == [True, False, True, True, False]


def test_estimates(scheduler, nets, counted, tmp_path):
    space = Space(nets, (Words(5, 6, 7), Words(99, 8, 8)), (BOARD, "icebreaker"), (AUTO, "2", "60"), seeds=(1, 2))
    told = []
    rows = sweep(space, tmp_path, judge=few(), build=False, scheduler=scheduler, progress=told.append)
    assert len(rows) == 2 * 2 * 2 * 3  # without builds, seeds make no difference
    assert {"judge": counted.count("judge"), "fit": counted.count("fit")} == {"judge": 4, "fit": 12}
    for row in rows:
        if row.weight_bits == 99:
            assert row.refused == "weight_bits must lie in 4 to 18, not 99"
        elif row.lanes == "60":
            assert "lanes must lie in 1 to" in row.refused
            assert row.error is not None
        else:
            words = Words(row.weight_bits, row.state_bits, row.input_bits)
            q = few().quantized(nets[row.network], words)
            plan = fit(q, row.board, None if row.lanes == AUTO else row.lanes)
            assert (row.refused, row.tiling, row.logic) == (None, str(plan.tiling), plan.needed.logic)
            assert row.steps_per_second == plan.expected_hz / plan.schedule.cycles_per_step
            assert (row.estimated, row.seed, row.fmax_hz) == (True, None, None)
            assert (row.score is None) == (row.network == "three")
            assert row.model_hash == q.model_hash().hex()
    assert any(row.front for row in rows)
    assert told[-1].done == told[-1].total == 12
    assert told[-1].refused == 4
    assert told[-2].seconds_left is not None
    table = pq.read_table(tmp_path / "sweep.parquet").to_pylist()
    assert table == [vars(row) for row in rows]
    with (tmp_path / "sweep.csv").open() as file:
        assert [line["refused"] for line in csv.DictReader(file)] == [row.refused or "" for row in rows]
    assert {p.name for p in tmp_path.iterdir()} == {"cache", "pareto.png", "pareto.svg", "sweep.csv", "sweep.parquet"}

    counted.clear()
    assert sweep(space, tmp_path, judge=few(), build=False, scheduler=scheduler) == rows
    more = replace(space, lanes=(AUTO, "3"), words=space.words[:1])
    sweep(more, tmp_path, judge=few(), build=False, scheduler=scheduler)
    assert counted == ["fit"] * 4, "what was known was done again"


def test_score_is_that_of_the_integer_model(nets):
    judge, net, words = few(), nets["xor"], Words(5, 6, 7)
    task = judge.task_of(net)
    trials = task.trials(20, np.random.default_rng(0))
    z = judge.quantized(net, words).readout(trials.x)
    found = judge.measure(net, words)
    assert found["score"] == task.score(z, trials)["hold"]
    exact = net.run(trials.x).z
    assert found["error"] == pytest.approx(np.sqrt(np.mean((z - exact) ** 2) / np.mean(exact**2)))
    with pytest.raises(ValueError, match="xor has 2 inputs and 1 outputs; the network has 1 and 3"):
        few(Judge("xor")).quantized(nets["three"], words)


def fake_build(seen, fail=lambda seed: None):
    """In the place of a build: notes what is built, and raises what `fail` gives for its seed."""

    def build(q, board, out, *, lanes, form, frequency, seed):
        seen.append((lanes, seed))
        if (error := fail(seed)) is not None:
            raise error
        resources = {"logic": Use(100, 7680), "dsps": Use(0, 0), "rams": Use(8, 32)}
        figures = {"cycles_per_step": 36, "clock_hz": 12e6, "fmax_hz": 99e6, "steps_per_second": 12e6 / 36}
        return SimpleNamespace(resources=resources, **figures)

    return build


def test_the_same_design_is_built_once(scheduler, nets, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(pieces, "build", fake_build(seen))
    best = str(fit(few().quantized(nets["three"], Words(8, 8, 8)), BOARD).tiling)
    space = Space({"a": nets["three"], "b": nets["three"]}, boards=(BOARD,), lanes=(AUTO, best), seeds=(1, 2))
    rows = sweep(space, tmp_path, judge=few(), scheduler=scheduler)
    assert sorted(seen) == [(best, 1), (best, 2)]
    assert len(rows) == 8
    assert {(row.fmax_hz, row.logic, row.estimated) for row in rows} == {(99e6, 100, False)}


def test_failures_are_rows(scheduler, nets, tmp_path, monkeypatch):
    seen, errors = [], {1: ToolFailedError("nextpnr failed"), 2: ValueError("no such lanes"), 3: KeyError("a bug")}
    monkeypatch.setattr(pieces, "build", fake_build(seen, errors.get))
    space = Space({"three": nets["three"]}, boards=(BOARD,), lanes=("1",), seeds=(1, 2, 3, 4))
    rows = sweep(space, tmp_path, judge=few(), scheduler=scheduler)
    assert [row.refused for row in rows] == ["nextpnr failed", "no such lanes", "KeyError: 'a bug'", None]
    assert rows[0].estimated is True
    seen.clear()
    errors.clear()
    rows = sweep(space, tmp_path, judge=few(), scheduler=scheduler)
    assert [row.refused for row in rows] == [None, "no such lanes", None, None]
    assert sorted(seed for _, seed in seen) == [1, 3], "only what could have another end is tried again"


def test_a_folder_of_others_is_left_alone(nets, tmp_path, monkeypatch):
    monkeypatch.setattr("autapse_boards.sweep.cluster._CONNECT_SECONDS", 0.2)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "mine").touch()
    with pytest.raises(AutapseError, match="cache: not empty, and not written by a sweep"):
        sweep(Space(nets), tmp_path)
    with pytest.raises(AutapseError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"):
        sweep(Space(nets), tmp_path / "new", scheduler="tcp://127.0.0.1:1")


def test_what_is_missing_is_said_before_the_work(nets, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingToolError, match=r"pyarrow is not installed: pip install 'autapse\[sweep\]'"):
        sweep(Space(nets), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_command(scheduler, tmp_path, monkeypatch, capsys):
    from autapse.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["autapse", "sweep", *map(str, arguments), "--scheduler", scheduler, "-q"])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code, *capsys.readouterr()

    options = ("gallery:xor", "-o", tmp_path / "s", "--boards", BOARD, "--trials", 20, "--no-build")
    code, out, err = call(*options, "--bits", "5-6,99", "--json")
    data = json.loads(out)
    assert (code, err, data["designs"], data["refused"]) == (0, "", 3, 1)
    assert data["rows"][0]["score"] == 1.0
    code, out, _ = call(*options, "--bits", "6")
    assert code == 0
    assert "1 designs, 0 cannot be built" in out
    code, _, err = call(*options, "--bits", "99")
    assert code == 1
    assert err == "error: no design can be built; the first: weight_bits must lie in 4 to 18, not 99\n"
    for arguments, message in (
        (("--bits", "x"), "word lengths must be like"),
        (("--seeds", "1,two"), "seeds must be integers, not 'two'"),
        (("--lanes", "1,,2"), "--lanes takes values with commas between"),
    ):
        code, _, err = call(*options, *arguments)
        assert code == 1
        assert message in err


def start(folder, nets, *options):
    """The command with two worker processes of its own, in a group of its own as a terminal gives it."""
    nets["three"].save(folder / "three.npz")
    command = ["sweep", folder / "three.npz", "-o", folder / "s", "--boards", BOARD, "--lanes", "1", "--workers", "2"]
    return subprocess.Popen(
        [sys.executable, "-c", "from autapse.cli import main; main()", *map(str, command), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def synthesis(process):
    """A running yosys below the program, as soon as there is one."""
    while process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                if "yosys" in " ".join(child.cmdline()):
                    return child
            except psutil.Error:
                continue
        time.sleep(0.05)
    raise AssertionError(process.stderr.read())


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(nets, tmp_path):
    options = ("--frequency", "12", "--seeds", "1,2", "--json")
    process = start(tmp_path, nets, *options)
    tool = synthesis(process)
    worker = tool.parent()
    worker.kill()
    tool.kill()  # nobody waits for it any more
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert not worker.is_running()
    rows = json.loads(out)["rows"]
    assert [(row["seed"], row["refused"], row["estimated"]) for row in rows] == [(1, None, False), (2, None, False)]
    assert all(row["clock_hz"] == 12e6 <= row["fmax_hz"] for row in rows)

    again = start(tmp_path, nets, *options)  # all is known: no tool runs
    assert json.loads(again.communicate()[0])["rows"] == rows


@pytest.mark.slow
def test_ctrl_c_leaves_no_tool_running_and_what_was_found(nets, tmp_path):
    process = start(tmp_path, nets)
    synthesis(process)
    below = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does: the workers and the tools get it, too
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == f"interrupted; the same command goes on from what {tmp_path}/s/cache has"
    assert "Traceback" not in err
    psutil.wait_procs(below, timeout=10)
    assert not [each for each in below if each.is_running()]
    again = start(tmp_path, nets, "--no-build")
    _, err = again.communicate()
    assert again.returncode == 0
    assert "fit 1/1, 1 known" in err
    assert {p.name for p in (tmp_path / "s").iterdir()} >= {"cache", "sweep.csv", "sweep.parquet", "pareto.svg"}
