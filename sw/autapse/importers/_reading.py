"""What the readers share: one line for whatever a damaged file raises, and stored numbers as float64."""

from __future__ import annotations

import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from autapse.errors import AutapseError, FileFormatError, one_line
from autapse.fixed import FloatArray
from autapse.network import ACTIVATIONS

#: The floating-point types that files hold, with their size in bytes. All are read as float64.
FLOATS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}

# What zipfile, zlib, libhdf5 and the decoders raise for damage depends on where the damage is: a flipped bit can also
# read as "encrypted" (RuntimeError) or as an unknown compression (NotImplementedError). RecursionError: nested JSON.
# SyntaxError and TokenError: NumPy parses the header of an array as Python.
_DAMAGE = (
    OSError,
    EOFError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
)


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file, not read yet.

    Attributes
    ----------
    shape
        Its axes.
    dtype
        Its type: one of :data:`FLOATS`, or the name of another, which `read` then refuses.
    read
        Gives it as float64 of `shape`; raises ValueError where the file is damaged.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], FloatArray]


@contextmanager
def reading(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Turn what reading the file `path`, a `what`, raises into one line that names it.

    ValueError is taken as a sentence of ours; all other errors of a damaged file as damage.
    """
    try:
        with np.errstate(all="ignore"):  # a signalling NaN, which the checks of the values then refuse
            yield
    except AutapseError:
        raise
    except ValueError as error:
        raise FileFormatError(f"{path}: {one_line(error)}") from None
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise FileFormatError(f"{path}: is a folder; expected {what}") from None
    except _DAMAGE as error:
        text = f"{path}: not a readable {what.split(' ', 1)[1]} (truncated or damaged): {one_line(error)}"
        raise FileFormatError(text) from None


def decode(raw: bytes, dtype: str, order: str = "<") -> FloatArray:
    """Stored numbers of a type in :data:`FLOATS` and a byte order, ``<`` or ``>``, as float64; one axis."""
    if dtype == "bfloat16":  # the upper half of a float32
        halves = np.frombuffer(raw, dtype=f"{order}u2").astype(np.uint32)
        return (halves << 16).view(np.float32).astype(np.float64)
    return np.frombuffer(raw, dtype=f"{order}f{FLOATS[dtype]}").astype(np.float64)


def take(tensor: StoredTensor, name: str, shape: tuple[int, ...]) -> FloatArray:
    """A tensor as float64, after checking its shape, that it is of floats, and that it is finite."""
    if tensor.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}; it is {tensor.shape}")
    if tensor.dtype not in FLOATS:
        raise ValueError(f"{name} must be of floats; it is of {tensor.dtype}")
    array = tensor.read()
    check_finite(array, name)
    return array


def check_finite(array: FloatArray, name: str) -> None:
    """Raise ValueError, naming the array, unless all its values are finite."""
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise ValueError(f"{name} must be finite; {bad} of {array.size} values are NaN or infinite")


def check_activation(name: str) -> str:
    """The name of an activation that a user gave, or ValueError that lists the known ones."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}; not {name!r}")
    return name
