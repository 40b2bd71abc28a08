"""ONNX models built here, the RNN node tests of the onnx wheel, and its reference evaluator over many steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autapse.errors import FileFormatError, MissingToolError
from autapse.importers import onnx as importer
from autapse.loading import load

onnx = pytest.importorskip("onnx")
helper, TensorProto = onnx.helper, onnx.TensorProto

UNITS, INPUTS, OUTPUTS, STEPS = 5, 2, 3, 50


def weights(dtype: Any = np.float32) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    shapes = {
        "W": (1, UNITS, INPUTS),
        "R": (1, UNITS, UNITS),
        "B": (1, 2 * UNITS),
        "K": (UNITS, OUTPUTS),
        "c": (OUTPUTS,),
    }
    return {name: (0.6 * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()}


X = np.random.default_rng(12).normal(size=(STEPS, 1, INPUTS)).astype(np.float32)


def node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, outputs, name=f"n_{outputs[0] or outputs[-1]}", **attributes)


def rnn(*, bias: bool = True, h0: str = "", lens: str = "", outputs: tuple[str, ...] = ("Y",), **options: Any) -> Any:
    inputs = ["x", "W", "R", "B" if bias else "", lens, h0]
    return node("RNN", inputs, list(outputs), **{"hidden_size": UNITS, **options})


def tail(last: str = "z", head: str = "matmul") -> list[Any]:
    """Y (time, 1, batch, units) to z (time, batch, outputs)."""
    nodes = [node("Squeeze", ["Y", "axes"], ["h"])]
    if head == "gemm":
        return [*nodes, node("Squeeze", ["h", "axes"], ["h2"]), node("Gemm", ["h2", "K", "c"], [last])]
    return [*nodes, node("MatMul", ["h", "K"], ["zz"]), node("Add", ["zz", "c"], [last])]


def model(
    nodes: list[Any],
    *,
    arrays: dict[str, np.ndarray] | None = None,
    outputs: tuple[str, ...] = ("z",),
    opset: int = 17,
    x: tuple[Any, ...] = (STEPS, 1, INPUTS),
    inputs: tuple[str, ...] = (),
) -> Any:
    constants = {**weights(), "axes": np.array([1]), **(arrays or {})}
    used = {name for each in nodes for name in each.input}
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, x if name == "x" else None) for name in ("x", *inputs)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items() if name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def save(path: Path, made: Any) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


def evaluate(made: Any, x: np.ndarray = X) -> np.ndarray:
    """What ONNX's own reference computes."""
    from onnx.reference import ReferenceEvaluator

    return np.asarray(ReferenceEvaluator(made).run(None, {"x": x})[0])


@pytest.mark.parametrize("head", ["matmul", "gemm"])
def test_orientation_against_the_reference(head: str, tmp_path: Path) -> None:
    made = model([rnn(), *tail(head=head)])
    net = load(save(tmp_path / "a", made))
    w = weights()
    np.testing.assert_array_equal(net.W, w["R"][0])
    np.testing.assert_array_equal(net.b, w["B"][0, :UNITS].astype(float) + w["B"][0, UNITS:])
    np.testing.assert_allclose(net.run(X[:, 0]).z, evaluate(made).reshape(STEPS, OUTPUTS), rtol=0, atol=5e-6)
    kind = "MatMul" if head == "matmul" else "Gemm"
    assert net.info["layers"] == f"n_Y (RNN, 5, tanh), n_{'zz' if head == 'matmul' else 'z'} ({kind}, 3)"


def test_batch_first(tmp_path: Path) -> None:
    """layout = 1: x (batch, time, inputs), Y (batch, time, 1, units)."""
    nodes = [rnn(layout=1), node("Squeeze", ["Y", "two"], ["h"]), node("MatMul", ["h", "K"], ["z"])]
    made = model(nodes, arrays={"two": np.array([2])}, x=(1, STEPS, INPUTS))
    z = evaluate(made, X.swapaxes(0, 1))[0]
    np.testing.assert_allclose(load(save(tmp_path / "a", made)).run(X[:, 0]).z, z, rtol=0, atol=5e-6)


