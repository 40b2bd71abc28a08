"""PyTorch's zip files, written here operation by operation, and safetensors; neither PyTorch nor a pickle is run."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autapse.errors import FileFormatError
from autapse.importers import pytorch, safetensors
from autapse.loading import load

UNITS, INPUTS, OUTPUTS = 5, 2, 3
STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<i8": "LongStorage"}


class Strided:
    """A tensor that is a view of a storage, in elements."""

    def __init__(self, array: np.ndarray, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> None:
        self.array, self.shape, self.stride, self.offset = array, shape, stride, offset


def emit(value: Any, records: list[np.ndarray], storage: str | None = None) -> bytes:
    """The pickle operations for containers, numbers, text and arrays, as torch.save writes them."""
    if isinstance(value, np.ndarray):
        strides = tuple(s // value.itemsize for s in value.strides)
        return emit(Strided(value, value.shape, strides), records, storage)
    if isinstance(value, Strided):
        name = storage or STORAGES[value.array.dtype.newbyteorder("<").str]
        pid = emit(
            ("storage", b"ctorch\n" + name.encode() + b"\n", str(len(records)), "cpu", value.array.size), records
        )
        records.append(value.array)
        rest = [emit(item, records) for item in (value.offset, value.shape, value.stride, False)]
        hooks = b"ccollections\nOrderedDict\n)R"
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + b"Q" + b"".join(rest) + hooks + b"tR"
    if isinstance(value, dict):
        start = b"ccollections\nOrderedDict\n)R(" if isinstance(value, OrderedDict) else b"}("
        return start + b"".join(emit(item, records, storage) for pair in value.items() for item in pair) + b"u"
    if isinstance(value, tuple | list):
        marks = (b"(", b"t") if isinstance(value, tuple) else (b"](", b"e")
        return marks[0] + b"".join(emit(item, records, storage) for item in value) + marks[1]
    if isinstance(value, bytes):  # operations themselves
        return value
    if isinstance(value, bool) or value is None:
        return {True: b"\x88", False: b"\x89", None: b"N"}[value]
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def write(
    path: Path,
    content: Any,
    *,
    order: str | None = "little",
    storage: str | None = None,
    extra: dict[str, bytes] | None = None,
    pickled: bytes | None = None,
) -> Path:
    records: list[np.ndarray] = []
    operations = b"\x80\x02" + emit(content, records, storage) + b"." if pickled is None else pickled
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", operations)
        if order:
            archive.writestr("net/byteorder", order)
        for key, array in enumerate(records):
            archive.writestr(f"net/data/{key}", array.tobytes("A"))
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return path


def weights(prefix: str = "rnn.", head: str | None = "fc", gates: int = 1, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    shapes = {
        f"{prefix}weight_ih_l0": (gates * UNITS, INPUTS),
        f"{prefix}weight_hh_l0": (gates * UNITS, UNITS),
        f"{prefix}bias_ih_l0": (gates * UNITS,),
        f"{prefix}bias_hh_l0": (gates * UNITS,),
    }
    if head:
        shapes |= {f"{head}.weight": (OUTPUTS, UNITS), f"{head}.bias": (OUTPUTS,)}
    made = OrderedDict((name, 0.6 * rng.normal(size=shape).astype(np.float32)) for name, shape in shapes.items())
    for name, value in changes.items():
        if value is None:
            del made[name.replace("__", ".")]
        else:
            made[name.replace("__", ".")] = value
    return made


def reference(x: np.ndarray, w: dict[str, Any], s: Callable[[np.ndarray], np.ndarray] = np.tanh) -> np.ndarray:
    """The readout by PyTorch's own formula; independent of `Network`."""
    w = {name.removeprefix("rnn."): array.astype(np.float64) for name, array in w.items()}
    h, out = np.zeros(UNITS), []
    for now in x:
        h = s(w["weight_ih_l0"] @ now + w["bias_ih_l0"] + w["weight_hh_l0"] @ h + w["bias_hh_l0"])
        out.append(w["fc.weight"] @ h + w["fc.bias"])
    return np.array(out)


X = np.random.default_rng(1).normal(size=(60, INPUTS))
SAVERS: dict[str, Callable[..., Path]] = {}


def write_safetensors(path: Path, content: dict[str, Any], dtype: str = "F32") -> Path:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, array in content.items():
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    return write_raw(path, json.dumps(header).encode(), body)


