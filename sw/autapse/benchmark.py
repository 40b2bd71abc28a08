"""How fast the integer model runs, against the loop that one would write in NumPy for the float network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from autapse.network import Network
from autapse.quantize import quantize
from autapse.reference import run


@dataclass(frozen=True)
class ModelThroughput:
    """Steps per second: a batch of B sequences of T steps is B * T steps.

    Attributes
    ----------
    units, inputs, outputs, batch, steps
        The shape of the run.
    repetitions
        Interleaved repetitions. Each speed is that of the median time, each ratio the median over the repetitions.
    float32
        The loop ``h = tanh(h @ W.T + x_t @ W_in.T + b); z_t = h @ W_out.T + b_out`` in float32.
    model8, model16
        The integer model with 8 and 16 bits of weight and state, without a record of its states.
    ratio8, ratio16
        Speed of the model against that of the loop in the same repetition.
    """

    units: int
    inputs: int
    outputs: int
    batch: int
    steps: int
    repetitions: int
    float32: float
    model8: float
    model16: float
    ratio8: float
    ratio16: float


def model_throughput(
    *,
    batch: int = 1024,
    repetitions: int = 7,
    units: int = 50,
    inputs: int = 2,
    outputs: int = 3,
    steps: int = 200,
    seed: int = 0,
) -> ModelThroughput:
    """Measure a random orthogonal tanh network, in a few seconds.

    The candidates take turns, so that a change of the machine's clock or load meets all of them. A first turn, which
    makes tables and fills caches, is not counted.
    """
    for name, value in (("batch", batch), ("repetitions", repetitions)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    rng = np.random.default_rng(seed)
    net = Network(
        np.linalg.qr(rng.normal(size=(units, units)))[0],
        rng.normal(size=(units, inputs)),
        0.1 * rng.normal(size=units),
        rng.normal(size=(outputs, units)) / np.sqrt(units),
        rng.normal(size=outputs),
    )
    x = rng.uniform(-1.0, 1.0, (batch, steps, inputs))
    candidates: list[Callable[[], object]] = [partial(_float_loop, net, x.astype(np.float32))]
    for bits in (8, 16):
        q = quantize(net, weight_bits=bits, state_bits=bits)
        candidates.append(partial(run, q, q.quantize_inputs(x)[0], record=False))
    seconds = _turns(candidates, repetitions)
    float32, model8, model16 = (float(speed) for speed in batch * steps / np.median(seconds, axis=0))
    _, ratio8, ratio16 = (float(ratio) for ratio in np.median(seconds[:, :1] / seconds, axis=0))
    return ModelThroughput(units, inputs, outputs, batch, steps, repetitions, float32, model8, model16, ratio8, ratio16)


def _turns(candidates: Sequence[Callable[[], object]], repetitions: int) -> NDArray[np.float64]:
    """Seconds of each candidate, (repetitions, candidates), run in turns."""
    seconds = np.empty((repetitions + 1, len(candidates)))
    for turn in seconds:
        for k, candidate in enumerate(candidates):
            start = time.perf_counter()
            candidate()
            turn[k] = time.perf_counter() - start
    return seconds[1:]


def _float_loop(net: Network, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The plain loop over x (batch, time, inputs); gives the readouts."""
    W, W_in, b, W_out, b_out = (a.astype(np.float32) for a in (net.W, net.W_in, net.b, net.W_out, net.b_out))
    h = np.zeros((x.shape[0], net.units), np.float32)
    z = np.empty((*x.shape[:2], net.outputs), np.float32)
    for t in range(x.shape[1]):
        h = np.tanh(h @ W.T + x[:, t] @ W_in.T + b)
        z[:, t] = h @ W_out.T + b_out
    return z
