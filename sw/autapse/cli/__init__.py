"""The command line. Each command is a thin layer over a Python call of the same name."""

from __future__ import annotations

from typing import Annotated

import typer

from autapse import __version__
from autapse.cli import (
    bench,
    board,
    circuit,
    compare,
    demo,
    doctor,
    flash,
    gallery,
    live,
    model,
    new,
    prove,
    report,
    simulate,
    stream,
    sweep,
    tasks,
    theory,
    train,
    upload,
    verify,
    virtual,
)
from autapse.cli._command import EXIT_CODES, run, well_mannered

app = typer.Typer(
    name="autapse",
    epilog=f"Start with: autapse demo\n\n{EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo.demo,
    new.new,
    model.inspect,
    model.convert,
    model.quantize,
    tasks.tasks,
    train.train,
    gallery.gallery,
    simulate.run,
    verify.verify,
    simulate.export,
    prove.prove,
    board.boards,
    board.build,
    board.reweight,
    report.report,
    virtual.virtual,
    flash.flash,
    stream.stream,
    upload.upload,
    live.live,
    theory.analyze,
    theory.zoo,
    circuit.circuit,
    compare.compare,
    sweep.sweep,
    bench.bench,
    doctor.doctor,
):
    app.command()(well_mannered(command))


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
    run(app)
