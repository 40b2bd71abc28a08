"""Commands on boards: boards, build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autapse.cli._common import Json, QuantizedFile, emit, out, read_quantized, working


def boards(as_json: Json = False) -> None:
    """List the boards, what they hold, and the largest network of each."""
    from autapse_boards import board_table

    rows = board_table()

    def table() -> Any:
        from rich.table import Table

        shown = Table(*(name.replace("_", " ") for name in rows[0]))
        for row in rows:
            shown.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
        return shown

    emit(as_json, {"boards": rows}, table)


def build(
    file: QuantizedFile,
    board: Annotated[str, typer.Option(help="Board name; see 'autapse boards'.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    lanes: Annotated[int | None, typer.Option(help="Lanes of the core; as many as fit.", min=1)] = None,
    frequency: Annotated[float | None, typer.Option(help="Clock in MHz; the fastest that meets timing.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the placement.", min=0)] = 1,
    as_json: Json = False,
) -> None:
    """Build a bitstream and its report: clock, cycles, steps per second, resources, times.

    Example: autapse build q.npz --board icebreaker -o build
    """
    from autapse_boards import build as build_network
    from autapse_boards import report_table

    q = read_quantized(file)
    hertz = None if frequency is None else frequency * 1e6
    with working("building", as_json) as say:
        report = build_network(q, board, output, lanes=lanes, frequency=hertz, seed=seed, progress=say)
    emit(as_json, report.to_dict(), lambda: report_table(report))
    if not as_json:
        out.print(f"written to {output}")
