"""From the rate equation to a discrete Network, and what the step does to the modes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from autapse.dynamics.linear import ComplexArray
from autapse.dynamics.solver import scipy_module
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.sizes import check_positive
from autapse.tangent import STEEPEST

if TYPE_CHECKING:
    from autapse.dynamics.rate import RateODE

Method = Literal["euler", "exponential", "exact"]
_METHODS = ("euler", "exponential", "exact")
_MAX_GAIN = 4.0  # of a Network


@dataclass(frozen=True)
class Stability:
    """What a step does to the modes of the equation.

    Attributes
    ----------
    rates
        Eigenvalues l of A = s W - L with the steepest slope s of the activation, (units,). Slope 1: A = W - L.
    factors
        Eigenvalues of one step, (units,): 1 + dt*l for Euler, in the order of `rates`.
    largest_dt
        Steps below it keep every mode that decays in the equation decaying. 0: no step does.
    growing
        How many modes do not decay in the equation itself (Re l >= 0). No step can make them decay, and none should.
    faithful
        Whether the step keeps every decaying mode decaying.
    """

    rates: ComplexArray
    factors: ComplexArray
    largest_dt: float
    growing: int
    faithful: bool

    @property
    def stable(self) -> bool:
        """Whether every mode decays: |factor| < 1."""
        return bool(np.all(np.abs(self.factors) < 1.0))


def coefficients(tau: FloatArray, dt: float, method: Method) -> tuple[FloatArray, FloatArray]:
    """Decay and gain of a step: 1 - dt/tau and dt (euler), or exp(-dt/tau) and tau (1 - d) (exponential)."""
    if method == "euler":
        return 1.0 - dt / tau, np.full_like(tau, dt)
    d = np.exp(-dt / tau)
    return d, -tau * np.expm1(-dt / tau)


def discretize(ode: RateODE, dt: float, method: Method = "euler") -> Network:
    """The Network whose step is `dt` of the equation, with the input held over the step.

    ``euler``: d = 1 - dt/tau, g = dt. Error O(dt**2) a step.

    ``exponential``: d = exp(-dt/tau), g = tau (1 - d). The leak is exact, s(...) is held over the step: O(dt**2) too,
    with a smaller constant where the leak is faster than the network, and d stays between 0 and 1 at every dt.

    ``exact``: only for the activation identity. With A = W - L: h <- exp(A dt) h + (integral of exp(A t)) (W_in x + b),
    the solution itself. d = 0 and g = 1.

    Raises ValueError for a dt that is not positive and finite, an unknown method, an exact step of a nonlinear
    equation, and a step whose decay or gain no Network holds.
    """
    _check(dt, method)
    if method == "exact":
        return _exact(ode, dt)
    found = stability(ode, dt, method)
    d, g = coefficients(ode.tau, dt, method)
    if np.any(d < -1.0):
        raise ValueError(
            f"dt = {dt:g} is more than twice the smallest tau, {ode.tau.min():g}, and the leak alone would grow: "
            f"the largest stable dt is {found.largest_dt:.6g}"
        )
    if g.max() > _MAX_GAIN:
        raise ValueError(
            f"dt = {dt:g} gives a gain of {g.max():g}, and a Network holds at most {_MAX_GAIN:g}: "
            "choose a larger unit of time first, with rescale(1 / dt)"
        )
    if not found.faithful:
        warnings.warn(_warning(found, dt, method), RuntimeWarning, stacklevel=3)
    return Network(
        W=ode.W,
        W_in=ode.W_in,
        b=ode.b,
        W_out=ode.W_out,
        b_out=ode.b_out,
        d=d,
        g=g,
        h0=ode.h0,
        activation=ode.activation,
        info={**ode.info, "step": f"{method}, dt = {dt:.6g}"},
    )


def stability(ode: RateODE, dt: float, method: Method = "euler") -> Stability:
    """Eigenvalues of the equation and of its step at the steepest slope, and the largest stable dt."""
    _check(dt, method)
    steepest = STEEPEST[ode.activation]
    rates = np.linalg.eigvals(steepest * ode.W - np.diag(1.0 / ode.tau)).astype(np.complex128)
    scale = max(float(np.abs(rates).max()), 1.0 / float(ode.tau.max()))
    decays = rates.real < -1e-12 * scale
    growing = int(np.count_nonzero(~decays))
    if method == "exact":
        return Stability(rates, np.exp(dt * rates), float("inf"), growing, True)
    if method == "euler":
        limits = np.full(len(rates), np.inf)
        limits[decays] = -2.0 * rates.real[decays] / np.abs(rates[decays]) ** 2
        limits[~decays & (np.abs(rates.real) <= 1e-12 * scale) & (np.abs(rates.imag) > 1e-12 * scale)] = 0.0
        largest = float(limits.min())
        # A step at the limit itself keeps |1 + dt*l| at 1, which is not a decay.
        return Stability(rates, 1.0 + dt * rates, largest, growing, dt < largest)

    def factors(step: float) -> ComplexArray:
        d, g = coefficients(ode.tau, step, method)
        return np.linalg.eigvals(np.diag(d) + steepest * g[:, None] * ode.W).astype(np.complex128)

    def outside(step: float) -> bool:
        return int(np.count_nonzero(np.abs(factors(step)) >= 1.0 - 1e-12)) > growing

    largest = _first(outside, 1e-3 / scale, max(dt, 100.0 * float(ode.tau.max())))
    return Stability(rates, factors(dt), largest, growing, dt < largest)


def _first(outside: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest step at which `outside` holds, on a fine grid and then by bisection; infinite if there is none."""
    grid = np.geomspace(low, high, 200)
    crossing = next((k for k, step in enumerate(grid) if outside(float(step))), None)
    if crossing is None:
        return float("inf")
    if crossing == 0:
        return 0.0
    below, above = float(grid[crossing - 1]), float(grid[crossing])
    for _ in range(50):
        middle = 0.5 * (below + above)
        below, above = (below, middle) if outside(middle) else (middle, above)
    return below


