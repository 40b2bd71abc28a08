"""PsychRNN's .npz files: forms of the state, masks, Dale's law, and arrays of Python objects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autapse.errors import FileFormatError
from autapse.importers import numpy_npz
from autapse.loading import load

UNITS, INPUTS, OUTPUTS, STEPS = 5, 2, 3, 60
X = np.random.default_rng(4).normal(size=(STEPS, INPUTS))


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(9)
    shapes = {
        "W_rec": (UNITS, UNITS), "W_in": (UNITS, INPUTS), "W_out": (OUTPUTS, UNITS), "b_rec": (UNITS,),
        "b_out": (OUTPUTS,), "init_state": (1, UNITS),
    }  # fmt: skip
    made = {name: 0.5 * rng.normal(size=shape) for name, shape in shapes.items()}
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def write(path: Path, **changes: Any) -> Path:
    with path.open("wb") as file:
        np.savez(file, **arrays(**changes))
    return path


def psychrnn(w: dict[str, Any], s: Any, alpha: float) -> np.ndarray:
    """PsychRNN's update and readout (BasicSimulator.rnn_step), independent of `Network`."""
    v, out = w["init_state"][0], []
    for x in X:
        v = (1 - alpha) * v + alpha * (s(v) @ w["W_rec"].T + x @ w["W_in"].T + w["b_rec"])
        out.append(s(v) @ w["W_out"].T + w["b_out"])
    return np.array(out)


def relu(a: np.ndarray) -> np.ndarray:
    return np.maximum(a, 0.0)


@pytest.mark.parametrize(("name", "s"), [(None, relu), ("tanh", np.tanh)])
def test_alpha_of_one_is_exact(name: str | None, s: Any, tmp_path: Path) -> None:
    net = load(write(tmp_path / "a"), alpha=1.0, activation=name)
    assert net.activation == (name or "relu")
    assert not net.leaky
    np.testing.assert_array_equal(net.h0, s(arrays()["init_state"][0]))
    np.testing.assert_allclose(net.run(X).z, psychrnn(arrays(), s, 1.0), rtol=1e-9, atol=1e-9)
    assert "exact for alpha = 1" in net.info["state"]
    assert ("given by the user" if name else "PsychRNN's default") in net.info["nonlinearity"]


