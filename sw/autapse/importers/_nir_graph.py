"""A NIR file as a flat list of nodes and edges: parameters checked, graphs inside the graph opened.

The file holds ``version`` and the group ``node``, a ``NIRGraph`` with the group ``nodes`` and the pairs ``edges``.
Every node has a ``type``, and its parameters under their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.importers._reading import check_finite

_PARAMETERS = {
    "LI": ("tau", "r", "v_leak"),
    "I": ("r",),
    "CubaLI": ("tau_mem", "tau_syn", "r", "v_leak", "w_in"),
    "Scale": ("scale",),
}
_DEPTH = 8


@dataclass(frozen=True)
class Node:
    """A node.

    Attributes
    ----------
    kind
        NIR's type, or ``Through`` for a node that hands its input on.
    size, accepts
        How many values it gives and takes; -1 for the kinds that are not read.
    parameters
        Float64, one-dimensional but for ``weight``.
    """

    kind: str
    size: int
    accepts: int
    parameters: dict[str, FloatArray]

    def __getitem__(self, name: str) -> FloatArray:
        return self.parameters[name]


def is_nir(file: Any) -> bool:
    """Whether an open HDF5 file is laid out as NIR does."""
    import h5py

    node = file.get("node")
    return isinstance(node, h5py.Group) and "type" in node


def read_graph(file: Any) -> tuple[dict[str, Node], list[tuple[str, str]], str]:
    """Nodes by name, edges, and NIR's version. Nodes of inner graphs are called ``graph.node``."""
    if not is_nir(file):
        raise ValueError("an HDF5 file without the group node of NIR")
    version = _text(file["version"][()]) if "version" in file else "of unknown version"
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    kind = _text(file["node"]["type"][()])
    if kind != "NIRGraph":
        raise ValueError(f"its outermost node is a {kind}; expected a NIRGraph")
    _collect(file["node"], "", nodes, edges, _DEPTH)
    return nodes, edges, version


def _collect(group: Any, prefix: str, nodes: dict[str, Node], edges: list[tuple[str, str]], depth: int) -> None:
    """Add the nodes and edges of one graph, and of those inside it."""
    if depth == 0:
        raise ValueError(f"graphs inside graphs, more than {_DEPTH} deep")
    if "nodes" not in group or "edges" not in group:
        raise ValueError(f"the graph {prefix or 'node'!r} has no nodes and edges")
    entries: dict[str, str] = {}  # an inner graph's name, as the end of an edge and as its start
    exits: dict[str, str] = {}
    names = set()
    for name, item in group["nodes"].items():
        full = f"{prefix}{name}"
        names.add(name)
        kind = _text(item["type"][()]) if "type" in item else ""
        if kind == "NIRGraph":
            before = set(nodes)
            _collect(item, f"{full}.", nodes, edges, depth - 1)
            for mine, end in ((entries, "Input"), (exits, "Output")):
                found = [n for n in nodes if n not in before and nodes[n].kind == end]
                if len(found) != 1:
                    raise ValueError(f"the inner graph {full!r} has {len(found)} nodes {end}; expected one")
                mine[name] = found[0]
                inner = nodes[found[0]]
                nodes[found[0]] = Node("Through", inner.size, inner.accepts, {})
        else:
            nodes[full] = _node(item, full, kind)
    listed = np.asarray(group["edges"][()])
    for pair in listed.reshape(-1, 2) if listed.size else []:
        source, target = map(_text, pair)
        for end in (source, target):
            if end not in names:
                raise ValueError(f"an edge of the graph {prefix or 'node'!r} names {end!r}, which is no node of it")
        edges.append((exits.get(source, f"{prefix}{source}"), entries.get(target, f"{prefix}{target}")))


def _node(item: Any, name: str, kind: str) -> Node:
    if kind in ("Input", "Output"):
        size = int(np.prod(_array(item, "shape", name), initial=1.0))
        return Node(kind, size, size, {})
    if kind in ("Affine", "Linear"):
        weight = _array(item, "weight", name)
        if weight.ndim != 2 or 0 in weight.shape:
            raise ValueError(f"weight of node {name!r} ({kind}) must have two axes; its shape is {weight.shape}")
        values = {"weight": weight}
        if kind == "Affine":
            values["bias"] = _sized(_array(item, "bias", name), weight.shape[0], "bias", name)
        return Node(kind, weight.shape[0], weight.shape[1], values)
    if kind in _PARAMETERS:
        raw = {key: _array(item, key, name) for key in _PARAMETERS[kind]}
        size = max(array.size for array in raw.values())
        return Node(kind, size, size, {key: _sized(array, size, key, name) for key, array in raw.items()})
    return Node(kind or "node without a type", -1, -1, {})


def _sized(array: FloatArray, size: int, key: str, name: str) -> FloatArray:
    """A parameter of one axis; a single number stands for all."""
    if array.size not in (1, size):
        raise ValueError(f"{key} of node {name!r} must have {size} values; it has {array.size}")
    return np.broadcast_to(array.reshape(-1), (size,)).astype(np.float64)


def _array(item: Any, key: str, name: str) -> FloatArray:
    if key not in item:
        raise ValueError(f"node {name!r} has no {key}")
    array = np.asarray(item[key][()])
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{key} of node {name!r} must be of numbers; it is of {array.dtype}")
    result = array.astype(np.float64)
    check_finite(result, f"{key} of node {name!r}")
    return result


def _text(value: Any) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
