"""The float network and its file."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autapse.errors import AutapseError, FileFormatError
from autapse.files import folder_beside, write_beside
from autapse.network import ACTIVATIONS, Network, load_npz


def small(**changes: Any) -> Network:
    rng = np.random.default_rng(1)
    given: dict[str, Any] = {
        "W": rng.normal(size=(3, 3)),
        "W_in": rng.normal(size=(3, 2)),
        "b": rng.normal(size=3),
        "W_out": rng.normal(size=(4, 3)),
        "b_out": rng.normal(size=4),
        "h0": rng.uniform(-1, 1, 3),
        "info": {"from": "a test"},
    }
    return Network(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W": np.ones((3, 2))}, r"W must be square.*\(3, 2\)"),
        ({"W": np.ones((0, 0))}, r"W must be square with at least one unit.*\(0, 0\)"),
        ({"W": "text"}, "W must be an array of real numbers, not str"),
        ({"W": None}, "W must be an array of real numbers, not NoneType"),
        ({"W": np.ones((3, 3)) * 1j}, "W must be an array of real numbers"),
        ({"W": [[1.0], [1.0, 2.0]]}, "W must be an array of real numbers, not list"),
        ({"W_in": np.ones((2, 2))}, r"W_in must be \(units, inputs\) = \(3, 2\); its shape is \(2, 2\)"),
        ({"W_in": np.ones((3, 0))}, "W_in must be .* with at least one input"),
        ({"W_in": np.ones(3)}, r"W_in must be .*\(3,\)"),
        ({"W_out": np.ones((0, 3))}, "W_out must be .* with at least one output"),
        ({"W_out": np.ones((4, 2))}, r"W_out must be \(outputs, units\) = \(4, 3\)"),
        ({"b": np.ones(2)}, r"b must be \(units\) = \(3,\); its shape is \(2,\)"),
        ({"b_out": np.ones((4, 1))}, r"b_out must be \(outputs\) = \(4,\)"),
        ({"b": [0.0, np.nan, 0.0]}, r"b must be finite; b\[1\] is nan"),
        ({"W": np.diag([1.0, np.inf, 1.0])}, r"W must be finite; W\[1, 1\] is inf"),
        ({"d": 1.5}, r"d must lie in \[-1, 1\]; d\[0\] is 1.5"),
        ({"g": [1.0, -5.0, 1.0]}, r"g must lie in \[-4, 4\]; g\[1\] is -5"),
        ({"h0": [0.0, 0.0, 2.0]}, r"h0 must lie in \[-1, 1\]; h0\[2\] is 2"),
        ({"activation": "softplus"}, "activation must be one of tanh, .*; not 'softplus'"),
        ({"info": [1]}, r"info must map text to text, not \[1\]"),
        ({"info": {"a": 1}}, r"info must map text to text, not \{'a': 1\}"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**changes)


def test_defaults_and_immutability() -> None:
    net = Network([[0.5, 0.0], [0.0, 0.5]], [[1.0], [0.0]])
    assert (net.units, net.inputs, net.outputs) == (2, 1, 2)
    assert np.array_equal(net.W_out, np.eye(2))
    assert not net.leaky
    assert Network([[1.0]], [[1.0]], d=0.5).leaky
    assert Network([[1.0]], [[1.0]], g=0.5).leaky
    with pytest.raises(ValueError, match="read-only"):
        net.W[0, 0] = 1.0


def test_the_caller_s_array_is_copied() -> None:
    W = np.eye(2)
    net = Network(W, np.ones((2, 1)))
    W[0, 0] = 7.0
    assert net.W[0, 0] == 1.0


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("leaky", [False, True])
def test_run_is_the_equation(activation: str, leaky: bool) -> None:
    net = small(activation=activation, **({"d": [0.5, -0.25, 0.9], "g": 0.25} if leaky else {}))
    x = np.random.default_rng(2).normal(size=(2, 5, 2))
    z, h = net.run(x)
    for k in range(2):
        state = net.h0
        for t in range(5):
            a = net.W @ state + net.W_in @ x[k, t] + net.b
            s = {
                "tanh": np.tanh(a),
                "sigmoid": 1 / (1 + np.exp(-a)),
                "relu": a * (a > 0),
                "hardtanh": np.sign(a) * np.minimum(np.abs(a), 1),
                "identity": a,
            }[activation]
            state = net.d * state + net.g * s
            assert h[k, t] == pytest.approx(state, rel=1e-12, abs=1e-14)
            assert z[k, t] == pytest.approx(net.W_out @ state + net.b_out, rel=1e-12, abs=1e-12)
    alone = net.run(x[1])
    assert alone.z.shape == (5, 4)
    assert alone.h == pytest.approx(h[1], rel=1e-12, abs=1e-14)


def test_refused_inputs() -> None:
    with pytest.raises(ValueError, match=r"with 2 inputs; its shape is \(4, 3\)"):
        small().run(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"its shape is \(2,\)"):
        small().run(np.zeros(2))
    with pytest.raises(ValueError, match=r"x must be finite; x\[0, 1\] is inf"):
        small().run([[0.0, np.inf]])


@pytest.mark.parametrize("leaky", [False, True])
def test_file_round_trip(tmp_path: Path, leaky: bool) -> None:
    net = small(activation="sigmoid", **({"d": 0.5, "g": 0.5} if leaky else {})).with_info(more="text ü")
    net.save(tmp_path / "n.npz")
    back = load_npz(tmp_path / "n.npz")
    assert all(np.array_equal(a, net.arrays()[name]) for name, a in back.arrays().items())
    assert (back.activation, back.info) == ("sigmoid", {"from": "a test", "more": "text ü"})
    assert [p.name for p in tmp_path.iterdir()] == ["n.npz"]


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    small().save(path)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), *range(len(whole) - 24, len(whole))]:
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match=r"n\.npz"):
            load_npz(path)


def test_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    """Whatever byte is changed, the reader raises nothing but FileFormatError, and never reads other numbers."""
    path = tmp_path / "n.npz"
    net = small()
    net.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    refused = 0
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            back = load_npz(path)
        except FileFormatError:
            refused += 1
        else:
            assert all(np.array_equal(a, net.arrays()[name]) for name, a in back.arrays().items())
    assert refused > 0.7 * len(whole) / 3


def write(path: Path, header: Any, **arrays: Any) -> Path:
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
    return path


GOOD = {"format": "autapse-network", "version": 1, "activation": "tanh", "info": {}}
ARRAYS = {"W": np.eye(2), "W_in": np.ones((2, 1))}


@pytest.mark.parametrize(
    ("header", "arrays", "message"),
    [
        (GOOD | {"format": "autapse-quantized"}, ARRAYS, "holds autapse-quantized; expected autapse-network"),
        (GOOD | {"version": 2}, ARRAYS, "autapse-network version 2; this Autapse reads version 1"),
        (["autapse-network"], ARRAYS, "without Autapse's header"),
        ({"format": "autapse-network"}, ARRAYS, "without Autapse's header"),
        (GOOD, {"W": np.eye(2)}, "the array W_in is missing"),
        (GOOD, ARRAYS | {"V": np.eye(2)}, "unknown array V; expected W, W_in, b"),
        (GOOD, ARRAYS | {"b": np.ones(3)}, r"b must be \(units\) = \(2,\)"),
        (GOOD | {"activation": "softplus"}, ARRAYS, "activation must be one of"),
        (GOOD | {"activation": []}, ARRAYS, "unhashable"),
        (GOOD | {"info": 5}, ARRAYS, "info must map text to text"),
    ],
)
def test_wrong_contents(tmp_path: Path, header: Any, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        load_npz(write(tmp_path / "n.npz", header, **arrays))


def test_the_same_writer_makes_a_good_file(tmp_path: Path) -> None:
    assert load_npz(write(tmp_path / "n.npz", GOOD, **ARRAYS)).units == 2  # so that the test above fails for its reason


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.npz: no such file"):
        load_npz(tmp_path / "missing.npz")
    with pytest.raises(FileFormatError, match="is a folder"):
        load_npz(tmp_path)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(FileFormatError, match="single array"):
        load_npz(tmp_path / "one.npy")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(FileFormatError, match="without Autapse's header"):
        load_npz(tmp_path / "other.zip")


class _Trap:
    """Raises the flag when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Trap.spring, ())

    sprung = False

    @staticmethod
    def spring() -> None:
        _Trap.sprung = True


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([_Trap()], dtype=object), allow_pickle=True)
    write(tmp_path / "n.npz", GOOD, W=np.eye(2))
    with zipfile.ZipFile(tmp_path / "n.npz", "a") as file:
        file.writestr("W_in.npy", buffer.getvalue())
    with pytest.raises(FileFormatError, match="not a readable"):
        load_npz(tmp_path / "n.npz")
    assert not _Trap.sprung
    buffer.seek(0)
    np.load(buffer, allow_pickle=True)
    assert _Trap.sprung  # the trap works


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with write_beside(path) as file:
            file.write(b"half of the ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["n.npz"]
    with write_beside(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    with pytest.raises(AutapseError, match=r"nowhere: no such folder to write n\.npz into"):
        small().save(tmp_path / "nowhere" / "n.npz")


def test_folders_are_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def fill(text: str, fail: bool = False) -> None:
        with folder_beside(target, "marker") as work:
            (work / "marker").write_text(text)
            if fail:
                raise OSError("disk full")

    fill("one")
    fill("two")
    assert (target / "marker").read_text() == "two"
    with pytest.raises(OSError, match="disk full"):
        fill("three", fail=True)
    assert (target / "marker").read_text() == "two"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    (target / "marker").rename(target / "other")
    with pytest.raises(AutapseError, match="not written by this command"):
        fill("four")
    assert (target / "other").read_text() == "two"
    (tmp_path / "file").write_text("")
    with pytest.raises(AutapseError, match="not a folder"), folder_beside(tmp_path / "file", "marker"):
        pass
