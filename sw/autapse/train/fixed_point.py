"""Quantisation inside training: the integers of :func:`autapse.quantize` in the forward pass, slopes in the backward.

The forward pass computes with the *values* of the codes, which are multiples of powers of two. In float64 every sum of
the integer model is exact, so the readout equals that of `QuantizedNetwork.run` bit for bit. The gradient takes each
rounding and saturation for the identity, and the table for the activation's own slope (straight-through).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.tasks import Task, Trials


def quantize_for(net: Network, task: Task, bits: int, calibrate: ArrayLike | None = None) -> QuantizedNetwork:
    """Quantise a network for a task: all words of `bits` bits, the input range of the task.

    `calibrate`, typical inputs, is needed where the state has no bound of its own (relu, identity).
    """
    return quantize(net, weight_bits=bits, state_bits=bits, input_range=task.input_range, calibrate=calibrate)


def score_on(net: Network, task: Task, trials: Trials, bits: int = 0) -> dict[str, float]:
    """The score of a network on these trials: in float64, or, with `bits`, of its integer model."""
    if not bits:
        return task.score(net.run(trials.x).z, trials)
    q = quantize_for(net, task, bits, trials.x)
    return task.score(q.readout(trials.x), trials)  # the few samples outside the range saturate


def words(q: QuantizedNetwork) -> dict[str, Any]:
    """What the forward pass needs of the formats and the table, as float64 arrays, so that they can change."""
    f, a = q.formats, q.activation
    found: dict[str, Any] = {"table": a.out.dequantize(a.table()), "limit": a.limit, "in": 2.0**a.in_frac}
    for name, form in (("W", f.W), ("W_in", f.W_in), ("W_out", f.W_out), ("x", f.x), ("h", f.h), ("state", f.state)):
        found[name] = np.array([2.0**form.frac, form.max_code])
    found |= {"b": np.array([2.0**f.acc.frac, np.inf]), "b_out": np.array([2.0**f.z.frac, np.inf])}
    if f.leak is not None:
        found |= {"d": f.leak.dequantize(q.d), "g": f.leak.dequantize(q.g)}
    return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}


def forward(jax: Any, s: Any, leaky: bool) -> Any:
    """The pass (weights, words, x) -> readout, (batch, time, channels) both, from a state of zeros."""
    jnp, stop = jax.numpy, jax.lax.stop_gradient

    def through(value: Any, rounded: Any) -> Any:
        return stop(rounded) + (value - stop(value))  # the bracket is exactly 0, with slope 1

    def nearest(v: Any) -> Any:
        whole = jnp.trunc(v)
        return whole + jnp.where(jnp.abs(v - whole) >= 0.5, jnp.sign(v), 0.0)

    def rounded(value: Any, word: Any) -> Any:
        return through(value, jnp.clip(nearest(value * word[0]), -word[1], word[1]) / word[0])

    def run(p: Any, w: Any, x: Any) -> Any:
        p = {name: rounded(array, w[name]) for name, array in p.items()}
        drive = jnp.swapaxes(rounded(x, w["x"]) @ p["W_in"].T + p["b"], 0, 1)  # (time, batch, units)

        def step(state: Any, now: Any) -> Any:
            h = rounded(state, w["h"]) if leaky else state
            a = h @ p["W"].T + now
            index = jnp.clip(nearest(a * w["in"]), -w["limit"], w["limit"]) + w["limit"]
            y = through(s(a), jnp.take(w["table"], index.astype(jnp.int32)))
            new = rounded(w["d"] * state + w["g"] * y, w["state"]) if leaky else y
            return new, (rounded(new, w["h"]) if leaky else new)

        start = jnp.zeros(drive.shape[1:], dtype=drive.dtype)
        _, states = jax.lax.scan(step, start, drive)
        return jnp.swapaxes(states @ p["W_out"].T + p["b_out"], 0, 1)

    return run
