"""Safetensors files with PyTorch's names of weights.

The format is eight bytes with the length of a JSON header, the header, and the raw little-endian numbers; that is read
here, in a few lines and without the package `safetensors`: its NumPy reader knows no bfloat16, and nothing else of it
would be used.
Source: https://huggingface.co/docs/safetensors (section Format), and the checks of its reference reader.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autapse.fixed import FloatArray
from autapse.importers import _torch_names as names
from autapse.importers._reading import StoredTensor, decode, reading
from autapse.network import Network

#: The format's own limit on the header.
HEADER_LIMIT = 100_000_000

_TYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
_SIZES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}


def is_safetensors(start: bytes) -> bool:
    """Whether the first nine bytes of a file are the length of a JSON header and its brace."""
    return len(start) >= 9 and start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= HEADER_LIMIT


def load(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    head: str | None = None,
    layer: str | None = None,
) -> Network:
    """Read one ``torch.nn.RNN`` of one layer and at most one ``Linear`` after it, by PyTorch's names.

    The options are those of :func:`autapse.importers._torch_names.build`: the nonlinearity is not in the file and is
    tanh unless `activation` says otherwise.

    Raises FileFormatError, one line that names the file, for everything else, and FileNotFoundError.
    """
    with reading(path, "a safetensors file"):
        return names.build(
            _tensors(Path(path)),
            source=Path(path).name,
            format="safetensors",
            activation=activation,
            head=head,
            layer=layer,
        )


def _tensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors by name. Only the header is read; the numbers follow when they are asked for."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > HEADER_LIMIT or 8 + length > size:
            raise ValueError(f"a truncated or damaged safetensors file: {size} bytes, and a header of {length}")
        raw = file.read(length)
    try:
        header = json.loads(raw, object_pairs_hook=_once)
    except ValueError as error:
        raise ValueError(f"a damaged safetensors file: its header is no JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("a damaged safetensors file: its header is no JSON object")
    header.pop("__metadata__", None)
    tensors, ends = {}, []
    for name, entry in header.items():
        begin, end, tensor = _entry(path, 8 + length, name, entry)
        tensors[name] = tensor
        ends.append((begin, end))
    at = 0
    for begin, end in sorted(ends):  # the format allows neither holes nor overlaps
        if begin != at:
            raise ValueError(f"a damaged safetensors file: its tensors do not follow each other at byte {at}")
        at = end
    if 8 + length + at != size:
        raise ValueError(f"a truncated or damaged safetensors file: {size} bytes; its header says {8 + length + at}")
    return tensors


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _entry(path: Path, base: int, name: str, entry: Any) -> tuple[int, int, StoredTensor]:
    """Begin and end of a tensor's bytes, and the tensor."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"a damaged safetensors file: {name!r} has no dtype, shape and data_offsets")
    dtype, shape, offsets = entry.get("dtype"), _sizes(entry.get("shape")), _sizes(entry.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2:
        raise ValueError(f"a damaged safetensors file: {name!r} has no dtype, shape and data_offsets")
    begin, end = offsets
    if end < begin or (dtype in _SIZES and end - begin != math.prod(shape) * _SIZES[dtype]):
        raise ValueError(f"a damaged safetensors file: {name!r}, {dtype} of shape {shape}, has {end - begin} bytes")

    def read() -> FloatArray:
        with path.open("rb") as file:
            file.seek(base + begin)
            return decode(file.read(end - begin), _TYPES[dtype]).reshape(shape)

    return begin, end, StoredTensor(shape, _TYPES.get(dtype, dtype), read)


def _sizes(value: Any) -> tuple[int, ...] | None:
    """A JSON value as sizes, or None where it is no list of sizes."""
    good = isinstance(value, list) and all(type(n) is int and 0 <= n < 2**48 for n in value)
    return tuple(value) if good else None
