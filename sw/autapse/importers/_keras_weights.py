"""Where the versions of Keras put the weights in an HDF5 file, as groups of datasets by ``kernel`` and the like.

Three layouts: whole models and Keras 2 weights, by the layers' names and the weights' names, nested as each version
pleases; ``.weights.h5`` and ``.keras``, by the layers' classes in snake case and positions, ``vars/0`` to ``vars/2``,
under ``layers`` or, written by Keras 2.12 to 2.14, under ``_layer_checkpoint_dependencies``.
Source: keras/src/saving/saving_lib.py and keras/src/legacy/saving/legacy_h5_format.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.importers._keras_config import Layer
from autapse.importers._reading import check_finite, decode

Weights = Mapping[str, Any]
WEIGHTS = ("kernel", "recurrent_kernel", "bias")
#: Where a layer is there, and its weights are not.
UNBUILT = "was the model saved before it was built? Call it once, or train it, and save again"

_PATHS = {
    "SimpleRNN": "simple_rnn/cell",
    "RNN(SimpleRNNCell)": "rnn/cell",
    "Dense": "dense",
    "TimeDistributed(Dense)": "time_distributed/layer",
}
#: The groups of a ``.weights.h5`` in which the layers are.
PLACES = ("layers", "_layer_checkpoint_dependencies")
_EXPECTED = "expected SimpleRNN layers, then at most one linear Dense"


def named(group: Any, layer: str) -> Weights:
    """The layer's datasets by leaf name, without TensorFlow's ``:0``, whatever the groups between are called."""
    import h5py

    group = group.get(layer) if isinstance(group, h5py.Group) else None
    found: dict[str, Any] = {}
    if not isinstance(group, h5py.Group):
        return found

    def visit(path: str, item: Any) -> None:
        leaf = path.rsplit("/", 1)[-1].removesuffix(":0")
        if leaf in WEIGHTS and isinstance(item, h5py.Dataset):
            if leaf in found:
                raise ValueError(f"layer {layer!r} has more than one {leaf}: {found[leaf].name} and {item.name}")
            found[leaf] = item

    group.visititems(visit)
    return found


def positional(file: Any) -> Mapping[str, Weights]:
    """The groups with weights of a ``.weights.h5``, by their paths without ``vars``; the optimizer's are left out."""
    import h5py

    found: dict[str, dict[str, Any]] = {}

    def visit(path: str, item: Any) -> None:
        place, _, position = path.rpartition("/")
        if not isinstance(item, h5py.Dataset) or not place.endswith("vars"):
            return
        place = place.removesuffix("vars").rstrip("/")
        if place.startswith("optimizer") or "seed_generator" in place:
            return
        order = WEIGHTS if place.endswith("/cell") else ("kernel", "bias")
        name = order[int(position)] if position.isdecimal() and int(position) < len(order) else position
        found.setdefault(place, {})[name] = item

    file.visititems(visit)
    return found


def of_class(groups: Mapping[str, Weights], layer: Layer, chain: Sequence[Layer]) -> Weights:
    """The weights, in a ``.keras`` archive, of a layer; empty where there are none.

    Keras counts the layers of a class, those of `chain` among them, from the second one: ``simple_rnn_1``.
    """
    path = _PATHS[layer.kind]
    before = sum(other.kind == layer.kind for other in chain[: chain.index(layer)]) if layer in chain else 0
    if before:
        path = path.replace("/", f"_{before}/", 1)
    fitting = [place for place in groups if place == path or place.endswith(f"/{path}")]
    if len(fitting) > 1:
        raise ValueError(f"layer {layer.name!r} ({layer.kind}) has weights at {' and '.join(fitting)}; expected one")
    return groups[fitting[0]] if fitting else {}


