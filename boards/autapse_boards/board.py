"""What a board is to the build: its device, its clock, its serial line, and how the tools are told about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autapse.errors import AutapseError


@dataclass(frozen=True)
class Resources:
    """What a device has, or a design needs.

    Attributes
    ----------
    logic
        Logic cells: a four-input table and a flip-flop each.
    dsps
        Multiplier blocks: SB_MAC16 (16x16 or two 8x8) on iCE40 UltraPlus, MULT18X18D on ECP5.
    rams
        Block RAMs.
    """

    logic: int
    dsps: int
    rams: int


@dataclass(frozen=True)
class Board:
    """A board that networks can be built for.

    Attributes
    ----------
    name, title
        What the user types, and what it is called.
    family
        ``ice40`` or ``ecp5``: which tools, and which PLL.
    device
        The FPGA, as its maker calls it.
    resources
        What the FPGA has.
    ram_shapes
        Depth and width of the ways in which a block RAM can be used as simple dual-port memory.
    clock, clock_hz
        Name of the clock in amaranth-boards, and its frequency.
    pad_pll
        iCE40 only: the clock enters at the pad of a PLL.
    platform
        Makes the platform of amaranth-boards, which is imported only then.
    synth
        Options of yosys' ``synth_ice40`` or ``synth_ecp5``.
    nextpnr
        Options of nextpnr that name the device.
    forms
        Forms of lanes that the device has blocks for, from :data:`autapse_hw.lanes.FORMS`: the preferred first.
    limit_hz
        The fastest clock that is tried: timing models stop being believable beyond it.
    uart, led
        Names and numbers of the serial line and the activity LED in amaranth-boards.
    baud
        Rate of the serial line. One megabaud is exact for the boards' USB bridges (FT2232H, FT231X), and within 1 %
        of a whole number of clock cycles for every clock that a build picks.
    """

    name: str
    title: str
    family: str
    device: str
    resources: Resources
    ram_shapes: tuple[tuple[int, int], ...]
    clock: str
    clock_hz: int
    platform: Callable[[], Any]
    synth: tuple[str, ...]
    nextpnr: tuple[str, ...]
    forms: tuple[str, ...]
    limit_hz: int
    pad_pll: bool = False
    uart: tuple[str, int] = ("uart", 0)
    led: tuple[str, int] = ("led", 0)
    baud: int = 1_000_000

    @property
    def key(self) -> str:
        """The kind of device: ``up5k``, ``hx8k`` or ``ecp5``; iCE40s with and without multipliers differ in speed."""
        return self.family if self.family == "ecp5" else "up5k" if self.resources.dsps else "hx8k"


#: Simple dual-port shapes of the 4 kbit block RAM of iCE40, and of the 18 kbit one of ECP5.
ICE40_RAM_SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))
ECP5_RAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


def get_board(board: str | Board) -> Board:
    """The board of this name; AutapseError lists those that there are."""
    from autapse_boards.boards import BOARDS

    if isinstance(board, Board):
        return board
    if board not in BOARDS:
        raise AutapseError(f"no board {board!r}; there are {', '.join(BOARDS)}")
    return BOARDS[board]