def formula() -> np.ndarray:
    """The operator's equation, by hand: onnx.reference before 1.23 gets it wrong for opsets without `layout`."""
    w = {name: array.astype(np.float64) for name, array in weights().items()}
    h, out = np.zeros(UNITS), []
    for x in X[:, 0].astype(np.float64):
        h = np.tanh(w["W"][0] @ x + w["R"][0] @ h)
        out.append(h @ w["K"])
    return np.array(out)


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 14, 17, 21, 22])
def test_opsets(opset: int, tmp_path: Path) -> None:
    squeeze = node("Squeeze", ["Y", "axes"], ["h"]) if opset >= 13 else node("Squeeze", ["Y"], ["h"], axes=[1])
    made = model([rnn(bias=False), squeeze, node("MatMul", ["h", "K"], ["z"])], opset=opset)
    net = load(save(tmp_path / "a", made))
    assert net.info["format"] == f"ONNX opset {opset}"
    assert not net.b.any()
    np.testing.assert_allclose(net.run(X[:, 0]).z, formula(), rtol=0, atol=1e-12)
    if opset >= 14:
        z = evaluate(made).reshape(STEPS, OUTPUTS)
        np.testing.assert_allclose(net.run(X[:, 0]).z, z, rtol=0, atol=5e-6)


@pytest.mark.parametrize("layout", [0, 1])
def test_initial_state(layout: int, tmp_path: Path) -> None:
    start = np.linspace(-0.9, 0.9, UNITS).astype(np.float32)
    made = model([rnn(h0="s", layout=layout), *tail()], arrays={"s": start.reshape(1, 1, UNITS)})
    np.testing.assert_array_equal(load(save(tmp_path / "a", made)).h0, start)
    if layout == 0:
        z = evaluate(made).reshape(STEPS, OUTPUTS)
        np.testing.assert_allclose(load(tmp_path / "a").run(X[:, 0]).z, z, rtol=0, atol=5e-6)
    several = np.broadcast_to(start, (1, 4, UNITS) if layout == 0 else (4, 1, UNITS)).copy()
    made = model([rnn(h0="s", layout=layout), *tail()], arrays={"s": several})
    np.testing.assert_array_equal(load(save(tmp_path / "a", made)).h0, start)


@pytest.mark.parametrize(
    ("names", "ours"),
    [(["Tanh"], "tanh"), (["Relu"], "relu"), (["Sigmoid"], "sigmoid"), (["tanh"], "tanh"), (["Affine"], "identity")],
)
def test_activations(names: list[str], ours: str, tmp_path: Path) -> None:
    assert load(save(tmp_path / "a", model([rnn(activations=names), *tail()]))).activation == ours


def test_last_state_only(tmp_path: Path) -> None:
    nodes = [rnn(outputs=("", "H")), node("Squeeze", ["H", "zero"], ["h"]), node("MatMul", ["h", "K"], ["z"])]
    made = model(nodes, arrays={"zero": np.array([0])})
    net = load(save(tmp_path / "a", made))
    assert "at the last step, or a selection, only" in net.info["readout"]
    np.testing.assert_allclose(net.run(X[:, 0]).z[-1], evaluate(made)[0], rtol=0, atol=5e-6)


def test_reshaping_is_passed_over(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", ["input"], ["x"], perm=[1, 0, 2]),
        rnn(outputs=("Y", "H")),
        node("Transpose", ["Y"], ["a"], perm=[0, 2, 1, 3]),
        node("Reshape", ["a", "join"], ["b"]),
        node("Transpose", ["b"], ["bt"], perm=[1, 0, 2]),
        node("Gather", ["bt", "end"], ["d"], axis=1),
        node("Gemm", ["d", "KT", "c"], ["zz"], transB=1, alpha=2.0, beta=0.5),
        node("Identity", ["zz"], ["z"]),
    ]
    arrays = {"join": np.array([0, 0, -1]), "end": np.array(-1), "KT": weights()["K"].T.copy()}
    made = model(nodes, arrays=arrays, outputs=("z", "H"), inputs=("input",))
    del made.graph.input[0]
    net = load(save(tmp_path / "a", made))
    np.testing.assert_array_equal(net.W_out, 2.0 * weights()["K"].T.astype(float))
    np.testing.assert_array_equal(net.b_out, 0.5 * weights()["c"].astype(float))
    assert "last step" in net.info["readout"]


