"""The command line: what it prints, and one line and a non-zero exit for what a user gets wrong."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from autapse.gallery import path
from autapse.loading import load as load_network
from autapse.quantized import load_quantized

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.fixture
def quantised(run):
    """The name of a quantised network in the folder."""
    assert run("quantize", path("flipflop_3bit"), "-o", "q.npz", "--input-range", "1.5")[0] == 0
    return "q.npz"


def test_help_names_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    for name in ("demo", "inspect", "convert", "quantize", "run", "verify", "export", "boards", "build", "bench"):
        assert name in out


def test_inspect(run, quantised):
    code, out, _ = run("inspect", path("flipflop_3bit"), "--json")
    data = json.loads(out)
    assert (code, data["units"], data["inputs"], data["outputs"], data["activation"]) == (0, 50, 3, 3, "tanh")
    code, out, _ = run("inspect", quantised)
    assert code == 0
    assert "overflow is impossible" in out
    assert "only agreement on the task can be claimed" in " ".join(out.split())
    code, out, _ = run("inspect", quantised, "--json")
    assert (code, json.loads(out)["error_bounds"]["contracting"]) == (0, False)


def test_what_a_file_does_not_hold_is_said(run):
    """A state_dict has no nonlinearity, PsychRNN's state is that of the current form."""
    torch = FIXTURES / "torch.pt"
    for arguments in (("inspect", torch), ("convert", torch, "n.npz"), ("quantize", torch, "-o", "q.npz")):
        for extra, said in (
            ((), "tanh, PyTorch's default"),
            (("--option", "activation=relu"), "relu, given by the user"),
        ):
            more = ("--state-range", "4") if arguments[0] == "quantize" else ()
            code, out, _ = run(*arguments, *(more if extra else ()), *extra)
            assert code == 0
            assert f"{said}: the file does not hold it" in " ".join(out.split())
    code, out, _ = run("convert", FIXTURES / "psychrnn.npz", "n.npz", "--option", "alpha=0.2")
    assert code == 0
    assert "state: current form, PsychRNN's own, alpha = 0.2, as the user says" in out
    for name, option in (("psychrnn.npz", "--option alpha=0.1"), ("li.nir", "--option dt=1e-3")):
        code, _, error = run("inspect", FIXTURES / name)
        assert code == 1
        assert option in error
        assert len(error.strip().splitlines()) == 1


def test_500_units_are_read_within_a_second(run):
    """The figure that `inspect` prints; what is asserted leaves room for a busy machine."""
    rng = np.random.default_rng(1)
    np.savez("psych.npz", W_rec=rng.normal(size=(500, 500)), W_in=rng.normal(size=(500, 2)), W_out=np.ones((1, 500)))
    code, out, _ = run("inspect", "psych.npz", "--option", "alpha=0.1", "--json")
    assert code == 0
    assert 0 < json.loads(out)["seconds to read"] < 5.0


def test_quantize_prints_the_proof_and_writes_the_file(run):
    code, out, _ = run(
        "quantize", path("flipflop_3bit"), "-o", "q.npz", "--weight-bits", "6", "--state-bits", "9", "--json"
    )
    assert code == 0
    data = json.loads(out)
    proof = data["overflow_proof"]
    assert 0.0 < data["error_bounds"]["step"] < 1.0
    assert proof["bits_needed"] <= proof["accumulator_bits"]
    q = load_quantized("q.npz")
    assert (q.formats.W.bits, q.formats.h.bits) == (6, 9)


def test_convert_and_run(run, quantised):
    assert run("convert", path("flipflop_3bit"), "net.npz")[0] == 0
    x = np.zeros((2, 5, 3))
    x[0, 1, 0] = 3.0  # outside the range
    np.save("x.npy", x)
    code, _, err = run("run", quantised, "--inputs", "x.npy", "-o", "z.npy")
    assert code == 0
    assert "1 of 30 input values lie outside" in err
    q = load_quantized(quantised)
    expected = q.formats.z.dequantize(q.run_int(q.quantize_inputs(x)[0]).z)
    np.testing.assert_array_equal(np.load("z.npy"), expected)
    np.save("x.npy", x[1])
    assert run("run", quantised, "--inputs", "x.npy", "-o", "z.npy", "--level", "float")[0] == 0
    assert np.load("z.npy").shape == (5, 3)


def test_boards(run):
    code, out, _ = run("boards", "--json")
    names = {board["name"] for board in json.loads(out)["boards"]}
    assert code == 0
    assert {"icebreaker", "ice40_hx8k_b_evn", "ulx3s", "ulx3s_12f", "ulx3s_85f"} <= names