def by_shape(groups: Mapping[str, Weights], activation: str) -> tuple[list[Layer], Layer | None]:
    """The layers of a file with weights only, found by paths and shapes; the readout is taken to be linear.

    The layers' names are the keys of `groups`. Raises ValueError for all but SimpleRNN layers and at most one
    Dense.
    """
    cells = [place for place, weights in groups.items() if "recurrent_kernel" in weights or place.endswith("/cell")]
    if not cells:
        raise ValueError(
            f"holds no recurrent weights; {_EXPECTED}. It holds {', '.join(list(groups)[:4]) or 'nothing'}"
        )
    for place in cells:
        kind = re.sub(r"_\d+$", "", place.removesuffix("/cell").rpartition("/")[2])
        if kind in ("forward_layer", "backward_layer") or "bidirectional" in place:
            raise ValueError(f"{place} belongs to a bidirectional layer, which is not read; {_EXPECTED}")
        if place.endswith("/cell") and kind not in ("simple_rnn", "rnn"):
            raise ValueError(f"{place} belongs to a layer of the class {kind}, which is not read; {_EXPECTED}")
    rnns = [_by_shape(groups, place, activation) for place in _in_order(cells)]
    others = [other for other in groups if other not in cells and groups[other]]
    for other in others:
        kernel = groups[other].get("kernel")
        last = re.sub(r"_\d+$", "", other.rpartition("/")[2])
        layout = "/" not in other or last in ("dense", "layer")  # a name that a user gave, or Keras' class
        if not layout or kernel is None or len(kernel.shape) != 2 or set(groups[other]) - {"kernel", "bias"}:
            raise ValueError(f"{other} holds weights that are no Dense layer's; {_EXPECTED}")
    if len(others) > 1:
        raise ValueError(f"holds {len(others)} layers besides the SimpleRNN, {', '.join(others[:4])}; {_EXPECTED}")
    if not others:
        return rnns, None
    weights = groups[others[0]]
    return rnns, Layer(others[0], "Dense", int(weights["kernel"].shape[1]), "identity", "bias" in weights)


def _in_order(cells: list[str]) -> list[str]:
    """The places of recurrent layers in the order of the model: as they are listed by name, or by their numbers."""
    counted = [re.fullmatch(r"(.*?)(?:_(\d+))?/cell", place) for place in cells]
    if len(cells) == 1 or not all(counted):
        return cells
    kinds = {match[1] for match in counted if match}
    if len(kinds) > 1:
        raise ValueError(f"the order of {' and '.join(cells)} is not in the file; save the whole model; {_EXPECTED}")
    return [place for _, place in sorted((int(m[2] or 0), m[0]) for m in counted if m)]


def _by_shape(groups: Mapping[str, Weights], place: str, activation: str) -> Layer:
    """One recurrent layer; ValueError unless it is a SimpleRNN."""
    if "recurrent_kernel" not in groups[place]:
        raise ValueError(f"{place} has no weight recurrent_kernel; {_EXPECTED}")
    shape = groups[place]["recurrent_kernel"].shape
    units = int(shape[0]) if len(shape) == 2 else 0
    if units and shape[1] in (3 * units, 4 * units):
        gated = {3: "a GRU", 4: "an LSTM"}[shape[1] // units]
        raise ValueError(f"{place} has recurrent weights of shape {shape}: {gated}, which is not read; {_EXPECTED}")
    return Layer(place, "SimpleRNN", units, activation, "bias" in groups[place])


def size(weights: Weights, name: str, axis: int) -> int:
    """The length of one axis of a weight, or -1 where it has no such axis (which `take` then refuses)."""
    shape = weights[name].shape if name in weights else None
    return int(shape[axis]) if shape and len(shape) > axis else -1


def take(layer: Layer, weights: Weights, name: str, shape: tuple[int, ...]) -> FloatArray:
    """One weight of the layer as float64 [to, from], after checking that it is there, its shape, and its values."""
    if name not in weights:
        raise ValueError(f"layer {layer.name!r} ({layer.kind}) has no weight {name}; {UNBUILT}")
    dataset = weights[name]
    if dataset.shape != shape:
        wanted = "(inputs, units)" if -1 in shape else str(shape)
        raise ValueError(
            f"{name} of layer {layer.name!r} ({layer.kind}, {layer.units} units) must have the shape {wanted}; "
            f"it is {dataset.shape}"
        )
    if dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2 and dataset.attrs.get("dtype") == "bfloat16":
        array = decode(dataset[()].tobytes(), "bfloat16").reshape(shape)
    elif dataset.dtype.kind == "f":
        array = np.asarray(dataset[()], dtype=np.float64)
    else:
        raise ValueError(f"{name} of layer {layer.name!r} ({layer.kind}) must be of floats; it is of {dataset.dtype}")
    check_finite(array, f"{name} of layer {layer.name!r} ({layer.kind})")
    return array.T
