"""Radiona ULX3S: ECP5 in CABGA381, speed grade 6, 25 MHz, FT231X; four sizes of the device."""

from __future__ import annotations

from functools import partial
from typing import Any

from autapse_boards.board import ECP5_RAM_SHAPES, Board, Resources

# Four-input tables, MULT18X18D, block RAMs. The open tools treat the 12F as the 25F that it is made from.
_SIZES = {
    "12F": Resources(logic=24_288, dsps=28, rams=56),
    "25F": Resources(logic=24_288, dsps=28, rams=56),
    "45F": Resources(logic=43_848, dsps=72, rams=108),
    "85F": Resources(logic=83_640, dsps=156, rams=208),
}


def _platform(size: str) -> Any:
    from amaranth_boards import ulx3s

    return getattr(ulx3s, f"ULX3S_{size}_Platform")()


def _board(size: str, name: str) -> Board:
    return Board(
        name=name,
        title=f"Radiona ULX3S {size}",
        family="ecp5",
        device=f"LFE5U-{size}-6BG381C",
        resources=_SIZES[size],
        ram_shapes=ECP5_RAM_SHAPES,
        clock="clk25",
        clock_hz=25_000_000,
        platform=partial(_platform, size),
        synth=(),
        nextpnr=(f"--{size[:2]}k", "--package", "CABGA381", "--speed", "6"),
        forms=("mult18", "generic"),
        limit_hz=225_000_000,
    )


ULX3S = tuple(_board(size, f"ulx3s_{size.lower()}") for size in _SIZES)
#: Without a size in the name, the largest.
ULX3S_DEFAULT = _board("85F", "ulx3s")
