"""The networks that ship with the package do what their names say."""

from __future__ import annotations

from dataclasses import replace

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
        assert net.info["command"].startswith("python examples/")
        assert net.info["score"]
    with pytest.raises(ValueError, match=r"no network 'nothing' in the gallery; it has: .*flipflop_3bit"):
        gallery.path("nothing")


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
