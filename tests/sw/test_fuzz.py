"""Damaged files of every kind that is read: refused in one line by a documented error, in little time and memory."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damage import check, damaged, limits, other_value, packed, resealed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autapse.errors import FileFormatError
from autapse.evidence import EVIDENCE_FILE, Evidence, record, recorded
from autapse.gallery import path as exhibit
from autapse.importers import _hdf5
from autapse.loading import load
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import load_quantized

FIXTURES = Path(__file__).parent / "fixtures"
OPTIONS = {"psychrnn.npz": {"alpha": 0.5}, "psychrnn_dale.npz": {"alpha": 1.0}}
FOREIGN = ("torch.pt", "torch_checkpoint.pt", "torch.safetensors", "torch.onnx", "psychrnn.npz", "psychrnn_dale.npz")
# What libhdf5 does with a bit here and there: by file, the bytes that were changed.
WORST = {
    "loop in a graph": ("cuba_nested.nir", "reading it finds no end", [(2233, 4), (14923, 1)]),
    "loop in a model": ("keras3.h5", "reading it finds no end", [(4272, 116), (5184, 136), (18511, 16)]),
    "crash": ("keras3.h5", "libhdf5 crashes on it", [(1009, 9), (5664, 16), (8532, 8), (18975, 1)]),
}

fuzz = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# NumPy tells of headers as Python 2 wrote them that they are slow to read.
pytestmark = pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file:UserWarning")


def any_damage(whole: Path) -> st.SearchStrategy[bytes]:
    """The file `whole`, damaged; where it is a zip archive, also inside."""
    content = whole.read_bytes()
    return damaged(content) | resealed(content) if zipfile.is_zipfile(whole) else damaged(content)


@pytest.mark.parametrize("name", FOREIGN)
@fuzz
@given(data=st.data())
def test_files_of_others(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data.draw(any_damage(FIXTURES / name)))
    kind_has_other_options = (ValueError,) if name in OPTIONS else ()
    check(lambda path: load(path, **OPTIONS.get(name, {})), path, *kind_has_other_options)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "q.npz"
    quantize(load(exhibit("xor"))).save(path)
    return path


@fuzz
@given(data=st.data())
def test_own_networks(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data.draw(any_damage(exhibit("xor"))))
    check(load, path)


@settings(fuzz, max_examples=300)
@given(data=st.data())
def test_own_quantised_networks(tmp_path: Path, own: Path, data: st.DataObject) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data.draw(any_damage(own)))
    check(load_quantized, path)


def check_evidence(folder: Path, change: Callable[[bytes], bytes]) -> None:
    """Evidence that is sound but for `change`: all that is told of it can be told."""
    path = folder / EVIDENCE_FILE
    path.unlink(missing_ok=True)
    record(folder, Evidence("rtl", "00ff", "8 lanes", 200, 10_400, 0, 189, 9.5, "2026-11-24T13:00:00+00:00"))
    path.write_bytes(change(path.read_bytes()))
    check(lambda path: [(e.ok, e.steps + 1, e.level + "") for e in recorded(path.parent, "00ff")], path)


@fuzz
@given(data=st.data())
def test_evidence(tmp_path: Path, data: st.DataObject) -> None:
    check_evidence(tmp_path, lambda whole: data.draw(damaged(whole)))


@fuzz
@given(data=st.data())
def test_evidence_of_other_types(tmp_path: Path, data: st.DataObject) -> None:
    check_evidence(tmp_path, lambda whole: json.dumps(data.draw(other_value(json.loads(whole)))).encode())


@settings(fuzz, max_examples=300)
@given(data=st.data())
def test_headers_of_other_types(tmp_path: Path, own: Path, data: st.DataObject) -> None:
    with np.load(own) as file:
        arrays = dict(file)
    header = json.loads(str(arrays.pop("header")))
    path = tmp_path / "damaged.npz"
    np.savez(path, header=np.array(json.dumps(data.draw(other_value(header)))), **arrays)
    check(lambda path: load_quantized(path).readout(np.zeros((1, 2, 2))), path)


@pytest.mark.parametrize("name", WORST)
def test_libhdf5_is_stopped(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read here without the guard, these would stop the tests for ever, or end them."""
    monkeypatch.setattr(_hdf5, "SECONDS", 2.0)
    file, said, changes = WORST[name]
    content = bytearray((FIXTURES / file).read_bytes())
    for at, value in changes:
        content[at] = value
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=f"{path}: a damaged HDF5 file: {said}"):
        load(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras3.h5", "tfkeras_weights.h5", "cuba_nested.nir", "keras3.keras"])
@settings(fuzz, max_examples=30)
@given(data=st.data())
def test_hdf5(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data.draw(any_damage(FIXTURES / name)))
    options = {"dt": 1e-3} if name.endswith(".nir") else {}
    before = _hdf5.SECONDS
    _hdf5.SECONDS = 2.0
    try:
        check(lambda path: load(path, **options), path, *((ValueError,) if options else ()))
    finally:
        _hdf5.SECONDS = before


def test_a_network_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    """An array that says it has a terabyte: no memory is taken for what is not there."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 20, 1 << 17)})
    Network(W=np.eye(2), W_in=np.ones((2, 1))).save(tmp_path / "net.npz")
    with zipfile.ZipFile(tmp_path / "net.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "large.npz"
    path.write_bytes(packed({**members, "W.npy": header.getvalue() + bytes(64)}))
    with pytest.raises(FileFormatError, match="not a readable"), limits():
        load(path)
