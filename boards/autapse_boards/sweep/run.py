"""A sweep: every design of a space, each piece of work done once, wherever and whenever it is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from autapse.plots import import_figure
from autapse_boards.sweep.cluster import connect, import_distributed
from autapse_boards.sweep.judge import Judge
from autapse_boards.sweep.pareto import draw, with_front
from autapse_boards.sweep.pieces import Found, Piece
from autapse_boards.sweep.space import Point, Space
from autapse_boards.sweep.store import Store
from autapse_boards.sweep.table import COLUMNS, Row, import_pyarrow, write


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come with the pieces of one kind.

    Attributes
    ----------
    kind
        ``judge``, ``fit`` or ``build``.
    done, kept, refused, total
        Pieces that are finished; of these, those known from before, and those that cannot be.
    seconds_left
        An estimate, from the time that pieces on the same board took; None before one is finished.
    """

    kind: str
    done: int
    kept: int
    refused: int
    total: int
    seconds_left: float | None


Tell = Callable[[Progress], None]


def sweep(
    space: Space,
    out: str | os.PathLike[str],
    *,
    judge: Judge | None = None,
    build: bool = True,
    frequency: float | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> list[Row]:
    """Judge, fit and build every design of `space`; the table, its files and its pictures, in the folder `out`.

    Results are kept in ``out/cache`` as they come, by content: a sweep that was stopped goes on where it was, one with
    more designs computes these only, and what comes out the same is built once. A design that cannot be is a row with
    its reason. A script that calls this without `scheduler` needs ``if __name__ == "__main__":``, as Dask starts
    processes.

    Parameters
    ----------
    judge
        The trials that scores are taken on.
    build
        False: clock, speed and resources are those of the estimate before synthesis, and seeds make no difference.
    frequency
        Clock in Hz that must not be exceeded; the fastest that meets timing unless given.
    scheduler, workers
        The cluster; see :func:`autapse_boards.sweep.cluster.connect`.
    progress
        Called as pieces finish.

    Raises
    ------
    AutapseError
        The folder is not empty and not of a sweep, or no scheduler answers; MissingToolError for a missing library, or
        a missing tool where something is to be built.
    """
    for library in (import_distributed, import_pyarrow, import_figure):
        library()  # what is missing is said now, and not after hours
    judge = judge or Judge()
    if not build:
        space = replace(space, seeds=space.seeds[:1])
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "cache")
    columns: dict[Point, Found] = {point: {} for point in space.points()}
    with connect(scheduler, workers) as client:
        for make in _stages(space, judge, build, frequency):
            pieces = {p: make(p, found) for p, found in columns.items() if "refused" not in found}
            results = run_pieces(client, pieces.values(), store, progress or (lambda now: None))
            for point, piece in pieces.items():
                columns[point] |= results[piece.key]
    rows = with_front([_row(point, found, build) for point, found in columns.items()])
    write(rows, folder)
    draw(rows, folder)
    return rows


def run_pieces(client: Any, pieces: Iterable[Piece], store: Store, tell: Tell) -> dict[str, Found]:
    """What each piece, by key, finds: from the store, or from the client's workers, and then into the store."""
    unique = {piece.key: piece for piece in pieces}
    found = {key: known for key, piece in unique.items() if (known := store.get(piece)) is not None}
    kept, slots = len(found), max(1, sum(client.nthreads().values()))

    def report() -> None:
        if unique:
            refused = sum("refused" in each for each in found.values())
            kind = next(iter(unique.values())).kind
            tell(Progress(kind, len(found), kept, refused, len(unique), _seconds_left(unique, found, slots)))

    report()
    to_do = [piece for key, piece in unique.items() if key not in found]
    waiting = {client.submit(_run, piece, key=f"{piece.kind}-{piece.key}"): piece for piece in to_do}
    for future in import_distributed().as_completed(waiting):
        piece = waiting[future]
        if future.status == "finished":
            result: Found = future.result()
        else:  # a worker that died at it again and again, or a bug: a row, and not the end
            error = future.exception() if future.status == "error" else None
            result = {"refused": f"{type(error).__name__}: {error}" if error else "cancelled", "final": False}
        store.put(piece, result)
        found[piece.key] = result
        report()
    return found


def _run(piece: Piece) -> Found:
    """On a worker: do a piece of work in the worker's own folder, which goes with it."""
    return piece.run(import_distributed().get_worker().local_directory)


def _stages(
    space: Space, judge: Judge, build: bool, frequency: float | None
) -> Iterable[Callable[[Point, Found], Piece]]:
    """What makes the pieces of each stage, of a point and of what is known of it."""

    def judged(p: Point, found: Found) -> Piece:
        return Piece(space.networks[p.network], judge, p.words)

    def fitted(p: Point, found: Found) -> Piece:
        return replace(judged(p, found), board=p.board, lanes=p.lanes, model_hash=found["model_hash"])

    def built(p: Point, found: Found) -> Piece:
        form, tiling = found["form"], found["tiling"]
        return replace(fitted(p, found), lanes=tiling, form=form, seed=p.seed, frequency=frequency)

    return (judged, fitted, built) if build else (judged, fitted)


def _row(point: Point, found: Found, build: bool) -> Row:
    known = {"estimated": True if "tiling" in found else None, **found}
    return Row(
        network=point.network,
        **asdict(point.words),
        board=point.board,
        lanes=point.lanes,
        seed=point.seed if build else None,
        **{name: value for name, value in known.items() if name in COLUMNS},
    )


def _seconds_left(pieces: dict[str, Piece], found: dict[str, Found], slots: int) -> float | None:
    """The pieces to come, each as long as those of its board took on average, shared by so many workers."""
    taken: dict[str | None, list[float]] = {}
    for key, each in found.items():
        if "refused" not in each:
            taken.setdefault(pieces[key].board, []).append(each["seconds"])
    if not taken:
        return None
    overall = fmean(s for seconds in taken.values() for s in seconds)
    to_come = (piece.board for key, piece in pieces.items() if key not in found)
    return sum(fmean(taken[board]) if board in taken else overall for board in to_come) / slots
