"""UPduino 3: iCE40UP5K-SG48, 12 MHz; its USB plug only programs it, so the serial line is on header pins.

The oscillator reaches the FPGA through the board's OSC jumper, which must be closed with solder. The clock inside the
FPGA would do without, but it is off by up to 10 %, too much for a serial line.
"""

from __future__ import annotations

from typing import Any

from autapse_boards.board import Board
from autapse_boards.bridge import ADAPTER
from autapse_boards.parts import ice40
from autapse_boards.programmers import ICEPROG


def _platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource
    from amaranth_boards.upduino_v3 import UpduinoV3Platform

    platform = UpduinoV3Platform()
    platform.add_resources([UARTResource(0, rx="23", tx="25", attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1))])
    return platform


UPDUINO_V3 = Board(
    name="upduino_v3",
    title="tinyVision.ai UPduino 3",
    part=ice40("iCE40UP5K", "SG48"),
    clock="clk12",
    clock_hz=12_000_000,
    platform=_platform,
    bridge=ADAPTER,
    wiring="header pins: 23 receives, 25 sends; OSC jumper closed",
    programmers=(ICEPROG,),
    led=("rgb_led", 0, "g"),
)
