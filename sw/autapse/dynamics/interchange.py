"""In which order may one rescale (R), discretise (D) and linearise (N)? Both orders, and what they differ by.

docs/theory.md states the theorem. In short, with t' = c t, dt' = c dt and h' = c h:

- R and D commute, Euler and exponential; R and N commute at every point; N and D commute at every point. All of this
  to rounding, for every activation, because none of them touches what stands inside s(...).
- D by the flow itself (the solution over dt) and N commute at a fixed point only. Elsewhere both the images and the
  Jacobians differ, by O(dt**2).
- A linear equation has an exact step. It differs from the Euler or exponential step, linearised, by O(dt**2).
- R with the state kept (s(a/c) for s(a)/c) and N commute where a* = 0 if s(0) = 0. Else they differ by O(dt) a step.
- Leaving the activation out is N at the origin if s(0) = 0, s'(0) = 1 and b = 0. Else the two differ by O(dt) a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.dynamics.solver import scipy_module
from autapse.dynamics.stepping import Method
from autapse.fixed import FloatArray
from autapse.network import Network

if TYPE_CHECKING:
    from autapse.dynamics.rate import RateODE

#: Relative difference up to which two systems count as the same: some roundings of float64.
EXACT = 1e-12
_Tangent = tuple[FloatArray, FloatArray, FloatArray]  # Jacobian, input matrix, constant part


@dataclass(frozen=True)
class Interchange:
    """Two orders of two procedures, compared.

    Attributes
    ----------
    first, second
        The two ways, in words.
    dts
        Steps, (k,).
    residuals
        Largest difference of any element of the two resulting systems, (k,), in the units of one step.
    order
        Exponent p of residual ~ dt**p, from the two smallest steps; None where the ways agree to rounding.
    """

    first: str
    second: str
    dts: FloatArray
    residuals: FloatArray
    order: float | None

    @property
    def exact(self) -> bool:
        """Whether both ways give the same system."""
        return self.order is None


def rescale_network(net: Network, c: float) -> Network:
    """The same map in the state h' = c h, for steps of dt' = c dt: W / c, c g, W_out / c, c h0."""
    return replace(net, W=net.W / c, g=c * net.g, W_out=net.W_out / c, h0=c * net.h0)


def difference(one: Network | RateODE, other: Network | RateODE) -> float:
    """The largest difference of any parameter of two systems of one kind, relative to the largest of that parameter."""
    names = ("W", "W_in", "b", "W_out", "b_out", "h0", *(("d", "g") if isinstance(one, Network) else ("tau",)))
    worst = 0.0
    for name in names:
        a, b = getattr(one, name), getattr(other, name)
        worst = max(worst, float(np.max(np.abs(a - b))) / max(float(np.max(np.abs(a))), 1e-300))
    return worst


def tangent(net: Network) -> _Tangent:
    """A linear network as h <- J h + B x + c."""
    if net.activation != "identity":
        raise ValueError(f"the activation of a linear network is the identity, not {net.activation}")
    return np.diag(net.d) + net.g[:, None] * net.W, net.g[:, None] * net.W_in, net.g * net.b


def flow_tangent(ode: RateODE, h: FloatArray, dt: float) -> _Tangent:
    """The solution over dt, without input, linearised at h: its Jacobian by the variational equation."""
    n = ode.units

    def field(_: float, flat: FloatArray) -> FloatArray:
        state, slope = flat[:n], flat[n:].reshape(n, n)
        return np.concatenate([ode.derivative(state), (ode.jacobian(state) @ slope).ravel()])

    start = np.concatenate([h, np.eye(n).ravel()])
    options = {"method": "DOP853", "rtol": 1e-13, "atol": 1e-15}
    end = scipy_module("scipy.integrate").solve_ivp(field, (0.0, dt), start, **options).y[:, -1]
    jacobian = end[n:].reshape(n, n)
    return jacobian, np.zeros((n, 0)), end[:n] - jacobian @ h


def interchange(
    ode: RateODE, fixed_point: ArrayLike, point: ArrayLike, dts: Sequence[float], c: float = 2.5
) -> list[Interchange]:
    """Compare the orders for `ode` at the origin, a fixed point of it, and any other point, for each step of `dts`.

    `fixed_point` and `point` are states, (units,). `dts` has at least two steps; c dt is at most 4.
    """
    fixed, other = np.asarray(fixed_point, np.float64), np.asarray(point, np.float64)
    steps = np.array(sorted(dts, reverse=True), dtype=np.float64)
    if len(steps) < 2:
        raise ValueError(f"the scaling with dt needs at least two steps, not {len(steps)}")
    origin = np.zeros(ode.units)
    methods: tuple[Method, ...] = ("euler", "exponential")
    places = (("the origin", origin), ("a fixed point", fixed), ("another point", other))
    cases: list[tuple[str, str, Callable[[float], float]]] = []

    def add(first: str, second: str, measure: Callable[..., float], *given: Any) -> None:
        cases.append((first, second, partial(measure, ode, *given)))

    for m in methods:
        add(f"rescale, then discretise ({m})", f"discretise ({m}), then rescale", _rescale_discretize, c, m)
    for name, h in places:
        add(f"rescale, then linearise at {name}", f"linearise at {name}, then rescale", _rescale_linearize, c, h)
    for name, h in places:
        for m in methods:
            words = f"discretise ({m}), then linearise at {name}", f"linearise at {name}, then discretise ({m})"
            add(*words, _discretize_linearize, h, m, m)
    for name, h in places[1:]:
        add(f"solve over dt, then linearise at {name}", f"linearise at {name}, then exact step", _flow_linearize, h)
    for m in methods:
        words = f"discretise ({m}), then linearise at a fixed point", "linearise there, then exact step"
        add(*words, _discretize_linearize, fixed, m, "exact")
    for name, h in (places[0], places[2]):
        words = f"rescale with the state kept, then linearise at {name}", f"linearise at {name}, then rescale so"
        add(*words, _kept_linearize, c, h)
    add("linearise at the origin, then discretise (euler)", "leave s out, then discretise (euler)", _leave_out)
    return [_compare(first, second, steps, measure) for first, second, measure in cases]


def _rescale_discretize(ode: RateODE, c: float, method: Method, dt: float) -> float:
    return difference(ode.rescale(c).discretize(c * dt, method), rescale_network(ode.discretize(dt, method), c))


def _rescale_linearize(ode: RateODE, c: float, h: FloatArray, _: float) -> float:
    return difference(ode.rescale(c).linearize(c * h), ode.linearize(h).rescale(c))


def _discretize_linearize(ode: RateODE, h: FloatArray, first: Method, second: Method, dt: float) -> float:
    return _gap(tangent(ode.discretize(dt, first).linearize(h)), tangent(ode.linearize(h).discretize(dt, second)), h)


def _flow_linearize(ode: RateODE, h: FloatArray, dt: float) -> float:
    return _gap(flow_tangent(ode, h, dt), tangent(ode.linearize(h).discretize(dt, "exact")), h)


def _kept_linearize(ode: RateODE, c: float, h: FloatArray, dt: float) -> float:
    # Compared as Euler steps, so that the units are those of all other residuals.
    one, two = ode.rescale(c, "kept").linearize(h), ode.linearize(h).rescale(c, "kept")
    return _gap(tangent(one.discretize(c * dt)), tangent(two.discretize(c * dt)), h)


def _leave_out(ode: RateODE, dt: float) -> float:
    one, two = ode.linearize().discretize(dt), replace(ode, activation="identity").discretize(dt)
    return _gap(tangent(one), tangent(two), np.zeros(ode.units))


def scaling(dts: ArrayLike, residuals: ArrayLike) -> float | None:
    """Exponent of residual ~ dt**p from the two smallest of the falling `dts`; None where all are rounding."""
    steps, values = np.asarray(dts, np.float64), np.asarray(residuals, np.float64)
    if np.all(values <= EXACT):
        return None
    return float(np.log(values[-2] / values[-1]) / np.log(steps[-2] / steps[-1]))


def _compare(first: str, second: str, dts: FloatArray, measure: Callable[[float], float]) -> Interchange:
    residuals = np.array([measure(float(dt)) for dt in dts])
    return Interchange(first, second, dts, residuals, scaling(dts, residuals))


def _gap(one: _Tangent, two: _Tangent, h: FloatArray) -> float:
    """The largest difference of Jacobian, input matrix, and image of the state h."""
    worst = float(np.max(np.abs(one[0] - two[0])))
    if one[1].size and two[1].size:
        worst = max(worst, float(np.max(np.abs(one[1] - two[1]))))
    images = one[0] @ h + one[2], two[0] @ h + two[2]
    return max(worst, float(np.max(np.abs(images[0] - images[1]))))
