"""The subcircuits of the netlists, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from autapse.circuit.synthesis import Circuit
from autapse.fixed import FloatArray

ONE_PORT, ACTIVATION = "oneport", "amplifier"

#: s(a) as ngspice writes it; uramp is max(a, 0). `%` stands for a.
_SATURATION: Mapping[str, str] = {
    "tanh": "tanh(%)",
    "sigmoid": "0.5+0.5*tanh(0.5*(%))",  # the logistic function without overflow
    "relu": "uramp(%)",
    "hardtanh": "uramp((%)+1)-uramp((%)-1)-1",
}


def number(value: float) -> str:
    """A number with 15 digits: the same float to a rounding or two, without the noise of the last bit."""
    return f"{value:.15g}"


def pwl(times: FloatArray, values: FloatArray) -> str:
    """A piecewise linear source, without the points that lie on the line between their neighbours."""
    same = np.zeros(len(values), bool)
    same[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
    points = [f"{number(t)} {number(v)}" for t, v in zip(times[~same], values[~same], strict=True)]
    return f"pwl({' '.join(points)})"


def subcircuits(circuit: Circuit) -> Iterator[str]:
    """The parts that the form needs."""
    parallel, eq = circuit.form == "parallel", circuit.equation
    yield from _one_port(parallel)
    if np.any(circuit.nport.coupling < 0.0) or np.any(circuit.nport.shunt < 0.0):
        yield from ("", "* a negative resistor: active, it delivers power. r is negative")
        yield from (".subckt active a b params: r=-1", "g1 a b a b {1/r}", ".ends")
    if parallel and np.any(circuit.nport.gyrator):
        yield from ("", "* a gyrator of g siemens: delivers g v(a) to b, and -g v(b) to a")
        yield from (".subckt gyrator a b params: g=1", "g1 0 b a 0 {g}", "g2 a 0 b 0 {g}", ".ends")
    if not eq.linear:
        yield from _amplifier(parallel, _SATURATION[eq.activation])


def _one_port(parallel: bool) -> Iterator[str]:
    if parallel:
        yield "* the one-port of a unit: R || C; its voltage is the state, start its initial value"
        yield from (f".subckt {ONE_PORT} p params: r=1 s=1 start=0", "c1 p 0 {s} ic={start}", "r1 p 0 {r}", ".ends")
    else:
        yield "* the one-port of a unit: R in series with L; its current is the state, start its initial value"
        yield from (f".subckt {ONE_PORT} p params: r=1 s=1 start=0", "l1 p q {s} ic={start}", "r1 q 0 {r}", ".ends")


def _amplifier(parallel: bool, saturation: str) -> Iterator[str]:
    if parallel:
        yield from ("", "* the amplifier of a unit: port follows state, and the current that comes out of port goes on")
        yield from ("* into state saturated: top * s(i/top)", f".subckt {ACTIVATION} port state params: top=1")
        argument = "-i(vs)/{top}"
        yield from ("e1 f 0 state 0 1", "vs f port 0", f"b1 0 state i={{top}}*({saturation.replace('%', argument)})")
    else:
        yield from ("", "* the amplifier of a unit: port carries the current of state, and the voltage of port goes on")
        yield from ("* to state saturated: top * s(v/top)", f".subckt {ACTIVATION} port state params: top=1")
        argument = "v(port)/{top}"
        yield from (f"b1 f 0 v={{top}}*({saturation.replace('%', argument)})", "vs f state 0", "f1 port 0 vs 1")
    yield ".ends"
