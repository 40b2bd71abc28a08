"""Compiling a design and the virtual board's C++ around it into one program."""

from __future__ import annotations

import subprocess
from importlib import resources
from pathlib import Path

from autapse.errors import ToolFailedError
from autapse.quantized import QuantizedNetwork
from autapse_hw.system import System
from autapse_hw.tiling import Tiling
from autapse_sim.models import cell_models
from autapse_sim.simulator import check_tools, environment, tail
from autapse_sim.verilog import to_verilog

TOP = "board"
_FLAGS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-Wno-fatal", "--build-jobs", "2")
# Gates have names of signals with two drivers' worth of attributes, delays and specify blocks: none of it is simulated.
_GATE_FLAGS = ("--no-timing",)


def rtl_source(q: QuantizedNetwork, tiling: Tiling, form: str, clock_hz: float, divisor: int) -> str:
    """Verilog of the design between the pins, and of the vendor's multipliers in it."""
    source = to_verilog(System(q, tiling, clock_hz, divisor, form), TOP)
    return source + cell_models(source)


def compile_board(folder: Path, source: str, *, gates: bool = False) -> Path:
    """Build the program ``folder/obj/board`` from Verilog of a module ``board``; ToolFailedError with the log's end."""
    check_tools(("verilator",))
    (folder / f"{TOP}.v").write_text(source, encoding="utf-8")
    main = resources.files("autapse_sim").joinpath("virtual.cpp").read_text(encoding="utf-8")
    (folder / "virtual.cpp").write_text(main, encoding="utf-8")
    command = ["verilator", "--cc", "--exe", "--build", *_FLAGS, *(_GATE_FLAGS if gates else ())]
    command += ["--top-module", TOP, "--prefix", "Vboard", "--Mdir", "obj", "-CFLAGS", "-O2"]
    log = folder / "compile.log"
    with log.open("w") as output:
        done = subprocess.run(
            [*command, f"{TOP}.v", "virtual.cpp", "-o", TOP],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(),
            check=False,
        )
    if done.returncode != 0:
        raise ToolFailedError(f"the virtual board did not compile:\n{tail(log)}")
    return folder / "obj" / TOP
