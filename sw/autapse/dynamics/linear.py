"""Slopes of the activations, Jacobians, linearisation, and eigenmodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS, Network

ComplexArray = NDArray[np.complex128]
Point = Literal["origin"] | ArrayLike

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
#: Condition number of the eigenvectors from which on a matrix counts as defective.
DEFECTIVE = 1e8


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


def network_jacobian(net: Network, h: ArrayLike, x: ArrayLike | None = None) -> FloatArray:
    """dh[t+1]/dh[t] = diag(d) + diag(g) S W at states h, (..., units): (..., units, units)."""
    h = np.asarray(h, dtype=np.float64)
    a = h @ net.W.T + net.b
    if x is not None:
        a = a + np.asarray(x, dtype=np.float64) @ net.W_in.T
    return (net.g * slope(net.activation, a))[..., None] * net.W + np.diag(net.d)


def linearization_point(units: int, inputs: int, at: Point, x: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """State (units,) and input (inputs,) of a linearisation, checked."""
    if isinstance(at, str):
        if at != "origin":
            raise ValueError(f"at must be 'origin' or a state, not {at!r}")
        at = np.zeros(units)
    h = np.array(at, dtype=np.float64)
    u = np.zeros(inputs) if x is None else np.array(x, dtype=np.float64)
    for name, array, size in (("at", h, units), ("x", u, inputs)):
        if array.shape != (size,):
            raise ValueError(f"{name} must have the shape ({size},), not {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, not {array}")
    return h, u


def linearization(system: System, h: FloatArray, x: FloatArray) -> dict[str, Any]:
    """W, W_in and b of the tangent s(a) ~ s(a*) + S (a - a*) at a* = W h + W_in x + b."""
    a = system.W @ h + system.W_in @ x + system.b
    s = slope(system.activation, a)
    offset = ACTIVATIONS[system.activation](a) + s * (system.b - a)
    return {"W": s[:, None] * system.W, "W_in": s[:, None] * system.W_in, "b": offset}


def linearize_network(net: Network, at: Point = "origin", x: ArrayLike | None = None) -> Network:
    """The linear Network (activation identity, same d and g) that is tangent to `net` at state `at` and input `x`."""
    h, u = linearization_point(net.units, net.inputs, at, x)
    return replace(net, **linearization(net, h, u), activation="identity")


@dataclass(frozen=True)
class Modes:
    """Eigenmodes of a real matrix, the largest real part first.

    Attributes
    ----------
    values
        Eigenvalues l, (n,) complex.
    vectors
        Right eigenvectors as columns of length 1, (n, n).
    condition
        Condition number of the vectors: 1 for a symmetric matrix, infinite for a defective one.
    """

    values: ComplexArray
    vectors: ComplexArray
    condition: float

    @property
    def defective(self) -> bool:
        """Whether there are too few eigenvectors to write every state as a sum of modes, to working precision."""
        return self.condition > DEFECTIVE

    def gains(self) -> ComplexArray:
        """1 / (1 - l): the response of each mode to a constant input; infinite for an integrator."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.values == 1.0, np.inf, 1.0 / (1.0 - self.values))

    def amplitudes(self, h: ArrayLike) -> ComplexArray:
        """Amplitudes of the modes in the states h, (..., n): h = sum of amplitude times vector.

        Raises ValueError for a defective matrix, whose eigenvectors do not span the states.
        """
        if self.defective:
            raise ValueError(
                f"the matrix is defective (condition {self.condition:.3g}): its modes do not span the state"
            )
        h = np.asarray(h, dtype=np.complex128)
        return np.linalg.solve(self.vectors, h[..., None])[..., 0].astype(np.complex128)


def modes(matrix: ArrayLike) -> Modes:
    """Eigenvalues and eigenvectors of a square matrix; a singular or defective one is taken, and said to be such."""
    m = np.asarray(matrix, dtype=np.float64)
    if m.ndim != 2 or m.shape[0] != m.shape[1] or m.shape[0] == 0:
        raise ValueError(f"a matrix with modes is square, not {m.shape}")
    values, vectors = np.linalg.eigh(m) if np.array_equal(m, m.T) else np.linalg.eig(m)
    order = np.lexsort((-values.imag, -values.real.round(12)))
    vectors = vectors[:, order].astype(np.complex128)
    return Modes(values[order].astype(np.complex128), vectors, float(np.linalg.cond(vectors)))
