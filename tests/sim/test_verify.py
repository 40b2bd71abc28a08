"""The core on Verilator against the integer model; the export that runs without Autapse."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from harness import random_network

import autapse_hw.core
from autapse.errors import AutapseError, MissingToolError
from autapse.quantize import quantize
from autapse_sim import export, simulate, verify
from autapse_sim import simulator as simulator_module


def network(units, inputs=2, outputs=1, activation="tanh"):
    return random_network(np.random.default_rng(0), units, inputs, outputs, activation, h0=True)


def test_verify_counts_everything():
    q = quantize(network(6, 2, 3))
    result = verify(q, lanes=4, steps=30)
    # 30 steps with waiting inputs, the same 30 with pauses, and the state read back after each of the two runs
    assert (result.steps, result.states, result.outputs) == (60, 60 * 6 + 2 * 6, 60 * 3)
    assert result.sums == 60 * 6
    assert result.ok
    assert result.mismatches == 0
    assert result.cycles_per_step == autapse_hw.schedule.Schedule.of(q, 4).cycles_per_step


def test_a_wrong_weight_is_found(monkeypatch):
    """One bit of one weight in the circuit, and verify names where it first shows."""
    q = quantize(network(5, 1, 1))
    right = autapse_hw.core.weight_words

    def wrong(q, schedule):
        words = right(q, schedule)
        words[schedule.cols - 1] ^= 1 << (2 * q.formats.W.bits)  # lane 2 of the first tile, its last column
        return words

    monkeypatch.setattr(autapse_hw.core, "weight_words", wrong)
    result = verify(q, lanes=3, steps=20)
    assert not result.ok
    assert result.mismatches > 0
    assert "the model has" in result.first[0]
    with pytest.raises(AutapseError, match="the circuit differs from the integer model"):
        simulate(q, np.full((1, 20, 1), 50), lanes=3)


def test_simulate_gives_the_outputs_of_the_circuit():
    q = quantize(network(4, 2, 2, "sigmoid"))
    x = np.random.default_rng(3).integers(-63, 63, size=(3, 7, 2))
    np.testing.assert_array_equal(simulate(q, x, lanes=6), q.run_int(x).z)


def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(simulator_module.shutil, "which", lambda name: None)
    with pytest.raises(
        MissingToolError, match=r"g\+\+ is not installed, and Verilator needs it: apt-get install g\+\+"
    ):
        verify(quantize(network(2)), lanes=1, steps=2)


def test_steps_are_checked():
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        verify(quantize(network(2)), lanes=1, steps=0)


@pytest.fixture
def exported(tmp_path):
    export(quantize(network(4, 1, 1)), tmp_path / "rtl", lanes=2, steps=20)
    return tmp_path / "rtl"


def test_export_is_complete_and_names_no_autapse_import(exported):
    assert {p.name for p in exported.iterdir()} == {
        "autapse_core.v",
        "vectors.json",
        "test_core.py",
        "run.py",
        "README.md",
    }
    assert "import autapse" not in (exported / "test_core.py").read_text() + (exported / "run.py").read_text()
    assert len(json.loads((exported / "vectors.json").read_text())["sequences"][0]["h"]) == 20


def test_export_documents_its_ports(exported):
    (ports,) = re.findall(r"^module autapse_core\((.*?)\);", (exported / "autapse_core.v").read_text(), re.M | re.S)
    rows = [line for line in (exported / "README.md").read_text().splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert documented >= set(re.findall(r"\w+", ports)) - {"clk", "rst"}


def test_export_refuses_a_foreign_folder(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(AutapseError, match="not empty, and not written by this command"):
        export(quantize(network(2)), tmp_path, lanes=1)
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


@pytest.mark.slow
def test_export_runs_without_autapse(exported):
    """In a Python that cannot import this project, whatever is installed."""
    code = (
        "import sys, runpy\n"
        "for name in ('autapse', 'autapse_hw', 'autapse_sim', 'autapse_boards', 'amaranth', 'numpy'):\n"
        "    sys.modules[name] = None\n"
        "sys.argv = ['run.py']\n"
        "runpy.run_path('run.py', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=exported, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    result = json.loads((exported / "result.json").read_text())
    assert result["mismatches"] == 0
    assert result["states"] == 20 * 4 * 2 + 2 * 4

    vectors = json.loads((exported / "vectors.json").read_text())
    vectors["sequences"][0]["h"][13][2] += 1
    (exported / "vectors.json").write_text(json.dumps(vectors))
    done = subprocess.run([sys.executable, "-c", code], cwd=exported, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads((exported / "result.json").read_text())["mismatches"] == 1
