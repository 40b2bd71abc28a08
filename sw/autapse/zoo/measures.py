"""What is measured on the networks of the zoo, in float and in fixed point."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autapse import reference
from autapse.dynamics import dequantized, network_jacobian, step
from autapse.fixed import FloatArray, IntArray
from autapse.network import Network
from autapse.quantized import QuantizedNetwork
from autapse.update import require_rate_form


def rest_bound(q: QuantizedNetwork, x: ArrayLike, h: ArrayLike) -> FloatArray:
    """The largest difference between the float rest and the rest h, (units,), of a linear quantised network, (units,).

    Derived, not fitted: at rest (1 - d) h = g (W h + W_in x + b) + r, where r are the :func:`roundings` of a step. The
    inverse of (1 - d) - g W carries them to the state. `x` is (inputs,), in real numbers.

    Raises ValueError for a nonlinear network, and where the matrix is singular: a mode with eigenvalue 1 has no rest.
    """
    net = q.network
    if net.activation != "identity":
        raise ValueError(f"the bound holds for linear networks, not for {net.activation}")
    leak, drive = np.diag(1.0 - net.d), net.g[:, None] * net.W
    matrix = leak - drive
    if np.linalg.norm(matrix, -2) <= 1e-12 * max(np.linalg.norm(leak, 2), np.linalg.norm(drive, 2)):
        raise ValueError("the network has an eigenvalue of 1, to rounding, and no rest of its own: use error_bound")
    bound: FloatArray = np.abs(np.linalg.inv(matrix)) @ roundings(q, x, h)
    return bound


def error_bound(q: QuantizedNetwork, x: ArrayLike) -> FloatArray:
    """The largest difference between float and fixed point at each step of x, (time, inputs): (time, units).

    e <- |J| e + :func:`roundings`, with |J| = |diag(d) + diag(g) W| for a linear network and |d| + |g| |W| otherwise,
    because no activation is steeper than 1. It holds as long as no state saturates. It is close for linear networks,
    and for others while the state is small; where an activation flattens, errors shrink, and the bound does not.
    """
    net = q.network
    h = q.run(x).h
    before = np.vstack([q.formats.state.dequantize(q.h0), h[:-1]])
    added = roundings(q, x, before)
    decay, drive = np.diag(net.d), net.g[:, None] * net.W
    growth = np.abs(decay + drive) if net.activation == "identity" else np.abs(decay) + np.abs(drive)
    error = np.abs(net.h0 - before[0])
    bound = np.empty_like(h)
    for t, new in enumerate(added):
        error = growth @ error + new
        bound[t] = error
    return bound


def roundings(q: QuantizedNetwork, x: ArrayLike, h: ArrayLike) -> FloatArray:
    """What one step from the states h, (..., units), under x, (..., inputs), adds to the error at most: (..., units).

    The roundings of weights, input, bias, decay and gain are known; those of the multiplied state, of the activation's
    input and of the kept state are half an ulp; an activation that is a table is off by at most one.
    """
    net, values, f = q.network, dequantized(q), q.formats
    require_rate_form(net, "a bound of the rounding errors")
    h, x = np.abs(np.asarray(h, dtype=np.float64)), np.asarray(x, dtype=np.float64)
    coded = f.x.dequantize(q.quantize_inputs(x)[0])
    operand = 0.5 * f.h.ulp if q.leaky else 0.0
    drive = np.abs(coded)
    inner = h @ np.abs(values.W - net.W).T + np.abs(values.W).sum(axis=1) * operand
    inner += drive @ np.abs(values.W_in - net.W_in).T + np.abs(coded - x) @ np.abs(net.W_in).T
    inner += np.abs(values.b - net.b) + math.ldexp(0.5, -q.activation.in_frac)
    if net.activation in ("tanh", "sigmoid"):
        inner += q.activation.out.ulp
    reach = (h + operand) @ np.abs(values.W).T + drive @ np.abs(values.W_in).T + np.abs(values.b)
    total = np.abs(net.g) * inner + np.abs(values.g - net.g) * reach + np.abs(values.d - net.d) * h
    if q.leaky:
        total += 0.5 * f.state.ulp
    result: FloatArray = total
    return result


def rest(q: QuantizedNetwork, x: ArrayLike, steps: int = 2000) -> tuple[FloatArray, bool]:
    """The state, (units,), after `steps` of the constant input x, (inputs,), and whether it has stopped moving."""
    codes = np.tile(q.quantize_inputs(x)[0], (1, steps, 1))
    h = q.run_int(codes).h[0]
    return q.formats.state.dequantize(h[-1]), bool(np.array_equal(h[-1], h[-2]))


class Drift(NamedTuple):
    """How a held value moves without input.

    Attributes
    ----------
    start, end
        Value z = v' h before and after.
    per_1000
        Movement in ulp of the state in 1000 steps.
    """

    start: float
    end: float
    per_1000: float


def drift(q: QuantizedNetwork, value: float, steps: int = 1000) -> Drift:
    """Let the integrator `q` hold z = `value`: the state begins at the codes nearest to value times its mode."""
    v = q.network.W_out[0]
    state = q.formats.state.quantize(value * v)[0]
    x = np.zeros((1, steps, q.inputs), np.int64)
    h = q.formats.state.dequantize(reference.run(q, x, state=state[None]).h[0])
    start, end = float(q.formats.state.dequantize(state) @ v), float(h[-1] @ v)
    return Drift(start, end, (end - start) / q.formats.state.ulp * 1000.0 / steps)


def decision_margin(q: QuantizedNetwork, levels: ArrayLike, largest: int = 32, steps: int = 400) -> int:
    """Smallest lead in input codes from which on the unit with the larger input always wins; `largest` + 1 if none.

    Tried at each common input of `levels`, (levels,) codes, for each unit as the one that leads, and for each lead.
    """
    base = np.asarray(levels, np.int64)
    leads = np.arange(1, largest + 1)
    n = q.units
    x = np.broadcast_to(base[:, None, None, None], (len(base), largest, n, n)).copy()
    x += leads[None, :, None, None] * np.eye(n, dtype=np.int64)
    flat = np.broadcast_to(x.reshape(-1, 1, n), (x.size // n, steps, n))
    last = q.run_int(flat, record=False).last.reshape(len(base), largest, n, n)
    own = np.einsum("blii->bli", last)
    best_other = np.where(np.eye(n, dtype=bool), np.iinfo(np.int64).min, last).max(axis=3)
    right = np.all(own > best_other, axis=(0, 2))
    wrong = np.flatnonzero(~right)
    return 1 if not len(wrong) else int(leads[wrong[-1]]) + 1


def recall(
    net: Network | QuantizedNetwork, patterns: ArrayLike, flips: float, seed: int, steps: int = 25
) -> FloatArray:
    """Overlap, (patterns,), of the signs of the recalled state with each pattern.

    The cue is the input of the first step: the pattern, each of its units flipped with the probability `flips`.
    """
    p = np.asarray(patterns, np.float64)
    rng = np.random.default_rng(seed)
    x = np.zeros((len(p), steps, p.shape[1]))
    x[:, 0] = p * np.where(rng.random(p.shape) < flips, -1.0, 1.0)
    top = 1.0 if isinstance(net, Network) else net.formats.x.max_value
    h = net.run(np.clip(x, -top, top)).h[:, -1]
    overlap: FloatArray = np.mean(np.sign(h) * p, axis=1)
    return overlap


def lyapunov(net: Network, steps: int = 2000, warm: int = 200, seed: int = 0) -> float:
    """Largest Lyapunov exponent per step, without input: the mean growth of a deviation along the path from h0."""
    h = np.array(net.h0)
    v = np.random.default_rng(seed).normal(size=net.units)
    v /= np.linalg.norm(v)
    total = 0.0
    for t in range(warm + steps):
        v = network_jacobian(net, h) @ v
        h = step(net, h)
        size = float(np.linalg.norm(v))
        if size == 0.0:
            return float("-inf")
        v /= size
        total += np.log(size) if t >= warm else 0.0
    return total / steps


def separation(net: Network, q: QuantizedNetwork, threshold: float = 0.1, steps: int = 500) -> int:
    """Steps until float and fixed point, from h0 and without input, differ by `threshold` (rms); `steps` if never."""
    x = np.zeros((steps, net.inputs))
    gap = np.sqrt(np.mean((net.run(x).h - q.run(x).h) ** 2, axis=1))
    return int(np.argmax(gap > threshold)) if np.any(gap > threshold) else steps


def period(q: QuantizedNetwork, steps: int = 20000) -> tuple[int, int] | None:
    """Transient and period of the integer model without input, in steps; None if no state has returned yet."""
    h = q.run_int(np.zeros((1, steps, q.inputs), np.int64)).h[0]
    seen: dict[bytes, int] = {}
    for t, state in enumerate(_rows(h)):
        if state in seen:
            return seen[state], t - seen[state]
        seen[state] = t
    return None


def _rows(h: IntArray) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(h)]
