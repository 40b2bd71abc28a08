"""The command doctor: what is installed, and how to get the rest."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from autapse import __version__
from autapse.cli._common import Json, emit, out
from autapse.errors import MissingToolError

if TYPE_CHECKING:
    from autapse.cli._installed import Group


def doctor(
    group: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP]...", help="Ask for these only, as sim or boards, and fail if one lacks."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say which packages and programs are found, which versions, what is missing, and how to get it.

    Without a GROUP the exit code is 0: nothing is needed that you do not use.

    Example: autapse doctor

    Example: autapse doctor sim boards
    """
    from autapse.cli._installed import groups

    found = groups(group)
    machine = {
        "autapse": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    data = [{**asdict(each), "complete": each.complete} for each in found]
    if not as_json:
        out.print(f"Autapse {machine['autapse']}, Python {machine['python']}, {machine['platform']}")
    emit(as_json, {**machine, "groups": data}, lambda: _table(found))
    lacking = [each for each in found if not each.complete]
    if group and lacking:
        first = next(item for item in lacking[0].items if item.problem)
        raise MissingToolError(f"{', '.join(each.name for each in lacking)} lacks {first.name}: {first.problem}")


def _table(found: list[Group]) -> Table:
    """Each group, and under it what it needs."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found:
        table.add_row(
            Text("yes", "green") if each.complete else Text("no", "red"), Text(each.name, "bold"), each.purpose
        )
        for item in each.items:
            state = Text(item.version or "") if item.problem is None else Text(item.problem, "yellow")
            table.add_row("", Text(f"  {item.name}"), state)
    return table
