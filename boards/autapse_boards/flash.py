"""Loading a finished build into its board, and asking the board whether it has arrived."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autapse.errors import AutapseError, MissingToolError, ToolFailedError
from autapse.link import Device, NoAnswerError, SerialTransport, Transport
from autapse.protocol import Identity
from autapse_boards.board import get_board
from autapse_boards.programmers import COMMANDS, Programmer, locate
from autapse_boards.report import Report
from autapse_boards.tools import Progress, last_error

MEMORIES = ("flash", "sram")
_PORT_SECONDS = 10.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Loading:
    """How a bitstream gets into a board.

    Attributes
    ----------
    tool
        Name of the program, as in :data:`autapse_boards.programmers.COMMANDS`.
    command
        The command line; its first word is a path if the program is installed.
    installed
        Whether it is.
    """

    tool: str
    command: tuple[str, ...]
    installed: bool


def plan(folder: Path, memory: str = "flash") -> Loading:
    """How the build in `folder` would be loaded into ``flash`` or ``sram``: by the first program that is installed.

    AutapseError if no program can do that with this board, or the folder holds no build.
    """
    if memory not in MEMORIES:
        raise ValueError(f"a bitstream goes to {' or '.join(MEMORIES)}, not {memory!r}")
    report = Report.load(folder)
    board = get_board(report.board)
    able = [p for p in board.programmers if p.arguments(memory) is not None]
    if not able:
        other = next(m for m in MEMORIES if m != memory)
        raise AutapseError(f"{board.name} cannot be loaded into {memory}; it takes {other}")
    bitstream = str(folder / report.files["bitstream"])
    ways = [_loading(programmer, memory, bitstream) for programmer in able]
    return next((way for way in ways if way.installed), ways[0])


def load(loading: Loading) -> None:
    """Run the program. MissingToolError with the line that installs it, ToolFailedError with what it said."""
    install = COMMANDS[loading.tool].install
    if not loading.installed:
        raise MissingToolError(f"{loading.tool} is not installed: {install}")
    try:
        done = subprocess.run(
            loading.command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise MissingToolError(f"{loading.tool} does not start: {error}; {install}") from error
    if done.returncode != 0:
        said = done.stdout + "\n" + done.stderr
        if "error while loading shared libraries" in said:
            raise MissingToolError(f"{loading.tool} lacks a library: {last_error(said, done.returncode)}; {install}")
        raise ToolFailedError(f"{loading.tool} failed: {last_error(said, done.returncode)}")


def check(
    folder: Path,
    port: str,
    *,
    seconds: float = _PORT_SECONDS,
    connect: Callable[[str, int], Transport] = SerialTransport,
    progress: Progress | None = None,
) -> Identity:
    """Wait for the port and for an answer, and compare the device with the build; its identity.

    AutapseError if nothing answers within `seconds`, or another network does.
    """
    report = Report.load(folder)
    tell = progress or (lambda line: None)
    deadline = time.monotonic() + seconds
    tell(f"waiting for {port} at {report.baud:,} baud")
    problem: Exception | None = None
    while True:
        try:
            with Device(connect(port, report.baud), retries=0) as device:
                identity = device.identity
            break
        except (AutapseError, OSError) as error:
            if isinstance(error, MissingToolError):
                raise
            problem = error
        if time.monotonic() > deadline:
            reason = "no answer" if isinstance(problem, NoAnswerError) else str(problem)
            raise AutapseError(f"{port}: no device within {seconds:g} s: {reason}") from problem
        time.sleep(_POLL_SECONDS)
    found = (identity.model_hash.hex(), identity.lanes, identity.clock_hz)
    built = (report.model_hash, report.lanes, round(report.clock_hz))
    for what, there, here in zip(("network", "lanes", "clock in Hz"), found, built, strict=True):
        if there != here:
            raise AutapseError(f"{port}: the device is not this build: {what} {there}, expected {here}")
    return identity


def _loading(programmer: Programmer, memory: str, bitstream: str) -> Loading:
    path = locate(programmer.tool)
    arguments = programmer.arguments(memory) or ()
    name = path or COMMANDS[programmer.tool].names[0]
    return Loading(programmer.tool, (name, *arguments, bitstream), path is not None)
