"""The boards by name."""

from __future__ import annotations

from types import MappingProxyType

from autapse_boards.hx8k_evn import HX8K_EVN
from autapse_boards.icebreaker import ICEBREAKER
from autapse_boards.ulx3s import ULX3S, ULX3S_DEFAULT

BOARDS = MappingProxyType({board.name: board for board in (ICEBREAKER, HX8K_EVN, ULX3S_DEFAULT, *ULX3S)})
