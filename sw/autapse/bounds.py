"""How far the integer model can be from the float network: in one step, after some steps, and for ever.

docs/numerics.md, section 12, derives it. With e the magnitudes of the errors of the kept states, element by element::

    e[t+1] <= A e[t] + c        A = |diag(d)| + L |diag(g) W|,  L the largest slope of the activation;
                                A = |diag(d) + diag(g) W| for the identity
    ||e[t+1]|| <= q ||e[t]|| + ||c||        q = ||diag(d) + L/2 diag(g) W|| + L/2 ||diag(g) W||, Euclidean norms

`c` holds all that one step adds. Where A has a spectral radius below 1, or q is below 1, the network contracts, and the
error is bounded for ever. Elsewhere it may grow until the states no longer resemble each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS, BOUNDED
from autapse.quantized import QuantizedNetwork
from autapse.state_formats import leaky_reach
from autapse.tangent import STEEPEST
from autapse.update import require_rate_form

_EPS = 2.0**-52  # of the float network's own arithmetic
_FAR = 1 << 40  # an input code that is beyond every activation's limit


@dataclass(frozen=True, eq=False)
class ErrorBounds:
    """Bounds of |kept state of the integer model - state of the float network|, and of the same of the readout.

    They hold for every sequence of inputs that do not saturate, both networks from their own h0; where `conditional`,
    while the float network's states, and results of its activation, have codes that do not saturate.

    Attributes
    ----------
    sources
        What a step adds, (units,) each, by where it comes from.
    start : (units,)
        The error of h0.
    matrix : (units, units), norm
        A and q of the module's head: what a step makes of the error that it finds.
    readout_sources
        What the readout adds, (outputs,) each.
    readout_matrix : (outputs, units)
        What it makes of the error of the states.
    conditional
        The float network is not known to stay in the range of the formats.
    """

    sources: Mapping[str, FloatArray]
    start: FloatArray
    matrix: FloatArray
    norm: float
    readout_sources: Mapping[str, FloatArray]
    readout_matrix: FloatArray
    conditional: bool

    @property
    def step(self) -> FloatArray:
        """The error of one step from equal states, (units,)."""
        return sum(self.sources.values(), np.zeros_like(self.start))

    @cached_property
    def radius(self) -> float:
        """The spectral radius of A."""
        return float(np.max(np.abs(np.linalg.eigvals(self.matrix))))

    @property
    def factor(self) -> float:
        """The smaller of q and the spectral radius of A: below 1, errors shrink from step to step."""
        return min(self.norm, self.radius)

    @property
    def contracting(self) -> bool:
        """Whether the error stays bounded for ever."""
        return self.factor < 1.0

    def state(self, steps: int | None = None) -> FloatArray:
        """The error of the states, (units,), after so many steps, or after any number: infinite if not contracting."""
        return np.minimum(self._by_element(steps), self._by_norm(steps))

    def readout(self, steps: int | None = None) -> FloatArray:
        """The error of the readout, (outputs,), of the states after so many steps, or after any number."""
        by_element: FloatArray = _scaled(self.readout_matrix, self.state(steps)).sum(1)
        by_norm = _scaled(np.linalg.norm(self.readout_matrix, axis=1), self._by_norm(steps))
        return sum(self.readout_sources.values(), np.minimum(by_element, by_norm))

    def _by_element(self, steps: int | None) -> FloatArray:
        if steps is None:
            if not self.radius < 1.0:
                return np.full_like(self.start, np.inf)
            # E with E = A E + max(c, e[0]) is not below e[0], and not below A E + c.
            stay = np.eye(len(self.start)) - self.matrix
            return np.asarray(np.linalg.solve(stay, np.maximum(self.step, self.start)), dtype=np.float64)
        e, c = self.start, self.step
        with np.errstate(over="ignore"):
            for _ in range(steps):
                e = self.matrix @ e + c
        return e

    def _by_norm(self, steps: int | None) -> float:
        e, c = float(np.linalg.norm(self.start)), float(np.linalg.norm(self.step))
        if steps is None:
            return max(e, c / (1.0 - self.norm)) if self.norm < 1.0 else np.inf
        for _ in range(steps):
            e = self.norm * e + c
        return e

    def to_dict(self) -> dict[str, Any]:
        """The largest figures as plain data; None where nothing is bounded."""
        return {
            "step": float(self.step.max()),
            "sources": {name: float(size.max()) for name, size in self.sources.items()},
            "factor": self.factor,
            "contracting": self.contracting,
            "state": float(self.state().max()) if self.contracting else None,
            "readout": float(self.readout().max()) if self.contracting else None,
            "conditional": self.conditional,
        }

    def describe(self) -> dict[str, str]:
        """Two lines for a report: what a step adds, and what becomes of it."""
        worst = int(np.argmax(self.step))
        parts = [f"{name} {size[worst]:.2g}" for name, size in self.sources.items() if size[worst] > 1e-9]
        if self.contracting:
            claim = (
                f"contracting (factor {self.factor:.3g} a step): no state is ever off by more than "
                f"{self.state().max():.2g}, no output by more than {self.readout().max():.2g}"
            )
        else:
            claim = (
                f"not known to contract (factor {self.factor:.3g} a step): errors may grow, "
                "and only agreement on the task can be claimed"
            )
        while_inside = "; while the float states do not saturate" if self.conditional else ""
        return {
            "error of a step": f"at most {self.step.max():.2g}: {', '.join(parts)}",
            "against float": claim + while_inside,
        }


def error_bounds(q: QuantizedNetwork) -> ErrorBounds:
    """The bounds of `q` against the float network that it was made from.

    Raises ValueError for the current form, and for a stack of layers.
    """
    net, f = q.network, q.formats
    require_rate_form(net, "a bound of the error")
    slope = STEEPEST[net.activation]
    decay, driven = np.diag(net.d), net.g[:, None] * net.W
    linear = net.activation == "identity"  # whose slope is known
    excess, conditional = _excess(q)
    sources = _sources(q)
    sources["range"] = np.maximum(excess - sum(sources.values()), 0.0)  # a clipped state errs by one of the two
    readout = {
        "weights": _off(net.W_out, f.W_out.dequantize(q.W_out)).sum(1) * f.h.max_value,
        "biases": _off(net.b_out, f.z.dequantize(q.b_out)),
        "state": np.abs(net.W_out).sum(1) * _operand_error(q),
        "float64": _EPS * (q.units + 1) * (np.abs(net.W_out).sum(1) * _reach(q) + np.abs(net.b_out)),
    }
    return ErrorBounds(
        sources=sources,
        start=_off(net.h0, f.state.dequantize(q.h0)),
        matrix=np.abs(decay + driven) if linear else np.abs(decay) + slope * np.abs(driven),
        norm=_norm(decay + driven) if linear else _norm(decay + 0.5 * slope * driven) + 0.5 * slope * _norm(driven),
        readout_sources=readout,
        readout_matrix=np.abs(net.W_out),
        conditional=conditional,
    )


def _sources(q: QuantizedNetwork) -> dict[str, FloatArray]:
    """What a step adds to the error, from equal states."""
    net, f, out = q.network, q.formats, q.activation.out
    W, W_in = np.abs(net.W).sum(1), np.abs(net.W_in).sum(1)
    gain = np.abs(net.g)
    before = gain * STEEPEST[net.activation]  # what an error of the sum becomes
    x_max = f.x.max_value + f.x.ulp / 2.0
    weights = _off(net.W, f.W.dequantize(q.W)).sum(1) * f.h.max_value
    weights += _off(net.W_in, f.W_in.dequantize(q.W_in)).sum(1) * f.x.max_value
    sums = W * _reach(q) + W_in * x_max + np.abs(net.b)
    results = 7.0 * gain * max(out.max_value + out.ulp, 1.0) + 3.0 * np.abs(net.d) * _reach(q)
    return {
        "weights": before * weights,
        "inputs": before * W_in * f.x.ulp / 2.0,
        "biases": before * _off(net.b, f.acc.dequantize(q.b)),
        "sums": before * (2.0**-q.activation.in_frac / 2.0 if q.pre_shift > 0 else 0.0),
        "table": gain * _table_error(q),
        "state": before * W * _operand_error(q) + _leak_error(q),
        "float64": _EPS * (before * (q.units + q.inputs + 2) * sums + results),
    }


def _table_error(q: QuantizedNetwork) -> float:
    """Largest error of the activation's result over all input codes, for a real result inside the format."""
    a = q.activation
    with np.errstate(invalid="ignore"):
        ends = ACTIVATIONS[a.name](np.array([-np.inf, np.inf]))
    far = np.abs(a.out.dequantize(a.evaluate(np.array([-_FAR, _FAR]))) - ends)
    return max([a.max_error() * a.out.ulp, *(float(gap) for gap in far if np.isfinite(gap))])


