"""Keras HDF5 files, made here with h5py in the layouts of Keras 2 and 3, and two real ones."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from autapse.errors import FileFormatError, MissingToolError
from autapse.importers import keras
from autapse.loading import load

UNITS, INPUTS, OUTPUTS = 5, 2, 3
REAL = Path(__file__).resolve().parents[3] / "shared" / "data"

RNN = {"name": "simple_rnn", "units": UNITS, "activation": "tanh", "use_bias": True}
DENSE = {"name": "dense", "units": OUTPUTS, "activation": "linear", "use_bias": True}


def arrays() -> dict[str, dict[str, np.ndarray]]:
    """Weights by layer, as Keras stores them: [from, to], float32, none of them symmetric."""
    rng = np.random.default_rng(7)
    shapes: dict[str, dict[str, tuple[int, ...]]] = {
        "simple_rnn": {"kernel": (INPUTS, UNITS), "recurrent_kernel": (UNITS, UNITS), "bias": (UNITS,)},
        "dense": {"kernel": (UNITS, OUTPUTS), "bias": (OUTPUTS,)},
    }
    return {
        layer: {name: rng.normal(size=shape).astype(np.float32) for name, shape in leaves.items()}
        for layer, leaves in shapes.items()
    }


def layer(kind: str, settings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {**settings, **changes}}


def chain(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": list(layers)}}


PLAIN = chain(layer("InputLayer", {"name": "input_layer"}), layer("SimpleRNN", RNN), layer("Dense", DENSE))


def keras3(name: str, leaf: str) -> str:
    inner = "/simple_rnn_cell" if name == "simple_rnn" else ""
    return f"sequential/{name}{inner}/{leaf}"


def keras2(name: str, leaf: str) -> str:
    inner = "/simple_rnn_cell" if name == "simple_rnn" else ""
    return f"{name}{inner}/{leaf}:0"


def flat(name: str, leaf: str) -> str:
    return leaf


def write(
    path: Path,
    config: Any = PLAIN,
    weights: dict[str, dict[str, np.ndarray]] | None = None,
    nest: Callable[[str, str], str] = keras3,
    *,
    as_bytes: bool = False,
) -> Path:
    text = config if isinstance(config, str) else json.dumps(config)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = np.bytes_(text.encode()) if as_bytes else text
        file.attrs["keras_version"] = np.bytes_(b"2.15.0") if as_bytes else "3.6.0"
        for name, leaves in (arrays() if weights is None else weights).items():
            group = file.create_group(f"model_weights/{name}")
            for leaf, array in leaves.items():
                group.create_dataset(nest(name, leaf), data=array)
    return path


def reference(x: np.ndarray, w: dict[str, dict[str, np.ndarray]]) -> np.ndarray:
    """The readout by Keras' own formula, h @ kernel with [from, to]; independent of `Network`."""
    rnn, dense = w["simple_rnn"], w["dense"]
    h, out = np.zeros(UNITS), []
    for now in x.astype(np.float64):
        h = np.tanh(now @ rnn["kernel"] + h @ rnn["recurrent_kernel"] + rnn["bias"])
        out.append(h @ dense["kernel"] + dense["bias"])
    return np.array(out)


@pytest.mark.parametrize("nest", [keras3, keras2, flat])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_layouts_and_orientation(tmp_path: Path, nest: Callable[[str, str], str], as_bytes: bool) -> None:
    path = write(tmp_path / "net.h5", nest=nest, as_bytes=as_bytes)
    net = keras.load(path)
    w = arrays()
    np.testing.assert_array_equal(net.W, w["simple_rnn"]["recurrent_kernel"].T)
    np.testing.assert_array_equal(net.W_in, w["simple_rnn"]["kernel"].T)
    np.testing.assert_array_equal(net.W_out, w["dense"]["kernel"].T)
    x = np.random.default_rng(1).normal(size=(12, INPUTS))
    np.testing.assert_allclose(net.run(x).z, reference(x, w), rtol=0, atol=1e-12)
    assert dict(net.info) == {
        "source": "net.h5",
        "format": f"Keras HDF5 {'2.15.0' if as_bytes else '3.6.0'}",
        "layers": f"simple_rnn (SimpleRNN, {UNITS}, tanh), dense (Dense, {OUTPUTS})",
    }


