"""The circuit in ngspice against the rate equation in scipy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autapse.circuit.netlist import netlist
from autapse.circuit.ngspice import run_ngspice
from autapse.circuit.stimulus import Stimulus, solve
from autapse.circuit.synthesis import Circuit
from autapse.fixed import FloatArray

#: How far SPICE may be from the equation, in fractions of the full scale of the state.
LINEAR_BOUND, NONLINEAR_BOUND = 1e-3, 5e-3


@dataclass(frozen=True, eq=False)
class Comparison:
    """One run of both.

    Attributes
    ----------
    times : (points,)
        In units of the network's time, where ngspice put its points.
    spice, ode : (points, units)
        The states, in units of h.
    full_scale
        The largest |h| of the equation.
    error
        The largest difference, as a fraction of the full scale.
    bound
        What the error must not exceed.
    """

    times: FloatArray
    spice: FloatArray
    ode: FloatArray
    full_scale: float
    error: float
    bound: float

    @property
    def agrees(self) -> bool:
        """Whether the error is within the bound."""
        return self.error <= self.bound

    def to_dict(self) -> dict[str, Any]:
        """The figures, for reports."""
        return {
            "points": len(self.times),
            "full_scale": self.full_scale,
            "error": self.error,
            "bound": self.bound,
            "agrees": self.agrees,
        }


def compare(circuit: Circuit, stimulus: Stimulus) -> Comparison:
    """Run the circuit in ngspice and the equation in scipy on one stimulus, and compare all states at all points."""
    seconds, values = run_ngspice(netlist(circuit, stimulus), stimulus.duration * circuit.seconds)
    times = np.minimum(seconds / circuit.seconds, stimulus.duration)
    spice = values / circuit.levels.unit
    ode = solve(circuit.equation, stimulus, times)
    full_scale = float(np.max(np.abs(ode)))
    worst = float(np.max(np.abs(spice - ode)))
    bound = LINEAR_BOUND if circuit.equation.linear else NONLINEAR_BOUND
    return Comparison(times, spice, ode, full_scale, worst / (full_scale or 1.0), bound)
