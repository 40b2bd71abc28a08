"""Every iCE40 and ECP5 board that amaranth-boards knows: those with a file here, and the others by their FPGA alone."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from typing import Any

from autapse.errors import MissingToolError
from autapse_boards.board import Board
from autapse_boards.boards import BOARDS
from autapse_boards.bridge import ADAPTER
from autapse_boards.parts import ecp5, ice40
from autapse_boards.tools import INSTALL


def other_boards() -> list[Board]:
    """The boards of amaranth-boards that have no file here: their FPGA and clock only, neither pins nor programmers.

    A clock of 0 Hz stands for none but that inside the FPGA. MissingToolError if amaranth-boards is not installed.
    """
    platforms = _platforms()
    known = {_identity(type(board.platform())) for board in BOARDS.values()}
    return [_plain(name, kind) for name, kind in sorted(platforms.items()) if _identity(kind) not in known]


def _platforms() -> dict[str, type[Any]]:
    """The platforms of iCE40 and ECP5 boards by the name of their file, and of the variant where that has several."""
    try:
        import amaranth_boards
    except ImportError as error:
        raise MissingToolError(f"the list of boards needs {error.name}: {INSTALL}") from error
    found: dict[str, type[Any]] = {}
    for file in pkgutil.iter_modules(amaranth_boards.__path__):
        if file.ispkg:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(f"amaranth_boards.{file.name}")
        kinds: list[type[Any]] = [
            kind for _, kind in inspect.getmembers(module, inspect.isclass) if _is_board(kind, module.__name__)
        ]
        several = len({kind.device for kind in kinds}) > 1
        for kind in kinds:
            variant = f"_{kind.device.rpartition('-')[2].lower()}" if several else ""
            found.setdefault(file.name + variant, kind)
    return found


def _is_board(kind: type[Any], module: str) -> bool:
    """Whether this class is the platform of an iCE40 or ECP5 board, made in this module."""
    device = getattr(kind, "device", None)
    return (
        kind.__module__ == module
        and not kind.__name__.startswith("_")
        and isinstance(device, str)
        and device.startswith(("iCE40", "LFE5"))
    )


def _identity(kind: type[Any]) -> tuple[str, str]:
    return kind.__module__, kind.device


def _plain(name: str, kind: type[Any]) -> Board:
    resources = kind.resources if isinstance(kind.resources, list) else kind().resources.values()
    clocks = {r.name: round(r.clock.frequency) for r in resources if r.clock is not None}
    clock = kind.default_clk if kind.default_clk in clocks else next(iter(clocks), "")
    ice = kind.device.startswith("iCE40")
    return Board(
        name=name,
        title=name,
        part=ice40(kind.device, kind.package) if ice else ecp5(kind.device, kind.package, kind.speed),
        clock=clock,
        clock_hz=clocks.get(clock, 0),
        platform=kind,
        bridge=ADAPTER,
        wiring="",
        programmers=(),
    )
