"""The numbers of an analysis: one side of the comparison, float or quantised."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autapse import reference
from autapse.dynamics import modes, network_jacobian
from autapse.dynamics.linear import ComplexArray
from autapse.fixed import FloatArray
from autapse.fixedpoints import FixedPoint, distinct, find_fixed_points
from autapse.network import Network
from autapse.quantized import QuantizedNetwork


@dataclass(frozen=True)
class Mode:
    """The dominant mode of a step: the eigenvalue l of the largest modulus, the one that turns forwards of a pair.

    Attributes
    ----------
    value
        l.
    frequency
        f = Im(l) / (2 pi Re(l)), cycles a step for a slowly turning mode near the unit circle; infinite for Re(l) = 0.
    cycles_per_step
        angle(l) / (2 pi), the frequency of the discrete mode, exactly. 0.5 for a negative real eigenvalue.
    time_constant
        -1 / ln|l| steps: positive for decay, negative for growth, infinite on the unit circle.
    """

    value: complex
    frequency: float
    cycles_per_step: float
    time_constant: float

    @classmethod
    def dominant(cls, values: ComplexArray) -> Mode:
        """The dominant one of the eigenvalues `values`, (units,)."""
        size = np.abs(values)
        near = np.flatnonzero(size >= size.max() * (1 - 1e-9))
        value = complex(values[near[np.argmax(values.imag[near])]])
        frequency = value.imag / (2 * math.pi * value.real) if value.real else math.inf
        if value.imag == 0:
            frequency = 0.0
        return cls(value, frequency, float(np.angle(value)) / (2 * math.pi), time_constant(value))

    def to_dict(self) -> dict[str, Any]:
        """As plain data; what is infinite is None."""
        numbers = {k: v if math.isfinite(v) else None for k, v in vars(self).items() if k != "value"}
        return {"real": self.value.real, "imag": self.value.imag, "modulus": abs(self.value), **numbers}


@dataclass(frozen=True)
class Side:
    """One network of the comparison.

    Attributes
    ----------
    name
        ``float`` or ``quantised``.
    net
        The network, or the one with the values of the quantised weights.
    values
        Eigenvalues of a step at slope 1, (units,): of diag(d) + diag(g) W; of W itself for a plain update. In a stack
        a later layer sees new states, and they are those of its step.
    condition
        Condition number of the eigenvectors.
    mode
        The dominant one.
    points
        Fixed and slow points without input.
    h, z
        States (batch, time, units) and readouts (batch, time, outputs) on the stimulus; those of the integer model on
        the quantised side.
    """

    name: str
    net: Network
    values: ComplexArray
    condition: float
    mode: Mode
    points: list[FixedPoint]
    h: FloatArray
    z: FloatArray

    @classmethod
    def of(cls, name: str, net: Network, h: FloatArray, z: FloatArray, starts: int, seed: int) -> Side:
        """Compute everything but the run."""
        linear = replace(net, activation="identity")  # of slope 1 wherever it is
        found = modes(network_jacobian(linear, np.zeros(net.units)))
        points = find_fixed_points(net, starts=starts, seed=seed, extra=h[:, :: max(1, h.shape[1] // 8)])
        return cls(name, net, found.values, found.condition, Mode.dominant(found.values), points, h, z)

    @property
    def fixed(self) -> list[FixedPoint]:
        """The fixed points, without the slow ones."""
        return [p for p in self.points if not p.slow]

    def kinds(self) -> dict[str, int]:
        """How many points there are of each kind."""
        counts = dict.fromkeys(("stable", "saddle", "unstable", "marginal", "slow"), 0)
        for point in self.points:
            counts["slow" if point.slow else point.kind] += 1
        return counts

    def to_dict(self) -> dict[str, Any]:
        """As plain data. At most 200 points are listed; the counts are of all."""
        return {
            "eigenvalues": [[float(v.real), float(v.imag)] for v in self.values],
            "outside_unit_circle": int(np.count_nonzero(np.abs(self.values) > 1.0)),
            "time_constants": [_finite(time_constant(complex(v))) for v in self.values],
            "eigenvector_condition": _finite(self.condition),
            "dominant": self.mode.to_dict(),
            "points": self.kinds(),
            "point_list": [p.to_dict() for p in self.points[:200]],
        }


@dataclass(frozen=True)
class Resting:
    """Where the integer model itself ends without input.

    Attributes
    ----------
    starts
        How many states it was run from.
    still
        Starts that end in a state that does not change at all.
    dithering
        Starts that end in small cycles: no unit moves by more than 4 ulp of the state.
    moving
        The other ones.
    places
        How many places the still and the dithering ones end in, states within 16 ulp being one place.
    """

    starts: int
    still: int
    dithering: int
    moving: int
    places: int

    @classmethod
    def of(cls, q: QuantizedNetwork, h: FloatArray, steps: int = 1000, watched: int = 64) -> Resting:
        """Run from the states h, (starts, units), for `steps`, and watch the last ones."""
        codes = q.formats.state.quantize(h)[0]
        zero = np.zeros((len(codes), steps, q.inputs), np.int64)
        last = reference.run(q, zero[:, watched:], state=codes, record=False).last
        states = reference.run(q, zero[:, :watched], state=last).h
        reach = np.ptp(states, axis=1).max(axis=1)
        ulp = 1 << q.formats.guard  # of the multiplied state, in codes of the kept one
        near = reach <= 4 * ulp
        middle = states[near].mean(axis=1)
        still = int(np.count_nonzero(reach == 0))
        return cls(
            len(codes),
            still,
            int(np.count_nonzero(near)) - still,
            int(np.count_nonzero(~near)),
            len(distinct(middle, 16.0 * ulp)),
        )


def time_constant(value: complex) -> float:
    """-1 / ln|l| in steps."""
    size = abs(value)
    if size == 0.0:
        return 0.0
    return math.inf if size == 1.0 else -1.0 / math.log(size)


def principal(h: FloatArray, count: int = 3) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean (units,), directions (count, units) and shares of variance (count,) of states (..., units), by SVD."""
    flat = h.reshape(-1, h.shape[-1])
    mean: FloatArray = flat.mean(axis=0)
    _, sizes, rows = np.linalg.svd(flat - mean, full_matrices=False)
    total = float(np.sum(sizes**2)) or 1.0
    directions = np.zeros((count, h.shape[-1]))
    shares = np.zeros(count)
    have = min(count, len(sizes))
    directions[:have] = rows[:have] * np.where(rows[:have].sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    shares[:have] = sizes[:have] ** 2 / total
    return mean, directions, shares


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def shown(value: complex, digits: int = 3) -> str:
    """A complex number for people: without an imaginary part where it has none."""
    return f"{value.real:.{digits}f}" if abs(value.imag) < 10.0**-digits / 2 else f"{value:.{digits}f}"
