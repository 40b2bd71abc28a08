"""The page of a build: report."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from autapse.cli._common import Json, emit, out, working
from autapse.cli._evidence import Circuit


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder from 'autapse build'.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="File to write; DIR/report.html.")
    ] = None,
    verify: Annotated[
        int | None,
        typer.Option(help="First compare the RTL of the build with the model, over so many steps.", metavar="N", min=1),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Write one page about a build: network, float against fixed, formats, cycles, device, verification, commands.

    The page is one file, and needs no network. It tells what 'autapse verify DIR' has found, and never more.

    Example: autapse report build --verify 500
    """
    from autapse_boards.page import write_page

    with working("report", as_json) as say:
        if verify is not None:
            Circuit.of(folder).verify(verify, say)
        page = write_page(folder, output, progress=say)
    emit(as_json, {"file": str(page.file), "bytes": page.bytes, "figures": list(page.figures)})
    if not as_json:
        out.print(f"{page.file}: {page.bytes / 1e6:.1f} MB, {len(page.figures)} figures", markup=False)
    if show:
        webbrowser.open(page.file.resolve().as_uri())
