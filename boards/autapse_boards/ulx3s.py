"""Radiona ULX3S: ECP5 in CABGA381, speed grade 6, 25 MHz, FT231X; four sizes of the device."""

from __future__ import annotations

from functools import partial
from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import FT231X
from autapse_boards.parts import ecp5
from autapse_boards.programmers import Programmer


def _platform(size: str) -> Any:
    from amaranth_boards import ulx3s

    return getattr(ulx3s, f"ULX3S_{size}_Platform")()


def _board(size: str, name: str) -> Board:
    return Board(
        name=name,
        title=f"Radiona ULX3S {size}",
        part=ecp5(f"LFE5U-{size}", "BG381", "6"),
        clock="clk25",
        clock_hz=25_000_000,
        platform=partial(_platform, size),
        bridge=FT231X,
        wiring="the board's plug US1",
        programmers=(Programmer("openFPGALoader", sram=("-b", "ulx3s"), flash=("-b", "ulx3s", "-f")),),
        reset=("button_fire", 0),
    )


ULX3S = tuple(_board(size, f"ulx3s_{size.lower()}") for size in ("12F", "25F", "45F", "85F"))
#: Without a size in the name, the largest.
ULX3S_DEFAULT = _board("85F", "ulx3s")
