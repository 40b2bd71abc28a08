"""ONNX models with a chain of ``RNN`` operators and at most one linear layer after it, read with the package `onnx`.

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

from autapse.errors import MissingToolError, one_line
from autapse.fixed import FloatArray
from autapse.importers._onnx_graph import Graph, attributes, shown
from autapse.importers._onnx_head import EXPECTED, Head, walk
from autapse.importers._reading import reading
from autapse.importers._stack import one_activation, stacked
from autapse.network import Network

_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu"}
_VERSIONS = (7, 14, 22)


def is_onnx(start: bytes) -> bool:
    """Whether a file starts like a serialised ONNX model: its first field, the version, and the tag of a second."""
    return len(start) >= 3 and start[0] == 0x08 and 3 <= start[1] < 64 and start[2] in b"\x12\x1a\x22\x28\x32\x3a\x42"


def load(path: str | os.PathLike[str]) -> Network:
    """Read an ONNX model: forward RNNs (tanh, sigmoid or relu), then at most one MatMul or Gemm, with an Add.

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
    chain = _chain(graph)
    names = [node.name or f"rnn_{k}" for k, node in enumerate(chain)]
    _source(graph, chain[0])
    layers = [_layer(graph, node) for node in chain]
    activation = one_activation([_activation(node, attributes(node)) for node in chain], names)
    head = _readout(graph, chain[-1], len(layers[-1]["W"]))
    listed = [
        f"{node.name or 'rnn'} (RNN, {len(found['W'])}, {activation})"
        for node, found in zip(chain, layers, strict=True)
    ]
    if head.W_out is not None:
        layers[-1]["W_out"] = head.W_out
        listed.append(head.layer)
        if head.b_out is not None:
            layers[-1]["b_out"] = head.b_out
    info = {"source": source, "format": layout, "layers": ", ".join(listed)}
    if head.at_end:
        info["readout"] = "at every step; the model's own is at the last step, or a selection, only"
    return Network(**stacked(layers, names), activation=activation, info=info)


def _layer(graph: Graph, node: Any) -> dict[str, FloatArray]:
    """The arrays of one RNN node."""
    options = attributes(node)
    _refuse(node, options)
    inputs = [*node.input, *[""] * 6][:6]
    W = _direction(graph.floats(inputs[1], f"W of {shown(node)}", 3), "W", node)
    R = _direction(graph.floats(inputs[2], f"R of {shown(node)}", 3), "R", node)
    units = R.shape[0]
    if R.shape != (units, units) or W.shape[0] != units or options.get("hidden_size", units) != units:
        hidden = options.get("hidden_size", "not given")
        raise ValueError(f"{shown(node)} has W {W.shape}, R {R.shape} and hidden_size {hidden}; they must agree")
    arrays: dict[str, FloatArray] = {"W": R, "W_in": W}
    if inputs[3]:
        both = _direction(graph.floats(inputs[3], f"B of {shown(node)}", 2), "B", node)
        if both.shape != (2 * units,):
            raise ValueError(f"B of {shown(node)} must have {2 * units} numbers; it has {both.size}")
        arrays["b"] = both[:units] + both[units:]
    _lengths(graph, node, inputs[4])
    if inputs[5]:
        arrays["h0"] = _initial(graph, node, inputs[5], units)
    return arrays


def _chain(graph: Graph) -> list[Any]:
    """The RNN nodes, the first one first; each takes the states of all steps of the one before it."""
    nodes = _rnns(graph)
    if len(nodes) == 1:
        return nodes
    followers = {node.output[0]: _following(graph, node) for node in nodes}
    fed = [node.output[0] for node in followers.values() if node is not None]
    chain: list[Any] = [node for node in nodes if node.output[0] not in fed][:1]
    while len(chain) in range(1, len(nodes)) and (node := followers[chain[-1].output[0]]) is not None:
        chain.append(node)
    if len(chain) != len(nodes):
        raise ValueError(f"{' and '.join(map(shown, nodes))} are not one chain; {EXPECTED}")
    return chain


def _following(graph: Graph, node: Any) -> Any:
    """The RNN node that takes the states of `node` at every step, as they are; None behind the last one."""
    if not node.output[0] or (node.output[0] not in graph.users and node.output[0] not in graph.outputs):
        return None
    units = int(attributes(node).get("hidden_size", -1))
    path = walk(graph, node.output[0], _axes(node), units)
    if path.following is None:
        return None
    plain = [axis for axis in _axes(node) if axis != "dir"]
    if path.axes != plain or path.at_end or path.W_out is not None or path.reached:
        raise ValueError(f"{shown(path.following)} does not take the states of {shown(node)} as they are; {EXPECTED}")
    if len(node.output) > 1 and node.output[1] and (node.output[1] in graph.users or node.output[1] in graph.outputs):
        raise ValueError(f"the last state of {shown(node)} is used beside its states; {EXPECTED}")
    return path.following


def _rnns(graph: Graph) -> list[Any]:
    """The RNN nodes, in the order of the file."""
    found = [node for node in graph.nodes if node.op_type == "RNN" and node.domain in ("", "ai.onnx")]
    others = [node for node in graph.nodes if node.op_type in ("GRU", "LSTM", "Scan", "Loop", "If")]
    if others:
        raise ValueError(f"{shown(others[0])} is not read; {EXPECTED}")
    if not found:
        raise ValueError(
            "the model has no RNN node; PyTorch's newer exporter unrolls it: torch.onnx.export(..., dynamo=False) "
            f"does not, or give the state_dict itself; {EXPECTED}"
        )
    return found


def _axes(node: Any) -> list[str]:
    """What the axes of an RNN's output Y mean."""
    batch_first = attributes(node).get("layout", 0) == 1
    return ["batch", "time", "dir", "unit"] if batch_first else ["time", "dir", "batch", "unit"]


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


def _source(graph: Graph, node: Any) -> None:
    """Check that x of the first RNN comes from the graph's input, its last axis untouched."""
    x = node.input[0]
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


def _lengths(graph: Graph, node: Any, lengths: str) -> None:
    """Check that no sequence is cut short."""
    if not lengths:
        return
    values = graph.integers(lengths)
    if values is None:
        raise ValueError(f"{shown(node)} has sequence_lens ({lengths!r}), which is no constant; expected none")
    sizes = graph.inputs[node.input[0]].type.tensor_type.shape.dim if node.input[0] in graph.inputs else []
    steps = sizes[_axes(node).index("time")].dim_value if len(sizes) == 3 else 0
    if len(set(values)) > 1 or (steps and set(values) != {steps}):
        raise ValueError(f"{shown(node)} has sequence_lens {values[:8]}, which differ; expected whole sequences")


def _initial(graph: Graph, node: Any, name: str, units: int) -> FloatArray:
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


def _readout(graph: Graph, node: Any, units: int) -> Head:
    """What becomes of the outputs Y, all states, and Y_h, the last one; every output of the graph must come of them."""
    whole = _axes(node)
    last = [axis for axis in whole if axis != "time"]
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
