"""Loading a network from any file that can be read, told apart by its content and never by its name."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path

from autapse.errors import AutapseError, FileFormatError
from autapse.importers import keras
from autapse.network import Network, load_npz

#: What can be read, for messages and for the command line's help.
READABLE = "Autapse .npz, Keras HDF5 (.h5, .hdf5)"


def load(path: str | os.PathLike[str]) -> Network:
    """Read a trained network: the project's .npz, or a whole Keras model in HDF5 (which needs h5py).

    What only the file knows (its source, its format, its layers) is in the network's `info`.

    Raises
    ------
    FileNotFoundError
        The file is missing.
    FileFormatError
        The file is of another kind, truncated, or holds something that cannot be read; one line.
    MissingToolError
        The reader of this kind of file needs a package that is not installed.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
        if start.startswith(b"PK"):
            return _load_zip(file)
        if keras.is_keras(file):
            return keras.load(file)
    except FileNotFoundError:
        raise FileNotFoundError(f"{file}: no such file") from None
    except IsADirectoryError:
        raise FileFormatError(f"{file}: is a folder; expected one of: {READABLE}") from None
    except OSError as error:
        raise FileFormatError(f"{file}: cannot be read: {error.strerror or error}") from None
    what = "an empty file" if not start else "not a network file"
    raise FileFormatError(f"{file}: {what} (or its beginning is lost); expected one of: {READABLE}")


def _load_zip(file: Path) -> Network:
    _refuse_foreign_zip(file)
    try:
        return load_npz(file)
    except AutapseError:
        raise
    # What zipfile and zlib raise for flipped bits, besides BadZipFile: a bit can also read as "encrypted".
    except (zlib.error, struct.error, RuntimeError, TypeError, MemoryError) as error:
        raise FileFormatError(f"{file}: a damaged .npz file: {error}") from None


def _refuse_foreign_zip(file: Path) -> None:
    """Name the other zip archives that users are likely to bring."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        raise FileFormatError(f"{file}: a truncated or damaged zip archive; expected one of: {READABLE}") from None
    if "header.npy" in names:
        return
    if "model.weights.h5" in names:
        raise FileFormatError(f'{file}: a .keras archive, which is not read yet; save it as HDF5: model.save("net.h5")')
    if any(name.endswith("data.pkl") for name in names):
        raise FileFormatError(f"{file}: a PyTorch file, which is not read yet; expected one of: {READABLE}")
    raise FileFormatError(f"{file}: a zip archive, but not Autapse's; expected one of: {READABLE}")
