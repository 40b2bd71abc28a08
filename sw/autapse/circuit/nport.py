"""The n-port between the one-ports, as the elements that it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autapse.fixed import FloatArray

#: Elements below this fraction of the largest one are rounding errors of the arithmetic, and are left out.
_NOTHING = 1e-13


@dataclass(frozen=True, eq=False)
class NPort:
    """The elements of an n-port with sources; siemens (parallel form) or ohms (series form).

    The currents (voltages) that it delivers to the ports are alpha v + beta u. Its symmetric part is reciprocal, and
    made of resistors; its antisymmetric part is made of gyrators, one for each pair of ports.

    Attributes
    ----------
    coupling : (n, n), above the diagonal
        Resistor between ports j < k: delivers c (v_j - v_k) to k and the opposite to j. Negative ones are active.
    gyrator : (n, n), above the diagonal
        Gyrator between ports j < k: delivers g v_j to k and -g v_k to j.
    shunt : (n,)
        Resistor across the port: delivers -s v_k. It makes up for what the other elements load the port with; negative
        ones are active.
    inputs : (n, m)
        Resistor from a source to the port: delivers |r| (sign(r) u_m - v_k); negative where the source is inverted.
    bias : (n,)
        The same, from the source of the constant 1.
    """

    coupling: FloatArray
    gyrator: FloatArray
    shunt: FloatArray
    inputs: FloatArray
    bias: FloatArray

    @classmethod
    def of(cls, alpha: FloatArray, beta: FloatArray, bias: FloatArray) -> NPort:
        """Split alpha ([to, from]) into its elements."""
        largest = max(float(np.max(np.abs(a), initial=0.0)) for a in (alpha, beta, bias))
        coupling = _clean(np.triu((alpha + alpha.T) / 2.0, 1), largest)
        gyrator = _clean(np.triu((alpha.T - alpha) / 2.0, 1), largest)
        beta, bias = _clean(beta, largest), _clean(bias, largest)
        bare = cls(coupling, gyrator, np.zeros(len(alpha)), beta, bias)
        shunt = -(np.diag(alpha) + bare.load())
        return cls(coupling, gyrator, _clean(shunt, largest), beta, bias)

    def load(self) -> FloatArray:
        """What the couplings and sources load each port with, (n,)."""
        pairs = self.coupling + self.coupling.T
        loads: FloatArray = pairs.sum(axis=1) + np.abs(self.inputs).sum(axis=1) + np.abs(self.bias)
        return loads

    def symmetric(self) -> FloatArray:
        """The reciprocal part of alpha."""
        return self.coupling + self.coupling.T - np.diag(self.load() + self.shunt)

    def antisymmetric(self) -> FloatArray:
        """The part of alpha that the gyrators make."""
        return self.gyrator.T - self.gyrator

    def alpha(self) -> FloatArray:
        """What the ports deliver for the states, [to, from]."""
        return self.symmetric() + self.antisymmetric()


def _clean(values: FloatArray, largest: float) -> FloatArray:
    return np.where(np.abs(values) > _NOTHING * largest, values, 0.0)