def keras_like(file, layers):
    """An HDF5 file with a Keras configuration and no weights."""
    config = {"class_name": "Sequential", "config": {"layers": layers}}
    with h5py.File(file, "w") as h5:
        h5.attrs["model_config"] = json.dumps(config)
        h5.create_group("model_weights")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "missing.npz"], "missing.npz: no such file"),
        (["inspect", "."], "is a folder"),
        (["inspect", "truncated.npz"], "truncated"),
        (["inspect", "empty.h5"], "simple_rnn"),
        (["inspect", "gru.h5"], "GRU"),
        (["quantize", "NET", "-o", "q.npz", "--weight-bits", "3"], "weight_bits must lie in 4 to 18, not 3"),
        (["quantize", "NET", "-o", "q.npz", "--state-bits", "19"], "state_bits must lie in 4 to 18, not 19"),
        (["quantize", "NET", "-o", "q.npz", "--input-range", "nan"], "input_range"),
        (["quantize", "NET", "-o", "nowhere/q.npz"], "nowhere: no such folder to write q.npz into"),
        (["quantize", "NET", "-o", "q.npz", "--option", "colour=red"], "not an option of a file"),
        (["verify", "NET"], "not quantised yet: autapse quantize"),
        (["verify", "q8.npz", "--family", "ecp5"], "the RTL is of no family, and 'ecp5' was given"),
        (["verify", "q8.npz", "--level", "bitstream"], "a bitstream is verified of a build folder, or with --board"),
        (["verify", "q8.npz", "--port", "P", "--lanes", "4"], "--lanes is of a design to simulate"),
        (["verify", "q8.npz", "--port", "P", "--board", "B"], "--board is of a design to simulate"),
        (["verify", "q8.npz", "--port", "P", "--level", "gates"], "--level gates is of a design to simulate"),
        (["verify", "q8.npz", "--board", "B", "--family", "ecp5"], "--family is for a core alone"),
        (["verify", "q8.npz", "--board", "B"], "no board 'B'; there are icebreaker"),
        (["verify", ".", "--family", "ecp5"], "a build has its own family; leave the option out"),
        (["verify", "."], "no report.json in it, so not a build"),
        (["run", "q8.npz", "--inputs", "wide.npy", "-o", "z.npy"], "with 3 inputs; its shape is (4, 5)"),
        (["run", "q8.npz", "--inputs", "nan.npy", "-o", "z.npy"], "x must be finite; x[1, 2] is nan"),
        (["run", "q8.npz", "--inputs", "missing.npy", "-o", "z.npy"], "missing.npy"),
        (["build", "q8.npz", "--board", "arduino", "-o", "out"], "no board 'arduino'; there are icebreaker"),
        (["build", "q8.npz", "--board", "icebreaker", "-o", "out", "--lanes", "99"], "lanes must lie in 1 to 53"),
        (["build", "q8.npz", "--board", "icebreaker", "-o", "out", "--lanes", "8x2x2"], "lanes must be like 8, 8x2"),
        (["build", "q8.npz", "--board", "icebreaker", "-o", "out", "--sequences", "0"], "sequences must be at least 1"),
        (["build", "q8.npz", "--board", "icebreaker", "-o", "out", "--form", "mult18"], "mult18"),
    ],
)
def test_bad_input_is_one_line(run, quantised, tmp_path, arguments, message):
    run("quantize", path("flipflop_3bit"), "-o", "q8.npz")
    (tmp_path / quantised).unlink()
    (tmp_path / "truncated.npz").write_bytes((tmp_path / "q8.npz").read_bytes()[:700])
    rnn = {"units": 3, "activation": "tanh", "use_bias": True}
    keras_like("empty.h5", [{"class_name": "SimpleRNN", "config": {"name": "simple_rnn", **rnn}}])
    keras_like("gru.h5", [{"class_name": "GRU", "config": {"name": "gru", **rnn}}])
    np.save("wide.npy", np.zeros((4, 5)))
    np.save("nan.npy", np.array([[0, 0, 0], [0, 0, np.nan]]))
    before = {p.name for p in tmp_path.iterdir()}
    code, out, err = run(*(str(path("flipflop_3bit")) if a == "NET" else a for a in arguments))
    assert code != 0
    assert message in err
    lines = [line for line in err.splitlines() if line and not line.startswith("building:")]
    assert len(lines) == 1, err
    assert "Traceback" not in out + err
    assert {p.name for p in tmp_path.iterdir()} == before, "something was written"


def test_tasks(run, tmp_path):
    code, out, _ = run("tasks")
    assert code == 0
    for name in ("xor", "flipflop_1bit", "oscillation", "delayed_decision"):
        assert name in out
    code, out, _ = run("tasks", "xor", "--option", "steps=90", "-o", "made", "--trials", "3", "--json")
    data = json.loads(out)
    assert (code, data["inputs"], data["steps"], data["parameters"]["steps"]) == (0, 2, 90, 90)
    assert (tmp_path / "made" / "xor.png").is_file()
    assert np.load(tmp_path / "made" / "x.npy").shape == (3, 90, 2)
    assert np.load(tmp_path / "made" / "mask.npy").dtype == bool


class Environment:
    """What the adapter uses of a neurogym environment."""

    action_space = SimpleNamespace(n=2)

    def seed(self, seed):
        pass

    def new_trial(self):
        self.ob = np.ones((5, 3), dtype=np.float32)
        self.gt = np.ones(5, dtype=int)


