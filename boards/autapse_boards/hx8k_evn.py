"""Lattice iCE40-HX8K breakout board: iCE40HX8K-CT256, 12 MHz, FT2232H."""

from __future__ import annotations

from typing import Any

from autapse_boards.board import ICE40_RAM_SHAPES, Board, Resources


def _platform() -> Any:
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    return ICE40HX8KBEVNPlatform()


HX8K_EVN = Board(
    name="ice40_hx8k_b_evn",
    title="Lattice iCE40-HX8K breakout board",
    family="ice40",
    device="iCE40HX8K-CT256",
    resources=Resources(logic=7680, dsps=0, rams=32),
    ram_shapes=ICE40_RAM_SHAPES,
    clock="clk12",
    clock_hz=12_000_000,
    platform=_platform,
    synth=("-device", "hx"),
    nextpnr=("--hx8k", "--package", "ct256"),
    forms=("booth", "generic"),
    limit_hz=200_000_000,
)
