"""Stacks of recurrent layers: one network whose layers take each other's new states; files of three frameworks."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from autapse import reference
from autapse.cli.model import describe
from autapse.dynamics import RateODE, network_jacobian, step
from autapse.fixedpoints import find_fixed_points
from autapse.importers._stack import stacked
from autapse.importers.pytorch import load as load_torch
from autapse.loading import load
from autapse.network import Network, load_npz
from autapse.quantize import quantize
from autapse.quantized import load_quantized

FIXTURES = Path(__file__).parent / "fixtures"
X = np.random.default_rng(5).normal(size=(30, 2))
SIZES = (4, 5, 3)


def layer(units: int, inputs: int, seed: int) -> dict[str, np.ndarray]:
    """Arrays [to, from] of one layer, with a bias and a start that no layer may miss."""
    rng = np.random.default_rng(seed)
    shapes = {"W": (units, units), "W_in": (units, inputs), "b": (units,), "h0": (units,)}
    return {name: 0.6 * rng.uniform(-1, 1, shape) for name, shape in shapes.items()}


def layers() -> list[dict[str, np.ndarray]]:
    made = [layer(n, m, k) for k, (n, m) in enumerate(zip(SIZES, (2, *SIZES), strict=False))]
    rng = np.random.default_rng(9)
    made[-1] |= {"W_out": rng.normal(size=(2, SIZES[-1])), "b_out": rng.normal(size=2)}
    return made


def stack(**changes: Any) -> Network:
    return Network(**stacked(layers(), ["a", "b", "c"]), **changes)


def one_by_one(parts: list[dict[str, np.ndarray]], x: np.ndarray, **changes: Any) -> tuple[np.ndarray, np.ndarray]:
    """What a framework does: a layer over the whole sequence, then the next one on its states. Readout, states."""
    states = []
    for part in parts:
        ran = Network(**part, **changes).run(x)
        states.append(ran.h)
        x = np.tanh(ran.h) if changes.get("form") == "current" else ran.h
    return ran.z, np.concatenate(states, axis=1)


@pytest.mark.parametrize("form", ["rate", "current"])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_a_stack_is_its_layers_one_after_another(form: str, alpha: float) -> None:
    leak = {"d": np.array(1 - alpha), "g": np.array(alpha), "form": form}
    ran = stack(**leak).run(X)
    z, h = one_by_one(layers(), X, **leak)
    np.testing.assert_allclose(ran.h, h, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ran.z, z, rtol=0, atol=1e-12)
    late = Network(**{k: v for k, v in stacked(layers(), "abc").items() if k != "layers"}, **leak).run(X)
    assert np.abs(late.z - ran.z).max() > 0.05  # one network without layers sees all of them late


@pytest.mark.parametrize("kernel", ["numpy", "compiled"])
@pytest.mark.parametrize("form", ["rate", "current"])
@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_the_kernels_give_the_integers_of_the_contract(kernel: Any, form: str, alpha: float, activation: str) -> None:
    net = stack(d=np.array(1 - alpha), g=np.array(alpha), form=form, activation=activation)
    q = quantize(net, calibrate=X)
    codes = q.quantize_inputs(X)[0]
    state, h, z = q.h0[None], [], []
    for x in codes:
        state, out = reference.step(q, state, x[None])
        h.append(state[0])
        z.append(out[0])
    for repeats in (1, 20):
        got = reference.run(q, np.tile(codes, (repeats, 1, 1)), kernel=kernel)
        np.testing.assert_array_equal(got.h[-1], np.stack(h))
        np.testing.assert_array_equal(got.z[-1], np.stack(z))


def test_the_integers_of_a_layer_are_those_of_a_network_of_its_own() -> None:
    """Layer 2 alone, fed with the codes of layer 1's new states, in the stack's own formats."""
    q = quantize(stack(), calibrate=X)
    codes = q.quantize_inputs(X)[0]
    h = q.run_int(codes[None]).h[0]
    f, part, before = q.formats, q.network.parts[1], q.network.parts[0]
    state = q.h0[part]
    for t in range(len(codes)):
        a = q.b[part] + q.W[part, part] @ (state << f.h_shift) + q.W[part, before] @ (h[t, before] << f.h_shift)
        half = 1 << (q.pre_shift - 1)
        state = q.activation.evaluate((a + half - (a < 0)) >> q.pre_shift)
        np.testing.assert_array_equal(state, h[t, part])


def test_files_keep_the_layers(tmp_path: Path) -> None:
    net = stack()
    net.save(tmp_path / "n.npz")
    assert load_npz(tmp_path / "n.npz").layers == SIZES
    q = quantize(net, calibrate=X)
    q.save(tmp_path / "q.npz")
    assert load_quantized(tmp_path / "q.npz").network.layers == SIZES
    flat = replace(q, network=replace(net, layers=()))
    assert flat.model_hash() != q.model_hash()
    assert describe(net)["layers of units"] == "4, 5, 3"
    for wrong, message in (
        ((4, 4), "add up to the 12 units"),
        ((12, 0), "be the numbers of units"),
        ("ab", "be the numbers of units"),
    ):
        with pytest.raises(ValueError, match=f"layers must {message}"):
            replace(net, layers=wrong)
    assert replace(net, layers=[12]).layers == ()


@pytest.mark.parametrize("form", ["rate", "current"])
def test_jacobian_and_fixed_points(form: str) -> None:
    net = stack(d=np.array(0.7), g=np.array(0.3), form=form)
    h, e = np.linspace(-0.5, 0.5, 12), 1e-6
    moved = np.array([(step(net, h + e * u) - step(net, h - e * u)) / (2 * e) for u in np.eye(12)]).T
    np.testing.assert_allclose(network_jacobian(net, h), moved, atol=1e-8)
    point = find_fixed_points(net, starts=32, slow=0)[0]
    np.testing.assert_allclose(net.run(np.zeros((2000, 2))).h[-1], point.h, atol=1e-6)


def test_who_refuses_it() -> None:
    net = stack()
    with pytest.raises(ValueError, match="the rate equation needs a network of one layer; this one is a stack of 3"):
        RateODE.from_network(net)
    with pytest.raises(ValueError, match="a linearisation needs a network of one layer"):
        net.linearize()


def keras_names(part: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [part["W_in"].T, part["W"].T, part["b"]]


def keras_config() -> dict[str, Any]:
    names = ["simple_rnn", "inner", "last"]
    rnns = [
        {"class_name": "SimpleRNN", "config": {"name": name, "units": n, "activation": "tanh", "use_bias": True}}
        for name, n in zip(names, SIZES, strict=True)
    ]
    drop = {"class_name": "Dropout", "config": {"name": "drop"}}
    head = {"class_name": "Dense", "config": {"name": "dense", "units": 2, "activation": "linear", "use_bias": True}}
    return {"class_name": "Sequential", "config": {"layers": [rnns[0], drop, *rnns[1:], head]}}


def started_at_zero() -> list[dict[str, np.ndarray]]:
    return [{name: array for name, array in part.items() if name != "h0"} for part in layers()]


def same(net: Network) -> None:
    assert net.layers == SIZES
    np.testing.assert_allclose(net.run(X).z, one_by_one(started_at_zero(), X)[0], rtol=0, atol=1e-6)


def test_keras(tmp_path: Path) -> None:
    """A whole model, an archive, whose layers are counted, and weights alone."""
    parts, config = layers(), keras_config()
    with h5py.File(tmp_path / "whole", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        for name, part in zip(("simple_rnn", "inner", "last"), parts, strict=True):
            for leaf, array in zip(("kernel", "recurrent_kernel", "bias"), keras_names(part), strict=True):
                file[f"model_weights/{name}/{name}/cell/{leaf}"] = array
        file["model_weights/dense/dense/kernel"] = parts[-1]["W_out"].T
        file["model_weights/dense/dense/bias"] = parts[-1]["b_out"]
    same(load(tmp_path / "whole"))
    buffer = BytesIO()
    with h5py.File(buffer, "w") as file:
        for k in (2, 0, 1):
            place = f"layers/simple_rnn{f'_{k}' if k else ''}/cell/vars"
            for at, array in enumerate(keras_names(parts[k])):
                file[f"{place}/{at}"] = array
        file["layers/dense/vars/0"] = parts[-1]["W_out"].T
        file["layers/dense/vars/1"] = parts[-1]["b_out"]
    (tmp_path / "weights").write_bytes(buffer.getvalue())
    same(load(tmp_path / "weights"))
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", buffer.getvalue())
    same(load(tmp_path / "archive"))


def test_a_state_dict_of_pytorch() -> None:
    net = load_torch(FIXTURES / "torch_stacked.pt")
    assert (net.layers, net.inputs, net.outputs) == ((5, 5), 2, 5)
    assert net.info["layers"] == "rnn (RNN, 5, tanh), rnn (RNN, 5, tanh)"
    assert not np.any(net.W[:5, 5:])
    assert np.all(net.W[5:, :5] != 0)
    first, second = net.parts
    lower = {"W": net.W[first, first], "W_in": net.W_in[first], "b": net.b[first]}
    upper = {"W": net.W[second, second], "W_in": net.W[second, first], "b": net.b[second]}
    np.testing.assert_allclose(net.run(X).z, one_by_one([lower, upper], X)[0], rtol=0, atol=1e-12)


def test_onnx_against_its_reference_evaluator(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    helper, parts = onnx.helper, started_at_zero()
    nodes, constants, name = [], {"axes": np.array([1])}, "x"
    for k, part in enumerate(parts):
        constants |= {
            f"W{k}": part["W_in"][None].astype(np.float32),
            f"R{k}": part["W"][None].astype(np.float32),
            f"B{k}": np.concatenate([part["b"], 0 * part["b"]])[None].astype(np.float32),
        }
        given = [name, f"W{k}", f"R{k}", f"B{k}"]
        nodes.append(helper.make_node("RNN", given, [f"Y{k}"], name=f"r{k}", hidden_size=SIZES[k]))
        nodes.append(helper.make_node("Squeeze", [f"Y{k}", "axes"], [f"h{k}"]))
        name = f"h{k}"
    constants |= {"K": parts[-1]["W_out"].T.astype(np.float32), "c": parts[-1]["b_out"].astype(np.float32)}
    nodes += [helper.make_node("MatMul", [name, "K"], ["k"]), helper.make_node("Add", ["k", "c"], ["z"])]
    graph = helper.make_graph(
        nodes,
        "stack",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ("t", 1, 2))],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "net").write_bytes(made.SerializeToString())
    net = load(tmp_path / "net")
    same(net)
    theirs = ReferenceEvaluator(made).run(None, {"x": X[:, None].astype(np.float32)})[0][:, 0]
    np.testing.assert_allclose(net.run(X).z, theirs, rtol=0, atol=1e-5)
