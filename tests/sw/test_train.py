"""Training on a small task; the parts that need no JAX run everywhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from autapse.errors import MissingToolError
from autapse.tasks import FlipFlop
from autapse.train import Progress, TrainConfig, orthogonal, train

SMALL = TrainConfig(batch=16, max_updates=60, check_every=20, validation_trials=50, learning_rate=5e-3)
TASK = FlipFlop(n_bits=1, steps=50, rate=0.1)


@pytest.mark.parametrize("shape", [(6, 6), (6, 2), (2, 6)])
def test_orthogonal(shape: tuple[int, int]) -> None:
    q = orthogonal(*shape, np.random.default_rng(0))
    assert q.shape == shape
    gram = q.T @ q if shape[0] >= shape[1] else q @ q.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-12)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="at least one unit, not 0"):
        train(TASK, units=0, seed=0)
    with pytest.raises(ValueError, match="seed is an integer from 0 on, not -1"):
        train(TASK, seed=-1)
    with pytest.raises(ValueError, match="learning_rate must be above zero, not 0"):
        TrainConfig(learning_rate=0.0)
    with pytest.raises(ValueError, match="state_noise must not be negative"):
        TrainConfig(state_noise=-1.0)
    with pytest.raises(ValueError, match=r"activation must be one of tanh, .*; not 'gelu'"):
        TrainConfig(activation="gelu")


def test_missing_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingToolError, match=r"needs jax.*pip install 'autapse\[train\]'"):
        train(TASK, seed=0)


@pytest.mark.skipif(find_spec("jax") is None or find_spec("optax") is None, reason="needs jax and optax")
def test_learns_and_repeats() -> None:
    seen: list[Progress] = []
    net = train(TASK, units=12, seed=1, config=SMALL, progress=seen.append)
    assert (net.info["task"], net.info["seed"]) == ("flipflop", "1")
    assert [p.update for p in seen] == list(range(20, seen[-1].update + 1, 20))
    converged = TASK.success.reached(seen[-1].score)
    assert net.info["converged"] == ("yes" if converged else "no")
    fresh = TASK.trials(100, np.random.default_rng(9))
    assert TASK.score(net.run(fresh.x).z, fresh)["correct"] > 0.97
    again = train(TASK, units=12, seed=1, config=SMALL)
    other = train(TASK, units=12, seed=2, config=SMALL)
    np.testing.assert_array_equal(net.W, again.W)
    assert (net.W != other.W).any()