def test_a_task_of_neurogym(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "neurogym", SimpleNamespace(make=lambda name: Environment()))
    code, out, _ = run("tasks", "neurogym:Fake", "--json")
    parameters = {"environment": "Fake", "steps": 5, "probe": 100, "threshold": 0.9}
    assert (code, json.loads(out)["parameters"]) == (0, parameters)
    code, _, err = run("tasks", "neurogym:Fake", "--option", "env=3")
    assert code == 1
    assert "'env=3' is not a setting of the task neurogym:Fake; it has environment=Fake, steps=5" in err


def test_what_training_refuses(run):
    for arguments, message in (
        (("train", "xorr", "-o", "x.npz"), "no task 'xorr'; there are and, or, xor"),
        (("train", "xor", "-o", "no/x.npz"), "no: no such folder to write x.npz into"),
        (("train", "xor", "-o", "x.npz", "--option", "length=3"), "'length=3' is not a setting of the task xor"),
        (("train", "xor", "-o", "x.npz", "--set", "batch=many"), "batch must be an integer, not 'many'"),
        (("train", "xor", "-o", "x.npz", "--dale", "1.5"), "inhibitory must lie in [0, 1), not 1.5"),
        (("train", "xor", "-o", "x.npz", "--resume"), "x.npz.checkpoint: no such file"),
        (("tasks", "xor", "--trials", "3"), "trials are written into a folder: give -o"),
    ):
        code, _, error = run(*arguments)
        assert code == 1
        assert message in error
        assert len(error.strip().splitlines()) == 1


def test_train_writes_a_network_and_says_when_it_has_not_learnt(run, tmp_path):
    pytest.importorskip("jax")
    options = ("--option", "steps=80", "--units", "8", "--updates", "4", "--set", "check_every=2", "--json")
    code, out, error = run("train", "xor", "-o", "net.npz", *options)
    assert code == 1
    assert "not learnt" in error
    assert json.loads(out)["converged"] is False
    assert run("inspect", "net.npz")[0] == 0
    assert not (tmp_path / "net.npz.checkpoint").exists()


def test_gallery_lists_the_networks(run):
    code, out, _ = run("gallery", "--json")
    networks = {entry["name"]: entry for entry in json.loads(out)["networks"]}
    assert code == 0
    assert networks["xor"]["command"] == "autapse train xor -o xor.npz"
    assert networks["xor"]["scores"]["8 bits"]["hold"] >= 0.99


def test_quantize_auto(run):
    x = np.random.default_rng(0).uniform(-1, 1, (4, 30, 3))
    np.save("x.npy", x)
    np.save("y.npy", load_network(path("flipflop_3bit")).run(x).z)
    arguments = ("quantize", path("flipflop_3bit"), "-o", "q.npz", "--auto")
    code, out, _ = run(*arguments, "--calibrate", "x.npy", "--targets", "y.npy", "--tolerance", "0.002", "--json")
    assert code == 0
    found = json.loads(out)["search"]
    assert found["float_figure"] == 1.0
    words = found["frontier"][0]
    f = load_quantized("q.npz").formats
    assert (f.W.bits, f.h.bits, f.x.bits) == (words["weight_bits"], words["state_bits"], words["input_bits"])
    assert words["figure"] >= 0.998
    for extra, message in (
        ((), "--auto needs a judge: --task NAME, or --calibrate X.npy with --targets Y.npy"),
        (("--targets", "y.npy"), "--auto needs a judge"),
        (("--task", "xor"), "xor has 2 inputs and 1 outputs; the network has 3 and 3"),
        (("--task", "flipflop", "--input-range", "1"), "leave out --input-range"),
    ):
        code, _, error = run(*arguments, *extra)
        assert code == 1
        assert message in error


def test_quantize_like_another(run, tmp_path):
    net = load_network(path("xor"))
    replace(net, W=0.5 * net.W).save("b.npz")
    assert run("quantize", path("xor"), "-o", "q.npz", "--weight-bits", "6")[0] == 0
    assert run("quantize", "b.npz", "-o", "q2.npz", "--like", "q.npz")[0] == 0
    assert load_quantized("q2.npz").formats == load_quantized("q.npz").formats
    for arguments, message in (
        (("--like", "q.npz", "--weight-bits", "8"), "like gives every format: leave out weight_bits"),
        (("--like", "b.npz"), "b.npz: not quantised yet"),
        (("--like", "q.npz", "--auto", "--task", "xor"), "--auto finds the words: leave out --like"),
        (("--state-bits", "7", "--auto", "--task", "xor"), "--auto finds the words: leave out --state-bits"),
    ):
        code, _, error = run("quantize", "b.npz", "-o", "no.npz", *arguments)
        assert code == 1
        assert message in error
        assert len(error.strip().splitlines()) == 1
        assert not (tmp_path / "no.npz").exists()


def test_gallery_fits_a_terminal():
    from rich.console import Console

    from autapse.cli.gallery import _table
    from autapse.gallery import index

    console = Console(width=80)
    with console.capture() as captured:
        console.print(_table(index()))
    assert "…" not in captured.get()
    assert "context_integration_4bit" in captured.get()
