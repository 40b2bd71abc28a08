"""The linear networks of the lecture: what one eigenvalue does.

All are rate equations in the lecture's form tau dh/dt = -h + M h + x, that is W = M / tau and W_in = 1 / tau. A mode of
M with eigenvalue l has the gain 1 / (1 - l) and the time constant tau / (1 - l).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autapse.dynamics import RateODE
from autapse.fixed import FloatArray, Format
from autapse.network import Network


def lecture(M: ArrayLike, inputs: ArrayLike, tau: float, activation: str = "identity", name: str = "") -> RateODE:
    """tau dh/dt = -h + M h + B x for a matrix M, (units, units), and inputs B, (units, inputs).

    With an activation other than the identity: dh/dt = -h/tau + s((M h + B x) / tau).
    """
    return RateODE(
        W=np.asarray(M, np.float64) / tau,
        W_in=np.asarray(inputs, np.float64) / tau,
        tau=np.asarray(tau),
        activation=activation,
        info={"zoo": name},
    )


def autapse(eigenvalue: float = 0.8, tau: float = 1.0, activation: str = "identity") -> RateODE:
    """One unit with a synapse onto itself, tau dh/dt = -h + l h + x.

    l < 1: relaxation to x / (1 - l) with the time constant tau / (1 - l). l = 1: integrator, h = h0 + (t/tau) x.
    l > 1: growth with the time constant tau / (l - 1); with a saturating activation up to h = tau s(l h / tau).
    """
    return lecture([[eigenvalue]], [[1.0]], tau, activation, "autapse")


def amplifier(gain: float = 5.0, tau: float = 1.0) -> RateODE:
    """An autapse with l = 1 - 1/gain: a constant input comes out `gain` times larger, and `gain` times slower.

    Gain times bandwidth is constant, as in an operational amplifier.
    """
    if not (np.isfinite(gain) and gain > 0):
        raise ValueError(f"gain must be positive and finite, not {gain}")
    return lecture([[1.0 - 1.0 / gain]], [[1.0]], tau, "identity", "amplifier")


def mutual(weight: float = 0.8, tau: float = 1.0) -> RateODE:
    """Two units that excite (weight > 0) or inhibit (weight < 0) each other, M = [[0, w], [w, 0]].

    The sum h1 + h2 has the eigenvalue w, the difference h1 - h2 has -w. w = 0.8: the sum is amplified 1 / 0.2 = 5 times
    and the difference 1 / 1.8 times. w = -0.8: the other way round, so that inhibition enlarges contrast.
    """
    return lecture([[0.0, weight], [weight, 0.0]], np.eye(2), tau, "identity", "mutual")


def direction(units: int, seed: int | None) -> FloatArray:
    """A vector of length 1, (units,): random, or for seed None with the elements +-1/sqrt(units), alternating."""
    if seed is None:
        signs: FloatArray = np.where(np.arange(units) % 2 == 0, 1.0, -1.0) / np.sqrt(units)
        return signs
    v = np.random.default_rng(seed).normal(size=units)
    unit: FloatArray = v / np.linalg.norm(v)
    return unit


def integrator(units: int = 16, seed: int | None = 0) -> Network:
    """h <- v v' h + v x: the mode v, of length 1, has the eigenvalue 1 and holds the sum of all inputs; others vanish.

    z = v' h is what is held. In fixed point, v v' is rounded, and its eigenvalue with it. The remedies: `seed` None and
    a power of two of units, so that every weight +-1/units is a code; :func:`balanced`; or more bits for the weights.
    """
    v = direction(units, seed)
    return Network(
        W=np.outer(v, v), W_in=v[:, None], W_out=v[None, :], activation="identity", info={"zoo": "integrator"}
    )


def balanced(net: Network, v: ArrayLike, form: Format, value: float = 1.0) -> Network:
    """`net` with its W rounded so that W v = value v, instead of each weight to its nearest code.

    `form` is the format of W that the quantiser chose, ``quantize(net, ...).formats.W``; the same call keeps the result
    as it is. Every row begins with the nearest codes. Then single weights move by one code, each at most once, as long
    as the error of the row's product with v becomes smaller.
    """
    v = np.asarray(v, dtype=np.float64)
    codes = form.quantize(net.W)[0]
    for i in range(net.units):
        free = np.ones(net.units, dtype=bool)
        while True:
            error = value * v[i] - float(form.dequantize(codes[i]) @ v)
            move = np.sign(error * v).astype(np.int64)
            after = np.abs(error - move * v * form.ulp)
            after[~free | (np.abs(codes[i] + move) > form.max_code)] = np.inf
            k = int(np.argmin(after))
            if not after[k] < abs(error):
                break
            codes[i, k] += move[k]
            free[k] = False
    return Network(**{**net.arrays(), "W": form.dequantize(codes)}, activation=net.activation, info=net.info)
