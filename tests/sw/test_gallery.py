"""The networks that ship with the package do what their names say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autapse import gallery
from autapse.fixed import Format
from autapse.loading import load
from autapse.tasks import TASKS, FlipFlop


def test_names_and_paths() -> None:
    assert "flipflop_3bit" in gallery.names()
    for name in gallery.names():
        net = load(gallery.path(name))
        assert net.info["task"] in TASKS
        assert net.info["licence"] == "BSD-2-Clause"
        assert net.info["command"].startswith(("autapse train ", "python examples/"))
        assert net.info["score"]
        assert gallery.path(name).stat().st_size < 40_000
    with pytest.raises(ValueError, match=r"no network 'nothing' in the gallery; it has: .*flipflop_3bit"):
        gallery.path("nothing")


def test_index_is_that_of_the_files() -> None:
    entries = {entry.name: entry for entry in gallery.index()}
    assert sorted(entries) == gallery.names()
    assert len({e.task for e in entries.values() if not e.tuned_bits}) == len(TASKS)
    for entry in entries.values():
        net = load(gallery.path(entry.name))
        assert (entry.units, entry.task, entry.command) == (net.units, net.info["task"], net.info["command"])
        assert entry.trials == 1000
        assert set(entry.scores) == set(gallery.LEVELS)
        for level in gallery.wanted(entry):
            assert entry.succeeds(level), f"{entry.name} at {level}"
    tasks_at_six_bits = {e.task for e in entries.values() if e.succeeds("6 bits")}
    assert len(tasks_at_six_bits) >= 6


def test_table_of_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    from autapse.cli.gallery import gallery as command

    command(markdown=True)
    page = (Path(__file__).resolve().parents[2] / "docs" / "gallery.md").read_text()
    assert capsys.readouterr().out.strip() in page


@pytest.mark.slow
@pytest.mark.parametrize("name", gallery.names())
def test_every_network_succeeds_on_fresh_trials(name: str) -> None:
    entry = gallery.measure(name, trials=200, seed=31)
    for level in gallery.wanted(entry):
        assert entry.succeeds(level), f"{level}: {entry.scores[level]}"


@pytest.mark.slow
def test_fine_tuning_is_what_makes_four_bits_work() -> None:
    """The networks that were tuned fail at 4 bits before, and succeed after."""
    entries = {entry.name: entry for entry in gallery.index()}
    tuned = [entry for entry in entries.values() if entry.tuned_bits == 4]
    assert len(tuned) >= 6
    for entry in tuned:
        assert not gallery.measure(entry.name.removesuffix("_4bit"), trials=200, seed=32).succeeds("4 bits")


def test_flipflop_3bit_in_float() -> None:
    net = load(gallery.path("flipflop_3bit"))
    assert (net.units, net.inputs, net.outputs, net.activation, net.leaky) == (50, 3, 3, "tanh", False)
    task = FlipFlop()
    assert task.noise == 0.1
    trials = task.trials(1000, np.random.default_rng(2024))
    score = task.score(net.run(trials.x).z, trials)
    assert score["correct"] >= 0.999
    assert score["hold"] >= 0.999


def test_flipflop_3bit_survives_crude_rounding() -> None:
    """Weights and every state rounded to 8 bits with 7 fraction bits, sums exact."""
    eight = Format(8, 7)
    net = load(gallery.path("flipflop_3bit"))
    codes = {name: eight.quantize(getattr(net, name)) for name in ("W", "W_in", "W_out")}
    assert {name: outside for name, (_, outside) in codes.items()} == {"W": 0, "W_in": 0, "W_out": 0}
    net = replace(net, **{name: eight.dequantize(code) for name, (code, _) in codes.items()})
    task = FlipFlop()
    trials = task.trials(200, np.random.default_rng(2025))
    h = np.zeros((200, net.units))
    z = np.empty_like(trials.y)
    for t in range(task.steps):
        h = eight.dequantize(eight.quantize(np.tanh(h @ net.W.T + trials.x[:, t] @ net.W_in.T + net.b))[0])
        z[:, t] = h @ net.W_out.T + net.b_out
    score = task.score(z, trials)
    assert score["correct"] >= 0.999
    assert score["hold"] >= 0.995