def _exact(ode: RateODE, dt: float) -> Network:
    if ode.activation != "identity":
        raise ValueError(f"an exact step needs a linear equation, not the activation {ode.activation}: linearize first")
    n = ode.units
    block = np.zeros((2 * n, 2 * n))
    block[:n, :n], block[:n, n:] = ode.A * dt, np.eye(n) * dt
    power = scipy_module("scipy.linalg").expm(block)  # [[exp(A dt), integral], [0, 1]], for a singular A too
    flow, integral = power[:n, :n], power[:n, n:]
    return Network(
        W=flow,
        W_in=integral @ ode.W_in,
        b=integral @ ode.b,
        W_out=ode.W_out,
        b_out=ode.b_out,
        h0=ode.h0,
        activation="identity",
        info={**ode.info, "step": f"exact, dt = {dt:.6g}"},
    )


def _warning(found: Stability, dt: float, method: Method) -> str:
    k = int(np.argmax(np.where(found.rates.real < 0, np.abs(found.factors), 0.0))) if method == "euler" else None
    what = f"the {method} step dt = {dt:g} is not stable: "
    if found.largest_dt == 0.0:
        return (
            what + "a mode of the equation turns without decaying, and every such step makes it grow; no dt is stable"
        )
    if k is None:
        what += f"it multiplies a mode by {np.abs(found.factors).max():.4g}"
    else:
        what += f"it multiplies the mode l = {found.rates[k]:.4g} by |1 + dt*l| = {abs(found.factors[k]):.4g}"
    return f"{what}; the largest stable dt is {found.largest_dt:.6g}"


def _check(dt: float, method: str) -> None:
    check_positive("dt", dt)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}; not {method!r}")