@pytest.mark.parametrize("dtype", ["FLOAT16", "BFLOAT16", "DOUBLE"])
def test_types(dtype: str, tmp_path: Path) -> None:
    made = model([rnn(), *tail()])
    for tensor in made.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor)
            kind = getattr(TensorProto, dtype)
            target = helper.tensor_dtype_to_np_dtype(kind)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(target), tensor.name))
    wanted = weights()["R"][0].astype(helper.tensor_dtype_to_np_dtype(getattr(TensorProto, dtype))).astype(np.float64)
    np.testing.assert_array_equal(load(save(tmp_path / "a", made)).W, wanted)


def test_weights_behind_constant_operators(tmp_path: Path) -> None:
    """What exporters without constant folding write."""
    w = weights()
    constant = helper.make_node("Constant", [], ["R2"], value=onnx.numpy_helper.from_array(w["R"][0].T.copy(), "v"))
    nodes = [
        constant,
        node("Transpose", ["R2"], ["R1"], perm=[1, 0]),
        node("Unsqueeze", ["R1", "zero"], ["R"]),
        node("Concat", ["b_ih", "b_hh"], ["b"], axis=0),
        node("Unsqueeze", ["b", "zero"], ["B"]),
        rnn(),
        *tail(),
    ]
    arrays = {"zero": np.array([0]), "b_ih": w["B"][0, :UNITS], "b_hh": w["B"][0, UNITS:]}
    made = model(nodes, arrays=arrays)
    for name in ("R", "B"):
        made.graph.initializer.remove(next(t for t in made.graph.initializer if t.name == name))
    np.testing.assert_array_equal(load(save(tmp_path / "a", made)).W, w["R"][0])


