"""OrangeCrab r0.2: ECP5 in CSFBGA285, speed grade 8, 48 MHz; its USB plug is the FPGA's own; two sizes of the device.

The serial line is on the pins that the Feather layout has for one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import ADAPTER
from autapse_boards.parts import ecp5
from autapse_boards.programmers import Programmer


def _platform(size: str) -> Any:
    from amaranth.build import Attrs
    from amaranth_boards import orangecrab_r0_2
    from amaranth_boards.resources import UARTResource

    platform = getattr(orangecrab_r0_2, f"OrangeCrabR0_2_{size}Platform")()
    pins = UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP"))
    platform.add_resources([pins])
    return platform


def _board(size: str, name: str) -> Board:
    return Board(
        name=name,
        title=f"OrangeCrab r0.2 {size}",
        part=ecp5(f"LFE5U-{size}", "MG285", "8"),
        clock="clk",
        clock_hz=48_000_000,
        platform=partial(_platform, size),
        bridge=ADAPTER,
        wiring="header pins: 0 (RX) receives, 1 (TX) sends",
        # Its boot loader writes the flash memory, and starts the design.
        programmers=(
            Programmer("dfu-util", flash=("-d", "1209:5af0", "-a", "0", "-D")),
            Programmer("openFPGALoader", flash=("-b", "orangeCrab")),
        ),
        led=("rgb_led", 0, "g"),
        reset=("button", 0),
    )


#: Without a size in the name, the 25F that most of them have.
ORANGECRAB = (_board("25F", "orangecrab_r0_2"), _board("85F", "orangecrab_r0_2_85f"))
