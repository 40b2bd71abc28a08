"""The data sheets' limits on the clock of a design, by the blocks that are in it.

nextpnr knows of a block whose registers are all in use only its set-up and clock-to-output times, so what it calls the
fastest clock can lie above what the maker promises for the block. The lower of the two counts.

Sources: iCE40 UltraPlus, FPGA-DS-02008 1.9: tables 4.16 (block RAM), 4.17 (sysDSP), 4.18 (SPRAM), 4.21 (clock network).
iCE40 LP/HX, FPGA-DS-02029: "Typical Building Block Function Performance" and "External Switching Characteristics" of
the LP and HX devices. ECP5, FPGA-DS-02012: "Register-to-Register Performance", which has grade 8 alone and therefore
only bounds the others, and "External Switching Characteristics". The iCE40 tables were read for this; the ECP5 figures
are from memory and want a look at the sheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autapse.errors import ToolFailedError
from autapse_boards.parts import Part

MHZ = 1e6


@dataclass(frozen=True)
class Limit:
    """The fastest clock that a data sheet gives for a block.

    Attributes
    ----------
    block
        What it is.
    hz
        The clock; None where the sheet has no figure for the way in which the block is used.
    source
        Document and table.
    """

    block: str
    hz: float | None
    source: str


_ULTRAPLUS, _LP_HX, _ECP5 = "FPGA-DS-02008", "FPGA-DS-02029", "FPGA-DS-02012"

#: Of the clock network, which every design has: by family and speed, in MHz.
_CLOCKS = {
    ("ice40", "u"): (185, f"{_ULTRAPLUS} table 4.21, fMAX_GBUF"),
    ("ice40", "hx"): (275, f"{_LP_HX} External Switching Characteristics, fMAX_GBUF"),
    ("ice40", "lp"): (275, f"{_LP_HX} External Switching Characteristics, fMAX_GBUF"),
    ("ecp5", "6"): (257, f"{_ECP5} External Switching Characteristics, fMAX_PRI -6"),
    ("ecp5", "7"): (303, f"{_ECP5} External Switching Characteristics, fMAX_PRI -7"),
    ("ecp5", "8"): (370, f"{_ECP5} External Switching Characteristics, fMAX_PRI -8"),
}
#: Of block RAMs.
_RAMS = {
    ("ice40", "u"): (150, f"{_ULTRAPLUS} table 4.16, 256x16 pseudo-dual port RAM"),
    ("ice40", "hx"): (403, f"{_LP_HX} Building Block Performance HX, 256x16 pseudo-dual port RAM"),
    ("ice40", "lp"): (240, f"{_LP_HX} Building Block Performance LP, 256x16 pseudo-dual port RAM"),
}
_PIPELINE = ("TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2")


def clock_limit(part: Part) -> Limit:
    """The limit of a part's clock network: no design is faster."""
    mhz, source = _CLOCKS[part.family, part.speed]
    return Limit("clock network", mhz * MHZ, source)


def limits(part: Part, netlist: Path) -> tuple[Limit, ...]:
    """The limits of a design on `part`, from the blocks in the netlist that yosys wrote as JSON; the lowest first."""
    try:
        cells = json.loads(netlist.read_text())["modules"]["top"]["cells"].values()
        found = {clock_limit(part), *(limit for cell in cells if (limit := _of_cell(part, cell)) is not None)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ToolFailedError(f"the netlist {netlist.name} is not as expected: {error!r}") from error
    return tuple(sorted(found, key=lambda limit: (limit.hz is None, limit.hz or 0.0, limit.block)))


def lowest(found: Iterable[Limit]) -> Limit | None:
    """The limit that counts; None if there is none with a figure."""
    return min((limit for limit in found if limit.hz is not None), key=lambda limit: limit.hz or 0.0, default=None)


def _of_cell(part: Part, cell: Mapping[str, Any]) -> Limit | None:
    kind, parameters = cell["type"], cell.get("parameters", {})
    if kind.startswith("SB_RAM40_4K"):
        mhz, source = _RAMS[part.family, part.speed]
        return Limit("block RAM", mhz * MHZ, source)
    if kind == "SB_SPRAM256KA":
        return Limit("SPRAM", 70 * MHZ, f"{_ULTRAPLUS} table 4.18, fMAXSRAM")
    if kind == "SB_MAC16":
        if any(int(parameters.get(name, "0"), 2) for name in _PIPELINE):
            return Limit("SB_MAC16 with pipeline registers", None, f"{_ULTRAPLUS} has no figure for it")
        return Limit("SB_MAC16 without pipeline registers", 50 * MHZ, f"{_ULTRAPLUS} table 4.17, fMAX16x16SMULT")
    if kind == "DP16KD":
        nets = cell.get("connections", {})
        # A port that is never written, as of the memories of constants, does not read before it writes.
        written = [port for port in "AB" if set(nets.get(f"WE{port}", ())) - {"0"}]
        if any(parameters.get(f"WRITEMODE_{port}") == "READBEFOREWRITE" for port in written):
            return Limit("block RAM, read before write", 214 * MHZ, f"{_ECP5} Register-to-Register Performance -8")
        return Limit("block RAM", 272 * MHZ, f"{_ECP5} Register-to-Register Performance -8")
    if kind == "MULT18X18D":
        return Limit("MULT18X18D", 225 * MHZ, f"{_ECP5} Register-to-Register Performance -8, 18x18, all registers")
    return None
