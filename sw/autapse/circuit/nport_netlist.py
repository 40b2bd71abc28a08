"""The subcircuit ``nport`` of a netlist: resistors, gyrators and what the form needs to join them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autapse.circuit.spice import number
from autapse.circuit.synthesis import Circuit


def nport_parallel(circuit: Circuit) -> Iterator[str]:
    """An admittance n-port: its elements lie between the terminals of the ports and of the sources."""
    p, eq = circuit.nport, circuit.equation
    n, m = p.inputs.shape
    sources = [f"x{i + 1}" for i in range(m)] + ["one"]
    yield "* the n-port; p<k> is the port of unit k, x<m> and x<m>n are input m and its inverse"
    yield ".subckt nport " + " ".join([f"p{k + 1}" for k in range(n)] + [f"{s} {s}n" for s in sources])
    for k in range(n):
        yield f"* unit {k + 1}: shunt and sources"
        if p.shunt[k]:
            yield _resistor(f"s{k + 1}", f"p{k + 1} 0", 1.0 / p.shunt[k])
        for source, value in zip(sources, np.append(p.inputs[k], p.bias[k]), strict=True):
            if value:
                name = source if value > 0.0 else f"{source}n"
                yield _resistor(f"{source}_{k + 1}", f"{name} p{k + 1}", 1.0 / abs(value))
        for j in range(k + 1, eq.units):
            tag = f"{k + 1}_{j + 1}"
            if p.coupling[k, j]:
                yield _resistor(f"c{tag}", f"p{k + 1} p{j + 1}", 1.0 / p.coupling[k, j])
            if p.gyrator[k, j]:
                yield f"xg{tag} p{k + 1} p{j + 1} gyrator g={number(p.gyrator[k, j])}"
    yield ".ends"


def nport_series(circuit: Circuit) -> Iterator[str]:
    """An impedance n-port: each port is a chain of elements from ground, in series; pairs of chains are coupled."""
    p, eq = circuit.nport, circuit.equation
    n, m = p.inputs.shape
    sources = [f"x{i + 1}" for i in range(m)] + ["one"]
    pairs = np.count_nonzero(p.coupling + p.coupling.T, axis=1) + np.count_nonzero(p.gyrator + p.gyrator.T, axis=1)
    drives = np.column_stack([p.inputs, p.bias])
    length = pairs + np.count_nonzero(drives, axis=1) + (p.shunt != 0.0)
    chains = [_Chain(k + 1, int(length[k])) for k in range(n)]
    yield "* the n-port; p<k> is the port of unit k, x<m> takes the current of input m"
    yield ".subckt nport " + " ".join([f"p{k + 1}" for k in range(n)] + sources)
    yield "* what flows in each loop and from each source is seen by an ammeter"
    # One ammeter for each loop, and none for each transformer and gyrator: with 50 units the rounding errors of a
    # thousand equal unknowns keep ngspice from converging.
    for k in range(n):
        yield f"vi{k + 1} 0 {chains[k].start if length[k] else f'p{k + 1}'} 0"
    yield from (f"v{s} {s} 0 0" for s in sources)
    for k in range(n):
        yield f"* unit {k + 1}: shunt and sources"
        if p.shunt[k]:
            yield _resistor(f"s{k + 1}", chains[k].next(), p.shunt[k])
        for source, value in zip(sources, drives[k], strict=True):
            if value:
                place = chains[k].next()
                yield _resistor(f"{source}_{k + 1}", place, abs(value))
                yield f"f{source}_{k + 1} {place} v{source} {1 if value > 0.0 else -1}"
        for j in range(k + 1, eq.units):
            tag = f"{k + 1}_{j + 1}"
            if p.coupling[k, j]:
                here, there = chains[k].next(), chains[j].next()
                yield f"* one resistor in the loops of units {k + 1} and {j + 1}, by an ideal transformer 1:1"
                yield _resistor(f"c{tag}", here, p.coupling[k, j])
                yield f"et{tag} {_turned(there)} {here} 1"
                yield f"ft{tag} {here} vi{j + 1} 1"
            if p.gyrator[k, j]:
                here, there, ohms = chains[k].next(), chains[j].next(), p.gyrator[k, j]
                yield f"* a gyrator of {number(ohms)} ohms from unit {k + 1} to unit {j + 1}"
                yield f"hg{tag}a {_turned(here)} vi{j + 1} {number(-ohms)}"
                yield f"hg{tag}b {_turned(there)} vi{k + 1} {number(ohms)}"
    yield ".ends"


class _Chain:
    """The nodes along a port's chain of `length` elements, from its ammeter to the port."""

    def __init__(self, port: int, length: int) -> None:
        self.start = f"n{port}_{length}"
        self._port, self._left, self._at = port, length, self.start

    def next(self) -> str:
        """The two nodes of the next element, the one nearer to ground first."""
        self._left -= 1
        start = self._at
        self._at = f"n{self._port}_{self._left}" if self._left else f"p{self._port}"
        return f"{start} {self._at}"


def _turned(nodes: str) -> str:
    """The far node first: the positive terminal of what raises the voltage towards the port."""
    first, second = nodes.split()
    return f"{second} {first}"


def _resistor(name: str, nodes: str, ohms: float) -> str:
    return f"r{name} {nodes} {number(ohms)}" if ohms > 0.0 else f"xr{name} {nodes} active r={number(ohms)}"
