"""Keras files of versions 2 and 3, read with h5py alone: whole models in HDF5, ``.keras`` archives, and weights.

The architecture comes from the attribute ``model_config`` of a whole model or from ``config.json`` in an archive; a
file of ``save_weights`` holds none, so that layers are told by their weights, and the activation is an option. Keras
stores kernels as [from, to]; a :class:`~autapse.network.Network` holds them as [to, from].
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import MissingToolError, one_line
from autapse.fixed import FloatArray
from autapse.importers import _hdf5
from autapse.importers import _keras_weights as stored
from autapse.importers._keras_config import Layer, read_layers
from autapse.importers._keras_weights import Weights
from autapse.importers._reading import check_activation, reading
from autapse.importers._stack import one_activation, stacked
from autapse.network import Network

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ARCHIVE_MEMBERS = ("config.json", "model.weights.h5")
_LIMIT = 1 << 30  # bytes of a member of an archive; a network of 10,000 units has 400 MB


def load(path: str | os.PathLike[str], *, activation: str | None = None) -> Network:
    """Read a Keras model: SimpleRNN layers (or RNN of one SimpleRNNCell), then at most one linear Dense.

    The kind is told by content: a whole model in HDF5, a ``.keras`` archive, or the weights of ``save_weights``, which
    do not say their `activation`: it is tanh, Keras' default, unless given, and may be given for those only. Without
    a Dense layer the readout is the state. `info` holds ``source``, ``format``, ``layers``, and for weights alone
    ``nonlinearity``.

    Raises FileFormatError, one line that names the file and the layer, for everything else; FileNotFoundError for a
    missing file; MissingToolError when h5py is not installed.
    """
    h5py = import_h5py(path, "Keras files", "keras")
    with reading(path, "a Keras file"):
        if zipfile.is_zipfile(path):
            _without(activation, "config.json")
            return _archive(Path(path), h5py)
    with reading(path, "an HDF5 file"):
        _hdf5.check(path)
    with reading(path, "an HDF5 file"), Path(path).open("rb"), h5py.File(path, "r") as file:
        if file.attrs.get("model_config") is not None:
            _without(activation, "model_config")
            return _whole(file, Path(path).name)
        return _weights_only(file, Path(path).name, activation)


def import_h5py(path: str | os.PathLike[str], what: str, extra: str) -> Any:
    """The module h5py, or MissingToolError with the command that installs it."""
    try:
        import h5py
    except ImportError:
        raise MissingToolError(
            f"{path}: reading {what} needs h5py, which is not installed; run: pip install 'autapse[{extra}]'"
        ) from None
    return h5py


def _without(activation: str | None, place: str) -> None:
    if activation is not None:
        raise ValueError(f"activation={activation!r} is for files without one; the layer's is in {place}")


def _whole(file: Any, source: str) -> Network:
    """A whole model in HDF5: ``model_config``, and the weights by the layers' names under ``model_weights``."""
    config = _json(_text(file.attrs.get("model_config")), "the attribute model_config")
    rnns, head = read_layers(config)
    version = _text(file.attrs.get("keras_version")) or "of unknown version"
    root = file.get("model_weights")
    return _network(rnns, head, lambda layer: stored.named(root, layer.name), source, f"Keras HDF5 {version}")


def _archive(path: Path, h5py: Any) -> Network:
    """A ``.keras`` archive: the configuration as JSON, the weights by the layers' classes."""
    with zipfile.ZipFile(path) as archive:
        for name in ARCHIVE_MEMBERS:
            if name not in archive.namelist():
                raise ValueError(f"a zip archive without {name}; expected a .keras archive")
            if archive.getinfo(name).file_size > _LIMIT:
                raise ValueError(f"its member {name} is larger than {_LIMIT:,} bytes")
        config = _json(archive.read(ARCHIVE_MEMBERS[0]), "config.json")
        version = "of unknown version"
        if "metadata.json" in archive.namelist():
            metadata = _json(archive.read("metadata.json"), "metadata.json")
            version = str(metadata.get("keras_version")) if isinstance(metadata, dict) else version
        weights = archive.read(ARCHIVE_MEMBERS[1])
    rnns, head = read_layers(config)
    _hdf5.check_bytes(weights)
    with h5py.File(io.BytesIO(weights), "r") as file:
        groups = stored.positional(file)
        find = lambda layer: stored.of_class(groups, layer, rnns)  # noqa: E731  # a closure, like its siblings
        return _network(rnns, head, find, path.name, f"Keras archive {version}")


def _weights_only(file: Any, source: str, activation: str | None) -> Network:
    """The weights of ``save_weights``: by position in Keras 3, by the layers' names in Keras 2."""
    function = check_activation(activation or "tanh")
    names = file.attrs.get("layer_names")
    if names is None:
        groups = stored.positional(file)
        layout = "Keras weights"
    else:
        texts = [_text(name) or "" for name in np.atleast_1d(names)]
        groups = {name: weights for name in texts if (weights := stored.named(file, name))}
        layout = f"Keras weights {_text(file.attrs.get('keras_version')) or ''}".rstrip()
    if not groups:
        if names is not None or any(place in file for place in stored.PLACES):
            raise ValueError(f"holds the layers of a Keras model without weights; {stored.UNBUILT}")
        raise ValueError(
            "an HDF5 file without the attribute model_config and without weights where Keras puts them; expected "
            "a whole Keras model, written by model.save(), or weights, written by model.save_weights()"
        )
    rnns, head = stored.by_shape(groups, function)
    net = _network(rnns, head, lambda layer: groups[layer.name], source, layout)
    said = "given by the user" if activation else "Keras' default"
    return net.with_info(nonlinearity=f"{function}, {said}: the file does not hold it; a linear readout is assumed")


def _network(
    rnns: list[Layer], head: Layer | None, find: Callable[[Layer], Weights], source: str, layout: str
) -> Network:
    """The network of the layers, whose weights `find` gives."""
    names = [rnn.name for rnn in rnns]
    activation = one_activation([rnn.activation for rnn in rnns], names)
    layers = [_recurrent(rnn, find(rnn)) for rnn in rnns]
    if head is not None:
        weights = find(head)
        layers[-1]["W_out"] = stored.take(head, weights, "kernel", (rnns[-1].units, head.units))
        if head.use_bias:
            layers[-1]["b_out"] = stored.take(head, weights, "bias", (head.units,))
    listed = ", ".join(map(str, rnns if head is None else [*rnns, head]))
    info = {"source": source, "format": layout, "layers": listed}
    return Network(**stacked(layers, names), activation=activation, info=info)


def _recurrent(rnn: Layer, weights: Weights) -> dict[str, FloatArray]:
    """The arrays of one recurrent layer."""
    inputs = stored.size(weights, "kernel", 0)
    arrays = {
        "W_in": stored.take(rnn, weights, "kernel", (inputs, rnn.units)),
        "W": stored.take(rnn, weights, "recurrent_kernel", (rnn.units, rnn.units)),
    }
    if rnn.use_bias:
        arrays["b"] = stored.take(rnn, weights, "bias", (rnn.units,))
    return arrays


def _json(text: str | bytes | None, what: str) -> Any:
    try:
        return json.loads(text or "")
    except ValueError as error:
        raise ValueError(f"{what} is not JSON; expected a Keras model: {one_line(error)}") from None


def _text(value: Any) -> str | None:
    """An attribute as text; Keras 2 stored byte strings, and long ones can come as one-element arrays."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else None
