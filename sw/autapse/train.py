"""Training: back-propagation through time with Adam, in JAX, on any :class:`autapse.tasks.Task`.

JAX and optax are imported when training starts; nothing else in the package needs them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from autapse.errors import MissingToolError
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.tasks import Task

_TRAINABLE = ("tanh", "sigmoid", "relu", "hardtanh", "identity")


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The defaults solve the flip-flop; longer memories than that need other settings or more updates.

    Attributes
    ----------
    activation
        The network's activation.
    gain
        Scale of the orthogonal initialisation of all three weight matrices.
    learning_rate
        Adam's step size.
    clip
        The gradient is scaled down to this global norm where it is larger.
    weight_decay
        Decoupled decay (AdamW) of the weights, not of the biases, per unit of learning rate. It keeps the weights small
        enough for few integer bits.
    input_noise
        Standard deviation of noise on the inputs besides the task's own.
    state_noise
        Standard deviation of noise on the state at every step. It makes memories that survive rounding: rounding to f
        fraction bits is like noise of 2**-f / sqrt(12).
    batch
        Trials per update.
    max_updates
        Updates after which training ends, whatever the score.
    min_updates
        Updates before which it does not end: margin beyond the first success.
    check_every
        Updates between two validations.
    validation_trials
        Fresh trials in each validation.
    """

    activation: str = "tanh"
    gain: float = 0.9
    learning_rate: float = 2e-3
    clip: float = 1.0
    weight_decay: float = 0.02
    input_noise: float = 0.0
    state_noise: float = 0.02
    batch: int = 64
    max_updates: int = 6000
    min_updates: int = 0
    check_every: int = 100
    validation_trials: int = 200

    def __post_init__(self) -> None:
        if self.activation not in _TRAINABLE:
            raise ValueError(f"activation must be one of {', '.join(_TRAINABLE)}; not {self.activation!r}")
        for name in ("gain", "learning_rate", "clip", "batch", "max_updates", "check_every", "validation_trials"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above zero, not {getattr(self, name)}")
        for name in ("weight_decay", "input_noise", "state_noise", "min_updates"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")


class Progress(NamedTuple):
    """What the progress callback receives at each validation.

    Attributes
    ----------
    update
        Updates done so far.
    max_updates
        The most that there can be.
    loss
        Mean squared error on the mask, averaged over the updates since the last validation.
    score
        The task's score on fresh trials, in float64.
    """

    update: int
    max_updates: int
    loss: float
    score: dict[str, float]


def train(
    task: Task,
    *,
    units: int = 50,
    seed: int,
    config: TrainConfig | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Network:
    """Train a plain network (d = 0, g = 1, zero initial state) on `task`.

    Ends when the task's success threshold is reached on fresh trials (and after ``min_updates``), or after
    ``max_updates``; returns the network of the last validation in the first case, of the best one in the second.
    Its `info` says which: ``converged`` is "yes" or "no", next to ``task``, ``seed``, ``updates`` and ``score``.

    The same arguments on the same machine and with the same versions of JAX give the same network.

    Raises ValueError for a bad number of units or seed, MissingToolError when JAX or optax is not installed.
    """
    if units < 1:
        raise ValueError(f"a network has at least one unit, not {units}")
    if seed < 0:
        raise ValueError(f"a seed is an integer from 0 on, not {seed}")
    config = config or TrainConfig()
    jax, optax = _import("jax"), _import("optax")
    rng = np.random.default_rng(seed)
    weights = _initial(task, units, config.gain, rng)
    optimiser = optax.chain(
        optax.clip_by_global_norm(config.clip),
        optax.adamw(config.learning_rate, weight_decay=config.weight_decay, mask=lambda p: {k: k[0] == "W" for k in p}),
    )
    update = _update_function(jax, optax, optimiser, config)
    moments = optimiser.init(weights)
    key = jax.random.key(seed)
    best, best_value, converged = _network(weights, config), -np.inf, False
    losses: list[Any] = []
    done = 0
    while done < config.max_updates and not converged:
        trials = task.trials(config.batch, rng)
        x = trials.x + config.input_noise * rng.standard_normal(trials.x.shape)
        arrays = (np.asarray(a, dtype=np.float32) for a in (x, trials.y, trials.mask))
        weights, moments, loss = update(weights, moments, jax.random.fold_in(key, done), *arrays)
        losses.append(loss)
        done += 1
        if done % config.check_every and done != config.max_updates:
            continue
        network = _network(weights, config)
        validation = task.trials(config.validation_trials, rng)
        score = task.score(network.run(validation.x).z, validation)
        if progress is not None:
            progress(Progress(done, config.max_updates, float(np.mean([float(v) for v in losses])), score))
        losses.clear()
        converged = task.success.reached(score) and done >= config.min_updates
        if converged or score[task.success.metric] > best_value:
            best, best_value = (
                network.with_info(updates=str(done), score=format_score(score)),
                score[task.success.metric],
            )
    return best.with_info(task=task.name, seed=str(seed), converged="yes" if converged else "no")


def format_score(score: dict[str, float]) -> str:
    """A score as one line of text, for `info` and for people: ``correct 0.99950, hold 0.99810``."""
    return ", ".join(f"{name} {value:.5f}" for name, value in score.items())


def _initial(task: Task, units: int, gain: float, rng: np.random.Generator) -> dict[str, Any]:
    """Orthogonal weights [to, from] and zero biases, float32."""
    weights = {
        "W": orthogonal(units, units, rng),
        "W_in": orthogonal(units, task.inputs, rng),
        "W_out": orthogonal(task.outputs, units, rng),
        "b": np.zeros(units),
        "b_out": np.zeros(task.outputs),
    }
    scale = {name: gain if name[0] == "W" else 1.0 for name in weights}
    return {name: np.asarray(scale[name] * array, dtype=np.float32) for name, array in weights.items()}


def orthogonal(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """A random (rows, columns) matrix with orthonormal rows or columns, whichever are fewer; Haar distributed."""
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # without the signs the distribution is not uniform
    return np.asarray(q if rows >= columns else q.T, dtype=np.float64)


def _update_function(jax: Any, optax: Any, optimiser: Any, config: TrainConfig) -> Any:
    """The compiled update: (weights, moments, key, x, y, mask) -> (weights, moments, loss)."""
    jnp = jax.numpy
    s = {
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "relu": jax.nn.relu,
        "hardtanh": lambda a: jnp.clip(a, -1.0, 1.0),
        "identity": lambda a: a,
    }[config.activation]

    def loss_of(p: Any, key: Any, x: Any, y: Any, mask: Any) -> Any:
        drive = jnp.swapaxes(x @ p["W_in"].T + p["b"], 0, 1)  # (time, batch, units)
        noise = config.state_noise * jax.random.normal(key, drive.shape)

        def step(h: Any, now: Any) -> Any:
            h = s(h @ p["W"].T + now[0]) + now[1]
            return h, h

        _, states = jax.lax.scan(step, jnp.zeros(drive.shape[1:]), (drive, noise))
        z = jnp.swapaxes(states @ p["W_out"].T + p["b_out"], 0, 1)
        return jnp.sum(mask * (z - y) ** 2) / jnp.maximum(jnp.sum(mask), 1.0)

    def update(weights: Any, moments: Any, key: Any, x: Any, y: Any, mask: Any) -> Any:
        loss, gradient = jax.value_and_grad(loss_of)(weights, key, x, y, mask)
        changes, moments = optimiser.update(gradient, moments, weights)
        return optax.apply_updates(weights, changes), moments, loss

    return jax.jit(update)


def _network(weights: Any, config: TrainConfig) -> Network:
    arrays: dict[str, Any] = {name: np.asarray(array, dtype=np.float64) for name, array in weights.items()}
    return Network(**arrays, activation=config.activation)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingToolError(
            f"training needs {name}, which is not installed; run: pip install 'autapse[train]'"
        ) from None
