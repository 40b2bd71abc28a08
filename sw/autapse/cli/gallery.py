"""The command on the networks that ship with the package."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from autapse.cli._common import Json, emit, working
from autapse.errors import AutapseError

if TYPE_CHECKING:
    from autapse.gallery import Entry


def gallery(
    check: Annotated[
        bool, typer.Option("--check", help="Compute the scores again, and fail if one is too low.")
    ] = False,
    trials: Annotated[int, typer.Option(help="Fresh trials of --check.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the trials of --check.", min=0)] = 2026,
    write: Annotated[bool, typer.Option("--write", help="With --check: put the scores into the index.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table of docs/gallery.md.")] = False,
    as_json: Json = False,
) -> None:
    """List the trained networks that ship with Autapse, and their scores in float and in fixed point.

    Example: autapse gallery --check
    """
    from autapse import gallery as shipped

    if write and not check:
        raise ValueError("the index is written from new scores: give --check too")
    entries = []
    if check:
        with working("judging", as_json) as say:
            for name in shipped.names():
                say(name)
                entries.append(shipped.measure(name, trials, seed))
    else:
        entries = shipped.index()
    if write:
        shipped.update(entries)
    if markdown:
        print(_markdown(entries))
    else:
        emit(as_json, {"networks": [asdict(entry) for entry in entries]}, lambda: _table(entries))
    low = [f"{e.name} at {level}" for e in entries for level in shipped.wanted(e) if not e.succeeds(level)]
    if low:
        raise AutapseError(f"below the threshold: {', '.join(low)}")


def _head() -> list[str]:
    from autapse.gallery import LEVELS

    return ["network", "task", "units", "update", "threshold", *LEVELS, "made by"]


def _row(entry: Entry) -> list[str]:
    from autapse.gallery import LEVELS
    from autapse.tasks import TASKS

    success = TASKS[entry.task].success
    update = "plain" if entry.alpha == 1.0 else f"alpha {entry.alpha:g}"
    update += f", tuned at {entry.tuned_bits} bits" if entry.tuned_bits else ""
    figures = [f"{entry.figure(level):.3f}" + ("" if entry.succeeds(level) else " (fails)") for level in LEVELS]
    threshold = f"{success.metric} {success.threshold:g}"
    return [entry.name, entry.task, str(entry.units), update, threshold, *figures, entry.command]


def _table(entries: list[Entry]) -> Table:
    """What fits a terminal of 80 columns; `_markdown` has all."""
    from autapse.gallery import LEVELS
    from autapse.tasks import TASKS

    table = Table(
        *("network", "threshold", *LEVELS),
        caption="! below the threshold. Task, update and the command that made each: --markdown, --json",
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    for column in table.columns:
        column.no_wrap = True
    for entry in entries:
        success = TASKS[entry.task].success
        figures = [f"{entry.figure(level):.3f}" + ("" if entry.succeeds(level) else "!") for level in LEVELS]
        table.add_row(entry.name, f"{success.metric} {success.threshold:g}", *figures)
    return table


def _markdown(entries: list[Entry]) -> str:
    head = _head()
    rows = [head, ["---"] * len(head), *([*_row(e)[:-1], f"`{e.command}`"] for e in entries)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
