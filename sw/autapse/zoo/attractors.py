"""Networks that hold what they were told: attractors, decisions, memories, a ring."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autapse.dynamics import RateODE
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.zoo.linear import lecture


def two_attractors(weight: float = 2.0) -> Network:
    """h <- tanh(w h + x), w > 1: one bit of memory.

    It rests at +-h* with h* = tanh(w h*), and 0 is unstable. A held input flips the state if it is above
    w u - atanh(u) with u = sqrt(1 - 1/w), where the fixed point that was occupied vanishes.
    """
    if not (np.isfinite(weight) and weight > 1):
        raise ValueError(f"two attractors need a weight above 1, not {weight}")
    return Network(W=np.array([[weight]]), W_in=np.ones((1, 1)), info={"zoo": "two attractors"})


def flip_threshold(weight: float) -> float:
    """The smallest held input that flips :func:`two_attractors`."""
    u = np.sqrt(1.0 - 1.0 / weight)
    return float(weight * u - np.arctanh(u))


def winner_take_all(units: int = 3, own: float = 0.5, others: float = 1.0, tau: float = 1.0) -> RateODE:
    """tau dh/dt = -h + relu(a h_i - b sum of the other h + x): a < 1, a + b > 1.

    Differences have the eigenvalue a + b > 1 and grow, until all units but that with the largest input are silent. The
    winner rests at x / (1 - a), and stays there while no other input is above x b / (1 - a).
    """
    if units < 2 or not own < 1.0 < own + others:
        raise ValueError(f"winner-take-all needs 2 units, own < 1 < own + others; not {units}, {own}, {others}")
    M = (own + others) * np.eye(units) - others
    return lecture(M, np.eye(units), tau, "relu", "winner-take-all")


def random_patterns(count: int, units: int, seed: int) -> FloatArray:
    """Random patterns of +-1, (count, units)."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], (count, units))


def hadamard(units: int) -> FloatArray:
    """Orthogonal patterns of +-1, (units, units), for a power of two."""
    if units < 1 or units & (units - 1):
        raise ValueError(f"Hadamard patterns exist here for powers of two, not {units}")
    h = np.ones((1, 1))
    while len(h) < units:
        h = np.block([[h, h], [h, -h]])
    return h


def hopfield(patterns: ArrayLike, beta: float = 4.0, cue: float = 2.0) -> Network:
    """h <- tanh(beta W h + cue x), W = (1/N) sum of p p' with a diagonal of zeros: P patterns in N units.

    The cue is the input of one step; after it, the state falls into the nearest pattern while the load P/N is small
    (up to about 0.14 for large N). z is the overlap p' h / N with each pattern.
    """
    p = np.asarray(patterns, dtype=np.float64)
    if p.ndim != 2 or not np.all(np.abs(p) == 1.0):
        raise ValueError(f"patterns must be (patterns, units) of 1 and -1; their shape is {p.shape}")
    n = p.shape[1]
    W = beta * (p.T @ p) / n
    np.fill_diagonal(W, 0.0)
    return Network(W=W, W_in=cue * np.eye(n), W_out=p / n, info={"zoo": "hopfield"})


def ring(units: int = 32, strength: float = 2.0, cue: float = 1.0) -> Network:
    """h <- tanh(W h + W_in x), W_ij = (2 J/N) cos(a_i - a_j): a continuous circle of attractors, J > 1.

    At rest h_i = tanh(r cos(a_i - psi)) at any angle psi, with r = J (2/N) sum of tanh(r cos a_i) cos a_i. Inputs and
    readout are (cos, sin) of an angle, so that a cue sets psi and z points to it. In fixed point the circle falls
    apart into finitely many resting angles.
    """
    if units < 3 or not strength > 1:
        raise ValueError(f"a ring needs 3 units and a strength above 1, not {units} and {strength}")
    a = ring_angles(units)
    basis = np.stack([np.cos(a), np.sin(a)], axis=1)
    W = 2.0 * strength / units * basis @ basis.T
    return Network(W=W, W_in=cue * basis, W_out=2.0 / units * basis.T, info={"zoo": "ring"})


def ring_angles(units: int) -> FloatArray:
    """Preferred angles of the units, (units,), in radians."""
    return 2.0 * np.pi * np.arange(units, dtype=np.float64) / units


def ring_radius(units: int, strength: float) -> float:
    """The r of the rest of :func:`ring`, by iterating its equation."""
    c, r = np.cos(ring_angles(units)), 1.0
    for _ in range(2000):
        r = strength * 2.0 / units * float(np.tanh(r * c) @ c)
    return r
