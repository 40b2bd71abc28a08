"""What follows an RNN in an ONNX graph: reshaping, and the next RNN, or a linear readout as MatMul, Add and Gemm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.importers._onnx_graph import Graph, attributes, shown

EXPECTED = "expected forward RNNs in a chain, and after them at most one MatMul or Gemm with an Add"


@dataclass
class Head:
    """A path from an output of the RNN to an output of the graph, while it is walked.

    Attributes
    ----------
    axes
        What the axes of the tensor mean: ``time``, ``batch``, ``dir``, ``unit``, ``out``; ``?`` after a reshape.
    width
        The length of the last axis.
    W_out, b_out
        The readout, once it is met.
    layer
        The readout for `info`.
    at_end
        Whether only the last step, or a selection, is left.
    reached
        The outputs of the graph that lie on the path.
    following
        The RNN node whose input the path ends at.
    """

    axes: list[str]
    width: int
    W_out: FloatArray | None = None
    b_out: FloatArray | None = None
    layer: str = ""
    at_end: bool = False
    reached: list[str] = field(default_factory=list)
    following: Any = None


def walk(graph: Graph, name: str, axes: list[str], units: int) -> Head:
    """Follow the tensor `name` of the RNN to the graph's output, or to the input of another RNN.

    Raises ValueError that names the node for everything but reshaping, selecting steps and one linear readout.
    """
    head = Head(axes, units, at_end="time" not in axes)
    for _ in range(len(graph.nodes) + 1):  # no path is longer, unless it goes round
        if name in graph.outputs:
            head.reached.append(name)
        users = graph.users.get(name, [])
        if not users:
            return head
        if len(users) > 1:
            raise ValueError(f"{name!r} goes to {' and '.join(map(shown, users))}; {EXPECTED}")
        node = users[0]
        if node.op_type == "RNN" and name == node.input[0]:
            head.following = node
            return head
        if node.op_type in ("MatMul", "Gemm", "Add"):
            _linear(graph, node, name, head)
        elif node.domain not in ("", "ai.onnx") or node.op_type not in _PASSED_OVER:
            raise ValueError(f"{shown(node)} stands behind the RNN, which is not read; {EXPECTED}")
        else:
            head.axes = _PASSED_OVER[node.op_type](graph, node, head)
            if head.axes[-1:] not in (["unit"], ["out"]):
                raise ValueError(f"{shown(node)} mixes the units with another axis; {EXPECTED}")
        name = node.output[0]
    raise ValueError(f"the graph goes round in a circle at {name!r}; {EXPECTED}")


def _linear(graph: Graph, node: Any, name: str, head: Head) -> None:
    """Take a MatMul, Gemm or Add into the readout."""
    options = attributes(node)
    first = node.input[0] == name
    if node.op_type == "Add":
        if head.W_out is None or head.b_out is not None:
            raise ValueError(f"{shown(node)} stands behind the RNN, which is not read; {EXPECTED}")
        head.b_out = _bias(graph, node, node.input[1] if first else node.input[0], head.width)
        return
    if head.W_out is not None:
        raise ValueError(f"{shown(node)} is a second layer behind the RNN, which is not read; {EXPECTED}")
    if not first or options.get("transA", 0):
        raise ValueError(f"{shown(node)} multiplies the states from the left or transposed; {EXPECTED}")
    kernel = graph.floats(node.input[1], f"the weight of {shown(node)}", 2)
    if not options.get("transB", 0):
        kernel = kernel.T
    if kernel.shape[1] != head.width:
        raise ValueError(
            f"the weight of {shown(node)} must have the shape (outputs, {head.width}); it is {kernel.shape}"
        )
    head.W_out = kernel * float(options.get("alpha", 1.0))
    head.width = kernel.shape[0]
    head.axes = [*head.axes[:-1], "out"]
    head.layer = f"{node.name or node.output[0]} ({node.op_type}, {head.width})"
    if len(node.input) > 2 and node.input[2]:
        head.b_out = _bias(graph, node, node.input[2], head.width) * float(options.get("beta", 1.0))


def _bias(graph: Graph, node: Any, name: str, width: int) -> FloatArray:
    value = graph.constant(name)
    bias = graph.floats(name, f"the bias of {shown(node)}", 1 if value is None else value.ndim)
    if bias.size not in (1, width) or (bias.ndim and bias.shape[-1] != bias.size):
        raise ValueError(f"the bias of {shown(node)} must have the shape ({width},); it is {bias.shape}")
    return np.broadcast_to(bias.reshape(-1), (width,)).copy()


def _same(graph: Graph, node: Any, head: Head) -> list[str]:
    return head.axes


def _squeeze(graph: Graph, node: Any, head: Head) -> list[str]:
    gone = _axes(graph, node, len(head.axes))
    if gone is None:  # all axes of length 1: the directions for certain
        return [axis for axis in head.axes if axis != "dir"]
    return [axis for i, axis in enumerate(head.axes) if i not in gone]


def _unsqueeze(graph: Graph, node: Any, head: Head) -> list[str]:
    new = _axes(graph, node, len(head.axes) + 1)
    axes = list(head.axes)
    for at in sorted(new or []):
        axes.insert(at, "?")
    return axes


def _transpose(graph: Graph, node: Any, head: Head) -> list[str]:
    perm = attributes(node).get("perm", list(range(len(head.axes)))[::-1])
    return [head.axes[i] for i in perm]


def _reshape(graph: Graph, node: Any, head: Head) -> list[str]:
    sizes = graph.integers(node.input[1])
    if not sizes:
        raise ValueError(f"{shown(node)} has a shape that is computed when the model runs; {EXPECTED}")
    kept = len(sizes) - 1
    joined = sizes[-1] == -1 and not any(sizes[:-1]) and all(axis == "dir" for axis in head.axes[kept:-1])
    if sizes[-1] != head.width and not joined and not (sizes[-1] == 0 and len(sizes) == len(head.axes)):
        return ["?"]
    return [head.axes[i] if n == 0 and i < len(head.axes) else "?" for i, n in enumerate(sizes[:-1])] + head.axes[-1:]


def _flatten(graph: Graph, node: Any, head: Head) -> list[str]:
    at = attributes(node).get("axis", 1) % len(head.axes)
    return ["?", *head.axes[-1:]] if all(axis == "dir" for axis in head.axes[at:-1]) else ["?"]


def _gather(graph: Graph, node: Any, head: Head) -> list[str]:
    at = attributes(node).get("axis", 0) % len(head.axes)
    index = graph.constant(node.input[1])
    if index is None or index.size != 1:
        raise ValueError(f"{shown(node)} selects with an index that is no single constant; {EXPECTED}")
    head.at_end = head.at_end or head.axes[at] in ("time", "?")
    if at == len(head.axes) - 1:
        return ["?"]
    return [axis for i, axis in enumerate(head.axes) if i != at or index.ndim]


def _slice(graph: Graph, node: Any, head: Head) -> list[str]:
    options = attributes(node)
    axes = options.get("axes") or (graph.integers(node.input[3]) if len(node.input) > 3 else None)
    steps = graph.integers(node.input[4]) if len(node.input) > 4 else [1]
    if axes is None or steps is None or any(step < 1 for step in steps):
        raise ValueError(f"{shown(node)} cuts axes that are not named, or backwards; {EXPECTED}")
    cut = [axis % len(head.axes) for axis in axes]
    head.at_end = head.at_end or any(head.axes[axis] in ("time", "?") for axis in cut)
    return ["?"] if len(head.axes) - 1 in cut else head.axes


def _axes(graph: Graph, node: Any, count: int) -> list[int] | None:
    """The axes of Squeeze or Unsqueeze: an attribute before opset 13, an input since."""
    axes = attributes(node).get("axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = graph.integers(node.input[1])
        if axes is None:
            raise ValueError(f"{shown(node)} has axes that are computed when the model runs; {EXPECTED}")
    return None if axes is None else [int(axis) % count for axis in axes]


_PASSED_OVER = {
    "Identity": _same,
    "Dropout": _same,
    "Cast": _same,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Gather": _gather,
    "Slice": _slice,
}
