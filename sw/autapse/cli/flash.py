"""Loading a build into its board: flash."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autapse.cli._common import Json, emit, err, out, working


class Memory(StrEnum):
    """Where the bitstream goes."""

    FLASH = "flash"
    SRAM = "sram"


def flash(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A build folder.", show_default=False)],
    to: Annotated[
        Memory, typer.Option(help="The memory that the board starts from, or the device until its next power cycle.")
    ] = Memory.FLASH,
    port: Annotated[
        str | None, typer.Option(help="Serial port: wait for it, and check what answers.", metavar="PORT")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command line, and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Load the bitstream of a build into its board, with the program that the board takes and the machine has.

    Example: autapse flash build --port /dev/ttyUSB1
    """
    from autapse_boards.flash import check, load, plan
    from autapse_boards.programmers import COMMANDS

    loading = plan(folder, to.value)
    line = shlex.join(loading.command)
    data = {"tool": loading.tool, "command": list(loading.command), "installed": loading.installed, "memory": to.value}
    if dry_run:
        emit(as_json, data)
        if not as_json:
            out.print(line, markup=False)
        if not loading.installed:
            err.print(f"{loading.tool} is not installed: {COMMANDS[loading.tool].install}", markup=False)
        return
    with working("flash", as_json) as say:
        say(line)
        load(loading)
        identity = None if port is None else check(folder, port, progress=say)
    answer = None if identity is None else {"model_hash": identity.model_hash.hex(), "clock_hz": identity.clock_hz}
    emit(as_json, {**data, "device": answer})
    if not as_json:
        done = f"loaded into {to.value}"
        out.print(done if answer is None else f"{done}; {port} answers as network {answer['model_hash']}")
        if identity is not None and identity.upload is not None and not identity.upload.loaded:
            from autapse_boards import Report

            report = Report.load(folder)
            file = shlex.quote(str(folder / report.files["network"]))
            out.print(f"its weights come next: autapse upload {file} --port {port} --baud {report.baud}", markup=False)
