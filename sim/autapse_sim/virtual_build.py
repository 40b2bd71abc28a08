"""Compiling a design and the virtual board's C++ around it into one program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from autapse.errors import FileFormatError
from autapse.quantized import QuantizedNetwork
from autapse_hw.system import System
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage
from autapse_sim.decompile import check_decompilable, decompiled_source
from autapse_sim.netlist import board_source
from autapse_sim.simulator import compile_program
from autapse_sim.verilog import design_source

TOP = "board"
#: What can be simulated of a build.
LEVELS = ("rtl", "gates", "bitstream")


def rtl_source(
    q: QuantizedNetwork,
    tiling: Tiling,
    form: str,
    clock_hz: float,
    divisor: int,
    storage: Storage = Storage.FIXED,
    *,
    trace: bool = False,
) -> str:
    """Verilog of the design between the pins, and of the vendor's multipliers in it."""
    return design_source(System(q, tiling, clock_hz, divisor, form, storage, trace=trace), TOP)


def built_source(folder: Path, report: Mapping[str, Any], level: str) -> Callable[[Path], str]:
    """What makes the Verilog of a build's design, as ``gates`` or ``bitstream``, given a folder for intermediate files.

    `report` is that of the build in `folder`. NotDecompilableError at once for a bitstream that no tool can decompile.
    """
    device, names = report["device"], report["files"]
    if missing := {"netlist", "constraints", "bitstream"} - names.keys():
        raise FileFormatError(f"{folder}: its report names no {min(missing)}; build it anew")
    netlist, constraints, bitstream = (folder / names[what] for what in ("netlist", "constraints", "bitstream"))
    if level == "gates":
        return lambda work: board_source(work, netlist, constraints, device_family(device))
    if level != "bitstream":
        raise ValueError(f"a level is {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, not {level!r}")
    check_decompilable(device, netlist)
    return lambda work: decompiled_source(work, bitstream, constraints, device)


def compile_board(folder: Path, source: str) -> Path:
    """Build the program ``folder/obj/board`` from Verilog of a module ``board``; ToolFailedError with the log's end."""
    main = resources.files("autapse_sim").joinpath("virtual.cpp").read_text(encoding="utf-8")
    return compile_program(folder, TOP, source, main, "the virtual board did not compile")


def device_family(device: str) -> str:
    """Family of an FPGA by its maker's name: ice40 or ecp5."""
    return "ice40" if device.startswith("iCE40") else "ecp5"
