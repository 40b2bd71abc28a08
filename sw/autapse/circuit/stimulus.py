"""Inputs over continuous time, and the solution of the rate equation for them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import ArrayLike

from autapse.circuit.equation import Equation
from autapse.errors import AutapseError, MissingToolError
from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS
from autapse.sizes import check_positive


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Inputs that are straight lines between breakpoints: what a PWL source of SPICE plays.

    Attributes
    ----------
    times : (points,)
        Increasing, from 0, in units of the network's time.
    values : (points, inputs)
        The inputs at those times.
    """

    times: FloatArray
    values: FloatArray

    def __post_init__(self) -> None:
        times, values = np.asarray(self.times, dtype=np.float64), np.asarray(self.values, dtype=np.float64)
        if times.ndim != 1 or len(times) < 2 or times[0] != 0.0 or np.any(np.diff(times) <= 0.0):
            raise ValueError("the times of a stimulus start at 0 and increase, with at least two of them")
        if values.ndim != 2 or len(values) != len(times) or not (np.isfinite(values).all() and np.isfinite(times[-1])):
            raise ValueError(
                f"a stimulus has finite values (points, inputs) for {len(times)} times, not {values.shape}"
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)

    @property
    def duration(self) -> float:
        """The last breakpoint."""
        return float(self.times[-1])

    def at(self, times: ArrayLike) -> FloatArray:
        """The inputs at any times, (times, inputs)."""
        when = np.asarray(times, dtype=np.float64)
        return np.stack([np.interp(when, self.times, column) for column in self.values.T], axis=1)

    @classmethod
    def held(cls, x: ArrayLike, dt: float) -> Stimulus:
        """Samples (time, inputs) held for `dt` each, with edges of dt/100: what a sampled input is to a circuit."""
        x = np.asarray(x, dtype=np.float64)
        if x.ndim != 2 or len(x) == 0:
            raise ValueError(f"samples are (time, inputs), with at least one; their shape is {x.shape}")
        check_positive("dt", dt)
        # Where a sample repeats there is no edge.
        edges = 1 + np.flatnonzero(np.any(np.diff(x, axis=0) != 0.0, axis=1))
        times = np.concatenate([[0.0], np.stack([edges * dt, (edges + 0.01) * dt], axis=1).ravel(), [len(x) * dt]])
        values = np.concatenate([x[:1], np.stack([x[edges - 1], x[edges]], axis=1).reshape(-1, x.shape[1]), x[-1:]])
        return cls(times, values)

    @classmethod
    def default(cls, equation: Equation, seed: int = 0) -> Stimulus:
        """Ten seeded levels in [-1, 1], each held for one mean time constant; shorter where the network runs away.

        Where an eigenvalue of W - 1/tau has a positive real part r and no saturation holds the state, the duration is
        at most ln(1000)/r, so that the beginning is not lost against the end.
        """
        hold = float(np.exp(np.mean(np.log(equation.tau))))
        if equation.activation in ("identity", "relu"):
            growth = float(np.max(np.linalg.eigvals(equation.jacobian()).real))
            if growth > 0.0:
                hold = min(hold, np.log(1000.0) / growth / 10.0)
        x = np.random.default_rng(seed).uniform(-1.0, 1.0, (10, equation.inputs))
        return cls.held(x, hold)


def solve(equation: Equation, stimulus: Stimulus, times: FloatArray, rtol: float = 1e-9) -> FloatArray:
    """The states (times, units) of the rate equation, by scipy's DOP853, from breakpoint to breakpoint.

    `times` increase, within the stimulus. Raises AutapseError when the solver stops, MissingToolError without scipy.
    """
    try:
        solve_ivp = import_module("scipy.integrate").solve_ivp
    except ImportError:
        raise MissingToolError("scipy is not installed: pip install 'autapse[circuit]'") from None
    if stimulus.values.shape[1] != equation.inputs:
        raise ValueError(f"the stimulus has {stimulus.values.shape[1]} inputs; the network has {equation.inputs}")
    s, rate = ACTIVATIONS[equation.activation], 1.0 / equation.tau
    states = np.empty((len(times), equation.units))
    h = equation.h0
    ends = zip(stimulus.times[:-1], stimulus.times[1:], stimulus.values[:-1], stimulus.values[1:], strict=True)
    for start, stop, x0, x1 in ends:
        drive, ramp = equation.W_in @ x0 + equation.b, equation.W_in @ (x1 - x0) / (stop - start)

        def slope(
            t: float, h: FloatArray, start: float = start, drive: FloatArray = drive, ramp: FloatArray = ramp
        ) -> FloatArray:
            return s(equation.W @ h + drive + ramp * (t - start)) - rate * h

        here = np.flatnonzero((times >= start) & (times <= stop))
        asked, place = np.unique(np.append(times[here], stop), return_inverse=True)
        found = solve_ivp(slope, (start, stop), h, method="DOP853", t_eval=asked, rtol=rtol, atol=1e-3 * rtol)
        if not found.success:
            raise AutapseError(f"the solver of the rate equation stopped at t = {found.t[-1]:g}: {found.message}")
        states[here] = found.y.T[place[:-1]]
        h = found.y.T[-1]
    return states
