"""What a board is to the build: its device, its clock, its serial line, and how the tools are told about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autapse.errors import AutapseError
from autapse_boards.bridge import Bridge
from autapse_boards.parts import ECP5_RAM_SHAPES, ICE40_RAM_SHAPES, Part, Resources
from autapse_boards.programmers import Programmer

__all__ = ["ECP5_RAM_SHAPES", "ICE40_RAM_SHAPES", "Board", "Resources", "baud_rate", "get_board"]


@dataclass(frozen=True)
class Board:
    """A board that networks can be built for.

    Attributes
    ----------
    name, title
        What the user types, and what it is called.
    part
        Its FPGA.
    clock, clock_hz
        Name of the clock in amaranth-boards, and its frequency.
    platform
        Makes the platform of amaranth-boards, which is imported only then.
    bridge, wiring
        What makes a serial port of the board's UART, and where it is: for the user who connects it.
    programmers
        The programs that can load a bitstream into it: the preferred first.
    pad_pll
        iCE40 only: the clock enters at the pad of a PLL.
    uart
        Name and number of the serial line in amaranth-boards.
    led
        Name and number of the activity LED, and the colour of one that has several; None if there is none.
    reset
        Name and number of the button that resets the design; None if there is none.
    """

    name: str
    title: str
    part: Part
    clock: str
    clock_hz: int
    platform: Callable[[], Any]
    bridge: Bridge
    wiring: str
    programmers: tuple[Programmer, ...]
    pad_pll: bool = False
    uart: tuple[str, int] = ("uart", 0)
    led: tuple[str, int] | tuple[str, int, str] | None = ("led", 0)
    reset: tuple[str, int] | None = None

    @property
    def family(self) -> str:
        """``ice40`` or ``ecp5``."""
        return self.part.family

    @property
    def key(self) -> str:
        """The kind of device: ``up5k``, ``hx8k`` or ``ecp5``."""
        return self.part.key

    @property
    def device(self) -> str:
        """The FPGA, as its maker calls it."""
        return self.part.name

    @property
    def resources(self) -> Resources:
        """What the FPGA has."""
        return self.part.resources

    @property
    def ram_shapes(self) -> tuple[tuple[int, int], ...]:
        """Depth and width of the ways in which a block RAM can be used as simple dual-port memory."""
        return self.part.ram_shapes

    @property
    def forms(self) -> tuple[str, ...]:
        """Forms of lanes that the device has blocks for: the preferred first."""
        return self.part.forms


def baud_rate(board: Board, clock_hz: float) -> int:
    """Rate of the board's serial line when its design runs at this clock; AutapseError if the clock makes none."""
    rate = board.bridge.best_rate(clock_hz)
    if rate is None:
        raise AutapseError(f"{board.name}: a clock of {clock_hz / 1e6:g} MHz makes no rate of its {board.bridge.name}")
    return rate


def get_board(board: str | Board) -> Board:
    """The board of this name; AutapseError lists those that there are."""
    from autapse_boards.boards import BOARDS

    if isinstance(board, Board):
        return board
    if board not in BOARDS:
        raise AutapseError(f"no board {board!r}; there are {', '.join(BOARDS)}")
    return BOARDS[board]
