"""Files are told apart by content, and every bad one gives one clear line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from autapse.errors import FileFormatError
from autapse.loading import READABLE, load
from autapse.network import Network


def saved(path: Path) -> Path:
    rng = np.random.default_rng(0)
    Network(W=rng.normal(size=(4, 4)), W_in=rng.normal(size=(4, 2))).save(path)
    return path


def test_own_file_whatever_its_name(tmp_path: Path) -> None:
    assert load(saved(tmp_path / "net.hdf5")).units == 4


@pytest.mark.parametrize("part", [0.02, 0.2, 0.5, 0.8, 0.98])
def test_truncated(tmp_path: Path, part: float) -> None:
    path = saved(tmp_path / "net.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(FileFormatError, match="truncated or damaged zip"):
        load(path)


def test_flipped_bytes_never_surprise(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.npz")
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    messages = []
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), size=3):
            damaged[at] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            load(path)
        except FileFormatError as error:
            messages.append(str(error))
    assert len(messages) > 150  # the rest fell on bytes that zip does not check
    assert not any("\n" in message for message in messages)


@pytest.mark.parametrize(("content", "what"), [(b"", "an empty file"), (b"W,b\n1,2\n", "not a network file")])
def test_other_content(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "net.h5"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        load(path)
    assert what in str(caught.value)
    assert READABLE in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("model.weights.h5", "a zip archive, but none of: Autapse"),
        ("net/data.pkl", "a damaged pickle"),
        ("W_rec.npy", r"an \.npz with the arrays W_rec; expected Autapse's own, or PsychRNN's names"),
        ("word/document.xml", "a zip archive, but none of: Autapse"),
    ],
)
def test_other_archives(tmp_path: Path, entry: str, message: str) -> None:
    path = tmp_path / "net.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"x")
    with pytest.raises(FileFormatError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "a bare pickle (as PyTorch wrote before 1.6)"),
        (b"\x93NUMPY\x01\x00", "a single NumPy array (.npy)"),
        (b"\x89HDF\r\n\x1a\n", "not a readable HDF5 file"),
        (b"\x08\x08\x12\x04", "not a readable ONNX file"),
        (b"\x10\0\0\0\0\0\0\0{", "a truncated or damaged safetensors file"),
        (b"PK\x03\x04", "a truncated or damaged zip archive"),
    ],
)
def test_kinds_by_their_first_bytes(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(FileFormatError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_of_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"head is not an option for an Autapse \.npz, which takes no options"):
        load(saved(tmp_path / "net.npz"), head="fc")


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none: no such file"):
        load(tmp_path / "none")
    with pytest.raises(FileFormatError, match="is a folder"):
        load(tmp_path)
