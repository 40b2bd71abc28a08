"""Colorlight 5A-75B 7.0: ECP5-25F in CABGA256, speed grade 6, 25 MHz; a receiver card of LED walls, for 15 dollars.

All its headers but one only send, through level shifters. The serial line is therefore on J19, instead of the card's
LED and its button, so the design has neither; it is loaded through a JTAG adapter at J27 to J34.
"""

from __future__ import annotations

from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import ADAPTER
from autapse_boards.parts import ecp5
from autapse_boards.programmers import Programmer


def _platform() -> Any:
    from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform

    return Colorlight_5A75B_R70Platform()


COLORLIGHT_5A75B = Board(
    name="colorlight_5a75b_r7_0",
    title="Colorlight 5A-75B 7.0",
    part=ecp5("LFE5U-25F", "BG256", "6"),
    clock="clk25",
    clock_hz=25_000_000,
    platform=_platform,
    bridge=ADAPTER,
    wiring="J19: KEY+ receives, DATA_LED- sends",
    programmers=(Programmer("openFPGALoader", sram=("-c", "ft232", "-m"), flash=("-c", "ft232", "-f")),),
    led=None,
)
