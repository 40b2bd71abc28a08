"""PyTorch's ``torch.save(model.state_dict(), "net.pt")``, read without PyTorch and without running anything.

The file is a zip archive with the pickle ``<root>/data.pkl``, which names the tensors, and one record of raw numbers a
storage, ``<root>/data/<key>``; the record ``<root>/byteorder`` says which way round they are. Checkpoints, which hold
the state_dict in a dictionary beside other things, are read too.
Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.importers import _torch_names as names
from autapse.importers._reading import FLOATS, StoredTensor, decode, reading
from autapse.importers._tensor_pickle import SIZES, Tensor
from autapse.importers._tensor_pickle import decode as decode_pickle
from autapse.network import Network

_PICKLE_LIMIT = 1 << 24  # bytes; a thousand tensors need some 100 kB


def load(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    head: str | None = None,
    layer: str | None = None,
) -> Network:
    """Read a state_dict with one ``torch.nn.RNN`` (or ``RNNCell``) of one layer and at most one ``Linear`` after it.

    The options are those of :func:`autapse.importers._torch_names.build`: the nonlinearity is not in the file and is
    tanh unless `activation` says otherwise. All types of floats and both byte orders become float64.

    Raises FileFormatError, one line that names the file, for everything else, and FileNotFoundError.
    """
    with reading(path, "a PyTorch file"), zipfile.ZipFile(path) as archive:
        pickle = _pickle_name(archive.namelist())
        if archive.getinfo(pickle).file_size > _PICKLE_LIMIT:
            raise ValueError(f"its pickle is larger than {_PICKLE_LIMIT:,} bytes; expected a state_dict")
        content = decode_pickle(archive.read(pickle))
        groups = _groups(content, _Records(archive, pickle.removesuffix("data.pkl")))
        chosen = [group for group in groups.values() if names.holds_rnn(group)]
        if len(chosen) > 1:
            places = ", ".join(repr(key) for key, group in groups.items() if group in chosen)
            raise ValueError(
                f"holds {len(chosen)} state_dicts with a recurrent layer, under {places}; save one of them"
            )
        tensors = chosen[0] if chosen else next(iter(groups.values()), {})
        return names.build(
            tensors,
            source=Path(path).name,
            format="PyTorch state_dict",
            activation=activation,
            head=head,
            layer=layer,
        )


def _pickle_name(members: list[str]) -> str:
    """The archive's member that holds the pickle, after refusing TorchScript by name."""
    if any(name.endswith("constants.pkl") or "/code/" in name for name in members):
        raise ValueError("a TorchScript archive, which holds a program; save torch.save(model.state_dict(), path)")
    pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"a PyTorch archive with {len(pickles)} pickles data.pkl; expected one")
    return pickles[0]


class _Records:
    """The raw numbers in the archive.

    A record is read when a tensor needs it: optimizer states and other ballast of a checkpoint are never touched.
    """

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        self.archive = archive
        self.root = root
        order = f"{root}byteorder"  # absent before PyTorch 2.1, which wrote the machine's order: little, nearly always
        text = archive.read(order).strip() if order in archive.namelist() else b"little"
        if text not in (b"little", b"big"):
            raise ValueError(f"the record byteorder is {text[:20]!r}; expected little or big")
        self.order = "<" if text == b"little" else ">"

    def stored(self, tensor: Tensor) -> StoredTensor:
        return StoredTensor(tensor.shape, tensor.dtype, lambda: self._read(tensor))

    def _read(self, tensor: Tensor) -> FloatArray:
        storage, size = tensor.storage, FLOATS[tensor.dtype]
        numel = storage.numel * SIZES[storage.dtype] // size  # untyped storages count bytes
        last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.stride, strict=True))
        if last >= numel or math.prod(tensor.shape) > numel:  # overlapping views (expanded tensors) are no weights
            raise ValueError(f"a tensor of shape {tensor.shape} lies outside its storage of {numel} numbers")
        name = f"{self.root}data/{storage.key}"
        info = self.archive.getinfo(name)
        if info.file_size != numel * size:
            raise ValueError(f"the record {name} has {info.file_size} bytes; expected {numel * size}")
        numbers = decode(self.archive.read(name), tensor.dtype, self.order)
        steps = tuple(step * numbers.itemsize for step in tensor.stride)
        view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, steps, writeable=False)
        return np.array(view)


def _groups(content: Any, records: _Records) -> dict[str, dict[str, StoredTensor]]:
    """The tensors of every dictionary in the pickle, by the dictionary's place, then by name."""
    groups: dict[str, dict[str, StoredTensor]] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        place, value = waiting.pop(0)
        if not isinstance(value, Mapping) or id(value) in seen:  # a pickle can hold itself
            continue
        seen.add(id(value))
        found = {str(key): records.stored(item) for key, item in value.items() if isinstance(item, Tensor)}
        if found:
            groups[place] = found
        waiting += [(f"{place}.{key}".lstrip("."), item) for key, item in value.items()]
    if isinstance(content, Mapping):
        return groups
    kind = "a single tensor" if isinstance(content, Tensor) else f"a {type(content).__name__}"
    raise ValueError(f"holds {kind}; expected the dictionary of torch.save(model.state_dict(), path)")
