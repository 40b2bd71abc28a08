"""A netlist of a whole board as Verilog for a simulator, with models of its cells.

What yosys wrote and nextpnr placed stays as it is; only the pads and the phase-locked loop, which no simulator can run,
give way to the ports of a module ``board``: ``clk`` (the clock behind the loop), ``rst``, ``rx``, ``tx``, ``activity``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from autapse.errors import FileFormatError
from autapse_sim.models import gate_models
from autapse_sim.verilog import run_yosys

# By type: the port with the clock that a loop makes; and of a pad its pin, what comes from there, and what goes there.
_PLLS = {"SB_PLL40_PAD": "PLLOUTGLOBAL", "SB_PLL40_CORE": "PLLOUTGLOBAL", "EHXPLLL": "CLKOP"}
_PADS = {
    "SB_IO": ("PACKAGE_PIN", "D_IN_0", "D_OUT_0"),
    "SB_GB_IO": ("PACKAGE_PIN", "GLOBAL_BUFFER_OUTPUT", "D_OUT_0"),
    "TRELLIS_IO": ("B", "O", "I"),
}
# In the constraints of an ECP5: a button that is high when it is pressed.
_HIGH = re.compile(r'IOBUF PORT "(\S+)".*\bPULLMODE=DOWN\b')
# They only say where cells come from.
_NO_CELLS = ("$scopeinfo",)
_WRAPPER = """
module board(input clk, input rst, input rx, output tx, output activity);
  netlist netlist(.clk(clk), .awake(~rst), .asleep(rst), .rx(rx), .tx(tx), .activity(activity));
endmodule
"""

Bit = int | str


def board_source(folder: Path, netlist: Path, constraints: Path, family: str) -> str:
    """Verilog of the netlist and its cells; `folder` is for intermediate files.

    ``rst`` takes the PLL's lock away and presses the buttons, which are low then, or high if the constraints have a
    resistor that pulls them low otherwise.
    """
    try:
        module = json.loads(netlist.read_text())["modules"]["top"]
        stripped, types = _strip(module, _HIGH.findall(constraints.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{netlist}: not a netlist of ours: {error!r}") from error
    (folder / "netlist.json").write_text(json.dumps({"modules": {"netlist": stripped}}))
    script = "read_json netlist.json; write_verilog -noattr netlist.v"
    run_yosys(folder, "netlist.log", script, f"yosys does not read {netlist}")
    return gate_models(family, types) + (folder / "netlist.v").read_text() + _WRAPPER


def _strip(module: dict[str, Any], high: Collection[str] = ()) -> tuple[dict[str, Any], set[str]]:
    """The module with ports in the place of pads and PLL, and the types of the vendor's cells that are left.

    The pins in `high` rest low. A pin without a pad, as in a netlist that comes from a bitstream, is itself the net.
    """
    pins = {bit: name for name, port in module["ports"].items() for bit in port["bits"]}
    free = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    ports, cells = _Ports(free, high), {}
    for name, cell in module["cells"].items():
        nets = {port: bits[0] for port, bits in cell["connections"].items() if bits}
        if cell["type"] in _PLLS:
            ports.loop(nets[_PLLS[cell["type"]]], nets["LOCK"])
        elif cell["type"] in _PADS:
            pin, inward, outward = (nets.get(port) for port in _PADS[cell["type"]])
            ports.pad(pins.pop(pin), inward, outward)
        elif cell["type"] not in _NO_CELLS:
            cells[name] = cell
    for bit, pin in pins.items():
        sends = module["ports"][pin]["direction"] == "output"
        ports.pad(pin, None if sends else bit, bit if sends else None)
    for cell in cells.values():
        for port, bits in cell["connections"].items():
            cell["connections"][port] = [ports.replaced.get(bit, bit) for bit in bits]
    # Of the names only those with a value at the start: flip-flops of yosys's own have it there.
    nets = {name: net for name, net in module["netnames"].items() if "init" in net.get("attributes", {})}
    types = {cell["type"] for cell in cells.values() if not cell["type"].startswith("$")}
    return {"attributes": {}, "ports": ports.complete(), "cells": cells, "netnames": nets}, types


class _Ports:
    """The ports that take the place of pads and PLL, and the nets that ``rst`` drives now."""

    def __init__(self, free: int, high: Collection[str]) -> None:
        self._high = high
        self._levels = {"awake": free, "asleep": free + 1}
        self._ports: dict[str, tuple[str, Bit]] = {name: ("input", bit) for name, bit in self._levels.items()}
        self.replaced: dict[Bit, Bit] = {}

    def loop(self, clock: Bit, lock: Bit) -> None:
        """A PLL: its clock comes from outside, and it is locked while the board is awake."""
        self._ports["clk"] = ("input", clock)
        self.replaced[lock] = self._levels["awake"]

    def pad(self, pin: str, inward: Bit | None, outward: Bit | None) -> None:
        """A pin, the net that it drives in the design, and the net that drives it. What has no role is a button."""
        role = _role(pin)
        if role in ("tx", "activity") and outward is not None:
            self._ports[role] = ("output", outward)
        elif role in ("rx", "clk") and inward is not None:
            self._ports.setdefault(role, ("input", inward))
        elif inward is not None:
            self.replaced[inward] = self._levels["asleep" if pin in self._high else "awake"]

    def complete(self) -> dict[str, dict[str, Any]]:
        """All ports, as yosys's JSON has them; KeyError if one is missing."""
        if missing := {"clk", "rx", "tx"} - self._ports.keys():
            raise KeyError(f"no pin for {', '.join(sorted(missing))}")
        self._ports.setdefault("activity", ("output", "0"))  # not every board has an LED
        return {name: {"direction": direction, "bits": [bit]} for name, (direction, bit) in self._ports.items()}


def _role(pin: str) -> str:
    """Which of our ports a pin of amaranth's is: ``uart_0__rx__io``, ``led_0__io``, ``clk12_0__io``, others."""
    for mark, role in (("__rx__", "rx"), ("__tx__", "tx"), ("led", "activity"), ("clk", "clk")):
        if mark in pin:
            return role
    return pin