def test_external_data(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save_model(model([rnn(), *tail()]), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    np.testing.assert_array_equal(load(path).W, weights()["R"][0])
    (tmp_path / "w.bin").unlink()
    with pytest.raises(FileFormatError, match=r"the external data of '\w', in the file 'w.bin' beside the model"):
        load(path)
    made = onnx.load_model(path, load_external_data=False)
    for entry in made.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "/etc/hostname"
    with pytest.raises(FileFormatError, match="the external data of"):
        load(save(path, made))


def nodes_with(*extra: Any, **options: Any) -> list[Any]:
    return [rnn(**options), *tail(last="y"), *extra]


W3 = np.ones((2, UNITS, INPUTS), np.float32)
REFUSED: dict[str, tuple[Any, str]] = {
    "bidirectional": (model([rnn(direction="bidirectional"), *tail()]), "direction='bidirectional', which is not read"),
    "reverse": (model([rnn(direction="reverse"), *tail()]), "'n_Y' .RNN. has direction='reverse'"),
    "clip": (model([rnn(clip=2.0), *tail()]), "has clip=2, which the core cannot do"),
    "layout": (model([rnn(layout=3), *tail()]), "layout=3; expected 0 or 1"),
    "activation": (model([rnn(activations=["Softsign"]), *tail()]), "the activation 'Softsign'; expected one of Tanh"),
    "affine": (model([rnn(activations=["Affine"], activation_alpha=[2.0]), *tail()]), "the activation 'Affine'"),
    "two activations": (model([rnn(activations=["Tanh", "Tanh"]), *tail()]), "the activation .'Tanh', 'Tanh'."),
    "lens differ": (model([rnn(lens="n"), *tail()], arrays={"n": np.array([3, 4], np.int32)}), "which differ"),
    "lens short": (model([rnn(lens="n"), *tail()], arrays={"n": np.array([3], np.int32)}), "sequence_lens .3., which"),
    "lens input": (model([rnn(lens="n"), *tail()], inputs=("n",)), "has sequence_lens .'n'., which is no constant"),
    "h0 input": (model([rnn(h0="s"), *tail()], inputs=("s",)), "initial_h of .* is an input of the graph"),
    "h0 differs": (
        model([rnn(h0="s"), *tail()], arrays={"s": np.array([[[0.1] * UNITS, [0.2] * UNITS]], np.float32)}),
        "differs between the sequences of the batch",
    ),
    "h0 outside": (
        model([rnn(h0="s"), *tail()], arrays={"s": np.full((1, 1, UNITS), 2, np.float32)}),
        "h0 must lie in .-1, 1.",
    ),
    "directions": (model([rnn(), *tail()], arrays={"W": W3}), "W of .* has 2 directions; expected one"),
    "hidden size": (model([rnn(hidden_size=4), *tail()]), r"R \(5, 5\) and hidden_size 4; they must agree"),
    "bias": (model([rnn(), *tail()], arrays={"B": np.ones((1, 5), np.float32)}), "must have 10 numbers; it has 5"),
    "integers": (model([rnn(), *tail()], arrays={"R": np.ones((1, 5, 5), int)}), "must be of floats; it is of int64"),
    "NaN": (model([rnn(), *tail()], arrays={"R": np.full((1, 5, 5), np.nan, np.float32)}), "must be finite; 25 of 25"),
    "axes": (model([rnn(), *tail()], arrays={"R": np.ones((5, 5), np.float32)}), "must have 3 axes"),
    "no rnn": (model([node("MatMul", ["x", "K"], ["z"])]), "the model has no RNN node"),
    "lstm": (model([node("LSTM", ["x", "W", "R"], ["z"], hidden_size=5)]), "'n_z' .LSTM. is not read"),
    "gru": (model([node("GRU", ["x", "W", "R"], ["z"], hidden_size=5)]), "'n_z' .GRU. is not read"),
    "stacked": (
        model([rnn(), node("Squeeze", ["Y", "axes"], ["h"]), node("RNN", ["h", "W", "R"], ["z"], hidden_size=5)]),
        "layer 'n_z' takes 2 inputs, and 'n_Y' before it has 5 units",
    ),
    "two rnns": (
        model([rnn(), node("RNN", ["x", "W", "R"], ["z"], hidden_size=5)], outputs=("Y", "z")),
        "are not one chain",
    ),
    "the readout feeds it": (
        model(
            [
                rnn(),
                node("Squeeze", ["Y", "axes"], ["h"]),
                node("MatMul", ["h", "K"], ["k"]),
                node("RNN", ["k", "W", "R"], ["z"], hidden_size=5),
            ]
        ),
        "node 'n_z' .RNN. does not take the states of node 'n_Y' .RNN. as they are",
    ),
    "softmax": (model(nodes_with(node("Softmax", ["y"], ["z"]))), "node 'n_z' .Softmax. stands behind the RNN"),
    "two layers": (model(nodes_with(node("MatMul", ["y", "K"], ["z"]))), "node 'n_z' .MatMul. is a second layer"),
    "add alone": (model([rnn(), node("Add", ["Y", "c"], ["z"])]), "node 'n_z' .Add. stands behind the RNN"),
    "from the left": (
        model([rnn(), node("Squeeze", ["Y"], ["h"]), node("MatMul", ["K", "h"], ["z"])]),
        "multiplies the states from the left",
    ),
    "mixed": (
        model([rnn(), node("Transpose", ["Y"], ["h"], perm=[3, 1, 2, 0]), node("MatMul", ["h", "K"], ["z"])]),
        "node 'n_h' .Transpose. mixes the units with another axis",
    ),
    "flattened": (
        model([rnn(), node("Flatten", ["Y"], ["h"], axis=0), node("MatMul", ["h", "K"], ["z"])]),
        "node 'n_h' .Flatten. mixes",
    ),
    "width": (
        model([rnn(), *tail()], arrays={"K": np.ones((4, 3), np.float32)}),
        r"must have the shape \(outputs, 5\); it is \(3, 4\)",
    ),
    "head bias": (
        model([rnn(), *tail()], arrays={"c": np.ones(2, np.float32)}),
        r"the bias of .* must have the shape \(3,\)",
    ),
    "before": (
        model([node("MatMul", ["input", "M"], ["x"]), rnn(), *tail()], inputs=("input",), arrays={"M": np.eye(2)}),
        "node 'n_x' .MatMul. stands before the RNN",
    ),
    "foreign output": (model([rnn(), *tail(), node("Relu", ["x"], ["q"])], outputs=("z", "q")), "'q' does not come"),
    "two users": (model(nodes_with(node("Add", ["h", "y"], ["z"]))), "'h' goes to node .* and node 'n_z'"),
    "opset": (model([rnn(), *tail()], opset=6), "uses opset 6 of ONNX; expected 7 or later"),
    "circle": (
        model([rnn(), node("Identity", ["Y"], ["p"]), node("Identity", ["q"], ["p"]), node("Identity", ["p"], ["q"])]),
        "goes round in a circle|does not come from|goes to",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    made, message = REFUSED[case]
    path = save(tmp_path / "net.onnx", made)
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def node_tests() -> list[tuple[str, Any, list[np.ndarray], list[np.ndarray]]]:
    """The RNN node tests, from the generator that ships in the wheel; it hands each to `expect`."""
    from onnx.backend.test.case.node import rnn as cases

    found: list[tuple[str, Any, list[np.ndarray], list[np.ndarray]]] = []
    original = cases.expect
    cases.expect = lambda node, inputs, outputs, name, **_: found.append((name, node, list(inputs), list(outputs)))
    try:
        for name in dir(cases.RNN):
            if name.startswith("export_"):
                getattr(cases.RNN, name)()
    finally:
        cases.expect = original
    return found


@pytest.mark.parametrize("case", node_tests(), ids=lambda case: case[0])
def test_node_tests_of_the_wheel(case: Any, tmp_path: Path) -> None:
    _, proto, inputs, outputs = case
    names = [name for name in proto.output if name]
    arrays = dict(zip(proto.input[1:], inputs[1:], strict=False))
    graph = helper.make_graph(
        [proto],
        "node",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, inputs[0].shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    path = save(tmp_path / "a", helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)]))
    options = {each.name: helper.get_attribute_value(each) for each in proto.attribute}
    if "direction" in options:
        with pytest.raises(FileFormatError, match=f"has direction='{options['direction'].decode()}'"):
            load(path)
        return
    batch_first = options.get("layout", 0) == 1
    x = inputs[0] if batch_first else inputs[0].swapaxes(0, 1)
    z = load(path).run(x).z.astype(np.float32)  # (batch, time, units)
    made = {"Y_h": z[:, -1:] if batch_first else z[:, -1][None]}
    made["Y"] = z[:, :, None] if batch_first else z.swapaxes(0, 1)[:, None]
    for name, wanted in zip(names, outputs, strict=True):
        np.testing.assert_allclose(made[name], wanted, rtol=1e-6, atol=1e-7)


def test_missing_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a", model([rnn(), *tail()]))
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingToolError, match=r"pip install 'autapse\[onnx\]'"):
        load(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        importer.load(tmp_path / "nowhere")
    with pytest.raises(FileFormatError, match="is a folder"):
        importer.load(tmp_path)


def test_large_model_is_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import time

    rng = np.random.default_rng(1)
    arrays = {"W": rng.normal(size=(1, 500, INPUTS)), "R": rng.normal(size=(1, 500, 500)), "K": np.ones((500, 3))}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    nodes = [rnn(bias=False, hidden_size=500), node("Squeeze", ["Y", "axes"], ["h"]), node("MatMul", ["h", "K"], ["z"])]
    path = save(tmp_path / "a", model(nodes, arrays=arrays))
    start = time.perf_counter()
    assert load(path).units == 500
    seconds = time.perf_counter() - start
    with capsys.disabled():
        print(f"\nONNX: 500 units in {seconds:.3f} s")
    assert seconds < 5.0
