"""Training on a small task; the parts that need no JAX run everywhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from autapse.errors import AutapseError, FileFormatError, MissingToolError
from autapse.network import Network
from autapse.tasks import TASKS, FlipFlop, Gate, Task
from autapse.train import Progress, TrainConfig, orthogonal, quantize_for, recommended, score_on, train

SMALL = TrainConfig(batch=16, max_updates=60, check_every=20, validation_trials=50, learning_rate=5e-3)
TASK = FlipFlop(n_bits=1, steps=50, rate=0.1)
GATE = Gate("and", steps=60, start=5, width=10, answer=25)
NEEDS_JAX = pytest.mark.skipif(find_spec("jax") is None or find_spec("optax") is None, reason="needs jax and optax")


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
    with pytest.raises(ValueError, match="initial must be one of orthogonal, normal; not 'zeros'"):
        TrainConfig(initial="zeros")
    with pytest.raises(ValueError, match=r"alpha must lie in \(0, 1\], not 0"):
        TrainConfig(alpha=0.0)
    with pytest.raises(ValueError, match=r"sparsity must lie in \[0, 1\), not 1"):
        TrainConfig(sparsity=1.0)
    with pytest.raises(ValueError, match="bits must be 0 or lie in 4 to 18, not 3"):
        TrainConfig(bits=3)


def test_every_task_has_settings() -> None:
    for task in TASKS.values():
        assert recommended(task).check_bits == 8


def test_missing_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingToolError, match=r"needs jax.*pip install 'autapse\[train\]'"):
        train(TASK, seed=0)


@NEEDS_JAX
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


@NEEDS_JAX
@pytest.mark.parametrize(
    ("activation", "alpha", "bits"),
    [
        ("tanh", 1.0, 4),
        ("tanh", 1.0, 6),
        ("tanh", 1.0, 8),
        ("tanh", 0.3, 6),
        ("tanh", 0.3, 11),
        ("sigmoid", 1.0, 8),
        ("hardtanh", 1.0, 6),
        ("relu", 0.3, 8),
        ("identity", 1.0, 8),
    ],
)
def test_fixed_point_pass_is_the_integer_model(activation: str, alpha: float, bits: int) -> None:
    """The readout of the differentiable pass equals that of the integer model, bit for bit."""
    import jax

    from autapse.train import fixed_point
    from autapse.train.model import _activation, double_precision
    from autapse.train.weights import from_network

    rng = np.random.default_rng(bits)
    n = 12
    net = Network(
        W=np.float32(rng.normal(0, 0.18, (n, n))),
        W_in=np.float32(rng.normal(0, 1.5, (n, 2))),
        b=np.float32(rng.normal(0, 0.2, n)),
        W_out=np.float32(rng.normal(0, 0.4, (3, n))),
        b_out=np.float32(rng.normal(0, 1.0, 3)),
        d=np.array(1.0 - alpha),
        g=np.array(alpha),
        activation=activation,
    )
    task = Gate("xor", steps=90)
    x = 1.3 * task.trials(20, rng).x  # some saturate
    q = quantize_for(net, task, bits, x)
    assert quantize_for(net, task, bits, x).leaky == (alpha < 1.0)
    with double_precision(jax, True):
        run = jax.jit(fixed_point.forward(jax, _activation(jax, activation), alpha < 1.0))
        weights = {name: np.asarray(array, np.float64) for name, array in from_network(net).items()}
        z = np.asarray(run(weights, fixed_point.words(q), x))
    expected = q.formats.z.dequantize(q.run_int(q.quantize_inputs(x)[0]).z)
    assert np.ptp(expected) > 0.1
    np.testing.assert_array_equal(z, expected)


@NEEDS_JAX
def test_straight_through_slopes() -> None:
    """With words so long that rounding hardly matters, the gradient is that of the float pass."""
    import jax

    from autapse.train import fixed_point
    from autapse.train.model import _activation, _forward, double_precision
    from autapse.train.weights import from_network, initial_weights, to_network

    config = TrainConfig(state_noise=0.0, input_gain=3.0)
    rng = np.random.default_rng(3)
    weights = initial_weights(GATE, 8, config, rng)
    trials = GATE.trials(8, rng)
    q = quantize_for(to_network(weights, config), GATE, 18)
    with double_precision(jax, True):
        p = {name: np.asarray(array, np.float64) for name, array in weights.items()}
        s = _activation(jax, "tanh")
        fixed, real = fixed_point.forward(jax, s, False), _forward(jax, s, config)
        key, words = jax.random.key(0), fixed_point.words(q)
        one = jax.grad(lambda p: ((fixed(p, words, trials.x) - trials.y) ** 2).sum())(p)
        two = jax.grad(lambda p: ((real(p, key, trials.x) - trials.y) ** 2).sum())(p)
    assert set(one) == set(from_network(to_network(weights, config)))
    for name in one:
        assert np.abs(two[name]).max() > 0.01
        np.testing.assert_allclose(one[name], two[name], rtol=0.02, atol=0.002 * np.abs(two[name]).max())


@NEEDS_JAX
def test_dale_and_sparsity() -> None:
    config = replace(SMALL, inhibitory=0.25, sparsity=0.5, max_updates=40)
    net = train(TASK, units=12, seed=3, config=config)
    assert (net.W[:, :9] >= 0).all()
    assert (net.W[:, 9:] <= 0).all()
    assert (net.W[:, :9] > 0).any(axis=0).all()
    assert (net.W[:, 9:] < 0).any(axis=0).all()
    assert 0.3 < (net.W == 0).mean() < 0.8
    assert (net.W_in < 0).any()  # free
    with pytest.raises(ValueError, match=r"inhibitory must leave a unit of each kind; 0\.01 of 12 units is 0"):
        train(TASK, units=12, seed=3, config=replace(SMALL, inhibitory=0.01))


@pytest.mark.slow
@NEEDS_JAX
def test_l2_makes_smaller_weights() -> None:
    short = replace(SMALL, max_updates=100, check_every=100, weight_decay=0.0)
    sizes = [np.abs(train(TASK, units=12, seed=4, config=replace(short, l2=l2)).W).mean() for l2 in (0.0, 0.01)]
    assert sizes[1] < 0.8 * sizes[0]


@NEEDS_JAX
def test_normal_start_and_leak() -> None:
    config = replace(SMALL, initial="normal", alpha=0.5, max_updates=1, check_every=1)
    net = train(TASK, units=200, seed=5, config=config)
    assert net.leaky
    assert (net.d == 0.5).all()
    assert (net.g == 0.5).all()
    assert net.W.std() == pytest.approx(0.9 / np.sqrt(200), rel=0.03)


class _StoppedError(Exception):
    pass


STAGES = TrainConfig(
    batch=8, max_updates=20, check_every=5, validation_trials=30, bits=6, successes=99, input_noise=0.1
)


@pytest.fixture(scope="module")
def uninterrupted() -> tuple[Network, list[Progress]]:
    """A training through all stages, and what it told."""
    seen: list[Progress] = []
    return train(GATE, units=6, seed=7, config=STAGES, progress=seen.append), seen


@NEEDS_JAX
@pytest.mark.parametrize(
    "stop_in",
    [
        pytest.param("lesson 1", marks=pytest.mark.slow),
        pytest.param("training", marks=pytest.mark.slow),
        "fine-tuning at 6 bits",
    ],
)
def test_resumed_equals_uninterrupted(
    tmp_path: Path, uninterrupted: tuple[Network, list[Progress]], stop_in: str
) -> None:
    """Stopped at the second validation of a stage, and then gone on from the file."""
    whole, told = uninterrupted
    assert {now.stage for now in told} == {"lesson 1", "training", "fine-tuning at 6 bits"}
    seen: list[Progress] = []

    def stop(now: Progress) -> None:
        seen.append(now)
        if [p.stage for p in seen].count(stop_in) == 2:
            raise _StoppedError

    file = tmp_path / "net.checkpoint"
    with pytest.raises(_StoppedError):
        train(GATE, units=6, seed=7, config=STAGES, progress=stop, checkpoint=file)
    rest: list[Progress] = []
    resumed = train(GATE, units=6, seed=7, config=STAGES, progress=rest.append, checkpoint=file, resume=True)
    for name, array in whole.arrays().items():
        np.testing.assert_array_equal(array, getattr(resumed, name))
    assert whole.info == resumed.info
    assert rest == told[-len(rest) :]
    assert len(rest) < len(told)


@NEEDS_JAX
def test_checkpoints_of_others_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "net.checkpoint"
    short = replace(SMALL, max_updates=20)
    train(TASK, units=5, seed=1, config=short, checkpoint=file)
    with pytest.raises(AutapseError, match="belongs to another training; seed is 1 there and 2 here"):
        train(TASK, units=5, seed=2, config=short, checkpoint=file, resume=True)
    with pytest.raises(AutapseError, match=r"learning_rate is 0.005 there and 0.001 here"):
        train(TASK, units=5, seed=1, config=replace(short, learning_rate=1e-3), checkpoint=file, resume=True)
    file.write_bytes(b"rubbish")
    with pytest.raises(FileFormatError, match="not a readable"):
        train(TASK, units=5, seed=1, config=short, checkpoint=file, resume=True)
    with pytest.raises(ValueError, match="name the checkpoint"):
        train(TASK, units=5, seed=1, config=short, resume=True)


@NEEDS_JAX
def test_fine_tuning_lowers_the_error_of_the_integer_model() -> None:
    start = train(TASK, units=6, seed=1, config=replace(SMALL, check_bits=0))
    config = replace(SMALL, bits=4, fine_rate=2e-3, max_updates=200, successes=99)
    seen: list[Progress] = []
    tuned = train(TASK, units=6, seed=1, config=config, start=start, progress=seen.append)
    assert {p.stage for p in seen} == {"fine-tuning at 4 bits"}
    assert tuned.info["bits"] == "4"
    trials = TASK.trials(300, np.random.default_rng(11))

    def error(net: Network) -> float:
        q = quantize_for(net, TASK, 4)
        z = q.formats.z.dequantize(q.run_int(q.quantize_inputs(trials.x)[0]).z)
        return float(np.mean((z - trials.y)[trials.mask] ** 2))

    assert error(tuned) < 0.7 * error(start)


@NEEDS_JAX
def test_divergence_is_said() -> None:
    wild = replace(SMALL, activation="relu", gain=5.0, max_updates=2, check_every=1, check_bits=0)
    with pytest.raises(AutapseError, match="training diverged before update 1 of training: a smaller learning_rate"):
        train(TASK, units=12, seed=1, config=wild)


@NEEDS_JAX
def test_starts_that_do_not_fit() -> None:
    start = Network(W=np.eye(4), W_in=np.ones((4, 1)), W_out=np.ones((1, 4)))
    with pytest.raises(
        ValueError, match="starting network has 4 units, 1 inputs, 1 outputs; this training has 5, 1, 1"
    ):
        train(TASK, units=5, seed=1, start=start)
    with pytest.raises(ValueError, match="has the activation tanh, not relu"):
        train(TASK, units=4, seed=1, start=start, config=TrainConfig(activation="relu"))
    with pytest.raises(ValueError, match=r"has not alpha = 0\.5"):
        train(TASK, units=4, seed=1, start=start, config=TrainConfig(alpha=0.5))
    with pytest.raises(ValueError, match="breaks Dale's law"):
        train(TASK, units=4, seed=1, start=start, config=TrainConfig(inhibitory=0.25))


@pytest.mark.slow
@NEEDS_JAX
def test_xor_is_learnt() -> None:
    task: Task = TASKS["xor"]
    net = train(task, units=50, seed=1, config=recommended(task))
    assert net.info["converged"] == "yes"
    trials = task.trials(300, np.random.default_rng(12))
    for bits in (0, 8):
        assert task.success.reached(score_on(net, task, trials, bits))
