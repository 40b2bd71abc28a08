"""The project that `autapse new` makes: what is in it, and that its own CI passes."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from autapse.gallery import path
from autapse.loading import load
from autapse.network import Network


def ci(project):
    """The command lines of the project's CI, but for the installation."""
    jobs = yaml.safe_load((project / ".github/workflows/ci.yml").read_text())["jobs"]
    lines = [step["run"] for step in jobs["design"]["steps"] if "run" in step]
    assert lines[0] == "python -m pip install -r requirements.txt"
    return lines[1:]


def in_project(project, line):
    """Run a command line as a runner does, with the Python of this test."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return subprocess.run(line, shell=True, cwd=project, env=env, capture_output=True, text=True, check=False)


def test_what_is_in_it(run, tmp_path):
    code, out, _ = run("new", "made", "--json", "--weight-bits", 6)
    data = json.loads(out)
    assert code == 0
    assert {p.relative_to("made").as_posix() for p in Path("made").rglob("*") if p.is_file()} == set(data["files"])
    settings = tomllib.loads(Path("made/design.toml").read_text())
    assert settings["words"] == {"weight_bits": 6, "state_bits": 8, "input_range": 1.5}  # the range of the task
    assert settings["board"] == {"name": "icebreaker"}
    np.testing.assert_array_equal(load("made/network.npz").W, load(path("xor")).W)
    assert Path("made/requirements.txt").read_text().startswith("autapse[sim,boards,link]==")
    done = in_project(tmp_path / "made", "python -m pytest -q -k close_to_float")
    assert "1 passed" in done.stdout
    toml = Path("made/design.toml")
    toml.write_text(toml.read_text().replace("weight_bits = 6", "weight_bits = 4"))
    done = in_project(tmp_path / "made", "python -m pytest -q -k close_to_float")
    assert "1 failed" in done.stdout, "fewer bits are no further from float"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("made", "nothing.npz"), "nothing.npz: no such file"),
        (("made", "gallery:nothing"), "no network 'nothing' in the gallery"),
        (("made", "--board", "arduino"), "no board 'arduino'"),
        (("made", "--weight-bits", "3"), "weight_bits must lie in 4 to 18, not 3"),
        (("there",), "there: exists already"),
        (("no/made",), "no: no such folder to write made into"),
    ],
)
def test_what_it_refuses(run, tmp_path, arguments, message):
    (tmp_path / "there").mkdir()
    code, _, err = run("new", *arguments, "-q")
    assert code == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


@pytest.mark.slow
def test_its_own_ci_passes(run, tmp_path):
    """All that its CI runs: the tests with the simulated circuit, and the build; of a small network, for haste."""
    rng = np.random.default_rng(0)
    Network(W=0.5 * rng.normal(size=(3, 3)), W_in=rng.normal(size=(3, 1))).save("net.npz")
    assert run("new", "made", "net.npz", "--board", "ice40_hx8k_b_evn")[0] == 0
    toml = tmp_path / "made/design.toml"
    toml.write_text(toml.read_text().replace("# frequency = 12e6", "frequency = 12e6"))
    lines = ci(tmp_path / "made")
    assert lines == ["autapse doctor sim boards", "python -m pytest", "python build.py"]
    for line in lines:
        done = in_project(tmp_path / "made", line)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "made/build/top.bin").is_file()
    assert json.loads((tmp_path / "made/build/report.json").read_text())["clock_hz"] == 12e6
