"""The Verilog that is written: nothing to say for Verilator beyond the waivers, and the same bytes each time."""

import hashlib
import os
import subprocess
import sys
from importlib import resources
from itertools import pairwise

import numpy as np
import pytest

from autapse.network import Network
from autapse.quantize import quantize
from autapse_hw.system import System
from autapse_hw.weights import Storage
from autapse_sim.models import cell_models
from autapse_sim.simulator import environment
from autapse_sim.verilog import to_verilog

WAIVERS = str(resources.files("autapse_sim") / "lint.vlt")
# A process of its own exports a core: what depends on the order of a set or a dictionary of objects would differ.
EXPORT = """
import sys
from autapse import load, quantize
from autapse.gallery import path
from autapse_sim import export
export(quantize(load(path("xor"))), sys.argv[1], lanes="2x2", steps=5)
"""


def network(**changes):
    rng = np.random.default_rng(7)
    arrays = {"W": 0.4 * rng.normal(size=(6, 6)), "W_in": rng.normal(size=(6, 2)), "W_out": rng.normal(size=(2, 6))}
    arrays["b"] = 0.1 * rng.normal(size=6)
    return quantize(Network(**{**arrays, **changes}), weight_bits=8, state_bits=8, operand_bits=8)


def stack():
    rng = np.random.default_rng(8)
    W = np.block([[rng.normal(size=(3, 3)), np.zeros((3, 3))], [rng.normal(size=(3, 6))]])
    return network(W=W, W_in=np.vstack([rng.normal(size=(3, 2)), np.zeros((3, 2))]), layers=(3, 3))


LEAK = {"d": np.full(6, 0.9), "g": np.full(6, 0.1)}
DESIGNS = {
    "generic": (network, "3", "generic", Storage.FIXED),
    "mac8x8": (network, "4x2", "mac8x8", Storage.FIXED),
    "mult18": (network, "4x2/2*3", "mult18", Storage.FIXED),
    "booth": (network, "4", "booth", Storage.FIXED),
    "turns": (network, "4x2/2*2", "generic", Storage.FIXED),  # three pages: their number has a value more
    "leaky": (lambda: network(**LEAK), "4", "generic", Storage.FIXED),
    "current": (lambda: network(**LEAK, form="current"), "4x4", "generic", Storage.FIXED),
    "stack": (stack, "3", "generic", Storage.FIXED),
    "upload": (network, "4", "mac8x8", Storage.UPLOAD),
    "spram": (network, "4", "mac8x8", Storage.SPRAM),
    "trace": (network, "4x2/2*3", "mac8x8", Storage.UPLOAD),
}


def lint(folder, source, cells=""):
    (folder / "board.v").write_text(source)
    (folder / "cells.v").write_text(cells)
    command = ["verilator", "--lint-only", "-Wall", "--top-module", "board", WAIVERS, "./board.v", "./cells.v"]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", DESIGNS)
def test_verilator_has_nothing_to_say(tmp_path, name):
    make, tiling, form, storage = DESIGNS[name]
    source = to_verilog(System(make(), tiling, 12e6, 16, form, storage, trace=name == "trace"), "board")
    assert ("records" in source) == (name == "trace")  # nothing of it is in other designs
    done = lint(tmp_path, source, cell_models(source))
    assert done.returncode == 0, done.stderr[:2000]
    assert not done.stderr


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("assign q = {clk, rst, clk, rst, clk};", "WIDTHTRUNC"),
        ("reg a; always @(*) if (clk) a = rst; assign q = {4{a}};", "LATCH"),
        ("reg a; always @(*) case (rst) 1'b1: a = clk; endcase assign q = {4{a}};", "LATCH"),
        ("wire a, b; assign a = b & rst; assign b = a ^ clk; assign q = {4{b}};", "UNOPTFLAT"),
        ("wire a; assign q = {4{a}};", "UNDRIVEN"),
        ("wire [1:0] a = {clk, rst}; assign q = {4{a[2]}};", "SELRANGE"),
    ],
)
def test_the_waivers_hide_no_defect(tmp_path, line, rule):
    done = lint(tmp_path, f"module board(input clk, input rst, output [3:0] q);\n{line}\nendmodule\n")
    assert done.returncode != 0
    assert f"%Warning-{rule}" in done.stderr


def test_every_waiver_has_its_reason():
    lines = (resources.files("autapse_sim") / "lint.vlt").read_text().splitlines()
    waivers = [(before, line) for before, line in pairwise(lines) if line.startswith("lint_off")]
    assert 10 < len(waivers) < 18
    assert all(before.startswith(("//", "lint_off")) for before, _ in waivers)


def test_two_exports_are_the_same_bytes(tmp_path):
    made = []
    for seed in ("0", "4711"):
        folder = tmp_path / seed
        env = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", EXPORT, str(folder)], env=env, check=True)
        made.append({f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())})
    assert "autapse_core.v" in made[0]
    assert made[0] == made[1]