def test_keras2_config_is_a_list(tmp_path: Path) -> None:
    config = {"class_name": "Sequential", "config": PLAIN["config"]["layers"]}
    assert keras.load(write(tmp_path / "net.h5", config, nest=keras2)).units == UNITS


def test_functional_model(tmp_path: Path) -> None:
    layers = [{**entry, "inbound_nodes": [[]], "name": entry["config"]["name"]} for entry in PLAIN["config"]["layers"]]
    for outputs in (["dense", 0, 0], [["dense", 0, 0]]):
        config = {"class_name": "Functional", "config": {"layers": layers, "output_layers": outputs}}
        assert keras.load(write(tmp_path / "net.h5", config)).outputs == OUTPUTS


def test_rnn_with_cell_and_time_distributed(tmp_path: Path) -> None:
    inner = {k: v for k, v in RNN.items() if k != "name"}
    config = chain(
        layer("RNN", {"name": "simple_rnn", "cell": layer("SimpleRNNCell", inner)}),
        layer("Dropout", {"name": "dropout", "rate": 0.5}),
        layer("TimeDistributed", {"name": "dense", "layer": layer("Dense", {**DENSE, "name": "inside"})}),
    )
    net = keras.load(write(tmp_path / "net.h5", config))
    assert net.info["layers"] == "simple_rnn (RNN(SimpleRNNCell), 5, tanh), dense (TimeDistributed(Dense), 3)"
    x = np.random.default_rng(2).normal(size=(9, INPUTS))
    np.testing.assert_allclose(net.run(x).z, reference(x, arrays()), rtol=0, atol=1e-12)


def test_without_biases(tmp_path: Path) -> None:
    config = chain(layer("SimpleRNN", RNN, use_bias=False), layer("Dense", DENSE, use_bias=False))
    w = arrays()
    del w["simple_rnn"]["bias"], w["dense"]["bias"]
    net = keras.load(write(tmp_path / "net.h5", config, w))
    assert not net.b.any()
    assert not net.b_out.any()


def test_without_head_the_readout_is_the_state(tmp_path: Path) -> None:
    net = keras.load(write(tmp_path / "net.h5", chain(layer("SimpleRNN", RNN))))
    traj = net.run(np.random.default_rng(3).normal(size=(4, INPUTS)))
    np.testing.assert_array_equal(traj.z, traj.h)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("linear", "identity"),
        (None, "identity"),
        ("relu", "relu"),
        ("sigmoid", "sigmoid"),
        ("tanh", "tanh"),
        ("hard_tanh", "hardtanh"),
    ],
)
def test_activations(tmp_path: Path, theirs: str | None, ours: str) -> None:
    config = chain(layer("SimpleRNN", RNN, activation=theirs), layer("Dense", DENSE))
    assert keras.load(write(tmp_path / "net.h5", config)).activation == ours


