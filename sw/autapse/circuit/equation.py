"""The rate equation that a circuit realises: dh/dt = -h/tau + s(W h + W_in x + b).

Anything with the attributes of :class:`RateEquation` can be built; :class:`Equation` is a validated copy of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from autapse.fixed import FloatArray
from autapse.network import Network, rate_arrays
from autapse.sizes import Sized
from autapse.update import require_rate_form


class RateEquation(Protocol):
    """What is read of a rate equation: weights as [to, from], a time constant per unit, the readout, the start."""

    @property
    def W(self) -> FloatArray: ...
    @property
    def W_in(self) -> FloatArray: ...
    @property
    def b(self) -> FloatArray: ...
    @property
    def tau(self) -> FloatArray: ...
    @property
    def W_out(self) -> FloatArray: ...
    @property
    def b_out(self) -> FloatArray: ...
    @property
    def activation(self) -> str: ...
    @property
    def h0(self) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class Equation(Sized):
    """A validated rate equation; `tau` is in units of the network's time.

    Raises ValueError, with the value and what was expected, for wrong shapes, values that are not finite, an unknown
    activation, or a time constant that is not positive.
    """

    W: FloatArray
    W_in: FloatArray
    tau: FloatArray = 1.0  # type: ignore[assignment]  # a scalar until __post_init__
    b: FloatArray = None  # type: ignore[assignment]
    W_out: FloatArray = None  # type: ignore[assignment]
    b_out: FloatArray = None  # type: ignore[assignment]
    activation: str = "tanh"
    h0: FloatArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name, array in rate_arrays(self).items():
            object.__setattr__(self, name, array)

    @classmethod
    def of(cls, equation: RateEquation) -> Equation:
        """A validated copy of any object with the attributes of a rate equation."""
        if isinstance(equation, Equation):
            return equation
        names = ("W", "W_in", "b", "tau", "W_out", "b_out", "activation", "h0")
        missing = [name for name in names if not hasattr(equation, name)]
        if missing:
            raise TypeError(f"a rate equation has {', '.join(names)}; {type(equation).__name__} lacks {missing[0]}")
        return cls(**{name: getattr(equation, name) for name in names})

    @property
    def linear(self) -> bool:
        """Whether no amplifier is needed."""
        return self.activation == "identity"

    def jacobian(self) -> FloatArray:
        """W - diag(1/tau): of the linear equation, and of tanh and hardtanh at the origin when b = 0."""
        return self.W - np.diag(1.0 / self.tau)


def from_network(net: Network, dt: float | None = None) -> Equation:
    """Read a discrete network as the Euler step `dt` of a rate equation: d = 1 - dt/tau, g = dt.

    `dt` is g when left out; d = 0, g = 1 gives tau = dt = 1. Raises ValueError when d and g are not of that form.
    """
    require_rate_form(net, "a circuit")
    g = net.g
    step = float(g[0]) if dt is None else float(dt)
    if not (step > 0.0 and np.isfinite(step)):
        origin = "it is read from g[0]" if dt is None else "given"
        raise ValueError(f"the time step dt must be positive, not {step:g} ({origin})")
    off = np.abs(g - step) > 1e-9 * step
    if off.any():
        k = int(np.argmax(off))
        raise ValueError(f"not an Euler step of dt = {step:g}: g must equal dt in every unit; g[{k}] is {g[k]:g}")
    if np.any(net.d >= 1.0):
        k = int(np.argmax(net.d >= 1.0))
        raise ValueError(f"unit {k} has no leak (d[{k}] = {net.d[k]:g}, tau infinite); an RC one-port needs d < 1")
    return Equation(
        W=net.W,
        W_in=net.W_in,
        tau=step / (1.0 - net.d),
        b=net.b,
        W_out=net.W_out,
        b_out=net.b_out,
        activation=net.activation,
        h0=net.h0,
    )
