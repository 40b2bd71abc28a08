"""The tasks: reproducible trials, what they contain, and scores that tell right from wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autapse.loading import load
from autapse.tasks import TASKS, DelayedDecision, FlipFlop, Task, Trials

REAL = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", TASKS)
def test_every_task(name: str) -> None:
    task = TASKS[name]
    assert isinstance(task, Task)
    assert task.name == name
    trials = task.trials(50, np.random.default_rng(1))
    again = task.trials(50, np.random.default_rng(1))
    other = task.trials(50, np.random.default_rng(2))
    assert trials.x.shape[::2] == (50, task.inputs)
    assert trials.y.shape == trials.mask.shape == (*trials.x.shape[:2], task.outputs)
    np.testing.assert_array_equal(trials.x, again.x)
    assert (trials.x != other.x).any()
    assert np.mean(np.abs(trials.x) > task.input_range) < 1e-4
    assert np.abs(trials.x).max() > task.input_range / 1.5
    perfect, inverted = task.score(trials.y, trials), task.score(-trials.y, trials)
    assert task.success.reached(perfect)
    assert not task.success.reached(inverted)
    assert not task.success.reached(task.score(np.zeros_like(trials.y), trials))
    with pytest.raises(ValueError, match="readout must have the shape of the targets"):
        task.score(trials.y[:, :-1], trials)


def test_flipflop_follows_the_pulses() -> None:
    task = FlipFlop(noise=0.0)
    trials = task.trials(40, np.random.default_rng(3))
    assert set(np.unique(trials.x)) == {-1.0, 0.0, 1.0}
    for x, y, mask in zip(
        trials.x.transpose(0, 2, 1).reshape(-1, task.steps),
        trials.y.transpose(0, 2, 1).reshape(-1, task.steps),
        trials.mask.transpose(0, 2, 1).reshape(-1, task.steps),
        strict=True,
    ):
        held, age = 0.0, task.reaction
        for t in range(task.steps):
            if x[t] not in (0.0, held):
                held, age = x[t], 0
            assert y[t] == held
            assert mask[t] == (held != 0 and age >= task.reaction)
            age += 1


def test_flipflop_score_counts_samples_and_channels() -> None:
    trials = FlipFlop(n_bits=2).trials(20, np.random.default_rng(4))
    z = trials.y.copy()
    trial, step, channel = np.argwhere(trials.mask)[0]
    z[trial, step, channel] *= -0.1
    score = FlipFlop(n_bits=2).score(z, trials)
    used = np.count_nonzero(trials.mask.any(axis=1))
    assert score["correct"] == pytest.approx(1 - 1 / np.count_nonzero(trials.mask))
    assert score["hold"] == pytest.approx(1 - 1 / used)
    z[~trials.mask] = np.nan  # what does not count has no influence
    assert FlipFlop(n_bits=2).score(z, trials) == score


def test_delayed_decision_is_the_one_described() -> None:
    trials = DelayedDecision(noise=0.0).trials(300, np.random.default_rng(5))
    x, y = trials.x[..., 0], trials.y[..., 0]
    onset = (y != 0).argmax(axis=1)
    assert (onset.min(), onset.max()) == (121, 190)
    window = np.hanning(10) / np.hanning(10).sum()
    for k in range(300):
        sign, v = y[k, -1], onset[k] - 120
        pulse = np.zeros(370)
        pulse[50 + v : 70 + v] = sign
        np.testing.assert_allclose(x[k], np.convolve(pulse, window, mode="same"), atol=1e-15)
        assert (y[k, onset[k] :] == sign).all()
    assert 0.4 < (y[:, -1] > 0).mean() < 0.6
    noise = DelayedDecision(noise=0.05).trials(300, np.random.default_rng(5)).x[:, :40]
    assert noise.std() == pytest.approx(0.05, rel=0.03)


def test_delayed_decision_catch_trials_are_not_judged() -> None:
    task = DelayedDecision(catch=0.5)
    trials = task.trials(200, np.random.default_rng(6))
    silent = ~trials.y.any(axis=(1, 2))
    assert 70 < np.count_nonzero(silent) < 130
    z = np.where(silent[:, None, None], 5.0, trials.y)
    assert task.score(z, trials) == {"success": 1.0, "timing_error": 0.0}
    with pytest.raises(ValueError, match="no trial has a pulse"):
        task.score(trials.y[silent], Trials(trials.x[silent], trials.y[silent], trials.mask[silent]))


def test_delayed_decision_timing() -> None:
    task = DelayedDecision()
    trials = task.trials(30, np.random.default_rng(7))
    early = trials.y.copy()
    early[:, :-7] = trials.y[:, 7:]
    assert task.score(early, trials) == {"success": 1.0, "timing_error": 7.0}
    late = np.zeros_like(trials.y)
    late[:, 4:] = trials.y[:, :-4]
    assert task.score(late, trials) == {"success": 1.0, "timing_error": 4.0}
    never = 0.4 * trials.y
    remaining = (trials.y != 0).sum(axis=1).mean()
    assert task.score(never, trials) == {"success": 1.0, "timing_error": pytest.approx(remaining)}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FlipFlop(n_bits=0), "n_bits must be above zero, not 0"),
        (lambda: FlipFlop(reaction=-1), "reaction must not be negative, not -1"),
        (lambda: DelayedDecision(steps=190), "steps must be at least 191, not 190"),
        (lambda: DelayedDecision(noise=-0.1), "noise must not be negative"),
        (lambda: DelayedDecision(catch=1.5), r"catch must lie in \[0, 1\], not 1.5"),
        (lambda: DelayedDecision(smoothing=2), "smoothing must be 0"),
        (lambda: Trials(np.zeros((1, 2, 1)), np.zeros((1, 3, 1)), np.ones((1, 3, 1), bool)), "alike"),
        (lambda: Trials(np.zeros((1, 3, 1)), np.zeros((1, 3, 1)), np.ones((1, 3), bool)), "mask must have the shape"),
    ],
)
def test_bad_parameters(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("name", ["dm1_n100_bias", "dm1_n100_nobias"])
def test_real_networks(name: str) -> None:
    """80 trials in float64: all decisions right. The timing is exact for rectangular pulses; smoothing delays it.

    With the smoothed pulse and the noise that shared/data/README.md describes, three of four crossings come one step
    after the onset: 0.66 to 0.84 steps in nine draws of 80 trials, not the 0.00 stated there.
    """
    path = REAL / f"{name}.hdf5"
    if not path.is_file():
        pytest.skip(f"the real networks are not here: {REAL}")
    net = load(path)
    sharp, smooth = DelayedDecision(smoothing=0), DelayedDecision()
    trials = sharp.trials(80, np.random.default_rng(0))
    assert sharp.score(net.run(trials.x).z, trials) == {"success": 1.0, "timing_error": 0.0}
    trials = smooth.trials(80, np.random.default_rng(0))
    score = smooth.score(net.run(trials.x).z, trials)
    assert score["success"] == 1.0
    assert 0.5 < score["timing_error"] < 1.0
