"""The reference solution of the rate equation, by scipy's adaptive solvers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autapse.errors import MissingToolError, ToolFailedError
from autapse.fixed import FloatArray
from autapse.network import check_inputs
from autapse.sizes import check_positive

if TYPE_CHECKING:
    from autapse.dynamics.rate import RateODE


class Solution(NamedTuple):
    """A solution at the times dt, 2 dt, ...: element k is after the input of step k, as in a run of a Network.

    Attributes
    ----------
    t
        Times, (time,).
    h, z
        State (batch, time, units) and readout (batch, time, outputs); without batch where the input had none.
    """

    t: FloatArray
    h: FloatArray
    z: FloatArray


def scipy_module(name: str) -> Any:
    """A module of scipy, which is imported where it is used."""
    try:
        return import_module(name)
    except ImportError:
        raise MissingToolError("scipy is not installed: pip install 'autapse[theory]'") from None


def solve(
    ode: RateODE,
    x: ArrayLike | Callable[[float], ArrayLike],
    dt: float,
    steps: int | None = None,
    *,
    method: str = "DOP853",
    rtol: float = 1e-10,
    atol: float = 1e-12,
) -> Solution:
    """Solve `ode` from h0 up to steps * dt.

    Parameters
    ----------
    x
        Samples (time, inputs) or (batch, time, inputs), each held for dt, so that the solver meets no jump inside a
        piece; or a smooth function from the time to (inputs,), with `steps`.
    dt
        Time between the states that are returned, and for which a sample is held.
    method, rtol, atol
        Of ``scipy.integrate.solve_ivp``. Stiff equations: ``Radau`` or ``LSODA``.

    Raises
    ------
    ValueError
        For a dt or a number of steps that is not positive, or inputs of a wrong shape.
    ToolFailedError
        Where the solver gives up, for example because the state grows beyond all bounds.
    """
    check_positive("dt", dt)
    options = {"method": method, "rtol": rtol, "atol": atol}
    if callable(x):
        if steps is None or steps < 1:
            raise ValueError(f"an input that is a function needs the number of steps, at least 1, not {steps}")
        first = np.asarray(x(0.0), dtype=np.float64)
        if first.shape != (ode.inputs,):
            raise ValueError(f"x(t) must have the shape ({ode.inputs},), not {first.shape}")
        t = dt * np.arange(1, steps + 1, dtype=np.float64)
        h = _piece(ode, lambda time: np.asarray(x(time), dtype=np.float64), ode.h0[None], 0.0, t, options)[0]
        return Solution(t, h, ode.readout(h))
    samples, single = check_inputs(x, ode.inputs)
    batch, length = samples.shape[:2]
    if steps is not None and steps != length:
        raise ValueError(f"x holds {length} samples: steps must be left out or equal that, not {steps}")
    t = dt * np.arange(1, length + 1, dtype=np.float64)
    h = np.empty((batch, length, ode.units))
    state = np.tile(ode.h0, (batch, 1))
    # One call of the solver for each piece over which no input changes.
    changes = np.flatnonzero(np.any(samples[:, 1:] != samples[:, :-1], axis=(0, 2))) + 1
    for begin, end in zip((0, *changes), (*changes, length), strict=True):
        if begin == end:  # no samples at all
            break
        held = samples[:, begin]
        h[:, begin:end] = _piece(ode, partial(_constant, held), state, dt * begin, t[begin:end], options)
        state = h[:, end - 1]
    return Solution(t, h[0], ode.readout(h[0])) if single else Solution(t, h, ode.readout(h))


def _constant(held: FloatArray, _: float) -> FloatArray:
    return held


def _piece(
    ode: RateODE,
    x: Callable[[float], FloatArray],
    state: FloatArray,
    start: float,
    times: FloatArray,
    options: dict[str, Any],
) -> FloatArray:
    """States (batch, time, units) at `times`, from `state` (batch, units) at `start`."""
    shape = state.shape

    def field(time: float, flat: FloatArray) -> FloatArray:
        return ode.derivative(flat.reshape(shape), x(time)).ravel()

    solve_ivp = scipy_module("scipy.integrate").solve_ivp
    with np.errstate(over="ignore", invalid="ignore"):
        result = solve_ivp(field, (start, times[-1]), state.ravel(), t_eval=times, **options)
    if not result.success or not np.isfinite(result.y).all():
        raise ToolFailedError(
            f"the solver stopped at t = {result.t[-1] if len(result.t) else start:g}: {result.message}"
        )
    return np.ascontiguousarray(result.y.T.reshape(len(times), *shape).swapaxes(0, 1))
