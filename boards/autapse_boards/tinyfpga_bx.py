"""TinyFPGA BX: iCE40LP8K-CM81, 16 MHz; its USB plug is the FPGA's own, so the serial line is on header pins."""

from __future__ import annotations

from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import ADAPTER
from autapse_boards.parts import ice40
from autapse_boards.programmers import Programmer


def _platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource
    from amaranth_boards.tinyfpga_bx import TinyFPGABXPlatform

    platform = TinyFPGABXPlatform()
    pins = UARTResource(0, rx="1", tx="2", conn=("gpio", 0), attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1))
    platform.add_resources([pins])
    return platform


TINYFPGA_BX = Board(
    name="tinyfpga_bx",
    title="TinyFPGA BX",
    part=ice40("iCE40LP8K", "CM81"),
    clock="clk16",
    clock_hz=16_000_000,
    platform=_platform,
    bridge=ADAPTER,
    wiring="header pins: 1 (A2) receives, 2 (A1) sends",
    programmers=(Programmer("tinyprog", flash=("-p",)),),
)
