"""Networks as maps: one step from many states at once, and the float network inside a quantised one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.quantized import QuantizedNetwork
from autapse.update import advance


def step(net: Network, h: ArrayLike, x: ArrayLike | None = None) -> FloatArray:
    """One update of the states h, (..., units), under the inputs x, (..., inputs), zero when left out."""
    return advance(net, np.asarray(h, dtype=np.float64), drive(net, x))


def drive(net: Network, x: ArrayLike | None) -> FloatArray:
    """W_in x + b under the inputs x, (..., inputs), zero when left out."""
    return net.b if x is None else net.b + np.asarray(x, dtype=np.float64) @ net.W_in.T


def run_from(net: Network, h: ArrayLike, x: ArrayLike | None = None, steps: int | None = None) -> FloatArray:
    """States (batch, time, units) from the states h, (batch, units), under x, (batch, time, inputs), or zero input."""
    h = np.asarray(h, dtype=np.float64)
    inputs = None if x is None else np.asarray(x, dtype=np.float64)
    length = inputs.shape[1] if inputs is not None else steps or 0
    states = np.empty((len(h), length, net.units))
    for t in range(length):
        h = step(net, h, None if inputs is None else inputs[:, t])
        states[:, t] = h
    return states


def dequantized(q: QuantizedNetwork) -> Network:
    """The float network with the values of the quantised weights: only its sums and states are not rounded."""
    f = q.formats
    changed: dict[str, Any] = {
        "W": f.W.dequantize(q.W),
        "W_in": f.W_in.dequantize(q.W_in),
        "b": f.acc.dequantize(q.b),
        "W_out": f.W_out.dequantize(q.W_out),
        "b_out": f.z.dequantize(q.b_out),
        "h0": f.state.dequantize(q.h0),
    }
    if f.leak is not None:
        changed |= {"d": f.leak.dequantize(q.d), "g": f.leak.dequantize(q.g)}
    return replace(q.network, **changed)
