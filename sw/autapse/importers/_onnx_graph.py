"""An ONNX graph as names, producers and users, and its constants as arrays; nothing of it is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.errors import one_line
from autapse.fixed import FloatArray
from autapse.importers._reading import check_finite

Array = NDArray[Any]

_FLOATS = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16")


def shown(node: Any) -> str:
    """A node for messages: its name and operator."""
    return f"node {node.name or node.output[0]!r} ({node.op_type})"


class Graph:
    """The graph of an ONNX model.

    Attributes
    ----------
    nodes
        The nodes, operators of the standard domain by their bare names.
    inputs, outputs
        Names of the graph's inputs, without those that have an initializer, and of its outputs.
    producers, users
        By a tensor's name: the node that makes it, and those that use it. ``Shape`` is not counted as a use.
    """

    def __init__(self, graph: Any, folder: Path) -> None:
        self.nodes = list(graph.node)
        self.folder = folder
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.inputs = {value.name: value for value in graph.input if value.name not in self._tensors}
        self.outputs = [value.name for value in graph.output]
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self.users: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in set(node.input) - {""}:
                if node.op_type != "Shape":
                    self.users.setdefault(name, []).append(node)

    def constant(self, name: str) -> Array | None:
        """The value of a tensor that no input of the graph changes, or None.

        Knows initializers, ``Constant``, and the operators that exporters put between a weight and its use.
        """
        return self._constant(name, 8)

    def _constant(self, name: str, depth: int) -> Array | None:
        if name in self._tensors:
            return self.array(self._tensors[name])
        node = self.producers.get(name)
        if node is None or depth == 0:
            return None
        if node.op_type == "Constant":
            value = attributes(node).get("value")
            if value is not None and hasattr(value, "data_type"):
                return self.array(value)
            plain = next((v for k, v in attributes(node).items() if k.startswith("value_")), None)
            return None if plain is None or isinstance(plain, bytes) else np.asarray(plain)
        if node.op_type not in ("Identity", "Unsqueeze", "Squeeze", "Transpose", "Concat", "Reshape"):
            return None
        values = [self._constant(each, depth - 1) for each in node.input]
        known = [value for value in values if value is not None]
        return _fold(node, known) if len(known) == len(values) else None

    def floats(self, name: str, what: str, axes: int) -> FloatArray:
        """A constant of floats as float64, or ValueError that names `what` it should be."""
        value = self.constant(name)
        if value is None:
            given = "an input of the graph" if name in self.inputs else "computed when the model runs"
            raise ValueError(f"{what} ({name!r}) is {given}; expected a constant of the model")
        if value.ndim != axes or value.size == 0:
            raise ValueError(f"{what} ({name!r}) must have {axes} axes, none of them empty; its shape is {value.shape}")
        if value.dtype.kind != "f":
            raise ValueError(f"{what} ({name!r}) must be of floats; it is of {value.dtype}")
        array = value.astype(np.float64)
        check_finite(array, f"{what} ({name!r})")
        return array

    def integers(self, name: str) -> list[int] | None:
        """A constant of integers as a list, or None."""
        value = self.constant(name)
        return None if value is None or value.dtype.kind != "i" else [int(n) for n in value.reshape(-1)]

    def array(self, tensor: Any) -> Array:
        """A stored tensor; its external data, if it has any, from beside the model."""
        import onnx
        from onnx import external_data_helper as external

        if external.uses_external_data(tensor):
            try:
                external.load_external_data_for_tensor(tensor, str(self.folder))
                tensor.data_location = onnx.TensorProto.DEFAULT  # it is in the tensor now
            except Exception as error:  # a missing file or one outside the folder: onnx raises what it pleases
                location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "?")
                raise ValueError(
                    f"the external data of {tensor.name!r}, in the file {location!r} beside the model, cannot be read: "
                    f"{one_line(error)}"
                ) from None
        try:
            array = np.asarray(onnx.numpy_helper.to_array(tensor))
            kind = onnx.TensorProto.DataType.Name(tensor.data_type)
        except Exception as error:  # an unknown type, or not as many numbers as the shape says
            raise ValueError(f"the tensor {tensor.name!r} is damaged: {one_line(error)}") from None
        if kind in _FLOATS:
            return array.astype(np.float64)  # bfloat16 too, which NumPy does not count among its floats
        return array


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes by name, text as str."""
    import onnx

    found = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        elif isinstance(value, list) and value and isinstance(value[0], bytes):
            value = [item.decode("utf-8", errors="replace") for item in value]
        found[attribute.name] = value
    return found


def _fold(node: Any, values: Sequence[Array]) -> Array:
    """The value of one of the operators that `Graph.constant` knows."""
    first, options = values[0], attributes(node)
    axes = options.get("axes", [int(n) for n in values[1].reshape(-1)] if len(values) > 1 else None)
    if node.op_type == "Unsqueeze":
        return np.expand_dims(first, tuple(axes or ()))
    if node.op_type == "Squeeze":
        return np.squeeze(first, None if axes is None else tuple(axes))
    if node.op_type == "Transpose":
        return np.transpose(first, options.get("perm"))
    if node.op_type == "Concat":
        return np.concatenate(list(values), axis=int(options["axis"]))
    if node.op_type == "Reshape":
        sizes = [first.shape[i] if n == 0 else int(n) for i, n in enumerate(values[1].reshape(-1))]
        return first.reshape(sizes)
    return first
