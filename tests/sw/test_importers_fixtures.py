"""Files that the real frameworks wrote (`fixtures/make.py`), against what those frameworks computed from them."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autapse.errors import FileFormatError
from autapse.loading import READABLE, load, parse_options

FIXTURES = Path(__file__).parent / "fixtures"
OPTIONS: dict[str, dict[str, Any]] = {
    "torch_relu.pt": {"activation": "relu"},
    "psychrnn.npz": {"activation": "tanh", "alpha": 1.0},
    "psychrnn_dale.npz": {"alpha": 1.0},
    "li.nir": {"dt": 1e-3},
    "cuba_nested.nir": {"dt": 1e-3},
}
REFUSED = {
    "torch_gru.pt": "weight_hh_l0 is .15, 5.: a GRU, which is not read",
    "torch_module.pt": r"holds 'torch\.nn\.modules\.rnn\.RNN', which is refused",
    "torch_bidirectional.pt": "weight_ih_l0_reverse belongs to a bidirectional layer",
    "torch_legacy.pt": "a bare pickle .as PyTorch wrote before 1.6.",
    "torch_script.pt": "a TorchScript archive, which holds a program",
    "torch_unrolled.onnx": "has no RNN node; PyTorch's newer exporter unrolls it",
    "keras3_gru.weights.h5": "layers/gru/cell belongs to a layer of the class gru",
    "keras3_bidirectional.weights.h5": "belongs to a bidirectional layer",
    "lif.nir": "node 'units' is a LIF, which is not a linear rate unit",
}
STACKED = {"torch_stacked.pt"}  # without a head; its numbers are tested in test_stack.py
UNCOMPARED = {"li.nir", "cuba_nested.nir", "keras3_bfloat16.weights.h5"}  # tested by their own numbers elsewhere


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(FIXTURES / "expected.npz") as file:
        return dict(file)


def names() -> list[str]:
    helpers = ("make.py", "expected.npz", "versions.json")
    return sorted(path.name for path in FIXTURES.iterdir() if path.is_file() and path.name not in helpers)


def test_every_file_is_tested(expected: dict[str, np.ndarray]) -> None:
    assert set(names()) == (set(expected) - {"x"}) | set(REFUSED) | STACKED | UNCOMPARED
    versions = json.loads((FIXTURES / "versions.json").read_text())
    assert {"torch", "keras", "tf-keras", "onnx", "nir", "psychrnn", "safetensors"} <= set(versions)


@pytest.mark.parametrize("name", [name for name in names() if name not in {*REFUSED, *STACKED}])
def test_runs_like_the_framework(name: str, expected: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = tmp_path / "a.file"  # the kind is told by the content
    shutil.copy(FIXTURES / name, path)
    net = load(path, **OPTIONS.get(name, {}))
    assert (net.inputs, net.outputs) == (2, 3)
    assert {"source", "format", "layers"} <= set(net.info)
    if name in expected:
        z = net.run(expected["x"]).z
        assert np.ptp(expected[name], axis=0).min() > 0.5  # it moves, so that equality says something
        np.testing.assert_allclose(z, expected[name], rtol=0, atol=2e-5)  # float32 sums over 40 steps


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.file"
    shutil.copy(FIXTURES / name, path)
    with pytest.raises(FileFormatError, match=REFUSED[name]) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999])
def test_truncated(name: str, part: float, tmp_path: Path) -> None:
    whole = (FIXTURES / name).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(FileFormatError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


# HDF5 is left out: libhdf5 can go round in circles on a damaged file, which no reader in Python can stop.
@pytest.mark.parametrize("name", [n for n in names() if not n.endswith((".h5", ".nir"))])
def test_flipped_bytes_never_surprise(name: str, tmp_path: Path) -> None:
    whole = (FIXTURES / name).read_bytes()
    path = tmp_path / "damaged"
    rng = np.random.default_rng(len(whole))
    messages = []
    for _ in range(40 if name.endswith(".keras") else 250):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), size=int(rng.integers(1, 4))):
            damaged[at] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            load(path)
        except FileFormatError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)


def test_activation_that_the_file_does_not_hold_is_told() -> None:
    assert (
        load(FIXTURES / "torch.pt").info["nonlinearity"].startswith("tanh, PyTorch's default: the file does not hold")
    )
    relu = load(FIXTURES / "torch_relu.pt", activation="relu")
    assert relu.activation == "relu"
    assert relu.info["nonlinearity"].startswith("relu, given by the user")


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match=r"alpha is not an option for a PyTorch file, which takes activation, head"):
        load(FIXTURES / "torch.pt", alpha=1.0)
    with pytest.raises(ValueError, match="activation is not an option for an ONNX file, which takes no options"):
        load(FIXTURES / "torch.onnx", activation="tanh")
    with pytest.raises(ValueError, match=r"activation is not an option for a \.keras archive, which takes no options"):
        load(FIXTURES / "keras3.keras", activation="relu")
    with pytest.raises(ValueError, match="activation='relu' is for files without one"):
        load(FIXTURES / "keras3.h5", activation="relu")
    for name in ("torch.pt", "torch.safetensors", "keras3.weights.h5", "psychrnn.npz"):
        with pytest.raises(ValueError, match=r"activation must be one of tanh, .*; not 'swish'"):
            load(FIXTURES / name, activation="swish")


def test_options_from_text() -> None:
    assert parse_options(["alpha=1", "activation=relu"]) == {"alpha": 1.0, "activation": "relu"}
    for text, message in (
        ("alpha=one", "alpha must be a number, not 'one'"),
        ("width=3", "'width=3' is not an option"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_options([text])


def test_readable_names_every_kind() -> None:
    for kind in ("Keras", "PyTorch", "safetensors", "onnx", "PsychRNN", "nir", ".npz"):
        assert kind in READABLE


def test_bfloat16_of_keras(expected: dict[str, np.ndarray]) -> None:
    whole, half = (load(FIXTURES / f"keras3{kind}.weights.h5") for kind in ("", "_bfloat16"))
    bits = whole.W.astype(np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).view(np.float32)  # to nearest, ties to even
    np.testing.assert_array_equal(half.W, rounded)


def test_500_units_load_within_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The figure is printed; what is asserted leaves room for a busy machine."""
    rng = np.random.default_rng(1)
    W, W_in, W_out = (rng.normal(size=shape).astype(np.float32) for shape in ((500, 500), (500, 10), (5, 500)))
    np.savez(tmp_path / "psych.npz", W_rec=W, W_in=W_in, W_out=W_out)
    safetensors_file(tmp_path / "net.safetensors", {"weight_ih_l0": W_in, "weight_hh_l0": W, "fc.weight": W_out})
    lines = []
    for name, options in (("psych.npz", {"alpha": 1.0}), ("net.safetensors", {})):
        start = time.perf_counter()
        net = load(tmp_path / name, **options)
        seconds = time.perf_counter() - start
        np.testing.assert_array_equal(net.W, W)
        lines.append(f"{name}: 500 units in {seconds:.3f} s")
        assert seconds < 5.0
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def safetensors_file(path: Path, tensors: dict[str, np.ndarray]) -> None:
    header, body = {}, b""
    for name, array in tensors.items():
        raw = array.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
