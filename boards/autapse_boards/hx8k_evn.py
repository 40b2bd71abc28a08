"""Lattice iCE40-HX8K breakout board: iCE40HX8K-CT256, 12 MHz, FT2232H."""

from __future__ import annotations

from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import FT2232H
from autapse_boards.parts import ice40
from autapse_boards.programmers import ICE40_GENERIC, ICEPROG


def _platform() -> Any:
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    return ICE40HX8KBEVNPlatform()


HX8K_EVN = Board(
    name="ice40_hx8k_b_evn",
    title="Lattice iCE40-HX8K breakout board",
    part=ice40("iCE40HX8K", "CT256"),
    clock="clk12",
    clock_hz=12_000_000,
    platform=_platform,
    bridge=FT2232H,
    wiring="the board's USB plug, its second port",
    programmers=(ICEPROG, ICE40_GENERIC),
)
