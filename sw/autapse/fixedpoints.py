"""Fixed points and slow points of a network, found from many starts and classified by the Jacobian.

All starts run at once. Each minimises the squared speed |F(h)|**2 by Levenberg-Marquardt steps, where F is map(h) - h
for a Network and dh/dt for a RateODE. A minimum with F = 0 is a fixed point; one with a small F is a slow point, which
trajectories pass slowly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.dynamics import RateODE, network_jacobian, run_from, step
from autapse.dynamics.linear import ComplexArray
from autapse.fixed import FloatArray
from autapse.network import BOUNDED, Network

#: Distance of an eigenvalue from the border of stability (|l| = 1, Re l = 0) up to which it counts as on it.
MARGINAL = 1e-6


@dataclass(frozen=True)
class FixedPoint:
    """A point where the network rests, or nearly.

    Attributes
    ----------
    h
        State, (units,).
    residual
        Largest |F| of any unit: one step of a Network moves no unit further; for a RateODE the largest rate.
    eigenvalues
        Of the Jacobian of the step (Network) or of the rate (RateODE), the least stable first.
    growing
        How many modes grow away from the point.
    kind
        ``stable`` (none), ``unstable`` (all), ``saddle`` (some), or ``marginal`` (none, but one does not decay either).
    slow
        Whether it is a slow point and not a fixed one.
    """

    h: FloatArray
    residual: float
    eigenvalues: ComplexArray
    growing: int
    kind: str
    slow: bool

    def to_dict(self) -> dict[str, Any]:
        """The point as plain data; eigenvalues as [real, imaginary]."""
        values = [[float(v.real), float(v.imag)] for v in self.eigenvalues]
        return {**vars(self), "h": self.h.tolist(), "eigenvalues": values}


def find_fixed_points(
    system: Network | RateODE,
    *,
    x: ArrayLike | None = None,
    starts: int = 512,
    seed: int = 0,
    tolerance: float = 1e-9,
    slow: float = 1e-2,
    extra: ArrayLike | None = None,
    iterations: int = 200,
) -> list[FixedPoint]:
    """The fixed points of `system` under the constant input `x`, (inputs,), zero when left out; then its slow points.

    Parameters
    ----------
    starts
        Random starts, from small to the ends of the reachable states, and points on the trajectories from them. As many
        follow between the points found, and at their negatives.
    seed
        Of the starts.
    tolerance
        Largest residual of a fixed point.
    slow
        Largest residual of a slow point; 0 leaves them out.
    extra : (points, units)
        More starts, for example states of a run.
    iterations
        Most Levenberg-Marquardt steps of a start.

    Returns
    -------
    Fixed points in the order of their norm, then slow points in the order of their residual. Points closer than 1e-5 of
    the largest state are one point. A search from random starts proves nothing about points that it did not find.
    """
    if starts < 1:
        raise ValueError(f"a search needs at least one start, not {starts}")
    u = np.zeros(system.inputs) if x is None else np.asarray(x, dtype=np.float64)
    if u.shape != (system.inputs,):
        raise ValueError(f"x must have the shape ({system.inputs},), not {u.shape}")
    rng = np.random.default_rng(seed)
    h = _starts(system, u, starts, rng)
    if extra is not None:
        h = np.concatenate([h, np.asarray(extra, dtype=np.float64).reshape(-1, system.units)])
    found, residual = _found(system, h, u, iterations, max(tolerance, slow))
    if len(found) > 1:
        # Between two points of rest there tends to be a third, and a random start misses the narrow basins.
        pairs = rng.integers(0, len(found), (2, starts))
        between = 0.5 * (found[pairs[0]] + found[pairs[1]]) + 0.02 * rng.normal(size=(starts, system.units))
        found, residual = _found(system, np.concatenate([found, between, -found]), u, iterations, max(tolerance, slow))
    points = [_classify(system, p, u, float(r), tolerance) for p, r in zip(found, residual, strict=True)]
    fixed = sorted((p for p in points if not p.slow), key=lambda p: round(float(np.linalg.norm(p.h)), 6))
    return fixed + [p for p in points if p.slow]


def _found(
    system: Network | RateODE, h: FloatArray, x: FloatArray, iterations: int, most: float
) -> tuple[FloatArray, FloatArray]:
    """Distinct minima from the starts h, (starts, units), with a residual up to `most`, the smallest first."""
    h = _minimize(system, h, x, iterations)
    residual: FloatArray = np.max(np.abs(_field(system, h, x)), axis=1)
    keep = np.isfinite(residual) & (residual <= most)
    h, residual = h[keep], residual[keep]
    order = np.argsort(residual, kind="stable")
    h, residual = h[order], residual[order]
    chosen = distinct(h, 1e-5 * max(1.0, float(np.abs(h).max(initial=0.0))))
    return h[chosen], residual[chosen]


def _field(system: Network | RateODE, h: FloatArray, x: FloatArray) -> FloatArray:
    return step(system, h, x) - h if isinstance(system, Network) else system.derivative(h, x)


def _jacobian(system: Network | RateODE, h: FloatArray, x: FloatArray) -> FloatArray:
    if isinstance(system, Network):
        return network_jacobian(system, h, x) - np.eye(system.units)
    return system.jacobian(h, x)


def _starts(system: Network | RateODE, x: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """States of every size up to what can be reached, a third of them moved along by the network itself."""
    n = system.units
    if system.activation not in BOUNDED:
        reach = np.full(n, 2.0 * max(1.0, float(np.abs(system.h0).max())))
    elif isinstance(system, Network):
        reach = np.abs(system.g) / np.maximum(1.0 - np.abs(system.d), 1e-2)
        if system.form == "current":  # the activation limits the sums, and the decay their mean
            reach = reach * (np.abs(system.W).sum(axis=1) + np.abs(system.W_in @ x + system.b))
    else:
        reach = system.tau
    size = rng.uniform(0.0, 1.0, (count, 1))
    uniform = rng.uniform(-1.0, 1.0, (count, n)) * size
    corners = rng.choice([-1.0, 1.0], (count, n)) * size
    h: FloatArray = np.where(rng.random((count, 1)) < 0.5, uniform, corners) * reach
    h[0] = 0.0
    if system.activation == "sigmoid" and getattr(system, "form", "rate") == "rate":
        h = np.abs(h)
    moved = count // 3
    if moved and isinstance(system, Network):
        with np.errstate(over="ignore", invalid="ignore"):
            states = run_from(system, h[:moved], np.broadcast_to(x, (moved, 30, system.inputs)))
            late = states[np.arange(moved), rng.integers(0, 30, moved)]
        h[:moved] = np.where(np.isfinite(late) & (np.abs(late) < 1e6), late, h[:moved])
        h[0] = 0.0
    return h


def _minimize(system: Network | RateODE, h: FloatArray, x: FloatArray, iterations: int) -> FloatArray:
    """Levenberg-Marquardt from all h, (starts, units); each has its own damping, and stops when nothing improves."""
    h = h.copy()
    eye = np.eye(system.units)
    damping = np.full(len(h), 1e-2)
    active = np.arange(len(h))
    for _ in range(iterations):
        if not len(active):
            break
        here = h[active]
        f, jac = _field(system, here, x), _jacobian(system, here, x)
        cost = np.sum(f * f, axis=1)
        transposed = jac.swapaxes(1, 2)
        normal = transposed @ jac
        scale = 1e-12 + np.trace(normal, axis1=1, axis2=2) / system.units  # so that no sum with the damping is singular
        normal += (damping[active] * scale)[:, None, None] * eye
        move = np.linalg.solve(normal, -(transposed @ f[..., None]))[..., 0]
        with np.errstate(over="ignore", invalid="ignore"):
            trial = here + move
            better = np.sum(_field(system, trial, x) ** 2, axis=1) < cost  # not a number is not better
        h[active[better]] = trial[better]
        damping[active] = np.clip(np.where(better, damping[active] * 0.2, damping[active] * 4.0), 1e-13, 1e8)
        size = np.max(np.abs(move), axis=1)
        done = (
            (np.sqrt(cost) < 1e-15) | (size < 1e-15 * (1.0 + np.max(np.abs(here), axis=1))) | (damping[active] >= 1e8)
        )
        active = active[~done]
    return h


def distinct(h: FloatArray, distance: float) -> list[int]:
    """Indices of points that are further than `distance` from every earlier one."""
    chosen: list[int] = []
    left = np.arange(len(h))
    while len(left):
        chosen.append(int(left[0]))
        left = left[np.max(np.abs(h[left] - h[left[0]]), axis=1) > distance]
    return chosen


def _classify(system: Network | RateODE, h: FloatArray, x: FloatArray, residual: float, tolerance: float) -> FixedPoint:
    discrete = isinstance(system, Network)
    jac = network_jacobian(system, h, x) if isinstance(system, Network) else system.jacobian(h, x)
    values = np.linalg.eigvals(jac).astype(np.complex128)
    excess = np.abs(values) - 1.0 if discrete else values.real
    values, excess = values[np.argsort(-excess, kind="stable")], np.sort(excess)[::-1]
    growing = int(np.count_nonzero(excess > MARGINAL))
    if growing == len(values):
        kind = "unstable"
    elif growing:
        kind = "saddle"
    else:
        kind = "stable" if excess[0] < -MARGINAL else "marginal"
    return FixedPoint(h, residual, values, growing, kind, residual > tolerance)
