"""iCEBreaker: iCE40UP5K-SG48, 12 MHz, FT2232H."""

from __future__ import annotations

from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import FT2232H
from autapse_boards.parts import ice40
from autapse_boards.programmers import ICE40_GENERIC, ICEPROG


def _platform() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


ICEBREAKER = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    part=ice40("iCE40UP5K", "SG48"),
    clock="clk12",
    clock_hz=12_000_000,
    platform=_platform,
    bridge=FT2232H,
    wiring="the board's USB plug, its second port",
    programmers=(ICEPROG, ICE40_GENERIC),
    pad_pll=True,
    reset=("button", 0),
)