def write_raw(path: Path, header: bytes, body: bytes) -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header + body)
    return path


SAVERS.update({"pt": write, "safetensors": write_safetensors})
both = pytest.mark.parametrize("saver", SAVERS)


@both
def test_orientation(saver: str, tmp_path: Path) -> None:
    w = weights()
    net = load(SAVERS[saver](tmp_path / "a", w))
    np.testing.assert_array_equal(net.W, w["rnn.weight_hh_l0"])
    np.testing.assert_array_equal(net.W_in, w["rnn.weight_ih_l0"])
    np.testing.assert_allclose(net.run(X).z, reference(X, w), rtol=0, atol=1e-12)
    assert net.info["layers"] == "rnn (RNN, 5, tanh), fc (Linear, 3)"
    relu = load(tmp_path / "a", activation="relu")
    np.testing.assert_allclose(relu.run(X).z, reference(X, w, lambda a: np.maximum(a, 0)), rtol=1e-12, atol=1e-12)


@both
@pytest.mark.parametrize("prefix", ["", "module.net.rnn.", "my_"])
def test_any_prefix(saver: str, prefix: str, tmp_path: Path) -> None:
    assert load(SAVERS[saver](tmp_path / "a", weights(prefix))).units == UNITS


def test_cell(tmp_path: Path) -> None:
    w = {name.replace("_l0", ""): array for name, array in weights().items()}
    np.testing.assert_array_equal(load(write(tmp_path / "a", w)).W, w["rnn.weight_hh"])


def test_without_biases_and_head(tmp_path: Path) -> None:
    w = weights(head=None, rnn__bias_ih_l0=None, rnn__bias_hh_l0=None)
    traj = load(write(tmp_path / "a", w)).run(X)
    np.testing.assert_array_equal(traj.z, traj.h)
    assert not load(tmp_path / "a").b.any()


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
@pytest.mark.parametrize("order", ["little", "big", None])
def test_types_and_byte_orders(dtype: str, order: str | None, tmp_path: Path) -> None:
    stored = np.dtype(dtype).newbyteorder(">" if order == "big" else "<")
    w = {name: array.astype(stored) for name, array in weights().items()}
    net = load(write(tmp_path / "a", w, order=order))
    np.testing.assert_array_equal(net.W, w["rnn.weight_hh_l0"].astype(np.float64))
    assert net.W.dtype == np.float64


def bfloat16(array: np.ndarray) -> np.ndarray:
    return (array.view(np.uint32) >> 16).astype(np.uint16)


def test_bfloat16(tmp_path: Path) -> None:
    w = weights()
    halves = {name: bfloat16(array) for name, array in w.items()}
    wanted = (w["rnn.weight_hh_l0"].view(np.uint32) >> 16 << 16).view(np.float32)
    for path in (
        write(tmp_path / "a", halves, storage="BFloat16Storage"),
        write_safetensors(tmp_path / "b", halves, "BF16"),
    ):
        np.testing.assert_array_equal(load(path).W, wanted)


@pytest.mark.parametrize(("dtype", "name"), [("<f2", "F16"), ("<f8", "F64")])
def test_types_of_safetensors(dtype: str, name: str, tmp_path: Path) -> None:
    w = {key: array.astype(dtype) for key, array in weights().items()}
    np.testing.assert_array_equal(load(write_safetensors(tmp_path / "a", w, name)).W, w["rnn.weight_hh_l0"])


def test_strides_and_offsets(tmp_path: Path) -> None:
    w = weights()
    block = np.concatenate([np.full(7, 9.0, np.float32), w["rnn.weight_hh_l0"].T.ravel(), np.ones(3, np.float32)])
    stored = {**w, "rnn.weight_hh_l0": Strided(block, (UNITS, UNITS), (1, UNITS), 7)}
    np.testing.assert_array_equal(load(write(tmp_path / "a", stored)).W, w["rnn.weight_hh_l0"])


def test_checkpoint_leaves_the_optimizer_alone(tmp_path: Path) -> None:
    w = weights()
    moments = {0: {"step": np.ones(1, np.float32), "exp_avg": w["rnn.weight_ih_l0"]}}
    content = {"epoch": 3, "best": None, "done": True, "lr": 1e-3, "betas": (0.9, 0.999), "names": ["a", "b"]}
    content |= {"model": w, "optimizer": {"state": moments, "param_groups": [{"lr": 1e-3, "params": [0]}]}}
    np.testing.assert_array_equal(load(write(tmp_path / "a", content)).W, w["rnn.weight_hh_l0"])