REFUSED = {
    "GRU": (chain(layer("GRU", RNN), layer("Dense", DENSE)), "'simple_rnn' is a GRU, which is not read"),
    "LSTM": (chain(layer("LSTM", RNN), layer("Dense", DENSE)), "'simple_rnn' is a LSTM, which is not read"),
    "Bidirectional": (
        chain(layer("Bidirectional", {"name": "both", "layer": layer("SimpleRNN", RNN)})),
        r"'both' is a Bidirectional\(SimpleRNN\), which is not read",
    ),
    "two activations": (
        chain(layer("SimpleRNN", RNN), layer("SimpleRNN", RNN, name="second", activation="relu")),
        "layers 'simple_rnn' and 'second' have the activations tanh and relu; expected one activation",
    ),
    "stacked cells": (chain(layer("RNN", {"name": "r", "cell": [{}, {}]})), "stacks 2 cells"),
    "GRU cell": (chain(layer("RNN", {"name": "r", "cell": layer("GRUCell", RNN)})), r"RNN\(GRUCell\)"),
    "backwards": (chain(layer("SimpleRNN", RNN, go_backwards=True)), "go_backwards=True"),
    "hard sigmoid": (chain(layer("SimpleRNN", RNN, activation="hard_sigmoid")), "activation 'hard_sigmoid'; expected"),
    "custom activation": (
        chain(layer("SimpleRNN", RNN, activation={"class_name": "function", "config": "my_tanh"})),
        "activation 'my_tanh'; expected",
    ),
    "nonlinear head": (
        chain(layer("SimpleRNN", RNN), layer("Dense", DENSE, activation="softmax")),
        "activation 'softmax'; expected",
    ),
    "tanh head": (
        chain(layer("SimpleRNN", RNN), layer("Dense", DENSE, activation="tanh")),
        "activation 'tanh'; expected 'linear' at the readout",
    ),
    "two heads": (
        chain(layer("SimpleRNN", RNN), layer("Dense", DENSE), layer("Dense", DENSE, name="d2")),
        "'d2' .* is a second one after 'dense'",
    ),
    "Dense first": (chain(layer("Dense", DENSE), layer("SimpleRNN", RNN)), "'dense' .* stands before 'simple_rnn'"),
    "no recurrence": (chain(layer("Dense", DENSE)), "no recurrent layer"),
    "unknown layer": (
        chain(layer("SimpleRNN", RNN), layer("BatchNormalization", {"name": "bn"})),
        "'bn' is a BatchNormalization",
    ),
    "active Activation": (
        chain(layer("SimpleRNN", RNN), layer("Activation", {"name": "act", "activation": "relu"})),
        "'act' is a Activation",
    ),
    "two inputs": (
        chain(layer("InputLayer", {"name": "i"}), layer("InputLayer", {"name": "state"}), layer("SimpleRNN", RNN)),
        "more than one input .*'state'",
    ),
    "two outputs": (
        {"class_name": "Functional", "config": {"layers": [], "output_layers": [["a", 0, 0], ["b", 0, 0]]}},
        "2 outputs",
    ),
    "shared layer": (chain({**layer("SimpleRNN", RNN), "inbound_nodes": [[], []]}), "is used 2 times"),
    "units": (chain(layer("SimpleRNN", RNN, units="many")), "units = 'many'; expected an integer"),
    "no layers": ({"class_name": "Sequential", "config": {}}, "lists no layers"),
    "a list": ([1, 2], "lists no layers"),
    "a bare layer": (chain({"class_name": "SimpleRNN"}), "has no class_name and config"),
    "no name": (chain(layer("SimpleRNN", RNN, name=None)), "has no name"),
    "not JSON": ("{", "is not JSON"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_models(tmp_path: Path, case: str) -> None:
    config, message = REFUSED[case]
    path = write(tmp_path / "net.h5", config)
    with pytest.raises(FileFormatError, match=message) as caught:
        keras.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def broken(layer_name: str, leaf: str, change: Callable[[np.ndarray], np.ndarray] | None) -> dict[str, Any]:
    w = arrays()
    if change is None:
        del w[layer_name][leaf]
    else:
        w[layer_name][leaf] = change(w[layer_name][leaf])
    return w


def with_nan(array: np.ndarray) -> np.ndarray:
    array[0] = np.nan
    return array


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "'simple_rnn' .* has no weight kernel; was the model saved before it was built"),
        ({"simple_rnn": {}, "dense": {}}, "'simple_rnn' .* has no weight kernel"),
        (broken("simple_rnn", "recurrent_kernel", None), "has no weight recurrent_kernel"),
        (broken("simple_rnn", "bias", None), "'simple_rnn' .* has no weight bias"),
        (broken("dense", "kernel", None), "'dense' .* has no weight kernel"),
        (broken("simple_rnn", "kernel", np.transpose), r"kernel of layer 'simple_rnn' .*\(5, 5\); it is \(5, 2\)"),
        (broken("simple_rnn", "kernel", np.ravel), r"must have the shape \(10, 5\); it is \(10,\)"),
        (broken("simple_rnn", "recurrent_kernel", lambda a: a[:4, :4]), r"\(5, 5\); it is \(4, 4\)"),
        (broken("simple_rnn", "bias", lambda a: a[:2]), r"bias of layer 'simple_rnn' .*\(5,\); it is \(2,\)"),
        (broken("dense", "kernel", lambda a: a[:, :1]), r"kernel of layer 'dense' .*\(5, 3\); it is \(5, 1\)"),
        (broken("dense", "bias", with_nan), "bias of layer 'dense' .* must be finite; 1 of 3"),
        (broken("simple_rnn", "recurrent_kernel", with_nan), "must be finite; 5 of 25"),
        (broken("dense", "kernel", lambda a: a.astype(np.int8)), "must be of floats; it is of int8"),
    ],
)
def test_refused_weights(tmp_path: Path, weights: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        keras.load(write(tmp_path / "net.h5", weights=weights))


def test_ambiguous_weights(tmp_path: Path) -> None:
    path = write(tmp_path / "net.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/simple_rnn/elsewhere/bias:0"] = np.zeros(UNITS)
    with pytest.raises(FileFormatError, match="'simple_rnn' has more than one bias"):
        keras.load(path)


CELL, HEAD = "layers/simple_rnn/cell", "layers/dense"


def positional(path: Path, groups: dict[str, list[np.ndarray]] | None = None) -> Path:
    """The weights of a Keras 3 model: ``vars/0`` to ``vars/2`` under the layers' classes."""
    w = {layer_name: list(leaves.values()) for layer_name, leaves in arrays().items()}
    with h5py.File(path, "w") as file:
        for place, leaves in ({CELL: w["simple_rnn"], HEAD: w["dense"]} if groups is None else groups).items():
            group = file.create_group(f"{place}/vars")
            for position, array in enumerate(leaves):
                group[str(position)] = array
    return path


def archive(path: Path, config: Any = PLAIN, places: tuple[str, str] = (CELL, HEAD)) -> Path:
    """A ``.keras`` archive."""
    w = {layer_name: list(leaves.values()) for layer_name, leaves in arrays().items()}
    inner = positional(path.with_suffix(".inner"), dict(zip(places, (w["simple_rnn"], w["dense"]), strict=True)))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.9.0"}))
        file.writestr("model.weights.h5", inner.read_bytes())
    return path


INNER = {key: value for key, value in RNN.items() if key != "name"}
WRAPPED = chain(
    layer("RNN", {"name": "any name", "cell": layer("SimpleRNNCell", INNER)}),
    layer("TimeDistributed", {"name": "other name", "layer": layer("Dense", {**DENSE, "name": "inside"})}),
)


def test_the_optimizer_is_left_alone(tmp_path: Path) -> None:
    """Moments have the shapes of the weights that they belong to, and names that contain theirs."""
    w = arrays()
    whole, alone = write(tmp_path / "net.h5"), positional(tmp_path / "net.weights.h5")
    with h5py.File(whole, "a") as file:
        for name in w["simple_rnn"]:
            file[f"optimizer_weights/adam/simple_rnn/{name}"] = w["simple_rnn"][name] + 1
    with h5py.File(alone, "a") as file:
        for k, name in enumerate(w["simple_rnn"]):
            file[f"optimizer/vars/{k}"] = w["simple_rnn"][name] + 1
    for path in (whole, alone):
        np.testing.assert_array_equal(load(path).W, w["simple_rnn"]["recurrent_kernel"].T)


@pytest.mark.parametrize(
    ("config", "places"),
    [
        (PLAIN, (CELL, HEAD)),
        (PLAIN, ("_layer_checkpoint_dependencies/simple_rnn/cell", "_layer_checkpoint_dependencies/dense")),
        (WRAPPED, ("layers/rnn/cell", "layers/time_distributed/layer")),
    ],
)
def test_archives(tmp_path: Path, config: Any, places: tuple[str, str]) -> None:
    net = load(archive(tmp_path / "net.keras", config, places))
    x = np.random.default_rng(1).normal(size=(40, INPUTS))
    np.testing.assert_allclose(net.run(x).z, reference(x, arrays()), rtol=0, atol=1e-12)
    assert net.info["format"] == "Keras archive 3.9.0"


def test_refused_archives(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    for config, places, message in (
        (chain(layer("GRU", RNN)), (CELL, HEAD), "'simple_rnn' is a GRU, which is not read"),
        (PLAIN, ("layers/gru/cell", HEAD), "'simple_rnn' .SimpleRNN. has no weight kernel; was the model saved before"),
        (PLAIN, (CELL, "a/dense"), None),
        (PLAIN, ("a/simple_rnn/cell", HEAD), None),
        ("{", (CELL, HEAD), "config.json is not JSON"),
    ):
        archive(path, config, places)
        if message is None:
            assert load(path).units == UNITS
            continue
        with pytest.raises(FileFormatError, match=message):
            load(path)
    archive(path)
    members = {}
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    for name in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(path, "w") as file:
            for other, data in members.items():
                if other != name:
                    file.writestr(other, data)
        with pytest.raises(FileFormatError, match=f"a zip archive without {name}; expected a .keras archive"):
            keras.load(path)
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data[:100] if name == "model.weights.h5" else data)
    with pytest.raises(FileFormatError, match=r"not a readable Keras file \(truncated or damaged\)"):
        load(path)


@pytest.mark.parametrize("function", [None, "relu", "tanh"])
def test_weights_alone(tmp_path: Path, function: str | None) -> None:
    net = load(positional(tmp_path / "net.weights.h5"), activation=function)
    assert net.activation == (function or "tanh")
    assert net.info["nonlinearity"].startswith(f"{function}, given by the user" if function else "tanh, Keras' default")
    np.testing.assert_array_equal(net.W, arrays()["simple_rnn"]["recurrent_kernel"].T)
    if function != "relu":
        x = np.random.default_rng(1).normal(size=(40, INPUTS))
        np.testing.assert_allclose(net.run(x).z, reference(x, arrays()), rtol=0, atol=1e-12)


def test_weights_of_keras2(tmp_path: Path) -> None:
    """``save_weights`` of Keras 2: the layers' names, without ``model_weights``."""
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"simple_rnn", b"dropout", b"dense"])
        file.attrs["keras_version"] = np.bytes_(b"2.3.1")
        file.create_group("dropout")
        for name, leaves in arrays().items():
            for leaf, array in leaves.items():
                file[f"{name}/{keras2(name, leaf)}"] = array
    net = load(path)
    assert net.info["format"] == "Keras weights 2.3.1"
    np.testing.assert_array_equal(net.W_out, arrays()["dense"]["kernel"].T)


