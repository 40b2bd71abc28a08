"""The rate network in continuous time.

    dh/dt = -L h + s(W h + W_in x + b),     L = diag(1/tau_k)
    z     = W_out h + b_out

The activation is a rate of change, so a state has the unit of s times time: at rest h_k = tau_k s(...).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from autapse.dynamics.solver import Solution, solve
from autapse.dynamics.stepping import Method, Stability, discretize, stability
from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS, Network, check_info, rate_arrays
from autapse.sizes import Sized, check_positive
from autapse.tangent import Point, linearized, slope
from autapse.update import require_rate_form


@dataclass(frozen=True, eq=False)
class RateODE(Sized):
    """A rate network with a time constant for each unit: weights as [to, from], float64.

    Parameters
    ----------
    W : (units, units)
        Recurrent weights, in 1/time for a state in the unit of s times time.
    W_in : (units, inputs)
        Input weights.
    b : (units,)
        Bias; zeros when left out.
    W_out : (outputs, units)
        Readout weights; the identity when left out.
    b_out : (outputs,)
        Readout bias; zeros when left out.
    tau : (units,) or scalar
        Time constants, positive and finite; 1 when left out.
    h0 : (units,)
        Initial state; zeros when left out.
    activation
        As in :class:`autapse.network.Network`.
    info
        Where it came from: plain text by plain text.

    Raises
    ------
    ValueError
        For a wrong shape, a tau that is not positive and finite, a value that is not finite, or an unknown activation.
    """

    W: FloatArray
    W_in: FloatArray
    b: FloatArray = None  # type: ignore[assignment]  # None until __post_init__ has put the default in its place
    W_out: FloatArray = None  # type: ignore[assignment]
    b_out: FloatArray = None  # type: ignore[assignment]
    tau: FloatArray = 1.0  # type: ignore[assignment]
    h0: FloatArray = None  # type: ignore[assignment]
    activation: str = "tanh"
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, array in rate_arrays(self).items():
            object.__setattr__(self, name, array)
        check_info(self.info)

    @classmethod
    def from_network(cls, net: Network, dt: float = 1.0) -> RateODE:
        """The equation whose Euler step of `dt` is `net`, exactly.

        d = 1 - dt/tau gives tau = dt / (1 - d). A gain other than dt goes into the unit of the state: with
        h = (g/dt) k, the equation of k has W (g/dt), W_out (g/dt) and k0 = h0 dt/g. The readout is the same.

        Raises ValueError for a network of the current form, for a decay of 1 (its tau is infinite), and for a gain of 0
        (that unit has no input).
        """
        require_rate_form(net, "the rate equation")
        check_positive("dt", dt)
        if np.any(net.d >= 1.0):
            raise ValueError(f"d must be below 1 for a finite tau; d[{int(np.argmax(net.d))}] is {net.d.max():g}")
        if np.any(net.g == 0.0):
            raise ValueError(f"g must not be 0 for a rate equation; g[{int(np.argmax(net.g == 0.0))}] is 0")
        unit = net.g / dt
        return cls(
            W=net.W * unit,
            W_in=net.W_in,
            b=net.b,
            W_out=net.W_out * unit,
            b_out=net.b_out,
            tau=dt / (1.0 - net.d),
            h0=net.h0 / unit,
            activation=net.activation,
            info=net.info,
        )

    @property
    def A(self) -> FloatArray:
        """W - L, (units, units): the matrix of the linear equation, for an activation of slope 1."""
        return self.W - np.diag(1.0 / self.tau)

    def derivative(self, h: ArrayLike, x: ArrayLike | None = None) -> FloatArray:
        """dh/dt at the states h, (..., units), and inputs x, (..., inputs), zero when left out."""
        h = np.asarray(h, dtype=np.float64)
        a = h @ self.W.T + self.b
        if x is not None:
            a = a + np.asarray(x, dtype=np.float64) @ self.W_in.T
        result: FloatArray = ACTIVATIONS[self.activation](a) - h / self.tau
        return result

    def jacobian(self, h: ArrayLike, x: ArrayLike | None = None) -> FloatArray:
        """d(dh/dt)/dh = S W - L at states h, (..., units, units); S = diag of the slopes of s."""
        h = np.asarray(h, dtype=np.float64)
        a = h @ self.W.T + self.b
        if x is not None:
            a = a + np.asarray(x, dtype=np.float64) @ self.W_in.T
        return slope(self.activation, a)[..., None] * self.W - np.diag(1.0 / self.tau)

    def readout(self, h: ArrayLike) -> FloatArray:
        """z = W_out h + b_out, (..., outputs)."""
        result: FloatArray = np.asarray(h, dtype=np.float64) @ self.W_out.T + self.b_out
        return result

    def solve(
        self, x: ArrayLike | Callable[[float], ArrayLike], dt: float, steps: int | None = None, **options: Any
    ) -> Solution:
        """Solve from h0 with scipy; see :func:`autapse.dynamics.solver.solve`.

        `x` is samples, (time, inputs) or (batch, time, inputs), each held for `dt`, or a function of time with the
        number of `steps`. The states are those at dt, 2 dt, ..., as those of :meth:`Network.run` after each step.
        """
        return solve(self, x, dt, steps, **options)

    def rescale(self, c: float, state: Literal["scaled", "kept"] = "scaled") -> RateODE:
        """The same equation in the time t' = c t; tau' = c tau and W' = W / c.

        ``scaled``: the state is h' = c h, and W_out' = W_out / c, h0' = c h0. Exact for every activation.

        ``kept``: the state is h' = h, and W_in' = W_in / c, b' = b / c. This puts s(a/c) in the place of s(a)/c: exact
        for the identity, right to first order at a = 0 if s(0) = 0, and wrong otherwise.
        """
        check_positive("c", c)
        if state == "scaled":
            return replace(self, W=self.W / c, tau=c * self.tau, W_out=self.W_out / c, h0=c * self.h0)
        if state == "kept":
            return replace(self, W=self.W / c, W_in=self.W_in / c, b=self.b / c, tau=c * self.tau)
        raise ValueError(f"state must be scaled or kept, not {state!r}")

    def discretize(self, dt: float, method: Method = "euler") -> Network:
        """The Network that steps by `dt`; see :func:`autapse.dynamics.stepping.discretize`.

        Warns where the step makes a mode grow that decays in the equation, and names the largest stable dt.
        """
        return discretize(self, dt, method)

    def stability(self, dt: float, method: Method = "euler") -> Stability:
        """What a step of `dt` does to the modes of A = W - L."""
        return stability(self, dt, method)

    def linearize(self, at: Point = "origin", x: ArrayLike | None = None) -> RateODE:
        """The linear equation that is tangent to this one at the state `at`, (units,), and input `x`, (inputs,).

        `at` is ``origin``, any state, or a fixed point as :func:`autapse.fixedpoints.find_fixed_points` gives it.
        s(a) becomes s(a*) + S (a - a*) with a* = W h* + W_in x* + b and S = diag(s'(a*)). The result has the activation
        identity, the weights S W and S W_in, and the bias s(a*) + S (b - a*), so that the constant part is right too.
        """
        return replace(self, **linearized(self, at, x))
