"""A bitstream of an iCE40 as Verilog for a simulator: what the chip is told, and nothing that was known before.

The bitstream is unpacked, and icestorm's ``icebox_vlog`` gives the logic that its bits mean. So place-and-route and the
packing are checked too, and whatever they may have got wrong on the way from the netlist.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from autapse.errors import AutapseError, FileFormatError
from autapse_sim.netlist import board_source
from autapse_sim.verilog import find_tool, run_tool, run_yosys

# What icebox_vlog leaves out, without a word.
_LEFT_OUT = ("SB_MAC16", "SB_SPRAM256KA", "SB_HFOSC", "SB_LFOSC", "SB_I2C", "SB_SPI")
_DEVICE = re.compile(r"iCE40(\w+)-(\w+)")
_SCRIPT = "read_verilog decompiled.v; proc; opt_expr; opt_clean; write_json decompiled.json"


class NotDecompilableError(AutapseError):
    """No tool makes logic of this bitstream."""


def _device(device: str) -> re.Match[str]:
    """Its size and package; NotDecompilableError unless it is an iCE40."""
    if (match := _DEVICE.fullmatch(device)) is None:
        raise NotDecompilableError(f"there is no decompiler for the bitstreams of the {device}")
    return match


def check_decompilable(device: str, netlist: Path) -> None:
    """Raise NotDecompilableError, with the reason, for a design that :func:`decompiled_source` cannot give.

    Parameters
    ----------
    device
        The FPGA, as ``iCE40HX8K-CT256``.
    netlist
        yosys's, as JSON: which cells are in the bitstream.
    """
    _device(device)
    try:
        cells = json.loads(netlist.read_text())["modules"]["top"]["cells"].values()
        kinds = {cell["type"] for cell in cells}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{netlist}: not a netlist of ours: {error!r}") from error
    for kind in _LEFT_OUT:
        if kind in kinds:
            hint = "; lanes of form booth need none" if kind == "SB_MAC16" else ""
            raise NotDecompilableError(f"the decompiler leaves out {kind}, of which this design has some{hint}")


def decompiled_source(folder: Path, bitstream: Path, constraints: Path, device: str) -> str:
    """Verilog of a module ``board``, as of :mod:`autapse_sim.netlist`; `folder` is for intermediate files.

    Only the bitstream is read, and from the constraints which pin is which.

    Raises MissingToolError and ToolFailedError from the tools; FileFormatError if the pins are not those of ours.
    """
    vlog = find_tool("icebox_vlog", "apt-get install fpga-icestorm")
    unpack = find_tool("iceunpack", "pip install 'autapse[boards]'")
    match = _device(device)
    shutil.copy(bitstream, folder / "top.bin")
    shutil.copy(constraints, folder / "top.pcf")
    run_tool(folder, [unpack, "top.bin", "top.asc"], f"{bitstream} is not unpacked")
    package = match[2].lower() + (":4k" if match[1].endswith("4K") else "")  # a 4K is an 8K with packages of its own
    options = ["-s", "-n", "top", "-d", package, "-p", "top.pcf"]
    text = run_tool(folder, [vlog, *options, "top.asc"], f"{bitstream} is not decompiled")
    (folder / "decompiled.v").write_text(text, encoding="utf-8")
    run_yosys(folder, "decompiled.log", _SCRIPT, f"yosys does not read what {bitstream} was decompiled to")
    return board_source(folder, folder / "decompiled.json", folder / "top.pcf", "ice40")
