"""ONNX models with one ``RNN`` operator and at most one linear layer after it, read with the package `onnx`.

The operator computes h <- f(W x + Wb + R h + Rb), with W (directions, units, inputs), R (directions, units, units) and
B (directions, [Wb, Rb]): [to, from] already. Its inputs and attributes are of three versions, since opsets 7, 14
(`layout`) and 22 (bfloat16). Everything that it allows and a :class:`~autapse.network.Network` cannot do is refused by
name. The graph is read, never run.
Source: https://onnx.ai/onnx/operators/onnx__RNN.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import MissingToolError
from autapse.fixed import FloatArray
from autapse.importers._onnx_graph import Graph, attributes, shown
from autapse.importers._onnx_head import EXPECTED, Head, walk
from autapse.importers._reading import one_line, reading
from autapse.network import Network

_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu"}
_VERSIONS = (7, 14, 22)


def is_onnx(start: bytes) -> bool:
    """Whether a file starts like a serialised ONNX model: its first field, the version, and the tag of a second."""
    return len(start) >= 3 and start[0] == 0x08 and 3 <= start[1] < 64 and start[2] in b"\x12\x1a\x22\x28\x32\x3a\x42"


def load(path: str | os.PathLike[str]) -> Network:
    """Read an ONNX model: one forward RNN (tanh, sigmoid or relu), then at most one MatMul or Gemm, with an Add.

    Reshaping between them is passed over, and so is a selection of steps: a network has a readout at each of them, and
    `info` says where the model has the last, or a selection, only. Weights in external files are read from beside the
    model.

    Raises FileFormatError, one line that names the file and the node, for everything else; FileNotFoundError;
    MissingToolError when onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingToolError(
            f"{path}: reading ONNX files needs onnx, which is not installed; run: pip install 'autapse[onnx]'"
        ) from None
    with reading(path, "an ONNX file"):
        raw = Path(path).read_bytes()
        try:
            model = onnx.ModelProto.FromString(raw)
        except Exception as error:  # protobuf's DecodeError derives from Exception alone
            raise ValueError(f"not a readable ONNX file (truncated or damaged): {one_line(error)}") from None
        opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
        if opset < _VERSIONS[0]:
            raise ValueError(f"uses opset {opset} of ONNX; expected 7 or later, which onnx.version_converter writes")
        version = max(v for v in _VERSIONS if v <= opset)
        known = min(opset, onnx.defs.onnx_opset_version())
        if onnx.defs.get_schema("RNN", known, "").since_version != version:
            raise ValueError(f"uses opset {opset} of ONNX, whose RNN is newer than {_VERSIONS[-1]}")
        graph = Graph(model.graph, Path(path).parent)
        return _network(graph, Path(path).name, f"ONNX opset {opset}")


def _network(graph: Graph, source: str, layout: str) -> Network:
    node = _rnn(graph)
    options = attributes(node)
    _refuse(node, options)
    activation = _activation(node, options)
    inputs = [*node.input, *[""] * 6][:6]
    W = _direction(graph.floats(inputs[1], f"W of {shown(node)}", 3), "W", node)
    R = _direction(graph.floats(inputs[2], f"R of {shown(node)}", 3), "R", node)
    units = R.shape[0]
    if R.shape != (units, units) or W.shape[0] != units or options.get("hidden_size", units) != units:
        hidden = options.get("hidden_size", "not given")
        raise ValueError(f"{shown(node)} has W {W.shape}, R {R.shape} and hidden_size {hidden}; they must agree")
    arrays: dict[str, Any] = {"W": R, "W_in": W}
    if inputs[3]:
        both = _direction(graph.floats(inputs[3], f"B of {shown(node)}", 2), "B", node)
        if both.shape != (2 * units,):
            raise ValueError(f"B of {shown(node)} must have {2 * units} numbers; it has {both.size}")
        arrays["b"] = both[:units] + both[units:]
    batch_first = options.get("layout", 0) == 1
    _inputs(graph, node, inputs[0], inputs[4], batch_first)
    if inputs[5]:
        arrays["h0"] = _initial(graph, node, inputs[5], units, batch_first)
    head = _readout(graph, node, units, batch_first)
    layers = f"{node.name or 'rnn'} (RNN, {units}, {activation})"
    if head.W_out is not None:
        arrays["W_out"] = head.W_out
        layers += f", {head.layer}"
        if head.b_out is not None:
            arrays["b_out"] = head.b_out
    info = {"source": source, "format": layout, "layers": layers}
    if head.at_end:
        info["readout"] = "at every step; the model's own is at the last step, or a selection, only"
    return Network(**arrays, activation=activation, info=info)


def _rnn(graph: Graph) -> Any:
    """The one RNN node."""
    found = [node for node in graph.nodes if node.op_type == "RNN" and node.domain in ("", "ai.onnx")]
    others = [node for node in graph.nodes if node.op_type in ("GRU", "LSTM", "Scan", "Loop", "If")]
    if others:
        raise ValueError(f"{shown(others[0])} is not read; {EXPECTED}")
    if len(found) > 1:
        raise ValueError(f"stacked layers, {' and '.join(map(shown, found))}, are not read yet; {EXPECTED}")
    if not found:
        raise ValueError(
            "the model has no RNN node; PyTorch's newer exporter unrolls it: torch.onnx.export(..., dynamo=False) "
            f"does not, or give the state_dict itself; {EXPECTED}"
        )
    return found[0]


