"""The tangent of a network at a point: slopes of the activations, and the linear network that touches it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS, Network, real_array


class Resting(Protocol):
    """A point with a state, such as a fixed point."""

    @property
    def h(self) -> FloatArray:
        """State, (units,)."""


#: Where a network is linearised: the origin, a state (units,), or a point that has one.
Point = Literal["origin"] | ArrayLike | Resting

#: s'(a). Where a kink has no slope, the one of its steeper side.
_SLOPES: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "tanh": lambda a: 1.0 - np.tanh(a) ** 2,
    "sigmoid": lambda a: 0.25 * (1.0 - np.tanh(0.5 * a) ** 2),
    "relu": lambda a: (a >= 0.0).astype(np.float64),
    "hardtanh": lambda a: (np.abs(a) <= 1.0).astype(np.float64),
    "identity": lambda a: np.ones_like(a),
}
#: The largest slope of each activation.
STEEPEST: Mapping[str, float] = {"tanh": 1.0, "sigmoid": 0.25, "relu": 1.0, "hardtanh": 1.0, "identity": 1.0}


class System(Protocol):
    """What RateODE and Network have in common: the sum a = W h + W_in x + b and the activation."""

    @property
    def W(self) -> FloatArray:
        """Recurrent weights, (units, units)."""

    @property
    def W_in(self) -> FloatArray:
        """Input weights, (units, inputs)."""

    @property
    def b(self) -> FloatArray:
        """Bias, (units,)."""

    @property
    def activation(self) -> str:
        """Name of the activation."""


def slope(activation: str, a: FloatArray) -> FloatArray:
    """s'(a), same shape. At the kinks of relu and hardtanh it is 1, the slope of the steeper side."""
    return _SLOPES[activation](np.asarray(a, dtype=np.float64))


def linearized(system: System, at: Point, x: ArrayLike | None) -> dict[str, Any]:
    """What a linearisation changes: W, W_in and b of the tangent at state `at` and input `x`, and the activation.

    s(a) ~ s(a*) + S (a - a*) with a* = W h* + W_in x* + b and S = diag(s'(a*)).
    """
    h, u = _point(system, at, x)
    a = system.W @ h + system.W_in @ u + system.b
    s = slope(system.activation, a)
    offset = ACTIVATIONS[system.activation](a) + s * (system.b - a)
    return {"W": s[:, None] * system.W, "W_in": s[:, None] * system.W_in, "b": offset, "activation": "identity"}


def linearized_current(net: Network, at: Point, x: ArrayLike | None) -> dict[str, Any]:
    """The same of a network of the current form, whose tangent is of the rate form; W_out and b_out change too.

    s(v) ~ s(v*) + S (v - v*) with S = diag(s'(v*)): the input has no part in it.
    """
    v, _ = _point(net, at, x)
    s = slope(net.activation, v)
    rest = ACTIVATIONS[net.activation](v) - s * v
    return {
        "W": net.W * s,
        "b": net.b + net.W @ rest,
        "W_out": net.W_out * s,
        "b_out": net.b_out + net.W_out @ rest,
        "activation": "identity",
        "form": "rate",
    }


def _point(system: System, at: Point, x: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """State (units,) and input (inputs,) of a linearisation, checked."""
    units, inputs = system.W_in.shape
    if isinstance(at, str):
        if at != "origin":
            raise ValueError(f"at must be 'origin' or a state, not {at!r}")
        at = np.zeros(units)
    h = real_array("at", getattr(at, "h", at))
    u = np.zeros(inputs) if x is None else real_array("x", x)
    for name, array, size in (("at", h, units), ("x", u, inputs)):
        if array.shape != (size,):
            raise ValueError(f"{name} must have the shape ({size},), not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, not {array}")
    return h, u
