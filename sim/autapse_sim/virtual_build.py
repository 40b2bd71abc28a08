"""Compiling a design and the virtual board's C++ around it into one program."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from autapse.quantized import QuantizedNetwork
from autapse_hw.system import System
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage
from autapse_sim.simulator import compile_program
from autapse_sim.verilog import design_source

TOP = "board"


def rtl_source(
    q: QuantizedNetwork, tiling: Tiling, form: str, clock_hz: float, divisor: int, storage: Storage = Storage.FIXED
) -> str:
    """Verilog of the design between the pins, and of the vendor's multipliers in it."""
    return design_source(System(q, tiling, clock_hz, divisor, form, storage), TOP)


def compile_board(folder: Path, source: str) -> Path:
    """Build the program ``folder/obj/board`` from Verilog of a module ``board``; ToolFailedError with the log's end."""
    main = resources.files("autapse_sim").joinpath("virtual.cpp").read_text(encoding="utf-8")
    return compile_program(folder, TOP, source, main, "the virtual board did not compile")
