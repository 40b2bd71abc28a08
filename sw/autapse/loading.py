"""Loading a network from any file that can be read, told apart by its content and never by its name."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autapse.errors import AutapseError, FileFormatError
from autapse.network import Network, load_npz

#: What can be read, for messages and for the command line's help.
READABLE = (
    "Autapse .npz, Keras (.keras, .h5, .hdf5, .weights.h5), PyTorch state_dict (.pt, .pth), .safetensors, .onnx, "
    "PsychRNN .npz, .nir"
)


def load(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    head: str | None = None,
    layer: str | None = None,
    alpha: float | None = None,
    form: str | None = None,
    dt: float | None = None,
    method: str | None = None,
) -> Network:
    """Read a trained network from a file of any kind in :data:`READABLE`; the kind is told by the content.

    What only the file knows (its source, its format, its layers) is in the network's `info`, and so is what had to be
    assumed because the file does not say it.

    Parameters
    ----------
    path
        The file.
    activation
        For files that do not hold it (PyTorch, safetensors, weights of Keras, PsychRNN): the name of the activation.
    head
        PyTorch, safetensors: the name of the Linear layer that is the readout, or ``none``.
    layer
        PyTorch, safetensors: the name of the recurrent layer, where there are several.
    alpha, form
        PsychRNN: dt/tau, and the form of the state, ``current`` or ``rate``; :func:`autapse.importers.numpy_npz.load`.
    dt, method
        NIR: the step in seconds, and how it is taken, ``euler`` or ``exponential``.

    Raises
    ------
    FileNotFoundError
        The file is missing.
    FileFormatError
        The file is of another kind, truncated, or holds something that cannot be read; one line.
    MissingToolError
        The reader of this kind of file needs a package that is not installed.
    ValueError
        An option is given that this kind of file has no use for.
    """
    file = Path(path)
    options = {
        "activation": activation,
        "head": head,
        "layer": layer,
        "alpha": alpha,
        "form": form,
        "dt": dt,
        "method": method,
    }
    try:
        kind, reader, known = _reader(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise FileFormatError(f"{file}: is a folder; expected one of: {READABLE}") from None
    except OSError as error:
        raise FileFormatError(f"{file}: cannot be read: {error.strerror or error}") from None
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no options"
            raise ValueError(f"{file}: {name} is not an option for {kind}, which {takes}")
    return reader(file, **given)


_Reader = tuple[str, Callable[..., Network], tuple[str, ...]]
_TORCH_OPTIONS = ("activation", "head", "layer")


def _reader(file: Path) -> _Reader:
    """What the file is, the function that reads it, and the options that this takes.

    Importers are imported here and below, not with the package: a command line that reads no file starts without them.
    """
    from autapse.importers import keras, onnx, safetensors

    with file.open("rb") as stream:
        start = stream.read(32)
    if start.startswith(b"PK"):
        return _zip_reader(file)
    if start.startswith(keras.HDF5_SIGNATURE):
        return _hdf5_reader(file)
    if safetensors.is_safetensors(start):
        return "a safetensors file", safetensors.load, _TORCH_OPTIONS
    if onnx.is_onnx(start):
        return "an ONNX file", onnx.load, ()
    if len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= pickle.HIGHEST_PROTOCOL:
        raise FileFormatError(
            f"{file}: a bare pickle (as PyTorch wrote before 1.6), which is not read, because reading one can run "
            "programs; load it where you trust it, and save again: torch.save(model.state_dict(), path)"
        )
    if start.startswith(b"\x93NUMPY"):
        raise FileFormatError(f"{file}: a single NumPy array (.npy); expected one of: {READABLE}")
    what = "an empty file" if not start else "not a network file"
    raise FileFormatError(f"{file}: {what} (or its beginning is lost); expected one of: {READABLE}")


def _zip_reader(file: Path) -> _Reader:
    """The readers of zip archives, by the archive's members."""
    from autapse.importers import keras, numpy_npz, pytorch

    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error):
        raise FileFormatError(f"{file}: a truncated or damaged zip archive; expected one of: {READABLE}") from None
    if "header.npy" in names:
        return "an Autapse .npz", _load_own, ()
    if all(name in names for name in keras.ARCHIVE_MEMBERS):
        return "a .keras archive", keras.load, ()
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "a PyTorch file", pytorch.load, _TORCH_OPTIONS
    if numpy_npz.is_psychrnn(names):
        return "a PsychRNN .npz", numpy_npz.load, ("activation", "alpha", "form")
    if names and all(name.endswith(".npy") for name in names):
        arrays = ", ".join(name.removesuffix(".npy") for name in names[:6])
        raise FileFormatError(
            f"{file}: an .npz with the arrays {arrays}; expected Autapse's own, or PsychRNN's names "
            f"({', '.join(numpy_npz.NAMES)} and W_out)"
        )
    raise FileFormatError(f"{file}: a zip archive, but none of: {READABLE}")


def _hdf5_reader(file: Path) -> _Reader:
    """The readers of HDF5 files: NIR has its own layout, everything else is Keras' to judge."""
    from autapse.importers import _hdf5, keras, nir
    from autapse.importers._reading import reading

    h5py = keras.import_h5py(file, "HDF5 files (Keras, NIR)", "keras")
    with reading(file, "an HDF5 file"):
        _hdf5.check(file)
    try:
        with h5py.File(file, "r") as opened:
            graph = nir.is_nir(opened)
    except Exception:  # libhdf5 raises what it pleases; Keras' reader meets the same damage, and says so in one line
        graph = False
    if graph:
        return "a NIR graph", nir.load, ("dt", "method")
    return "a Keras file", keras.load, ("activation",)


def _load_own(file: Path) -> Network:
    try:
        return load_npz(file)
    except AutapseError:
        raise
    # What zipfile and zlib raise for flipped bits, besides BadZipFile: a bit can also read as "encrypted".
    except (zlib.error, struct.error, RuntimeError, TypeError, MemoryError) as error:
        raise FileFormatError(f"{file}: a damaged .npz file: {error}") from None


def parse_options(texts: list[str]) -> dict[str, Any]:
    """The options of :func:`load` from texts ``name=value``, as a command line gives them.

    Raises ValueError, which names the text, for an unknown name and for a number that is none.
    """
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in ("activation", "head", "layer", "alpha", "form", "dt", "method"):
            raise ValueError(
                f"{text!r} is not an option of a file; expected activation=, head=, layer=, alpha=, form=, dt=, method="
            )
        if name in ("alpha", "dt"):
            try:
                options[name] = float(value)
            except ValueError:
                raise ValueError(f"{name} must be a number, not {value!r}") from None
        else:
            options[name] = value
    return options
