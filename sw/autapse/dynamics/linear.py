"""Jacobians of a step, and eigenmodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autapse.dynamics.maps import drive
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.update import jacobian

ComplexArray = NDArray[np.complex128]
#: Condition number of the eigenvectors from which on a matrix counts as defective.
DEFECTIVE = 1e8


def network_jacobian(net: Network, h: ArrayLike, x: ArrayLike | None = None) -> FloatArray:
    """d(state[t+1])/d(state[t]) at states h, (..., units): (..., units, units). See :func:`autapse.update.jacobian`."""
    return jacobian(net, np.asarray(h, dtype=np.float64), drive(net, x))


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
