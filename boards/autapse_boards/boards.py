"""The boards by name."""

from __future__ import annotations

from types import MappingProxyType

from autapse_boards.colorlight_5a75b import COLORLIGHT_5A75B
from autapse_boards.ecpix5 import ECPIX5
from autapse_boards.hx8k_evn import HX8K_EVN
from autapse_boards.icebreaker import ICEBREAKER
from autapse_boards.orangecrab import ORANGECRAB
from autapse_boards.tinyfpga_bx import TINYFPGA_BX
from autapse_boards.ulx3s import ULX3S, ULX3S_DEFAULT
from autapse_boards.upduino_v3 import UPDUINO_V3

BOARDS = MappingProxyType(
    {
        board.name: board
        for board in (
            *(ICEBREAKER, UPDUINO_V3, HX8K_EVN, TINYFPGA_BX),
            *(ULX3S_DEFAULT, *ULX3S, *ORANGECRAB, *ECPIX5, COLORLIGHT_5A75B),
        )
    }
)