def ones(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [np.ones(shape, np.float32) for shape in shapes]


SIMPLE = ones((2, 5), (5, 5), (5,))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "without the attribute model_config and without weights where Keras puts them"),
        ({CELL: [], HEAD: []}, "layers of a Keras model without weights; was the model saved before it was built"),
        ({"_layer_checkpoint_dependencies/rnn/cell": []}, "without weights; was the model saved before it was built"),
        ({HEAD: ones((5, 3), (3,))}, "holds no recurrent weights; .* It holds layers/dense"),
        ({CELL: ones((2, 5))}, f"{CELL} has no weight recurrent_kernel"),
        ({"layers/lstm/cell": ones((2, 20), (5, 20), (20,))}, "belongs to a layer of the class lstm"),
        ({CELL: ones((2, 15), (5, 15), (15,))}, r"of shape \(5, 15\): a GRU, which is not read"),
        ({"layers/bidirectional/forward_layer/cell": SIMPLE}, "belongs to a bidirectional layer"),
        (
            {CELL: SIMPLE, "layers/simple_rnn_1/cell": SIMPLE},
            "layer 'layers/simple_rnn_1/cell' takes 2 inputs, and 'layers/simple_rnn/cell' before it has 5 units",
        ),
        ({CELL: SIMPLE, "layers/rnn/cell": SIMPLE}, "the order of .* is not in the file"),
        ({CELL: SIMPLE, HEAD: ones((5, 3)), "layers/dense_1": ones((3, 3))}, "holds 2 layers besides the SimpleRNN"),
        ({CELL: SIMPLE, "layers/batch_normalization": ones((5,), (5,))}, "holds weights that are no Dense layer's"),
        ({CELL: SIMPLE, HEAD: ones((4, 3))}, r"kernel of layer 'layers/dense' .* must have the shape \(5, 3\)"),
        ({CELL: ones((2, 5), (5, 4))}, r"recurrent_kernel of layer .* must have the shape \(5, 5\); it is \(5, 4\)"),
    ],
)
def test_refused_weights_alone(tmp_path: Path, groups: dict[str, list[np.ndarray]], message: str) -> None:
    path = positional(tmp_path / "net.weights.h5", groups)
    with pytest.raises(FileFormatError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", ">f8"])
def test_types(tmp_path: Path, dtype: str) -> None:
    w = {name: {leaf: array.astype(dtype) for leaf, array in leaves.items()} for name, leaves in arrays().items()}
    net = keras.load(write(tmp_path / "net.h5", weights=w))
    np.testing.assert_array_equal(net.W, w["simple_rnn"]["recurrent_kernel"].T.astype(np.float64))


@pytest.mark.parametrize("part", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated(tmp_path: Path, part: float) -> None:
    whole = write(tmp_path / "net.h5").read_bytes()
    path = tmp_path / "cut.h5"
    path.write_bytes(whole[: max(9, int(part * len(whole)))])
    with pytest.raises(FileFormatError, match="truncated or damaged") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15 with NumPy 2.4
@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.weights.h5"])
def test_like_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Keras's own files, run by it, on JAX, and by us."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    import keras as framework

    layers = framework.layers
    framework.utils.set_random_seed(3)
    rnn = layers.SimpleRNN(UNITS, return_sequences=True, name="my_memory", bias_initializer="normal")
    model = framework.Sequential([framework.Input((None, INPUTS)), rnn, layers.Dense(OUTPUTS, name="my_answer")])
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    x = np.random.default_rng(1).normal(size=(30, INPUTS)).astype(np.float32)
    np.testing.assert_allclose(load(tmp_path / name).run(x).z, np.asarray(model(x[None]))[0], rtol=0, atol=1e-5)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.h5: no such file"):
        keras.load(tmp_path / "nowhere.h5")
    with pytest.raises(FileFormatError, match="is a folder"):
        keras.load(tmp_path)


def test_missing_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "net.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingToolError, match=r"pip install 'autapse\[keras\]'"):
        keras.load(path)


@pytest.mark.parametrize("name", ["dm1_n100_bias", "dm1_n100_nobias"])
def test_real_files(name: str) -> None:
    path = REAL / f"{name}.hdf5"
    if not path.is_file():
        pytest.skip(f"the real networks are not here: {REAL}")
    net = load(path)
    assert (net.units, net.inputs, net.outputs, net.activation) == (100, 1, 1, "tanh")
    assert bool(net.b.any()) is (name == "dm1_n100_bias")
    assert dict(net.info) == {
        "source": f"{name}.hdf5",
        "format": "Keras HDF5 3.6.0",
        "layers": "simple_rnn (SimpleRNN, 100, tanh), dense (Dense, 1)",
    }
