"""The command line. Each command is a thin layer over a Python call of the same name."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from autapse import __version__
from autapse.cli import (
    bench,
    board,
    circuit,
    compare,
    demo,
    flash,
    gallery,
    model,
    simulate,
    stream,
    tasks,
    theory,
    train,
    virtual,
)
from autapse.cli._common import one_line_errors

app = typer.Typer(
    name="autapse",
    epilog="Start with: autapse demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo.demo,
    model.inspect,
    model.convert,
    model.quantize,
    tasks.tasks,
    train.train,
    gallery.gallery,
    simulate.run,
    simulate.verify,
    simulate.export,
    board.boards,
    board.build,
    board.reweight,
    virtual.virtual,
    flash.flash,
    stream.stream,
    theory.analyze,
    theory.zoo,
    circuit.circuit,
    compare.compare,
    bench.bench,
):
    app.command()(command)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"autapse {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A trained recurrent neural network in, a proven circuit out."""


def main() -> None:
    """The program ``autapse``."""
    with one_line_errors():
        app()
    sys.exit(0)