def test_pickles_of_python(tmp_path: Path) -> None:
    """All protocols of `pickle` for containers are read, up to the point where there is no tensor."""
    content = {"a": [1, -2, 3.5, 2**70, None, True], "b": ("x" * 300, b"bytes", {1, 2}), "c": [[], (), {}]}
    for protocol in range(2, 6):
        path = write(tmp_path / "a", None, pickled=pickle.dumps(content, protocol))
        with pytest.raises(FileFormatError, match=r"no tensor is named weight_ih_l0; .* It holds no tensors|refused"):
            load(path)


@both
def test_head_by_name(saver: str, tmp_path: Path) -> None:
    more = np.ones((4, UNITS), np.float32)
    path = SAVERS[saver](tmp_path / "a", weights(value__weight=more))
    with pytest.raises(FileFormatError, match=r"several layers, 'fc', 'value', could be the readout .* head="):
        load(path)
    assert load(path, head="value").outputs == 4
    assert load(path, head="none").outputs == UNITS
    with pytest.raises(FileFormatError, match="no Linear is named 'policy'"):
        load(path, head="policy")


@both
def test_layer_by_name(saver: str, tmp_path: Path) -> None:
    path = SAVERS[saver](tmp_path / "a", {**weights(), **weights("other.", head=None)})
    with pytest.raises(FileFormatError, match="holds 2 recurrent layers, 'rnn', 'other'; name one with layer="):
        load(path)
    assert load(path, layer="other", head="fc").info["layers"].startswith("other (RNN")
    with pytest.raises(FileFormatError, match="no tensor is named weight_ih_l0 of the layer 'third'"):
        load(path, layer="third")


