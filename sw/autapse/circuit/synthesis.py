"""The synthesis: n one-ports joined by an n-port, in two dual forms.

Parallel form. One-port k is R_k || C_k and the state its voltage v_k = unit * h_k. The n-port delivers the current
i = alpha v + beta u into the ports, with voltage sources u = unit * x, so that with T seconds per unit of time

    W = T C^-1 alpha      W_in = T C^-1 beta      tau_k = R_k C_k / T

Series form, its dual: R_k - L_k, the state is the current, alpha and beta are impedances, the sources are currents,
and tau_k = L_k / (R_k T). One set of formulas serves both: `storage` is C or L, and every other value is an
*immittance*, siemens in the parallel form and ohms in the series form.

Nonlinear case. An amplifier stands between each port of the n-port and its one-port. It imposes the state on the port
and passes what the port delivers, saturated: out = limit * s(in / limit) with limit = storage * unit / T. With
s(a) = a it is a wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from autapse.circuit.equation import Equation, RateEquation
from autapse.circuit.levels import Form, Levels, default_levels
from autapse.circuit.nport import NPort
from autapse.circuit.structure import symmetrizing_scale
from autapse.errors import AutapseError
from autapse.fixed import FloatArray

#: Changes an array of resistances, all positive.
Change = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Realised:
    """What a circuit with given component values computes: dh/dt = -h/tau + gain * s(W h + W_in x + b).

    `gain` is 1 but where a capacitor (inductor) is off the value for which its amplifier was made; a linear circuit
    has no amplifier, and its gain is 1 always.
    """

    W: FloatArray
    W_in: FloatArray
    b: FloatArray
    tau: FloatArray
    gain: FloatArray


@dataclass(frozen=True, eq=False)
class Circuit:
    """The circuit of a rate equation, as values.

    Attributes
    ----------
    form, levels, equation
        What was asked for.
    seconds
        Seconds of one unit of the network's time, T.
    storage
        C_k in farads or L_k in henries.
    leak
        1/R_k in siemens (parallel) or R_k in ohms (series).
    nport
        What joins the one-ports.
    limit
        The saturation of amplifier k: amperes (parallel) or volts (series) for s = 1.
    """

    form: Form
    levels: Levels
    equation: Equation
    seconds: float
    storage: FloatArray
    leak: FloatArray
    nport: NPort
    limit: FloatArray

    @property
    def initial(self) -> FloatArray:
        """v_k(0) or i_k(0); the initial charge is C_k v_k(0), the initial flux L_k i_k(0)."""
        return self.equation.h0 * self.levels.unit

    def realised(self) -> Realised:
        """The rate equation of these component values, exactly."""
        alpha, beta, bias = self.nport.alpha(), self.nport.inputs, self.nport.bias
        drive = self.storage / self.seconds if self.equation.linear else self.limit / self.levels.unit
        return Realised(
            W=alpha / drive[:, None],
            W_in=beta / drive[:, None],
            b=bias / drive,
            tau=self.storage / self.leak / self.seconds,
            gain=drive * self.seconds / self.storage,
        )

    def changed(self, resistance: Change, storage: Change, trim: bool = False) -> Circuit:
        """The circuit with every resistance and every capacitor (inductor) changed by a function.

        With `trim`, each shunt is first set to make up for the change of all other elements at its port.
        """

        def change(values: FloatArray) -> FloatArray:
            out, used = values.copy(), values != 0.0
            ohms = 1.0 / np.abs(values[used]) if self.form == "parallel" else np.abs(values[used])
            ohms = resistance(ohms)
            out[used] = np.sign(values[used]) * (1.0 / ohms if self.form == "parallel" else ohms)
            return out

        p = self.nport
        q = NPort(change(p.coupling), change(p.gyrator), p.shunt, change(p.inputs), change(p.bias))
        if trim:
            drift = np.diag(q.alpha()) - np.diag(p.alpha())
            shunt = p.shunt + drift
            shunt[np.abs(shunt) < 1e-9 * (np.abs(p.shunt) + q.load())] = 0.0
            q = replace(q, shunt=shunt)
        q = replace(q, shunt=change(q.shunt))
        return replace(self, storage=storage(self.storage), leak=change(self.leak), nport=q)

    def dual(self) -> Circuit:
        """The circuit of the same equation in the other form, with that form's default levels."""
        return synthesize(self.equation, "series" if self.form == "parallel" else "parallel")


def synthesize(equation: RateEquation, form: Form = "parallel", levels: Levels | None = None) -> Circuit:
    """The circuit of a rate equation, with exact (not rounded) values.

    Raises
    ------
    ValueError
        For an equation that is not one (see :class:`Equation`), or an unknown form.
    AutapseError
        When ``levels.storage`` is ``reciprocal`` and no choice of capacitors makes W reciprocal.
    """
    if form not in ("parallel", "series"):
        raise ValueError(f"form must be parallel or series, not {form!r}")
    eq = Equation.of(equation)
    levels = default_levels(form) if levels is None else levels
    seconds = levels.seconds(eq.tau)
    storage = np.full(eq.units, levels.storage_value(form, eq.tau))
    if levels.storage == "reciprocal":
        d = symmetrizing_scale(eq.W)
        if d is None:
            raise AutapseError("no choice of capacitors makes this network reciprocal: no diagonal D has D W symmetric")
        storage = storage * d
    per_time = storage / seconds
    return Circuit(
        form=form,
        levels=levels,
        equation=eq,
        seconds=seconds,
        storage=storage,
        leak=per_time / eq.tau,
        nport=NPort.of(per_time[:, None] * eq.W, per_time[:, None] * eq.W_in, per_time * eq.b),
        limit=per_time * levels.unit,
    )


def counts(circuit: Circuit) -> dict[str, Any]:
    """How many elements of which kind; ``active`` are the negative ones.

    In a linear parallel circuit R_k and the shunt of its port lie in parallel (series: in series), and one resistor
    can take the place of both: ``active_after_merging`` counts what remains negative then.
    """
    p, linear = circuit.nport, circuit.equation.linear
    merged = circuit.leak + p.shunt
    active_pairs = int(np.count_nonzero(p.coupling < 0.0))
    active_shunts = int(np.count_nonzero(p.shunt < 0.0))
    return {
        "one_ports": circuit.equation.units,
        "couplings": int(np.count_nonzero(p.coupling)),
        "couplings_active": active_pairs,
        "shunts": int(np.count_nonzero(p.shunt)),
        "shunts_active": active_shunts,
        "gyrators": int(np.count_nonzero(p.gyrator)),
        "input_resistors": int(np.count_nonzero(p.inputs)),
        "bias_resistors": int(np.count_nonzero(p.bias)),
        "amplifiers": 0 if linear else circuit.equation.units,
        "active": active_pairs + active_shunts,
        "active_after_merging": active_pairs + int(np.count_nonzero(merged < 0.0)) if linear else None,
        "reciprocal": not np.any(p.gyrator),
    }
