"""All boards side by side: what they have, and how large a network each holds. For ``autapse boards``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from autapse.errors import DoesNotFitError
from autapse_boards.board import Board
from autapse_boards.boards import BOARDS
from autapse_boards.build import usable_rates
from autapse_boards.catalogue import other_boards
from autapse_boards.fit import Shape, fit, largest_units

#: Word lengths for which the largest network is given.
WORD_LENGTHS = (8, 16)
#: Units of the network for which the lanes are given.
LANES_UNITS = 50


@dataclass(frozen=True)
class BoardSummary:
    """A board in figures.

    Attributes
    ----------
    name, title, device
        As in :class:`Board`.
    buildable
        Whether `autapse build` has a file for it; the others are known by their FPGA alone.
    logic, dsps, rams
        What the device has.
    clock_hz, baud
        Clock that the board brings, and the highest rate of its serial line.
    largest
        Units of the largest plain tanh network with two inputs and one output, by the bits of its words.
    lanes
        Lanes that such a network of 50 units gets, or of the largest if that is smaller, by the bits of its words.
    refused
        Why it cannot carry a network; None if it can.
    """

    name: str
    title: str
    device: str
    buildable: bool
    logic: int
    dsps: int
    rams: int
    clock_hz: int
    baud: int
    largest: dict[int, int]
    lanes: dict[int, int]
    refused: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        words = {name: {str(k): v for k, v in getattr(self, name).items()} for name in ("largest", "lanes")}
        return {**asdict(self), **words}


def summaries(everything: bool = False) -> list[BoardSummary]:
    """Every iCE40 and ECP5 board that can carry a network: those with a file of ours, then the others; some seconds.

    With `everything`, those that cannot as well, at the end, with the reason.
    """
    same: dict[Any, Board] = {}  # boards with the same FPGA hold the same networks
    found = []
    for board in (*BOARDS.values(), *other_boards()):
        like = same.setdefault((board.family, board.resources, board.forms), board)
        found.append(_summary(board, {bits: largest_units(like, bits) for bits in WORD_LENGTHS}))
    return [s for s in found if not s.refused] + [s for s in found if s.refused and everything]


def _summary(b: Board, largest: dict[int, int]) -> BoardSummary:
    carried = {bits: units for bits, units in largest.items() if units}
    return BoardSummary(
        name=b.name,
        title=b.title,
        device=b.device,
        buildable=b.name in BOARDS,
        logic=b.resources.logic,
        dsps=b.resources.dsps,
        rams=b.resources.rams,
        clock_hz=b.clock_hz,
        baud=b.bridge.fastest,
        largest=largest,
        lanes={
            bits: fit(Shape.typical(min(units, LANES_UNITS), bits), b).tiling.lanes for bits, units in carried.items()
        },
        refused=_refusal(b, largest),
    )


def _refusal(b: Board, largest: dict[int, int]) -> str | None:
    """Why a board cannot carry a network."""
    if not any(largest.values()):
        try:
            fit(Shape.typical(1, WORD_LENGTHS[0]), b)
        except DoesNotFitError as error:
            return str(error).partition(": ")[2].partition(";")[0]
    if not b.clock_hz:
        return "no clock but the FPGA's own, which is too far off for a serial line"
    if not usable_rates(b, float("inf")):
        return f"its clock of {b.clock_hz / 1e6:g} MHz makes no rate of a serial line"
    return None


def boards_table(rows: Iterable[BoardSummary]) -> Any:
    """The boards that can carry a network, as a :class:`rich.table.Table`."""
    from rich.table import Table

    result = Table(box=None, pad_edge=False)
    for name in ("board", "device"):
        result.add_column(name, no_wrap=True)
    bits = "/".join(map(str, WORD_LENGTHS))
    for name in ("logic/DSP/RAM", f"lanes {bits}", f"N {bits} bit"):
        result.add_column(name, justify="right", no_wrap=True)
    result.add_column("build")
    for s in rows:
        if s.refused:
            continue
        words = ("/".join(str(of.get(bits, "-")) for bits in WORD_LENGTHS) for of in (s.lanes, s.largest))
        note = "yes" if s.buildable else "-"
        device = s.device.rpartition("-")[0]  # without its package
        result.add_row(s.name, device, f"{s.logic}/{s.dsps}/{s.rams}", *words, note)
    return result
