"""The program where the disk is full, a folder is not its own, the network is watched, or another build runs."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from autapse.files import folder_beside, write_beside
from autapse.gallery import path

AUTAPSE = (sys.executable, "-c", "from autapse.cli import main; main()")
# The same, with a limit on the size of its files.
LIMITED = """
import resource
from autapse.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
main()
"""
# Python imports this as it starts, the tools from pip as well, which are Python programs, too.
NO_NETWORK = """
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.bind") and isinstance(arguments[1], tuple) or (
        event.startswith("socket.getaddrinfo") or event.startswith("socket.gethostby") or event == "urllib.Request"
    ):
        with open(os.environ["ATTEMPTS"], "a") as file:
            file.write(f"{event} {arguments[1:]}\\n")
sys.addaudithook(hook)
"""


def run(*arguments, program=AUTAPSE, **options):
    """Exit code and standard error."""
    done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stderr.strip()


@pytest.mark.parametrize("command", ["quantize", "convert"])
def test_no_room_for_the_file(tmp_path, command):
    option = ("-o",) if command == "quantize" else ()
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it writes files, too
    limited = (sys.executable, "-c", LIMITED)
    code, said = run(command, path("xor"), *option, tmp_path / "q.npz", program=limited, env=env)
    assert (code, said) == (1, f"error: {tmp_path / 'q.npz'}: File too large")
    assert not any(tmp_path.iterdir())


@pytest.fixture
def full():
    """What is written to it meets a full disk."""
    with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123  # unbuffered, so that closing it is no error
        yield file


def test_full_disk(tmp_path, full):
    file, folder = tmp_path / "q.npz", tmp_path / "build"
    with pytest.raises(OSError, match="No space left on device") as caught, write_beside(file):
        full.write(b"x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(file))
    with pytest.raises(OSError, match="No space left on device") as caught, folder_beside(folder, "report.json"):
        full.write(b"x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(folder))
    assert not any(tmp_path.iterdir())


def test_folder_without_permission():
    """/sys takes no files, not even from root."""
    code, said = run("quantize", path("xor"), "-o", "/sys/q.npz")
    assert (code, said) == (1, "error: /sys/q.npz: Permission denied")


@pytest.fixture
def watched(tmp_path_factory):
    """An environment whose Python programs tell of what they attempt; and the file that they tell it in."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    paths = os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))
    return {**os.environ, "PYTHONPATH": paths, "ATTEMPTS": str(folder / "attempts")}, folder / "attempts"


def test_no_network(tmp_path, watched):
    environment, attempts = watched
    for command in (
        ("inspect", path("xor")),
        ("quantize", path("xor"), "-o", "q.npz"),
        ("export", "q.npz", "-o", "verilog", "--lanes", "2", "--steps", "5"),
        ("boards",),
    ):
        assert run(*command, cwd=tmp_path, env=environment)[0] == 0
    assert not attempts.exists(), attempts.read_text()


def test_the_watch_on_the_network_works_in_children(watched):
    environment, attempts = watched
    code = "import socket; socket.getaddrinfo('127.0.0.1', 80)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    subprocess.run([sys.executable, "-c", child], env=environment, check=True)
    assert "getaddrinfo" in attempts.read_text()


@pytest.mark.slow
def test_two_builds_at_the_same_time_make_the_same_bytes(tmp_path, watched):
    """And neither they nor the report and the comparison of one of them want a network."""
    environment, attempts = watched
    run("quantize", path("xor"), "-o", tmp_path / "q.npz")
    builds = []
    for seed in ("0", "4711"):
        command = ("build", tmp_path / "q.npz", "--board", "icebreaker", "--lanes", "2", "--frequency", "24")
        command += ("-o", tmp_path / seed, "-q")
        env = {**environment, "PYTHONHASHSEED": seed}
        builds.append(subprocess.Popen([*AUTAPSE, *map(str, command)], env=env, stdout=subprocess.DEVNULL))
    assert [build.wait(timeout=300) for build in builds] == [0, 0]
    files = [{p.name for p in (tmp_path / seed).iterdir()} for seed in ("0", "4711")]
    assert files[0] == files[1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0", "4711", "q.npz"]
    report = json.loads((tmp_path / "0" / "report.json").read_text())
    for what in ("design", "constraints", "netlist", "routed", "bitstream"):
        one, other = ((tmp_path / seed / report["files"][what]).read_bytes() for seed in ("0", "4711"))
        assert one == other, what
    with np.load(tmp_path / "0" / "q.npz") as one, np.load(tmp_path / "4711" / "q.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
    assert run("report", tmp_path / "0", "--verify", "5", env=environment)[0] == 0
    assert not attempts.exists(), attempts.read_text()
