"""Boards, the build to a bitstream, and its report."""

from autapse_boards.board import Board, Resources, get_board
from autapse_boards.boards import BOARDS
from autapse_boards.build import build
from autapse_boards.fit import Plan, Shape, fit, largest_units
from autapse_boards.overview import BoardSummary, boards_table, summaries
from autapse_boards.report import Report, table
from autapse_boards.reweight import reweight
from autapse_boards.unpack import MemoryCheck, check_memories

__all__ = [
    "BOARDS",
    "Board",
    "BoardSummary",
    "MemoryCheck",
    "Plan",
    "Report",
    "Resources",
    "Shape",
    "boards_table",
    "build",
    "check_memories",
    "fit",
    "get_board",
    "largest_units",
    "reweight",
    "summaries",
    "table",
]