def _refuse(node: Any, options: dict[str, Any]) -> None:
    direction = options.get("direction", "forward")
    if direction != "forward":
        raise ValueError(f"{shown(node)} has direction={direction!r}, which is not read; expected 'forward'")
    if "clip" in options:
        raise ValueError(f"{shown(node)} has clip={options['clip']:g}, which the core cannot do; expected none")
    if options.get("layout", 0) not in (0, 1):
        raise ValueError(f"{shown(node)} has layout={options['layout']}; expected 0 or 1")


def _activation(node: Any, options: dict[str, Any]) -> str:
    names = options.get("activations", ["Tanh"])
    given = names[0] if len(names) == 1 else names
    if len(names) == 1 and given.lower() in _ACTIVATIONS:
        return _ACTIVATIONS[given.lower()]
    alpha, beta = (options.get(f"activation_{key}", [default])[0] for key, default in (("alpha", 1.0), ("beta", 0.0)))
    if len(names) == 1 and given.lower() == "affine" and (alpha, beta) == (1.0, 0.0):
        return "identity"
    raise ValueError(f"{shown(node)} has the activation {given!r}; expected one of Tanh, Sigmoid, Relu")


def _direction(array: FloatArray, what: str, node: Any) -> FloatArray:
    if array.shape[0] != 1:
        raise ValueError(f"{what} of {shown(node)} has {array.shape[0]} directions; expected one, forward")
    return np.asarray(array[0], dtype=np.float64)


def _inputs(graph: Graph, node: Any, x: str, lengths: str, batch_first: bool) -> None:
    """Check that x comes from the graph's input, its last axis untouched, and that no sequence is cut short."""
    for _ in graph.nodes:
        if x not in graph.producers:
            break
        before = graph.producers[x]
        perm = attributes(before).get("perm", [2, 1, 0])
        if before.op_type not in ("Identity", "Cast") and (before.op_type != "Transpose" or perm[-1] != len(perm) - 1):
            raise ValueError(f"{shown(before)} stands before the RNN, which is not read; {EXPECTED}")
        x = before.input[0]
    if x not in graph.inputs:
        raise ValueError(f"x of {shown(node)} is not an input of the graph")
    if not lengths:
        return
    values = graph.integers(lengths)
    if values is None:
        raise ValueError(f"{shown(node)} has sequence_lens ({lengths!r}), which is no constant; expected none")
    sizes = graph.inputs[node.input[0]].type.tensor_type.shape.dim if node.input[0] in graph.inputs else []
    steps = sizes[1 if batch_first else 0].dim_value if len(sizes) == 3 else 0
    if len(set(values)) > 1 or (steps and set(values) != {steps}):
        raise ValueError(f"{shown(node)} has sequence_lens {values[:8]}, which differ; expected whole sequences")


def _initial(graph: Graph, node: Any, name: str, units: int, batch_first: bool) -> FloatArray:
    """The initial state, one for all sequences."""
    made = graph.producers.get(name)
    if made is not None and made.op_type == "Expand" and graph.constant(made.input[0]) is not None:
        name = made.input[0]
    if made is not None and made.op_type == "ConstantOfShape":  # zeros for any batch: what PyTorch writes
        value = attributes(made).get("value")
        array = np.zeros(1) if value is None else np.asarray(graph.array(value), dtype=np.float64)
        return np.full(units, float(array.reshape(-1)[0]))
    shape = graph.constant(name)
    states = graph.floats(name, f"initial_h of {shown(node)}", 3 if shape is None else shape.ndim)
    if states.shape[-1:] != (units,):
        raise ValueError(f"initial_h of {shown(node)} must end in {units} units; its shape is {states.shape}")
    rows = states.reshape(-1, units)
    if np.any(rows != rows[0]):
        raise ValueError(f"initial_h of {shown(node)} differs between the sequences of the batch; expected one state")
    return np.array(rows[0])


def _readout(graph: Graph, node: Any, units: int, batch_first: bool) -> Head:
    """What becomes of the outputs Y, all states, and Y_h, the last one; every output of the graph must come of them."""
    whole = ["batch", "time", "dir", "unit"] if batch_first else ["time", "dir", "batch", "unit"]
    last = [axis for axis in whole if axis != "time"] if batch_first else ["dir", "batch", "unit"]
    paths = []
    for name, axes in zip(node.output, (whole, last), strict=False):
        if name and (name in graph.users or name in graph.outputs):
            paths.append(walk(graph, name, axes, units))
    reached = [name for path in paths for name in path.reached]
    foreign = [name for name in graph.outputs if name not in reached]
    if foreign or not paths:
        raise ValueError(f"the output {foreign[0]!r} does not come from {shown(node)}" if foreign else "has no output")
    heads = [path for path in paths if path.W_out is not None]
    if len(heads) > 1:
        raise ValueError(f"{shown(node)} has two readouts, {heads[0].layer} and {heads[1].layer}; expected one")
    return heads[0] if heads else paths[0]
