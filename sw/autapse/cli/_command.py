"""What every command does besides its own work: --quiet, and the manners of stopping early."""

from __future__ import annotations

import functools
import inspect
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from autapse.cli._common import err, one_line_errors, quietly

#: What the program's exit code says; printed under ``autapse --help``, and in docs/command_line.md.
EXIT_CODES = "Exit codes: 0 done; 1 refused, failed, or a comparison differs; 2 wrong usage; 130 Ctrl-C; 143 SIGTERM."

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results, warnings and errors: no progress, no notes.")]


def well_mannered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option ``--quiet``, and with a line on standard error when Ctrl-C stops it."""

    @functools.wraps(command)
    def call(*args: Any, quiet: bool = False, **options: Any) -> None:
        try:
            with quietly(quiet):
                command(*args, **options)
        except KeyboardInterrupt as stopped:
            err.print(str(stopped) or "interrupted", markup=False, soft_wrap=True)
            raise

    # typer reads the options off the signature and the annotations.
    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    call.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    call.__annotations__ = {**command.__annotations__, "quiet": Quiet}
    return call


def run(app: typer.Typer) -> NoReturn:
    """Run the program, and exit with one of :data:`EXIT_CODES`; typer gives 2 and 130."""
    with _termination_unwinds(), one_line_errors():
        app()
    sys.exit(0)


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """SIGTERM ends the program as an exception does, so that temporary files go and children are stopped."""

    def stop(number: int, _: Any) -> NoReturn:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
