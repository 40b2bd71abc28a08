"""NIR graphs, the Neuromorphic Intermediate Representation, as far as they are linear; read with h5py alone.

NIR describes dynamical systems in continuous time. Leaky integrators (``LI``), integrators (``I``) and current-based
leaky integrators (``CubaLI``) joined by ``Affine``, ``Linear`` and ``Scale`` are a linear rate network, in any topology
without a loop that skips the integrators:

    LI:      tau dv/dt = v_leak - v + r I            I:  dv/dt = r I
    CubaLI:  tau_syn dI/dt = -I + w_in S,  tau_mem dv/dt = v_leak - v + r I   (two units each, I and v)

Their states are of the current form, v <- d v + g (W s(v) + ...), which is the rate form as well, because s is the
identity. All are stepped at once, so that a node sees the others' states of the step before, and the inputs of this
one. Spiking nodes and convolutions are refused by name.
Source: https://neuroir.org/docs/primitives.html, and nir/serialization.py of nir 1.0.8.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.importers import _hdf5
from autapse.importers._nir_graph import Node, is_nir, read_graph
from autapse.importers._reading import reading
from autapse.importers.keras import import_h5py
from autapse.network import Network

__all__ = ["METHODS", "is_nir", "load"]

METHODS = ("euler", "exponential")
_STATES = {"LI": ("v",), "I": ("v",), "CubaLI": ("i", "v")}
_Step = Callable[[str, FloatArray], tuple[FloatArray, FloatArray]]
_EXPECTED = "expected Input, Output, Affine, Linear, Scale, LI, I and CubaLI"


def load(path: str | os.PathLike[str], *, dt: float | None = None, method: str | None = None) -> Network:
    """Read a linear NIR graph with one Input and one Output.

    Parameters
    ----------
    path
        The file.
    dt
        The time step in seconds, which NIR leaves to the user: must be given.
    method
        ``euler``, d = 1 - dt/tau and g = dt/tau, when left out; ``exponential``, d = exp(-dt/tau) and g = 1 - d, exact
        for inputs that are constant over the step.

    Raises FileFormatError, one line that names the file and the node, for everything else; FileNotFoundError;
    MissingToolError when h5py is not installed.
    """
    h5py = import_h5py(path, "NIR files", "nir")
    with reading(path, "an HDF5 file"):
        _hdf5.check(path)
    with reading(path, "an HDF5 file"), Path(path).open("rb"), h5py.File(path, "r") as file:
        if method not in (None, *METHODS):
            raise ValueError(f"method must be one of {', '.join(METHODS)}; not {method!r}")
        nodes, edges, version = read_graph(file)
        system = _System(nodes, edges)  # first, so that a spiking graph is refused whatever the options
        if dt is None:
            raise ValueError(
                "NIR describes continuous time: give the step in seconds, as in load(path, dt=1e-3) or --option dt=1e-3"
            )
        if not 0.0 < dt < float("inf"):
            raise ValueError(f"dt must be a time above 0 in seconds; it is {dt}")
        arrays = system.arrays(_steps(dt, method or "euler"), dt)
        listed = ", ".join(f"{name} ({node.kind}, {node.size})" for name, node in nodes.items() if node.kind in _STATES)
        info = {
            "source": Path(path).name,
            "format": f"NIR {version}",
            "layers": listed,
            "state": "current form, which equals the rate form without a nonlinearity",
            "discretisation": f"{method or 'euler'}, dt = {dt:g} s",
        }
        return Network(**arrays, activation="identity", info=info)


def _steps(dt: float, method: str) -> _Step:
    """The function that gives decay and gain of a node's time constants; the node's name is for messages."""

    def step(name: str, tau: FloatArray) -> tuple[FloatArray, FloatArray]:
        if np.any(tau <= 0.0):
            raise ValueError(f"node {name!r} has a time constant of {tau.min():g} s; expected more than 0")
        if method == "exponential":
            decay = np.exp(-dt / tau)
            return decay, 1.0 - decay
        if np.any(dt > 2.0 * tau):
            raise ValueError(f"dt = {dt:g} s is too long for node {name!r} with {tau.min():g} s: Euler would diverge")
        return 1.0 - dt / tau, dt / tau

    return step


@dataclass(frozen=True)
class _Affine:
    """A signal as an affine function of all states and inputs: A h + X x + c."""

    A: FloatArray
    X: FloatArray
    c: FloatArray

    def map(self, weight: FloatArray) -> _Affine:
        """`weight`, a matrix, applied to it."""
        return _Affine(weight @ self.A, weight @ self.X, weight @ self.c)

    def scale(self, by: FloatArray) -> _Affine:
        """Each element times one of `by`."""
        return _Affine(by[:, None] * self.A, by[:, None] * self.X, by * self.c)

    def __add__(self, other: _Affine) -> _Affine:
        return _Affine(self.A + other.A, self.X + other.X, self.c + other.c)


@dataclass
class _System:
    """The graph's states, and every node's signal in terms of them."""

    nodes: Mapping[str, Node]
    edges: list[tuple[str, str]]
    places: dict[str, int] = field(default_factory=dict)
    units: int = 0

    def __post_init__(self) -> None:
        for name, node in self.nodes.items():
            if node.kind not in (*_STATES, "Input", "Output", "Affine", "Linear", "Scale", "Through"):
                raise ValueError(f"node {name!r} is a {node.kind}, which is not a linear rate unit; {_EXPECTED}")
        for name, node in self.nodes.items():
            if node.kind in _STATES:
                self.places[name] = self.units
                self.units += node.size * len(_STATES[node.kind])
        if not self.units:
            raise ValueError(f"the graph has no integrators, so that nothing in it has a state; {_EXPECTED}")
        self.ends = {kind: self._one(kind) for kind in ("Input", "Output")}
        self.inputs = self.nodes[self.ends["Input"]].size
        self.signals: dict[str, _Affine] = {}
        self.active: list[str] = []

    def _one(self, kind: str) -> str:
        found = [name for name, node in self.nodes.items() if node.kind == kind]
        if len(found) != 1:
            raise ValueError(f"the graph has {len(found)} nodes {kind}; expected one")
        return found[0]

    def arrays(self, step: _Step, dt: float) -> dict[str, Any]:
        """The network's arrays, for decay and gain by `step` and an integrator's gain `dt`."""
        n = self.units
        total = {"W": np.zeros((n, n)), "W_in": np.zeros((n, self.inputs)), "b": np.zeros(n)}
        d, g = np.ones(n), np.ones(n)
        for name, at in self.places.items():
            node = self.nodes[name]
            drive, own = self.into(name), slice(at, at + node.size)
            if node.kind == "LI":
                d[own], g[own] = step(name, node["tau"])
            elif node.kind == "I":
                g[own] = dt
            else:
                d[own], g[own] = step(name, node["tau_syn"])
                drive = drive.scale(node["w_in"])
                current, own_v = own, slice(own.stop, own.stop + node.size)
                d[own_v], g[own_v] = step(name, node["tau_mem"])
                total["W"][own_v, current] = np.diag(node["r"])
                total["b"][own_v] = node["v_leak"]
            if node.kind != "CubaLI":
                drive = drive.scale(node["r"])
            total["W"][own], total["W_in"][own] = drive.A, drive.X
            total["b"][own] = drive.c + (node["v_leak"] if node.kind == "LI" else 0.0)
        out = self.into(self.ends["Output"])
        if np.any(out.X):
            raise ValueError("the Output depends on the Input without an integrator between; expected states only")
        return {**total, "d": d, "g": g, "W_out": out.A, "b_out": out.c}

    def into(self, name: str) -> _Affine:
        """The sum of what arrives at a node."""
        size = self.nodes[name].accepts
        total = _Affine(np.zeros((size, self.units)), np.zeros((size, self.inputs)), np.zeros(size))
        for source, target in self.edges:
            if target == name:
                signal = self.signal(source)
                if signal.c.size != size:
                    raise ValueError(f"node {name!r} takes {size} values, but {source!r} gives {signal.c.size}")
                total = total + signal
        return total

    def signal(self, name: str) -> _Affine:
        """What a node gives."""
        if name in self.signals:
            return self.signals[name]
        if name in self.active:
            raise ValueError(f"a loop through {name!r} passes no integrator; expected one in every loop")
        self.active.append(name)
        node = self.nodes[name]
        if node.kind == "Input":
            made = _Affine(np.zeros((node.size, self.units)), np.eye(node.size), np.zeros(node.size))
        elif node.kind in _STATES:
            rows = np.zeros((node.size, self.units))
            at = self.places[name] + node.size * (len(_STATES[node.kind]) - 1)  # the last of its states is v
            rows[:, at : at + node.size] = np.eye(node.size)
            made = _Affine(rows, np.zeros((node.size, self.inputs)), np.zeros(node.size))
        else:
            made = self.into(name)
            if node.kind in ("Affine", "Linear"):
                made = made.map(node["weight"])
            if node.kind == "Affine":
                made = _Affine(made.A, made.X, made.c + node["bias"])
            if node.kind == "Scale":
                made = made.scale(node["scale"])
        self.active.pop()
        self.signals[name] = made
        return made
