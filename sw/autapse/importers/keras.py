"""Whole-model HDF5 files of Keras 2 and 3 (``model.save("net.h5")``), read with h5py alone.

The architecture comes from the attribute ``model_config``, the weights from ``model_weights/<layer name>``, where they
are found by their own names at any depth, because every Keras version nests them differently. Keras stores kernels as
[from, to]; a :class:`~autapse.network.Network` holds them as [to, from].
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import FileFormatError, MissingToolError
from autapse.fixed import FloatArray
from autapse.importers._keras_config import Layer, read_layers
from autapse.network import Network

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WEIGHTS = ("kernel", "recurrent_kernel", "bias")


def is_keras(path: str | os.PathLike[str]) -> bool:
    """Whether the file starts with the HDF5 signature; the name of the file plays no part.

    Raises OSError when the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def load(path: str | os.PathLike[str]) -> Network:
    """Read a Keras HDF5 model: one SimpleRNN (or RNN of one SimpleRNNCell), then at most one linear Dense.

    Without a Dense layer the readout is the state. `info` holds ``source``, ``format`` and ``layers``.

    Raises FileFormatError, one line that names the file and the layer, for everything else; FileNotFoundError for a
    missing file; MissingToolError when h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise MissingToolError(
            f"{path}: reading Keras files needs h5py, which is not installed; run: pip install 'autapse[keras]'"
        ) from None
    if not Path(path).is_file():
        if Path(path).is_dir():
            raise FileFormatError(f"{path}: is a folder; expected a Keras HDF5 file")
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            return _network(file, Path(path).name)
    except ValueError as error:
        raise FileFormatError(f"{path}: {_one_line(error)}") from None
    # What libhdf5 raises for a damaged file depends on where the damage is. RecursionError: deeply nested JSON.
    except (OSError, RuntimeError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise FileFormatError(f"{path}: not a readable HDF5 file (truncated or damaged): {_one_line(error)}") from None


def _network(file: Any, source: str) -> Network:
    text = _text(file.attrs.get("model_config"))
    if text is None:
        raise ValueError(
            "an HDF5 file without the attribute model_config; expected a whole Keras model, written by model.save() "
            "and not by save_weights()"
        )
    try:
        config = json.loads(text)
    except ValueError:
        raise ValueError("the attribute model_config is not JSON; expected a Keras model") from None
    rnn, head = read_layers(config)
    weights = _weights(file, rnn.name)
    inputs = _size(rnn, weights, "kernel", 0)
    arrays = {
        "W_in": _take(rnn, weights, "kernel", (inputs, rnn.units)),
        "W": _take(rnn, weights, "recurrent_kernel", (rnn.units, rnn.units)),
    }
    if rnn.use_bias:
        arrays["b"] = _take(rnn, weights, "bias", (rnn.units,))
    if head is not None:
        weights = _weights(file, head.name)
        arrays["W_out"] = _take(head, weights, "kernel", (rnn.units, head.units))
        if head.use_bias:
            arrays["b_out"] = _take(head, weights, "bias", (head.units,))
    version = _text(file.attrs.get("keras_version")) or "of unknown version"
    info = {
        "source": source,
        "format": f"Keras HDF5 {version}",
        "layers": str(rnn) if head is None else f"{rnn}, {head}",
    }
    return Network(**arrays, activation=rnn.activation, info=info)


def _weights(file: Any, layer: str) -> dict[str, Any]:
    """The layer's datasets by leaf name, without TensorFlow's ``:0``, whatever the groups between are called."""
    import h5py

    root = file.get("model_weights")
    group = root.get(layer) if isinstance(root, h5py.Group) else None
    found: dict[str, Any] = {}
    if not isinstance(group, h5py.Group):
        return found

    def visit(path: str, item: Any) -> None:
        leaf = path.rsplit("/", 1)[-1].removesuffix(":0")
        if leaf in _WEIGHTS and isinstance(item, h5py.Dataset):
            if leaf in found:
                raise ValueError(f"layer {layer!r} has more than one {leaf}: {found[leaf].name} and {item.name}")
            found[leaf] = item

    group.visititems(visit)
    return found


def _size(layer: Layer, weights: Mapping[str, Any], name: str, axis: int) -> int:
    """The length of one axis of a weight, or -1 where it has no such axis (which `_take` then refuses)."""
    shape = weights[name].shape if name in weights else None
    return int(shape[axis]) if shape and len(shape) > axis else -1


def _take(layer: Layer, weights: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> FloatArray:
    """One weight of the layer as float64 [to, from], after checking that it is there, its shape, and its values."""
    if name not in weights:
        raise ValueError(
            f"layer {layer.name!r} ({layer.kind}) has no weight {name}; "
            "was the model saved before it was built? Call it once, or train it, and save again"
        )
    dataset = weights[name]
    if dataset.shape != shape:
        wanted = "(inputs, units)" if -1 in shape else str(shape)
        raise ValueError(
            f"{name} of layer {layer.name!r} ({layer.kind}, {layer.units} units) must have the shape {wanted}; "
            f"it is {dataset.shape}"
        )
    if dataset.dtype.kind != "f":
        raise ValueError(f"{name} of layer {layer.name!r} ({layer.kind}) must be of floats; it is of {dataset.dtype}")
    array = np.asarray(dataset[()], dtype=np.float64)
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise ValueError(
            f"{name} of layer {layer.name!r} ({layer.kind}) must be finite; {bad} of {array.size} values are NaN or "
            "infinite"
        )
    return array.T


def _text(value: Any) -> str | None:
    """An attribute as text; Keras 2 stored byte strings, and long ones can come as one-element arrays."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