@pytest.mark.parametrize(("name", "s"), [(None, relu), ("tanh", np.tanh)])
def test_the_current_form(name: str | None, s: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    net = load(path, alpha=0.1, activation=name)
    assert net.form == "current"
    np.testing.assert_array_equal(net.h0, arrays()["init_state"][0])
    np.testing.assert_allclose(net.run(X).z, psychrnn(arrays(), s, 0.1), rtol=1e-9, atol=1e-9)
    assert net.info["state"] == "current form, PsychRNN's own, alpha = 0.1, as the user says"
    with pytest.raises(FileFormatError, match=r"form='current' needs alpha = dt/tau, which the file does not hold"):
        load(path)


def test_the_two_forms_differ(tmp_path: Path) -> None:
    """What form='rate' means instead."""
    path = write(tmp_path / "a", init_state=None)
    net = load(path, form="rate", alpha=0.3, activation="tanh")
    np.testing.assert_allclose(net.d, 0.7, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(net.g, 0.3)
    assert net.form == "rate"
    assert net.info["state"].startswith("rate form, alpha = 0.3, as the user says")
    theirs = psychrnn(arrays(init_state=np.zeros((1, UNITS))), np.tanh, 0.3)
    assert np.abs(net.run(X).z - theirs).max() > 0.1
    with pytest.raises(FileFormatError, match="form='rate' needs alpha"):
        load(path, form="rate")
    with pytest.raises(FileFormatError, match="form must be one of current, rate; not 'both'"):
        load(path, form="both")
    with pytest.raises(FileFormatError, match=r"alpha = dt/tau must lie in \(0, 1\]; it is 1.5"):
        load(path, alpha=1.5)


MASK = np.ones((UNITS, UNITS))
MASK[0, 1:3] = 0
SIGNS = np.diag([1.0, 1.0, 1.0, -1.0, -1.0])
OUT = np.diag([1.0, 1.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize("name", ["rec_connectivity", "rec_Connectivity"])
def test_masks(name: str, tmp_path: Path) -> None:
    net = load(write(tmp_path / "a", **{name: MASK}), alpha=1)
    np.testing.assert_array_equal(net.W, arrays()["W_rec"] * MASK)
    weighted = 0.5 * MASK
    np.testing.assert_array_equal(load(write(tmp_path / "a", **{name: weighted}), alpha=1).W, 0.5 * net.W)
    effective = load(write(tmp_path / "a", **{name: weighted}, dale_ratio=np.array(0.0)), alpha=1)
    np.testing.assert_array_equal(effective.W, arrays()["W_rec"])  # version 1.0 applied it before saving


def test_dale(tmp_path: Path) -> None:
    w = arrays()
    given = {"Dale_rec": SIGNS, "Dale_out": OUT}
    for ratio in ({"dale_ratio": np.array(0.6)}, {}):
        net = load(write(tmp_path / "a", **given, **ratio), alpha=1)
        np.testing.assert_array_equal(net.W, np.abs(w["W_rec"]) @ SIGNS)
        assert (net.W[:, 3:] <= 0).all()  # presynaptic: columns of [to, from]
        np.testing.assert_array_equal(net.W_in, np.abs(w["W_in"]))
        np.testing.assert_array_equal(net.W_out, np.abs(w["W_out"]) @ OUT)
        applied = {"W_rec": net.W, "W_in": net.W_in, "W_out": net.W_out}  # as version 1.0 stores them
        np.testing.assert_array_equal(load(write(tmp_path / "b", **given, **ratio, **applied), alpha=1).W, net.W)
    identity = {"Dale_rec": np.eye(UNITS), "Dale_out": np.eye(UNITS)}
    np.testing.assert_array_equal(load(write(tmp_path / "a", **identity), alpha=1).W, w["W_rec"])


def test_dale_ratio_of_none_is_not_unpickled(tmp_path: Path) -> None:
    identity = {"Dale_rec": np.eye(UNITS), "Dale_out": np.eye(UNITS)}
    none = np.array(None, dtype=object)  # what PsychRNN writes without Dale's law
    net = load(write(tmp_path / "a", **identity, dale_ratio=none), alpha=1)
    np.testing.assert_array_equal(net.W, arrays()["W_rec"])
    with pytest.raises(FileFormatError, match="dale_ratio is an array of Python objects, though Dale_rec"):
        load(write(tmp_path / "a", Dale_rec=SIGNS, dale_ratio=none), alpha=1)


class Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("name", ["W_rec", "b_out", "dale_ratio"])
def test_object_arrays_do_not_run(name: str, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    path = write(tmp_path / "a", Dale_rec=SIGNS, **{name: np.array([Payload(trap)], dtype=object)})
    with pytest.raises(FileFormatError, match=f"{name} is an array of Python objects"):
        load(path, alpha=1)
    assert not trap.exists()


@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f8", "<f2", "<i4"])
def test_types(dtype: str, tmp_path: Path) -> None:
    w = {name: (4 * array).astype(dtype) for name, array in arrays().items()}
    np.testing.assert_array_equal(load(write(tmp_path / "a", **w), alpha=1).W, w["W_rec"].astype(np.float64))


def test_without_the_rest(tmp_path: Path) -> None:
    left_out = dict.fromkeys(("W_out", "b_rec", "b_out", "init_state"))
    net = load(write(tmp_path / "a", **left_out), alpha=1, activation="sigmoid")
    assert net.outputs == UNITS
    np.testing.assert_array_equal(net.h0, 0.5)  # the sigmoid of a state of 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W_f": np.ones((7, 5))}, "holds W_f, an LSTM's, which is not read"),
        ({"W_rec": np.ones((5, 4))}, r"W_rec must be \(units, units\); its shape is \(5, 4\)"),
        ({"W_rec": np.ones((0, 0))}, r"W_rec must be \(units, units\)"),
        ({"W_in": np.ones((4, 2))}, r"W_in must have the shape \(5, any\); it is \(4, 2\)"),
        ({"W_in": np.ones((5, 0))}, r"W_in must have the shape \(5, any\)"),
        ({"W_out": np.ones((3, 4))}, r"W_out must have the shape \(any, 5\)"),
        ({"b_rec": np.ones(4)}, r"b_rec must have the shape \(5\); it is \(4,\)"),
        ({"b_out": np.ones(5)}, r"b_out must have the shape \(3\)"),
        ({"init_state": np.ones(4)}, r"init_state must be one state, \(1, 5\)"),
        ({"init_state": np.eye(5)}, r"init_state must be one state, \(1, 5\)"),
        ({"rec_connectivity": np.ones((2, 2))}, r"rec_connectivity must have the shape \(5, 5\)"),
        ({"Dale_rec": np.ones((5, 5))}, "Dale_rec must be diagonal"),
        ({"W_rec": np.full((5, 5), np.nan)}, "W_rec must be finite; 25 of 25"),
        ({"W_rec": np.ones((5, 5), complex)}, "W_rec must be an array of real numbers, not of complex128"),
        ({"W_rec": np.full((5, 5), "a")}, "W_rec must be an array of real numbers, not of <U1"),
    ],
)
def test_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "net.npz", **changes)
    with pytest.raises(FileFormatError, match=message) as caught:
        load(path, alpha=1)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_other_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weights=np.ones(3), more=np.ones(2))
    with pytest.raises(
        FileFormatError, match=r"an \.npz with the arrays weights, more; expected Autapse's own, or Psych"
    ):
        load(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match="the array W_rec is missing"):
        numpy_npz.load(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", np.ones(3))
    with pytest.raises(FileFormatError, match=r"a single NumPy array \(\.npy\)"):
        load(tmp_path / "a.npy")
    with pytest.raises(FileFormatError, match="a single array; expected PsychRNN's"):
        numpy_npz.load(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        numpy_npz.load(tmp_path / "nowhere")


def test_flipped_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a", dale_ratio=np.array(0.6), Dale_rec=SIGNS)
    whole = path.read_bytes()
    rng = np.random.default_rng(8)
    messages = []
    for _ in range(300):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), size=2):
            damaged[at] = int(rng.integers(256))
        path.write_bytes(damaged)
        try:
            load(path, alpha=1)
        except FileFormatError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)
