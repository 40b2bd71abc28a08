"""iCEBreaker: iCE40UP5K-SG48, 12 MHz, FT2232H."""

from __future__ import annotations

from typing import Any

from autapse_boards.board import ICE40_RAM_SHAPES, Board, Resources


def _platform() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


ICEBREAKER = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    family="ice40",
    device="iCE40UP5K-SG48",
    resources=Resources(logic=5280, dsps=8, rams=30),
    ram_shapes=ICE40_RAM_SHAPES,
    clock="clk12",
    clock_hz=12_000_000,
    platform=_platform,
    synth=("-device", "u"),
    nextpnr=("--up5k", "--package", "sg48"),
    forms=("mac8x8", "mac16sum", "mac16", "generic"),
    limit_hz=100_000_000,
    pad_pll=True,
)
