"""The circuit as a netlist in the dialect of ngspice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autapse.circuit.nport_netlist import nport_parallel, nport_series
from autapse.circuit.spice import ACTIVATION, ONE_PORT, number, pwl, subcircuits
from autapse.circuit.stimulus import Stimulus
from autapse.circuit.synthesis import Circuit, counts
from autapse.errors import AutapseError


def netlist(circuit: Circuit, stimulus: Stimulus, title: str = "") -> str:
    """A complete transient analysis of `circuit` on `stimulus`, which saves the state of unit 1, 2, ... in that order.

    It starts from the initial charges (currents) with UIC. In the parallel form the state of unit k is v(h<k>), in the
    series form i(vh<k>).
    """
    eq = circuit.equation
    if stimulus.values.shape[1] != eq.inputs:
        raise AutapseError(f"the stimulus has {stimulus.values.shape[1]} inputs; the network has {eq.inputs}")
    lines = [*_header(circuit, title), *subcircuits(circuit), ""]
    lines += nport_parallel(circuit) if circuit.form == "parallel" else nport_series(circuit)
    lines += ["", *_units(circuit), "", *_sources(circuit, stimulus), "", *_analysis(circuit, stimulus), ".end"]
    return "\n".join(_folded(lines)) + "\n"


def _header(circuit: Circuit, title: str) -> list[str]:
    eq, n = circuit.equation, counts(circuit)
    unit, ohm = ("V", "admittance") if circuit.form == "parallel" else ("A", "impedance")
    kind = "reciprocal, no gyrators" if n["reciprocal"] else f"not reciprocal, {n['gyrators']} gyrators"
    return [
        f"* {title or 'Autapse circuit'}: {circuit.form} form, {eq.units} units, {eq.inputs} inputs, {eq.activation}",
        "* dh/dt = -h/tau + s(W h + W_in x + b)",
        f"* h = 1 is {number(circuit.levels.unit)} {unit}; one unit of the network's time is "
        f"{number(circuit.seconds)} s",
        f"* {eq.units} one-ports ({'R || C' if circuit.form == 'parallel' else 'R - L'}) and an {ohm} {eq.units}-port: "
        f"{n['couplings']} couplings, {n['shunts']} shunts,",
        f"* {n['input_resistors'] + n['bias_resistors']} source resistors; {n['active']} of the resistors are "
        f"negative (active); {kind}",
        "",
    ]


def _units(circuit: Circuit) -> Iterator[str]:
    eq = circuit.equation
    parallel = circuit.form == "parallel"
    for k in range(eq.units):
        yield f"* unit {k + 1}: tau = {eq.tau[k]:.6g}, h(0) = {eq.h0[k]:.6g}"
        resistor = 1.0 / circuit.leak[k] if parallel else circuit.leak[k]
        values = f"r={number(resistor)} s={number(circuit.storage[k])} start={number(circuit.initial[k])}"
        # Parallel: p<k> is the port and h<k> the state. Series: the ammeter vh<k> sees the state on its way in.
        port = f"h{k + 1}" if parallel else f"e{k + 1}"
        yield f"xunit{k + 1} {port if parallel else f'u{k + 1}'} {ONE_PORT} {values}"
        if not parallel:
            yield f"vh{k + 1} {port} u{k + 1} 0"
        if not eq.linear:
            yield f"xamp{k + 1} p{k + 1} {port} {ACTIVATION} top={number(circuit.limit[k])}"
    ports = [f"p{k + 1}" if not eq.linear else (f"h{k + 1}" if parallel else f"e{k + 1}") for k in range(eq.units)]
    yield "* what joins them"
    yield f"xnport {' '.join([*ports, *source_terminals(circuit)])} nport"


def source_terminals(circuit: Circuit) -> list[str]:
    """The terminals of the n-port for the sources."""
    names = [f"x{m + 1}" for m in range(circuit.equation.inputs)] + ["one"]
    return [end for name in names for end in ((name, f"{name}n") if circuit.form == "parallel" else (name,))]


def _sources(circuit: Circuit, stimulus: Stimulus) -> Iterator[str]:
    unit, parallel = circuit.levels.unit, circuit.form == "parallel"
    times = stimulus.times * circuit.seconds
    for m, values in enumerate(stimulus.values.T):
        yield f"* input {m + 1}" + (", and its inverse" if parallel else "")
        if parallel:
            yield f"vx{m + 1} x{m + 1} 0 {pwl(times, values * unit)}"
            yield f"ex{m + 1}n x{m + 1}n 0 x{m + 1} 0 -1"
        else:
            yield f"ix{m + 1} 0 x{m + 1} {pwl(times, values * unit)}"
    yield "* the constant 1, for the bias"
    if parallel:
        yield from (f"vone one 0 {number(unit)}", f"vonen onen 0 {number(-unit)}")
    else:
        yield f"ione 0 one {number(unit)}"


def _analysis(circuit: Circuit, stimulus: Stimulus) -> Iterator[str]:
    eq = circuit.equation
    rate = float(np.max(np.abs(np.linalg.eigvals(eq.jacobian())))) + float(np.max(1.0 / eq.tau))
    longest = float(np.clip(0.1 / rate, stimulus.duration / 2000.0, stimulus.duration / 500.0)) * circuit.seconds
    stop = stimulus.duration * circuit.seconds
    # Far below the 1e-3 of full scale that the comparison with the equation asks for; tighter absolute tolerances than
    # these meet the rounding errors of the long chains of the series form.
    drive = eq.tau * np.max(np.abs(stimulus.values @ eq.W_in.T + eq.b), axis=0)
    size = float(max(np.max(np.abs(eq.h0)), np.max(drive))) or 1.0
    small = 1e-6 * circuit.levels.unit * min(1.0, size)
    other = 1e-6 * float(np.max(circuit.limit)) * min(1.0, size)
    volts, amperes = (small, other) if circuit.form == "parallel" else (other, small)
    yield f".options method=trap reltol=1e-5 trtol=1 vntol={number(volts)} abstol={number(amperes)} itl4=100"
    yield f".tran {number(longest)} {number(stop)} 0 {number(longest)} uic"
    yield ".save " + " ".join(
        f"v(h{k + 1})" if circuit.form == "parallel" else f"i(vh{k + 1})" for k in range(eq.units)
    )


def _folded(lines: list[str], width: int = 110) -> Iterator[str]:
    """Long lines continued with +, as ngspice wants them."""
    for line in lines:
        if len(line) <= width or line.startswith("*"):
            yield line
            continue
        row = ""
        for word in line.split(" "):
            if row and len(row) + 1 + len(word) > width:
                yield row
                row = "+"
            row = f"{row} {word}" if row else word
        yield row
