"""Networks that do not rest: a sequence, and chaos."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autapse.network import Network


def sequence(patterns: ArrayLike, beta: float = 2.0, cue: float = 2.0, cyclic: bool = True) -> Network:
    """h <- tanh(beta W h + cue x), W = (1/N) sum of p[k+1] p[k]': each pattern calls the next.

    With orthogonal patterns, h = m p[k] becomes tanh(beta m) p[k+1], exactly: the overlap follows m <- tanh(beta m) and
    rests at m* = tanh(beta m*) > 0 for beta > 1, while the pattern moves on by one each step. `cyclic`: the last
    pattern calls the first; otherwise the state is 0 after it. Input k calls pattern k; z is the overlap with each.
    """
    p = np.asarray(patterns, dtype=np.float64)
    if p.ndim != 2 or len(p) < 2 or not np.all(np.abs(p) == 1.0):
        raise ValueError(f"patterns must be at least 2, (patterns, units) of 1 and -1; their shape is {p.shape}")
    following = np.roll(p, -1, axis=0)
    if not cyclic:
        following[-1] = 0.0
    n = p.shape[1]
    return Network(W=beta / n * following.T @ p, W_in=cue * p.T, W_out=p / n, info={"zoo": "sequence"})


def chaos(units: int = 64, gain: float = 2.0, seed: int = 0) -> Network:
    """h <- tanh(W h + x), W normal with the deviation gain / sqrt(N): silent below gain 1, irregular above it.

    Two copies that begin close to each other part exponentially (a positive Lyapunov exponent). So no other arithmetic
    follows the same path for long. A fixed-point network has finitely many states and is periodic in the end, and what
    can be asked of it is the statistics: the variance, the spectrum, the exponent.
    """
    W = gain / np.sqrt(units) * np.random.default_rng(seed).normal(size=(units, units))
    return Network(
        W=W, W_in=np.eye(units)[:, :1], W_out=np.eye(units)[:1], h0=_start(units, seed), info={"zoo": "chaos"}
    )


def _start(units: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 1).uniform(-0.5, 0.5, units)
