"""Proofs that a mutation changes nothing, by SAT in yosys.

The mutated logic is put beside the right one, fed from the same registers and inputs. If no register's next value and
no output ever differs in a state that the right circuit can reach, both circuits do the same for ever. In any state:
one step of SAT; in reachable ones: induction over some steps from the reset.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from core_farm import TOP
from mutants import Mutation

from autapse_sim.verilog import find_yosys, run_yosys

#: Steps of the induction, and seconds that each kind of proof may take.
STEPS, LIMIT = 12, 15
_LOGIC = "memory_map; dffunmap; opt_clean"

Bit = int | str


def prepare(folder: Path) -> None:
    """Write ``right.json``, the logic of ``flat.il``."""
    run_yosys(folder, "right.log", f"read_rtlil flat.il; {_LOGIC}; write_json right.json", "yosys reads no netlist")


def proof(folder: Path, mutation: Mutation) -> str | None:
    """How it is proved that a mutation changes nothing: ``any state``, ``induction``; or None."""
    number = mutation.number
    name = f"wrong_{number}"
    words = mutation.command.split()
    at = words.index("-ctrl")
    plain = " ".join(words[:at] + words[at + 4 :])
    run_yosys(
        folder, f"{name}.log", f"read_rtlil flat.il; {plain}; {_LOGIC}; write_json {name}.json", "yosys does not mutate"
    )
    right, wrong = (json.loads((folder / f"{n}.json").read_text())["modules"][TOP] for n in ("right", name))
    (folder / f"{name}.json").unlink()
    if (both := _side_by_side(right, wrong)) is None:
        return None
    (folder / f"both_{number}.json").write_text(json.dumps({"modules": {"both": both}}))
    read = f"read_json both_{number}.json; opt -full; opt_clean -purge; "
    for how, options in (("any state", ""), ("induction", f"-tempinduct -maxsteps {STEPS} -seq 1")):
        script = f"{read}sat -verify {options} -prove trigger 0 both"
        call = [find_yosys(), "-q", "-l", f"both_{number}.log", "-p", script]
        try:
            done = subprocess.run(call, cwd=folder, capture_output=True, check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return how
    return None


def _side_by_side(right: dict[str, Any], wrong: dict[str, Any]) -> dict[str, Any] | None:
    """A module with the right circuit, the wrong one's logic, and an output ``trigger``: something differs.

    None where the wrong one has other registers.
    """
    shift = 1 + max(bit for net in right["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    registers, others = _registers(right), _registers(wrong)
    if not others.keys() <= registers.keys():  # one that is missing is read by nothing
        return None
    shared: dict[Bit, Bit] = {}
    cells = dict(right["cells"])
    differ: tuple[list[Bit], list[Bit]] = [], []
    for name, port in right["ports"].items():
        if port["direction"] == "input":
            shared.update(zip(wrong["ports"][name]["bits"], port["bits"], strict=True))
    for name, theirs in others.items():
        ours = registers[name]
        shared.update(zip(theirs["Q"], ours["Q"], strict=True))

    def moved(bits: list[Bit]) -> list[Bit]:
        return [bit if isinstance(bit, str) else shared.get(bit, bit + shift) for bit in bits]

    for name, theirs in others.items():
        ours = registers[name]
        if moved(theirs["CLK"]) != ours["CLK"]:
            return None
        differ[0].extend(ours["D"])
        differ[1].extend(moved(theirs["D"]))
    for name, port in right["ports"].items():
        if port["direction"] == "output":
            differ[0].extend(port["bits"])
            differ[1].extend(moved(wrong["ports"][name]["bits"]))
    for name, cell in wrong["cells"].items():
        if cell["type"] not in ("$dff", "$scopeinfo"):
            cells[f"$wrong{name}"] = {**cell, "connections": {p: moved(b) for p, b in cell["connections"].items()}}
    trigger = 2 * shift + max(bit for net in wrong["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    width = len(differ[0])
    cells["differs"] = {
        "type": "$ne",
        "parameters": {"A_SIGNED": 0, "B_SIGNED": 0, "A_WIDTH": width, "B_WIDTH": width, "Y_WIDTH": 1},
        "attributes": {},
        "port_directions": {"A": "input", "B": "input", "Y": "output"},
        "connections": {"A": differ[0], "B": differ[1], "Y": [trigger]},
    }
    ports = {n: p for n, p in right["ports"].items() if p["direction"] == "input"}
    ports["trigger"] = {"direction": "output", "bits": [trigger]}
    nets = {n: net for n, net in right["netnames"].items() if "init" in net.get("attributes", {}) or n in ports}
    return {"attributes": {}, "ports": ports, "cells": cells, "netnames": nets}


def _registers(module: dict[str, Any]) -> dict[str, dict[str, list[Bit]]]:
    """Their connections by name; those of memories without the number, which depends on the cells before them."""
    cells = module["cells"].items()
    found = {re.sub(r"^(\$memory.*)\$\d+$", r"\1", name): name for name, cell in cells if cell["type"] == "$dff"}
    return {short: module["cells"][name]["connections"] for short, name in found.items()}
