"""What rounding to preferred values and component tolerances do to a circuit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autapse.circuit.eseries import nearest
from autapse.circuit.stimulus import Stimulus
from autapse.circuit.synthesis import Circuit, Realised
from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS

#: The tolerances that components are sold with.
TOLERANCES = (0.01, 0.05, 0.10)


def round_values(circuit: Circuit, series: str) -> Circuit:
    """The circuit with preferred values only; each shunt is chosen last, for the rounded values around it."""
    return circuit.changed(lambda r: nearest(r, series), lambda c: nearest(c, series), trim=True)


def errors(circuit: Circuit) -> dict[str, float]:
    """How far the values are from the equation: relative to the largest |W|, |W_in|, |b|, and each tau to itself.

    ``eigenvalues`` is the largest shift of an eigenvalue of gain * W - 1/tau, relative to the largest of them.
    """
    eq, real = circuit.equation, circuit.realised()
    W, W_in, b = (real.gain[:, None] * real.W, real.gain[:, None] * real.W_in, real.gain * real.b)
    return {
        "W": _relative(W, eq.W),
        "W_in": _relative(W_in, eq.W_in),
        "b": _relative(b, eq.b),
        "tau": float(np.max(np.abs(real.tau / eq.tau - 1.0))),
        "eigenvalues": eigenvalue_shift(_matrix(real), eq.jacobian()),
    }


def eigenvalue_shift(A: FloatArray, B: FloatArray) -> float:
    """The largest distance from an eigenvalue of B to the one of A that is its partner, over max |eigenvalue of B|.

    Partners are found greedily, the closest pairs first.
    """
    a, b = np.linalg.eigvals(A), np.linalg.eigvals(B)
    distance = np.abs(a[:, None] - b[None, :])
    worst, free_a, free_b = 0.0, np.ones(len(a), bool), np.ones(len(b), bool)
    for flat in np.argsort(distance, axis=None):
        i, j = divmod(int(flat), len(b))
        if free_a[i] and free_b[j]:
            free_a[i] = free_b[j] = False
            worst = max(worst, float(distance[i, j]))
    scale = float(np.max(np.abs(b)))
    return worst / scale if scale else worst


@dataclass(frozen=True)
class Spread:
    """What one tolerance does over a number of circuits, as fractions; see :func:`monte_carlo`."""

    tolerance: float
    trajectory_median: float
    trajectory_95: float
    eigenvalues_median: float
    eigenvalues_95: float
    turned_unstable: int
    samples: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for reports."""
        return dict(vars(self))


def monte_carlo(
    circuit: Circuit,
    stimulus: Stimulus,
    tolerances: Sequence[float] = TOLERANCES,
    samples: int = 100,
    seed: int = 0,
) -> list[Spread]:
    """Build the circuit `samples` times from components that are off by up to a tolerance, uniformly, independently.

    For each tolerance: the median and the 95th percentile of the largest deviation of the state from that of the exact
    circuit on `stimulus` (in fractions of its full scale), and of the largest eigenvalue shift; and how many circuits
    have an eigenvalue with positive real part of gain * W - 1/tau where the exact one has none. A circuit that runs
    away counts with a deviation of infinity.
    """
    if samples < 1:
        raise ValueError(f"a Monte Carlo needs at least one sample, not {samples}")
    exact = circuit.realised()
    stable = float(np.max(np.linalg.eigvals(_matrix(exact)).real)) < 1e-9
    out = []
    for tolerance in tolerances:
        if not 0.0 <= tolerance < 1.0:
            raise ValueError(f"a tolerance is a fraction from 0 up to 1, not {tolerance:g}")
        rng = np.random.default_rng([seed, round(tolerance * 1e6)])

        def off(values: FloatArray, by: float = tolerance, rng: np.random.Generator = rng) -> FloatArray:
            return values * (1.0 + rng.uniform(-by, by, values.shape))

        built = [circuit.changed(off, off).realised() for _ in range(samples)]
        states = _run([exact, *built], circuit, stimulus)
        scale = float(np.max(np.abs(states[:, 0]))) or 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            far = np.max(np.abs(states[:, 1:] - states[:, :1]), axis=(0, 2)) / scale
        far = np.where(np.isfinite(far), far, np.inf)
        matrices = [_matrix(real) for real in built]
        shifts = np.array([eigenvalue_shift(A, _matrix(exact)) for A in matrices])
        unstable = sum(float(np.max(np.linalg.eigvals(A).real)) > 0.0 for A in matrices) if stable else 0
        mid, high = (float(np.percentile(far, q, method="nearest")) for q in (50, 95))
        shift_mid, shift_high = (float(np.percentile(shifts, q)) for q in (50, 95))
        out.append(Spread(tolerance, mid, high, shift_mid, shift_high, unstable, samples))
    return out


def _matrix(real: Realised) -> FloatArray:
    return real.gain[:, None] * real.W - np.diag(1.0 / real.tau)


def _relative(found: FloatArray, wanted: FloatArray) -> float:
    scale = float(np.max(np.abs(wanted), initial=0.0))
    return float(np.max(np.abs(found - wanted))) / scale if scale else 0.0


def _run(built: Sequence[Realised], circuit: Circuit, stimulus: Stimulus) -> FloatArray:
    """States (time, circuits, units) by Runge-Kutta of order 4 with a fixed step, all circuits side by side."""
    W, W_in = np.stack([r.W for r in built]), np.stack([r.W_in for r in built])
    b, rate, gain = (np.stack(list(a)) for a in zip(*((r.b, 1.0 / r.tau, r.gain) for r in built), strict=True))
    s = ACTIVATIONS[circuit.equation.activation]
    size = float(np.max(np.abs(np.linalg.eigvals(_matrix(built[0])))) + np.max(rate))
    steps = int(min(4000, max(400, np.ceil(stimulus.duration * size / 0.2))))
    dt = stimulus.duration / steps
    x = stimulus.at(np.arange(2 * steps + 1) * dt / 2.0)

    def slope(h: FloatArray, now: FloatArray) -> FloatArray:
        return gain * s((W @ h[:, :, None])[:, :, 0] + W_in @ now + b) - rate * h

    h = np.tile(circuit.equation.h0, (len(built), 1))
    states = np.empty((steps + 1, *h.shape))
    states[0] = h
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps):
            x0, x1, x2 = x[2 * t : 2 * t + 3]
            k1 = slope(h, x0)
            k2 = slope(h + dt / 2.0 * k1, x1)
            k3 = slope(h + dt / 2.0 * k2, x1)
            k4 = slope(h + dt * k3, x2)
            h = h + dt / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
            states[t + 1] = h
    return states
