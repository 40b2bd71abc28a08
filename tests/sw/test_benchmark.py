"""The measurement itself: its shape and arithmetic, not the speed of whatever machine runs the tests."""

import json
import sys
import time
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from autapse import benchmark
from autapse.benchmark import LOOP, NO_TORCH, RNN, HostBenchmark, _float_loop, _torch_rnn, _turns, host_benchmark
from autapse.cli import _common, app
from autapse.network import Network
from autapse.reference import compiled_kernel, cores

SMALL: dict[str, Any] = {"units": 4, "inputs": 1, "outputs": 2, "steps": 5, "batches": (1, 3), "repetitions": 2}


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "LEAST_SECONDS", 0.001)


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)


def network() -> Network:
    rng = np.random.default_rng(0)
    return Network(rng.normal(size=(4, 4)) / 2, rng.normal(size=(4, 2)), rng.normal(size=4), rng.normal(size=(3, 4)))


def test_a_small_measurement(no_torch: None) -> None:
    r = host_benchmark(**SMALL, threads=1)
    assert (r.units, r.inputs, r.outputs, r.repetitions, r.threads) == (4, 1, 2, 2, 1)
    names = ["integer model, 8 bits", "integer model, 16 bits", LOOP, RNN]
    assert [(s.batch, s.what) for s in r.speeds] == [(b, name) for b in (1, 3) for name in names]
    ran = "numpy" if compiled_kernel() is None else "compiled"
    assert [(s.bits, s.kernel) for s in r.speeds] == [(8, ran), (16, ran), (None, None), (None, None)] * 2
    for s in r.speeds:
        figures = (s.steps_per_second, s.first_seconds, s.over_loop)
        if s.what == RNN:
            assert (s.missing, *figures, s.cores) == (NO_TORCH, None, None, None, None)
        else:
            assert s.missing is None
            assert all(v is not None and np.isfinite(v) and v > 0 for v in figures)
            assert s.over_rnn is None
    assert [s.over_loop for s in r.speeds if s.what == LOOP] == [1.0, 1.0]


def test_figures_follow_from_the_times(monkeypatch: pytest.MonkeyPatch, no_torch: None) -> None:
    """Three turns of 8 bits, 16 bits and the loop; the medians are 2, 4 and 6 s, those of the ratios 3 and 1.5."""
    wall = np.array([[2.0, 4.0, 6.0], [1.0, 4.0, 3.0], [4.0, 4.0, 12.0]])
    monkeypatch.setattr(benchmark, "_turns", lambda *_: (np.array([9.0, 8.0, 7.0]), wall, wall * [2.0, 1.0, 0.5]))
    eight, sixteen, loop, _ = host_benchmark(**SMALL | {"batches": (3,)}).speeds
    assert [s.steps_per_second for s in (eight, sixteen, loop)] == pytest.approx([15 / 2, 15 / 4, 15 / 6])
    assert [s.over_loop for s in (eight, sixteen, loop)] == [3.0, 1.5, 1.0]
    assert [s.first_seconds for s in (eight, sixteen, loop)] == [9.0, 8.0, 7.0]
    assert [s.cores for s in (eight, sixteen, loop)] == [2.0, 1.0, 0.5]


def test_steps_fill_the_batch(no_torch: None) -> None:
    speeds = host_benchmark(**SMALL | {"steps": None, "batches": (1, 20)}).speeds
    assert {(s.batch, s.steps) for s in speeds} == {(1, 2000), (20, 200)}


def test_candidates_take_turns_and_the_first_call_is_apart() -> None:
    order: list[int] = []
    first, wall, used = _turns([lambda: order.append(0), lambda: (order.append(1), time.sleep(0.02))], 3, 0.03)
    turns = "".join(map(str, order)).split("11")  # a turn of the second has two calls, of 20 ms
    assert turns[0][:4] == "0101"
    assert [set(turn) for turn in turns[1:]] == [{"0"}, {"0"}, set()]
    assert (first.shape, wall.shape, used.shape) == ((2,), (3, 2), (3, 2))
    assert (wall[:, 1] >= 0.02).all()
    assert np.median(used[:, 1]) < 0.02  # a sleep takes no processor
    assert (wall[:, 0] < 0.02).all()


@pytest.mark.parametrize("name", ["batch", "repetitions", "threads"])
def test_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        host_benchmark(**{"batches": (0,)} if name == "batch" else {name: 0})


def test_the_loop_computes_the_network() -> None:
    x = np.random.default_rng(1).normal(size=(2, 6, 2)).astype(np.float32)
    assert _float_loop(network(), x) == pytest.approx(network().run(x).z, abs=1e-5)


def test_torch_computes_the_network() -> None:
    pytest.importorskip("torch", reason="no torch: pip install torch")
    x = np.random.default_rng(1).normal(size=(2, 6, 2)).astype(np.float32)
    rnn = _torch_rnn(network(), x, 1)
    assert rnn is not None
    assert rnn() == pytest.approx(network().run(x).z, abs=1e-5)


def invoke(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[str, dict[str, Any]]:
    given: dict[str, Any] = {}

    def small(**options: Any) -> HostBenchmark:
        given.update(options)
        return host_benchmark(**SMALL | options)

    monkeypatch.setattr(benchmark, "host_benchmark", small)
    monkeypatch.setattr(_common.out, "_width", 200)
    result = CliRunner().invoke(app, ["bench", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout, given


def test_the_command_prints_a_table(monkeypatch: pytest.MonkeyPatch, no_torch: None) -> None:
    text, given = invoke(monkeypatch)
    assert given == {"repetitions": 7, "threads": None, "kernel": "auto"}
    assert f"N = 4, M = 1, O = 2, {cores()} thread" in text
    assert text.count(NO_TORCH) == text.count(LOOP) == 2


def test_the_command_prints_json(monkeypatch: pytest.MonkeyPatch, no_torch: None) -> None:
    text, _ = invoke(monkeypatch, "--json", "--threads", "3", "--repetitions", "1", "--kernel", "numpy")
    host = json.loads(text)["host"]
    assert (host["units"], host["threads"], host["repetitions"]) == (4, 3, 1)
    assert [s["kernel"] for s in host["speeds"]] == ["numpy", "numpy", None, None] * 2
    assert host["speeds"][3]["missing"] == NO_TORCH
