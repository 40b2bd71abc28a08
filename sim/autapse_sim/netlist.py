"""A synthesised iCE40 netlist as Verilog for a simulator, with models of its cells.

What yosys wrote and nextpnr placed stays as it is; only the pads and the phase-locked loop, which no simulator can run,
give way to the ports of a module ``board``: ``clk`` (the clock behind the loop), ``rst``, ``rx``, ``tx``, ``activity``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autapse.errors import FileFormatError
from autapse_sim.models import gate_models
from autapse_sim.verilog import run_yosys

_PLLS = ("SB_PLL40_PAD", "SB_PLL40_CORE")
# They only say where cells come from.
_NO_CELLS = ("$scopeinfo",)
_WRAPPER = """
module board(input clk, input rst, input rx, output tx, output activity);
  netlist netlist(.clk(clk), .awake(~rst), .rx(rx), .tx(tx), .activity(activity));
endmodule
"""

Bit = int | str


def gates_source(folder: Path, netlist: Path) -> str:
    """Verilog of the netlist and its cells; `folder` is for intermediate files.

    ``rst`` takes the PLL's lock away and presses the buttons, which are low then.
    """
    try:
        module = json.loads(netlist.read_text())["modules"]["top"]
        stripped, types = _strip(module)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{netlist}: not a netlist of ours: {error!r}") from error
    (folder / "netlist.json").write_text(json.dumps({"modules": {"netlist": stripped}}))
    script = "read_json netlist.json; write_verilog -noattr netlist.v"
    run_yosys(folder, "netlist.log", script, f"yosys does not read {netlist}")
    return gate_models("ice40", types) + (folder / "netlist.v").read_text() + _WRAPPER


def _strip(module: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The module with ports in the place of pads and PLL, and the types of the cells that are left."""
    pins = {bit: name for name, port in module["ports"].items() for bit in port["bits"]}
    awake = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    ports: dict[str, dict[str, Any]] = {"awake": {"direction": "input", "bits": [awake]}}
    replaced: dict[Bit, Bit] = {}
    cells = {}
    for name, cell in module["cells"].items():
        nets = {port: bits[0] for port, bits in cell["connections"].items() if bits}
        if cell["type"] in _PLLS:
            ports["clk"] = {"direction": "input", "bits": [nets["PLLOUTGLOBAL"]]}
            replaced[nets["LOCK"]] = awake
        elif cell["type"] == "SB_IO":
            pin = pins[nets["PACKAGE_PIN"]]
            if (role := _role(pin)) in ("tx", "activity"):
                ports[role] = {"direction": "output", "bits": [nets["D_OUT_0"]]}
            elif role in ("rx", "clk"):
                ports.setdefault(role, {"direction": "input", "bits": [nets["D_IN_0"]]})
            else:
                replaced[nets["D_IN_0"]] = awake
        elif cell["type"] not in _NO_CELLS:
            cells[name] = cell
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            cell["connections"][port] = [replaced.get(bit, bit) for bit in bits]
    missing = {"clk", "rx", "tx", "activity"} - ports.keys()
    if missing:
        raise KeyError(f"no pin for {', '.join(sorted(missing))}")
    return {"attributes": {}, "ports": ports, "cells": cells, "netnames": {}}, {c["type"] for c in cells.values()}


def _role(pin: str) -> str:
    """Which of our ports a pin of amaranth's is: ``uart_0__rx__io``, ``led_0__io``, ``clk12_0__io``, others."""
    for mark, role in (("__rx__", "rx"), ("__tx__", "tx"), ("led", "activity"), ("clk", "clk")):
        if mark in pin:
            return role
    return pin
