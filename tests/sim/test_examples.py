"""The scripts of examples/, run as a user would, and what they must print. closed_loop.py has a test of its own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
#: Tested elsewhere, or figures of a page, of a network that is not ours to give away, or of a file that is in git.
ELSEWHERE = {"closed_loop", "delayed_decision", "row_scales", "train_flipflop"}


def run(name, *arguments):
    """The script's output; it must succeed."""
    command = [sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_a_test():
    tested = set(re.findall(r'run\("(\w+)"', Path(__file__).read_text()))
    assert {file.stem for file in EXAMPLES.glob("*.py")} == tested | ELSEWHERE


@pytest.mark.slow
def test_keras_to_verilog(tmp_path):
    out = run("keras_to_verilog", "--steps", 30, "-o", tmp_path / "verilog")
    assert "its test: passed; 30 steps" in out
    assert (tmp_path / "verilog" / "autapse_core.v").is_file()


@pytest.mark.slow
def test_decision_in_closed_loop():
    out = run("decision_loop", "--trials", 8)
    steps = [int(n) for n in re.findall(r"(\d+) steps to decide", out)]
    right = [float(n) for n in re.findall(r": ([\d.]+) right", out)]
    assert len(steps) == len(right) == 3
    assert steps[0] > steps[2]  # weak evidence takes longer
    assert right[2] >= 0.75
    assert "equal to the integer model's in 24 of 24 trials" in out


@pytest.mark.slow
def test_analogue_twin(tmp_path):
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: apt-get install ngspice")
    out = run("analogue_twin", "-o", tmp_path)
    errors = [(float(e), float(b)) for e, b in re.findall(r"by (\S+) of full scale; (\S+) is allowed", out)]
    assert len(errors) == 2
    assert all(error <= bound for error, bound in errors)
    eight, twelve = map(float, re.findall(r"bits: differ from the float steps by ([\d.]+)", out))
    assert twelve < eight < 0.03
    assert {"parallel.cir", "series.cir", "parallel.svg", "series.svg"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.slow
def test_basic_motions(tmp_path):
    """Accuracy: circuit equal to the model in every sample, and within 2 points of float."""
    out = run("basic_motions", "--out", tmp_path)
    accuracy = {name: float(value) for name, value in re.findall(r"accuracy, (.+?) +([\d.]+)$", out, re.MULTILINE)}
    assert set(accuracy) == {"float64", "integer model", "circuit"}
    assert accuracy["circuit"] == accuracy["integer model"]
    assert abs(accuracy["circuit"] - accuracy["float64"]) <= 0.02
    assert accuracy["float64"] >= 0.9
    assert "equal to the model in 40 of 40 recordings" in out
