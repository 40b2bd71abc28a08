"""The commands stream and upload on a pseudo-terminal with an emulated board behind it."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autapse.cli import main
from autapse.gallery import path
from autapse.link import EmulatedDevice, ModelNetwork
from autapse.loading import load
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a Unix thing")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def q() -> QuantizedNetwork:
    return quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5)


@pytest.fixture
def port(q: QuantizedNetwork) -> Iterator[str]:
    """A port with a board whose weights can be uploaded."""
    network = ModelNetwork(q)
    board = EmulatedDevice(network.identity(lanes=8, clock_hz=48_000_000, upload=True), network)
    master, slave = os.openpty()

    def serve() -> None:
        while data := os.read(master, 4096):
            if data == b"\0stop":
                return
            os.write(master, board.feed(data))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield os.ttyname(slave)
    import tty

    tty.setraw(slave)
    os.write(slave, b"\0stop")
    thread.join()
    os.close(master)
    os.close(slave)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object) -> Run:
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object, stdin: str = "", command: str = "stream") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["autapse", command, *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return call


def pulses(steps: int) -> np.ndarray:
    rng = np.random.default_rng(steps)
    return rng.choice([-1.0, 0.0, 1.0], size=(steps, 3), p=[0.05, 0.9, 0.05])


def expected(q: QuantizedNetwork, x: np.ndarray) -> np.ndarray:
    return np.asarray(q.run(x).z)


def test_arrays(run: Run, port: str, q: QuantizedNetwork) -> None:
    x = pulses(300)
    np.save("x.npy", x)
    code, out, _ = run("--port", port, "--inputs", "x.npy", "-o", "z.npy", "--json")
    assert code == 0
    assert np.array_equal(np.load("z.npy"), expected(q, x))
    summary = json.loads(out)
    assert (summary["steps"], summary["recoveries"], summary["device"]["steps"]) == (300, 0, 300)
    np.save("x.npy", x.reshape(3, 100, 3))
    code, out, _ = run("--port", port, "--inputs", "x.npy", "-o", "z.npy")
    assert code == 0
    assert "300" in out
    assert np.array_equal(np.load("z.npy"), expected(q, x.reshape(3, 100, 3)))
    code, *_ = run("--port", port, "--inputs", "x.npy", "-o", "more.npy", "--live", "--keep")
    assert code == 0
    assert not np.array_equal(np.load("more.npy"), np.load("z.npy"))


def test_text(run: Run, port: str, q: QuantizedNetwork) -> None:
    x = pulses(40)
    lines = "a,b,c\n" + "".join(f"{a}, {b} {c}  # {a}\n\n" for a, b, c in x)
    for arguments, stdin in ((["--inputs", "x.csv"], ""), ([], lines)):
        Path("x.csv").write_text(lines)
        code, out, _ = run("--port", port, *arguments, stdin=stdin)
        assert code == 0
        z = np.array([[float(field) for field in line.split(",")] for line in out.splitlines()])
        np.testing.assert_allclose(z, expected(q, x), rtol=1e-9)
    code, *_ = run("--port", port, "--inputs", "x.csv", "-o", "z.csv")
    assert code == 0
    assert Path("z.csv").read_text() == out


def test_codes(run: Run, port: str, q: QuantizedNetwork) -> None:
    x = np.random.default_rng(1).integers(-127, 128, size=(50, 3))
    np.save("x.npy", x)
    assert run("--port", port, "--inputs", "x.npy", "-o", "z.npy", "--raw")[0] == 0
    assert np.array_equal(np.load("z.npy"), q.run_int(x[None]).z[0])
    assert "codes are integers, not 0.5" in run("--port", port, "--raw", stdin="0.5 0 0\n")[2]


def test_each_line_of_a_pipe_is_answered_before_the_next_one_comes(port: str, q: QuantizedNetwork) -> None:
    x = pulses(10)
    command = [sys.executable, "-c", "from autapse.cli import main; main()", "stream", "--port", port]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for row, z in zip(x, expected(q, x), strict=True):
            process.stdin.write(" ".join(map(str, row)) + "\n")
            process.stdin.flush()
            answer = [float(field) for field in process.stdout.readline().split(",")]
            np.testing.assert_allclose(answer, z, rtol=1e-9)
        process.stdin.close()
        assert process.wait() == 0


def test_what_a_user_gets_wrong_is_one_line(run: Run, port: str) -> None:
    np.save("two.npy", np.zeros((5, 2)))
    np.save("flat.npy", np.zeros(5))
    np.save("large.npy", np.full((5, 3), 100.0))
    Path("ragged.csv").write_text("1 2 3\n1 2\n")
    for arguments, stdin, message in [
        (["--inputs", "two.npy"], "", "the device has 3 inputs, not 2"),
        (["--inputs", "flat.npy"], "", "not (5,)"),
        (["--inputs", "ragged.csv"], "", "as many numbers, not 2 and 3"),
        (["--inputs", "x.txt"], "", ".npy or .csv file, or from -, not from x.txt"),
        (["-o", "z.txt"], "", ".npy or .csv file, or to -, not to z.txt"),
        (["--json"], "", "name a file for them with -o"),
        ([], "0 0 0\n1 2\n", "line 2: expected 3 numbers, not 2"),
        ([], "0 0 0\nnone\n", "line 2: expected numbers, not 'none'"),
    ]:
        code, _, error = run("--port", port, *arguments, stdin=stdin)
        assert code == 1
        assert message in error
        assert error.count("\n") == 1
    assert "15 inputs lay outside" in run("--port", port, "--inputs", "large.npy", "-o", "z.npy")[2]
    assert "/dev/none: cannot be opened" in run("--port", "/dev/none")[2]


def test_upload_exchanges_the_network_that_streams(run: Run, port: str, q: QuantizedNetwork) -> None:
    other = replace(q, W=-q.W, b=-q.b, W_in=-q.W_in)
    other.save("other.npz")
    x = pulses(40)
    np.save("x.npy", x)
    code, text, _ = run("other.npz", "--port", port, command="upload")
    assert code == 0
    assert other.model_hash().hex() in text
    code, text, _ = run("other.npz", "--port", port, "--json", command="upload")
    assert json.loads(text).items() >= {"model_hash": other.model_hash().hex(), "recoveries": 0}.items()
    assert run("--port", port, "--inputs", "x.npy", "-o", "z.npy")[0] == 0
    np.testing.assert_array_equal(np.load("z.npy"), other.run(x).z)


def test_upload_refuses_another_shape_in_one_line(run: Run, port: str, q: QuantizedNetwork) -> None:
    quantize(q.network, weight_bits=7, state_bits=8, input_range=1.5).save("seven.npz")
    code, _, errors = run("seven.npz", "--port", port, command="upload")
    assert code == 1
    assert "bits of a weight: the device has 8, and the network 7; quantise with --like the network" in errors
    assert "Traceback" not in errors
