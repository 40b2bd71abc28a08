"""Reading nextpnr's report: achieved clock, slowest path, and what is used of the device."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autapse.errors import ToolFailedError
from autapse_boards.limits import Limit, lowest
from autapse_boards.report import Hop, Use

# The names that nextpnr gives to what we count.
_RESOURCES = {
    "ice40": {"logic": "ICESTORM_LC", "dsps": "ICESTORM_DSP", "rams": "ICESTORM_RAM", "sprams": "ICESTORM_SPRAM"},
    "ecp5": {"logic": "TRELLIS_COMB", "flip_flops": "TRELLIS_FF", "dsps": "MULT18X18D", "rams": "DP16KD"},
}
_PATH_PIECES = 40


@dataclass(frozen=True)
class Timing:
    """What nextpnr achieved.

    Attributes
    ----------
    fmax_hz, target_hz
        Of the core's clock: what the slowest path allows, and what was asked for.
    path
        The slowest path of that clock.
    resources
        Used and available, by our names.
    limits
        What the data sheets say of the blocks in the design.
    """

    fmax_hz: float
    target_hz: float
    path: tuple[Hop, ...]
    resources: Mapping[str, Use]
    limits: tuple[Limit, ...] = ()

    @property
    def allowed_hz(self) -> float:
        """The fastest clock that both nextpnr and the data sheets allow."""
        limit = self.clamped_by
        return self.fmax_hz if limit is None or limit.hz is None else limit.hz

    @property
    def clamped_by(self) -> Limit | None:
        """The data sheet's limit below what nextpnr's timing would allow; None if that alone counts."""
        limit = lowest(self.limits)
        return limit if limit is not None and limit.hz is not None and limit.hz < self.fmax_hz else None


def read_timing(path: Path, family: str, limits: tuple[Limit, ...] = ()) -> Timing:
    """Read the file that ``nextpnr --report`` wrote; ToolFailedError if it is not as expected.

    The core's clock is the only one that drives flip-flops. Where nextpnr lists several, the slowest against its
    target counts.
    """
    try:
        data = json.loads(path.read_text())
        clock, fmax = min(data["fmax"].items(), key=lambda item: item[1]["achieved"] / item[1]["constraint"])
        used = data["utilization"]
        return Timing(
            fmax_hz=fmax["achieved"] * 1e6,
            target_hz=fmax["constraint"] * 1e6,
            path=_slowest(data.get("critical_paths", []), clock),
            resources={
                ours: Use(used[theirs]["used"], used[theirs]["available"])
                for ours, theirs in _RESOURCES[family].items()
                if theirs in used
            },
            limits=limits,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ToolFailedError(f"nextpnr's report {path.name} is not as expected: {error!r}") from error


def _slowest(paths: list[dict[str, Any]], clock: str) -> tuple[Hop, ...]:
    edge = f"posedge {clock}"
    for entry in paths:
        if entry["from"] == edge and entry["to"] == edge:
            return tuple(
                Hop(piece["type"], round(piece["delay"], 3), _readable(piece["to"]["cell"]))
                for piece in entry["path"][:_PATH_PIECES]
            )
    return ()


def _readable(cell: str) -> str:
    """The name of the nearest signal in the source, without what yosys and nextpnr add behind it."""
    for mark in ("_SB_", "_LUT4_", "_TRELLIS_", "_CCU2C_", "_PFUMX_", "_L6MUX21_", "$nextpnr", "$sb_", "_DFFSR"):
        cell = cell.split(mark)[0]
    return re.sub(r"\$\d+$", "", cell.removeprefix("\\"))