def _operand_error(q: QuantizedNetwork) -> float:
    """Largest difference of the multiplied state and the kept one: rounded by the guard bits, and clipped."""
    f = q.formats
    return max(f.h.ulp / 2.0, f.state.max_value - f.h.max_value) if f.guard else 0.0


def _leak_error(q: QuantizedNetwork) -> FloatArray:
    """What the codes of decay and gain, and the rounding of the kept state, add."""
    net, f = q.network, q.formats
    if f.leak is None:
        return np.zeros(q.units)
    d = _off(net.d, f.leak.dequantize(q.d)) * f.state.max_value
    g = _off(net.g, f.leak.dequantize(q.g)) * q.activation.out.max_value
    return d + g + (f.state.ulp / 2.0 if f.leak.frac > 0 else 0.0)


def _excess(q: QuantizedNetwork) -> tuple[float, bool]:
    """By how much the float state can lie outside the kept state's format; and whether nothing is known of that."""
    net, f = q.network, q.formats
    if net.activation not in BOUNDED:
        return 0.0, True
    if not net.leaky:
        return 0.0, False  # the state is the table's result
    excess = max(leaky_reach(net) - f.state.max_value, 0.0)
    return (excess, False) if excess <= f.h.ulp else (0.0, True)


def _reach(q: QuantizedNetwork) -> float:
    """The largest state of the float network for which the bounds hold."""
    return q.formats.state.max_value + q.formats.h.ulp


def _off(exact: FloatArray, rounded: FloatArray) -> FloatArray:
    return np.abs(rounded - exact)


def _scaled(weights: NDArray[Any], error: FloatArray | float) -> FloatArray:
    """The product; a weight of 0 makes 0 of an infinite error, too."""
    return np.where(weights == 0.0, 0.0, np.where(weights == 0.0, 1.0, weights) * error)


def _norm(matrix: FloatArray) -> float:
    return float(np.linalg.norm(matrix, 2))
