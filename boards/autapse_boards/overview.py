"""All boards side by side: what they have, and how large a network each holds. For ``autapse boards``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from autapse_boards.boards import BOARDS
from autapse_boards.fit import largest_units

#: Word lengths for which the largest network is given.
WORD_LENGTHS = (8, 16)


@dataclass(frozen=True)
class BoardSummary:
    """A board in figures.

    Attributes
    ----------
    name, title, device
        As in :class:`Board`.
    logic, dsps, rams
        What the device has.
    clock_hz, baud
        Clock that the board brings, and rate of its serial line.
    largest
        Units of the largest plain tanh network with two inputs and one output, by the bits of its words.
    """

    name: str
    title: str
    device: str
    logic: int
    dsps: int
    rams: int
    clock_hz: int
    baud: int
    largest: dict[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {**asdict(self), "largest": {str(bits): units for bits, units in self.largest.items()}}


def summaries() -> list[BoardSummary]:
    """Every board, in the order of :data:`BOARDS`; a second or two."""
    return [
        BoardSummary(
            name=b.name,
            title=b.title,
            device=b.device,
            logic=b.resources.logic,
            dsps=b.resources.dsps,
            rams=b.resources.rams,
            clock_hz=b.clock_hz,
            baud=b.baud,
            largest={bits: largest_units(b.name, bits) for bits in WORD_LENGTHS},
        )
        for b in BOARDS.values()
    ]


def boards_table() -> Any:
    """The boards as a :class:`rich.table.Table`."""
    from rich.table import Table

    result = Table(box=None, pad_edge=False)
    for name in ("board", "device"):
        result.add_column(name)
    for name in ("logic", "DSPs", "RAMs", *(f"N at {bits} bits" for bits in WORD_LENGTHS)):
        result.add_column(name, justify="right")
    for s in summaries():
        result.add_row(s.name, s.device, *(str(n) for n in (s.logic, s.dsps, s.rams, *s.largest.values())))
    return result