def f32(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


REFUSED: dict[str, tuple[Any, str]] = {
    "GRU": (weights(gates=3), r"rnn.weight_hh_l0 is \(15, 5\): a GRU, which is not read"),
    "LSTM": (weights(gates=4), r"\(20, 5\): an LSTM, which is not read"),
    "projected": (weights(rnn__weight_hr_l0=f32(2, 5)), "rnn.weight_hr_l0 belongs to an LSTM with projections"),
    "bidirectional": (weights(rnn__weight_ih_l0_reverse=f32(5, 2)), "belongs to a bidirectional layer"),
    "half a layer": (weights(rnn__weight_ih_l1=f32(5, 5)), "the recurrent layer 'rnn' has no weight_hh_l1"),
    "a layer left out": (
        weights(rnn__weight_ih_l2=f32(5, 5), rnn__weight_hh_l2=f32(5, 5)),
        "the recurrent layer 'rnn' has no weight_ih_l1",
    ),
    "a layer of other inputs": (
        weights(rnn__weight_ih_l1=f32(5, 4), rnn__weight_hh_l1=f32(5, 5)),
        "layer 'rnn_l1' takes 4 inputs, and 'rnn_l0' before it has 5 units",
    ),
    "no rnn": ({"fc.weight": f32(3, 5)}, r"no tensor is named weight_ih_l0; .*fc.weight \(3, 5\)"),
    "no hh": (weights(rnn__weight_hh_l0=None), "the recurrent layer 'rnn' has no weight_hh_l0"),
    "one bias": (weights(rnn__bias_hh_l0=None), "rnn.bias_ih_l0 has no partner bias_hh"),
    "not square": (weights(rnn__weight_hh_l0=f32(5, 4)), r"rnn.weight_hh_l0 must have the shape \(4, 4\)"),
    "axes": (weights(rnn__weight_hh_l0=f32(25)), "rnn.weight_hh_l0 must have two axes"),
    "empty": (weights(rnn__weight_ih_l0=f32(5, 0)), r"two axes, none of them empty; its shape is \(5, 0\)"),
    "bias": (weights(rnn__bias_ih_l0=f32(4)), r"rnn.bias_ih_l0 must have the shape \(5,\); it is \(4,\)"),
    "head bias": (weights(fc__bias=f32(2)), r"fc.bias must have the shape \(3,\); it is \(2,\)"),
    "head": (weights(fc__weight=f32(3, 4), fc__bias=None), r"holds fc.weight \(3, 4\), which belongs to neither"),
    "integers": (weights(fc__weight=np.ones((3, 5), np.int64)), "fc.weight must be of floats; it is of int64"),
    "initial state": (weights(h0=f32(1, 5)), r"holds h0 \(1, 5\), which belongs to neither one RNN nor one Linear"),
    "norm": (weights(norm__weight=f32(5), norm__bias=f32(5)), r"holds norm.weight \(5,\), norm.bias"),
    "NaN": (weights(rnn__weight_hh_l0=np.full((5, 5), np.nan, np.float32)), "must be finite; 25 of 25"),
    "tensor": (f32(2, 2), "holds a single tensor; expected the dictionary"),
    "list": ([f32(2, 2)], "holds a list; expected the dictionary"),
    "two": ({"model": weights(), "ema": weights()}, "holds 2 state_dicts .* under 'model', 'ema'"),
    "nothing": ({}, "no tensor is named weight_ih_l0; .* It holds no tensors"),
    "outside": (weights(fc__weight=Strided(f32(14), (3, 5), (5, 1))), "lies outside its storage of 14"),
    "overlapping": (weights(fc__weight=Strided(f32(2), (3, 5), (0, 0))), "lies outside its storage of 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    content, message = REFUSED[case]
    path = write(tmp_path / "net.pt", content)
    with pytest.raises(FileFormatError, match=message) as caught:
        pytorch.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


class Payload:
    """What runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_malicious_pickles_do_not_run(protocol: int, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    pickled = pickle.dumps({"rnn.weight_ih_l0": Payload(trap)}, protocol)
    path = write(tmp_path / "a", None, pickled=pickled)
    with pytest.raises(
        FileFormatError, match=r"holds 'posix\.system', which is refused: .* nothing in the file is run"
    ):
        load(path)
    assert not trap.exists()
    pickle.loads(pickled)  # the payload is real
    assert trap.exists()


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (b"cbuiltins\neval\n(X\x03\0\0\x001+1tR.", "holds 'builtins.eval', which is refused"),
        (b"ctorch.storage\n_load_from_bytes\n.", "holds 'torch.storage._load_from_bytes', which is refused"),
        (b"ctorch\nload\n.", "holds 'torch.load', which is refused"),
        (b"(ios\nsystem\n.", "the pickle operation INST"),
        (b"(cbuiltins\nexec\no.", "holds 'builtins.exec'"),
        (b"ccollections\nOrderedDict\n)\x81.", "the pickle operation NEWOBJ"),
        (b"\x82\x01.", "the pickle operation EXT1"),
        (b"ccollections\nOrderedDict\n}b.", "an object with attributes"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n}b.", "an object with attributes"),
        (b"K\x01)R.", "a call of what cannot be called"),
        (b"ccollections\nOrderedDict\nK\x01R.", "a call without arguments"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x01K\x01K\x01tR.", "a tensor without a storage"),
        (b"K\x01Q.", "a persistent id that is no storage"),
        (b"}K\x01a.", "elements without a list"),
        (b"](K\x01K\x01u.", "keys and values without a dictionary"),
        (b"}r\xff\xff\xff\xff.", "no tensor is named"),  # a memo of four thousand million entries costs nothing
        (b"}]K\x01s.", "not a readable PyTorch file"),  # a list as a key
        (b"(.", "a mark where a value belongs"),
        (b".", "not a readable PyTorch file"),
        (b"}q\0", "pickle exhausted before seeing STOP|truncated"),
        (b"}q\0X\x01\0\0\0ah\0s.", "no tensor is named"),  # a dictionary that holds itself
    ],
)
def test_hostile_operations(operations: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=message) as caught:
        load(write(tmp_path / "a", None, pickled=b"\x80\x02" + operations))
    assert "\n" not in str(caught.value)


def test_archives(tmp_path: Path) -> None:
    for extra, message in (
        ({"net/code/__torch__.py": b""}, "a TorchScript archive"),
        ({"net/constants.pkl": b""}, "a TorchScript archive"),
        ({"other/data.pkl": b""}, "with 2 pickles"),
    ):
        with pytest.raises(FileFormatError, match=message):
            load(write(tmp_path / "a", weights(), extra=extra))
    with pytest.raises(FileFormatError, match="the record byteorder is b'middle'"):
        load(write(tmp_path / "a", weights(), order="middle"))
    records: list[np.ndarray] = []
    operations = b"\x80\x02" + emit(weights(), records) + b"."
    with pytest.raises(FileFormatError, match=r"no item named 'net/data/\d'"):
        load(write(tmp_path / "a", None, pickled=operations))
    with pytest.raises(FileFormatError, match=r"record net/data/1 has 3 bytes; expected 100"):
        load(write(tmp_path / "a", None, pickled=operations, extra={"net/data/1": b"abc"}))


def test_flipped_bytes_of_the_pickle(tmp_path: Path) -> None:
    """Past the checksum of the zip: the pickle itself is damaged, a thousand times."""
    records: list[np.ndarray] = []
    whole = b"\x80\x02" + emit(weights(), records) + b"."
    extra = {f"net/data/{key}": array.tobytes() for key, array in enumerate(records)}
    rng = np.random.default_rng(3)
    messages = []
    for _ in range(1000):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), size=int(rng.integers(1, 4))):
            damaged[at] = int(rng.integers(256))
        try:
            load(write(tmp_path / "a", None, pickled=bytes(damaged), extra=extra))
        except FileFormatError as error:
            messages.append(str(error))
    assert len(messages) > 500
    assert not any("\n" in message for message in messages)


def entry(dtype: Any = "F32", shape: Any = (1,), offsets: Any = (0, 4)) -> bytes:
    return json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


@pytest.mark.parametrize(
    ("header", "body", "message"),
    [
        (b"{}", b"", "no tensor is named weight_ih_l0"),
        (b"{]", b"", "its header is no JSON"),
        (b"{" * 5000, b"", "safetensors"),
        (b'{"a": 1}', b"", "'a' has no dtype, shape and data_offsets"),
        (b'{"a": {}, "a": {}}', b"", "a name is there twice"),
        (entry(shape="x"), b"1234", "'a' has no dtype, shape and data_offsets"),
        (entry(shape=[-1]), b"1234", "'a' has no dtype, shape and data_offsets"),
        (entry(shape=[True]), b"1234", "'a' has no dtype, shape and data_offsets"),
        (entry(shape=[2]), b"1234", r"'a', F32 of shape \(2,\), has 4 bytes"),
        (entry(offsets=[4, 0]), b"1234", "has -4 bytes"),
        (entry(offsets=[4, 8]), b"12345678", "do not follow each other at byte 0"),
        (entry(), b"123", "truncated or damaged safetensors file: .* bytes; its header says"),
        (entry(), b"12345", "truncated or damaged safetensors file: .* bytes; its header says"),
        (entry(dtype="F8_E4M3"), b"1234", r"no tensor is named weight_ih_l0; .* It holds a \(1,\)"),
    ],
)
def test_refused_safetensors(header: bytes, body: bytes, message: str, tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a", header, body)
    with pytest.raises(FileFormatError, match=message) as caught:
        safetensors.load(path)
    assert "\n" not in str(caught.value)


def test_type_of_safetensors_is_named(tmp_path: Path) -> None:
    w = {name: array.view(np.int32) for name, array in weights().items()}
    with pytest.raises(FileFormatError, match=r"rnn\.weight_hh_l0 must be of floats; it is of I32"):
        load(write_safetensors(tmp_path / "a", w, "I32"))


def test_missing_and_folder(tmp_path: Path) -> None:
    for reader in (pytorch.load, safetensors.load):
        with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
            reader(tmp_path / "nowhere")
        with pytest.raises(FileFormatError, match="is a folder"):
            reader(tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_like_torch(dtype: str, tmp_path: Path) -> None:
    """With PyTorch at hand: its own file of each type, run by it and by us."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"rnn": torch.nn.RNN(INPUTS, UNITS), "fc": torch.nn.Linear(UNITS, OUTPUTS)})
    model = model.to(getattr(torch, dtype))
    torch.save(model.state_dict(), tmp_path / "a.pt")
    net = load(tmp_path / "a.pt")
    with torch.no_grad():
        z = model.double()["fc"](model["rnn"](torch.tensor(X)[:, None])[0])[:, 0].numpy()
    np.testing.assert_allclose(net.run(X).z, z, rtol=0, atol=1e-10)


def test_like_safetensors(tmp_path: Path) -> None:
    """The package's own file."""
    from safetensors import numpy as package

    w = weights()
    package.save_file(dict(w), tmp_path / "a")
    np.testing.assert_array_equal(load(tmp_path / "a").W, w["rnn.weight_hh_l0"])
