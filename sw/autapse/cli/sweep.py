"""The command sweep: many designs, a table of them, and the ones that no other beats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from autapse.cli._common import Json, emit, err, float_network, is_quiet, note, out
from autapse.cli._zoo import HELP, read_network
from autapse.errors import AutapseError

if TYPE_CHECKING:
    from autapse_boards.sweep import Progress, Row

_SHOWN = 20  # rows of the front
_LINE_SECONDS = 2.0


def sweep(
    network: Annotated[list[str], typer.Argument(metavar="NET...", help=f"Networks: {HELP}.", show_default=False)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of table, pictures and kept results.")
    ],
    bits: Annotated[
        str, typer.Option(metavar="LIST", help="Word lengths: 8, 6-10, or weights/states/inputs as 8/10/6.")
    ] = "8",
    boards: Annotated[str, typer.Option(metavar="LIST", help="Board names, or all.")] = "icebreaker",
    lanes: Annotated[str, typer.Option(metavar="LIST", help="As for build; auto: the fastest that fit.")] = "auto",
    seeds: Annotated[str, typer.Option(metavar="LIST", help="Seeds of the placement.")] = "1",
    build: Annotated[
        bool,
        typer.Option("--build/--no-build", help="Without: clock and resources are estimated, at once."),
    ] = True,
    frequency: Annotated[float | None, typer.Option(help="Clock in MHz; the fastest that meets timing.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Task that judges all networks; unless given, the one that each names.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials of a score.", min=1)] = 200,
    input_range: Annotated[float, typer.Option(help="Largest input, where no task says it.")] = 1.0,
    workers: Annotated[int | None, typer.Option(help="Processes on this machine; one for each core.", min=1)] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="An existing Dask cluster, as tcp://host:8786, instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge, fit and build word lengths x lanes x boards x seeds x networks: a table, and what no other design beats.

    Results are kept by content in DIR/cache: a sweep that was stopped goes on, one with more designs computes only
    these. What cannot be built is a row with its reason. Writes sweep.csv, sweep.parquet, pareto.png and pareto.svg.
    Needs pip install 'autapse[sweep]'.

    Example: autapse sweep xor.npz -o sweep --bits 5-8 --boards icebreaker,ulx3s --lanes auto,8 --seeds 1,2

    Example: autapse sweep gallery:xor gallery:and -o estimates --bits 4-12 --boards all --no-build
    """
    from autapse_boards import BOARDS
    from autapse_boards.sweep import Judge, Space, Words
    from autapse_boards.sweep import sweep as run_sweep

    space = Space(
        networks={name: float_network(read_network(name)[0]) for name in network},
        words=tuple(words for text in _items(bits, "--bits") for words in Words.of(text)),
        boards=tuple(BOARDS) if boards == "all" else tuple(_items(boards, "--boards")),
        lanes=tuple(_items(lanes, "--lanes")),
        seeds=tuple(_integer(text) for text in _items(seeds, "--seeds")),
    )
    try:
        with _progress(as_json or is_quiet()) as tell:
            rows = run_sweep(
                space,
                output,
                judge=Judge(task, trials, input_range=input_range),
                build=build,
                frequency=None if frequency is None else frequency * 1e6,
                scheduler=scheduler,
                workers=workers,
                progress=tell,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the same command goes on from what {output}/cache has") from None
    refused = [row for row in rows if row.refused is not None]
    files = [str(output / name) for name in ("sweep.csv", "sweep.parquet", "pareto.png", "pareto.svg")]
    emit(
        as_json,
        {"designs": len(rows), "refused": len(refused), "files": files, "rows": [asdict(row) for row in rows]},
        lambda: _table(rows),
    )
    if not as_json:
        out.print(f"{len(rows)} designs, {len(refused)} cannot be built; written to {', '.join(files)}", markup=False)
    if len(refused) == len(rows):
        raise AutapseError(f"no design can be built; the first: {refused[0].refused}")


def _items(text: str, option: str) -> list[str]:
    items = [item.strip() for item in text.split(",")]
    if not all(items):
        raise ValueError(f"{option} takes values with commas between, not {text!r}")
    return items


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"seeds must be integers, not {text!r}") from None


def _table(rows: list[Row]) -> Table:
    """The designs that no other beats, the best first."""
    best = sorted((row for row in rows if row.front), key=lambda r: (r.network, -r.quality, -(r.steps_per_second or 0)))
    more = f", {_SHOWN} of {len(best)}" if len(best) > _SHOWN else ""
    table = Table(box=None, pad_edge=False, title=f"not beaten in score, steps/s and logic{more}", title_justify="left")
    for name in ("network", "bits", "board", "lanes"):
        table.add_column(name, overflow="fold")
    for name in ("score", "error", "steps/s", "MHz", "logic"):
        table.add_column(name, justify="right", no_wrap=True)
    for r in best[:_SHOWN]:
        score = "" if r.score is None else f"{r.score:.3f}"
        figures = (f"{r.error or 0:.3f}", f"{r.steps_per_second or 0:,.0f}", f"{(r.clock_hz or 0) / 1e6:.1f}")
        words = f"{r.weight_bits}/{r.state_bits}/{r.input_bits}"
        table.add_row(r.network, words, r.board, r.tiling, score, *figures, str(r.logic))
    return table


def _words(now: Progress) -> str:
    """What is known beside the count."""
    left = "" if now.seconds_left is None or now.done == now.total else f", about {_duration(now.seconds_left)} left"
    kept = f", {now.kept} known" if now.kept else ""
    return f"{kept}{f', {now.refused} refused' if now.refused else ''}{left}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A bar for each kind of work on a terminal; elsewhere a line now and then, and at the end of each kind."""
    if quiet:
        yield None
    elif not err.is_terminal:
        said = time.monotonic()

        def say(now: Progress) -> None:
            nonlocal said
            if now.done == now.total or time.monotonic() - said > _LINE_SECONDS:
                said = time.monotonic()
                note(f"{now.kind} {now.done}/{now.total}{_words(now)}")

        yield say
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bars(*columns, TextColumn("{task.fields[words]}"), console=err) as bars:
            rows: dict[str, Any] = {}

            def show(now: Progress) -> None:
                if now.kind not in rows:
                    rows[now.kind] = bars.add_task(now.kind, total=now.total, words="")
                bars.update(rows[now.kind], completed=now.done, total=now.total, words=_words(now).lstrip(", "))

            yield show
