"""LambdaConcept ECPIX-5: ECP5-5G in CABGA554, speed grade 8, 100 MHz, FT2232H; two sizes of the device."""

from __future__ import annotations

from functools import partial
from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import FT2232H
from autapse_boards.parts import ecp5
from autapse_boards.programmers import Programmer


def _platform(size: str) -> Any:
    from amaranth_boards import ecpix5

    return getattr(ecpix5, f"ECPIX5{size[:2]}Platform")()


def _board(size: str) -> Board:
    return Board(
        name=f"ecpix5_{size.lower()}",
        title=f"LambdaConcept ECPIX-5 {size}",
        part=ecp5(f"LFE5UM5G-{size}", "BG554", "8"),
        clock="clk100",
        clock_hz=100_000_000,
        platform=partial(_platform, size),
        bridge=FT2232H,
        wiring="the board's micro USB plug, its second port",
        programmers=(
            Programmer("openFPGALoader", sram=("-b", "ecpix5"), flash=("-b", "ecpix5", "-f")),
            Programmer("ecpprog", sram=("-S",), flash=()),
        ),
        led=("rgb_led", 0, "g"),
        reset=("rst", 0),
    )


ECPIX5 = tuple(_board(size) for size in ("45F", "85F"))
