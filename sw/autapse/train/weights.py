"""Initial weights, and the constraints that hold after every update."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.tasks import Task
from autapse.train.config import TrainConfig

Weights = dict[str, Any]  # W, W_in, b, W_out, b_out: arrays of NumPy or JAX


class Limits(NamedTuple):
    """Where the recurrent weights may lie: elementwise bounds, (units, units), float32."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]


def initial_weights(task: Task, units: int, config: TrainConfig, rng: np.random.Generator) -> Weights:
    """Weights [to, from] of the chosen kind and zero biases, float32."""
    draw = orthogonal if config.initial == "orthogonal" else _normal
    weights = {
        "W": config.gain * draw(units, units, rng),
        "W_in": config.gain * config.input_gain * draw(units, task.inputs, rng),
        "W_out": config.gain * draw(task.outputs, units, rng),
        "b": np.zeros(units),
        "b_out": np.zeros(task.outputs),
    }
    return {name: np.asarray(array, dtype=np.float32) for name, array in weights.items()}


def limits(units: int, config: TrainConfig, rng: np.random.Generator) -> Limits:
    """Bounds from Dale's law and from the sparsity mask; infinite where there is none."""
    high = np.full((units, units), np.inf, dtype=np.float32)
    low = -high
    if config.inhibitory:
        inhibitory = round(config.inhibitory * units)
        if not 0 < inhibitory < units:
            raise ValueError(
                f"inhibitory must leave a unit of each kind; {config.inhibitory:g} of {units} units is {inhibitory}"
            )
        low[:, : units - inhibitory] = 0.0
        high[:, units - inhibitory :] = 0.0
    if config.sparsity:
        absent = rng.random((units, units)) < config.sparsity
        low[absent] = high[absent] = 0.0
    return Limits(low, high)


def constrained(W: NDArray[np.float32], bounds: Limits) -> NDArray[np.float32]:
    """Initial weights inside the bounds, with the spectral radius of W.

    Magnitudes take the sign that Dale's law asks for. The columns of the inhibitory units, which are fewer, are scaled
    up until excitation and inhibition balance: else all units would rise and saturate together.
    """
    positive, negative = bounds.low == 0.0, bounds.high == 0.0
    new = np.where(positive & negative, 0.0, np.where(positive, np.abs(W), np.where(negative, -np.abs(W), W)))
    excitation, inhibition = new[positive & ~negative].sum(), -new[negative & ~positive].sum()
    if inhibition > 0.0:
        new = np.where(negative, new * (excitation / inhibition), new)
    radius = _radius(new)
    return np.asarray(new * (_radius(W) / radius) if radius > 0.0 else new, dtype=np.float32)


def _radius(W: NDArray[Any]) -> float:
    return float(np.max(np.abs(np.linalg.eigvals(W.astype(np.float64)))))


def orthogonal(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """A random (rows, columns) matrix with orthonormal rows or columns, whichever are fewer; Haar distributed."""
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # without the signs the distribution is not uniform
    return np.asarray(q if rows >= columns else q.T, dtype=np.float64)


def _normal(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """Independent normal elements with the variance 1 / max(rows, columns): columns, or rows, of norm 1 on average."""
    return np.asarray(rng.standard_normal((rows, columns)) / np.sqrt(max(rows, columns)), dtype=np.float64)


def to_network(weights: Weights, config: TrainConfig) -> Network:
    """The network of the weights, rounded to float32, which halves its file."""
    arrays: dict[str, Any] = {k: np.asarray(np.asarray(v, np.float32), np.float64) for k, v in weights.items()}
    arrays |= {"d": 1.0 - config.alpha, "g": config.alpha}
    return Network(**arrays, activation=config.activation)


def from_network(net: Network) -> Weights:
    """The weights of a network, float32."""
    return {name: np.asarray(getattr(net, name), dtype=np.float32) for name in ("W", "W_in", "W_out", "b", "b_out")}
