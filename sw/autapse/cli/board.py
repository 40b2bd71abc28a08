"""Commands on boards: boards, build, reweight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autapse.cli._common import BoardName, Json, QuantizedFile, emit, out, read_quantized, working


def boards(
    everything: Annotated[bool, typer.Option("--all", help="Also those that cannot carry a network, and why.")] = False,
    as_json: Json = False,
) -> None:
    """List every iCE40 and ECP5 board, what it has, and the largest network that it holds.

    Networks are plain tanh, with two inputs and one output; lanes are those of 50 units. The last column says for which
    there is a file; of the others only the FPGA is known here, and docs/boards.md says how to add them.

    Example: autapse boards --all
    """
    from autapse_boards import boards_table, summaries

    rows = summaries(everything)
    emit(as_json, {"boards": [row.to_dict() for row in rows]}, lambda: boards_table(rows))
    for row in rows if not as_json else ():
        if row.refused:
            out.print(f"[bold]{row.name}[/] ({row.device}) cannot: {row.refused}")


def build(
    file: QuantizedFile,
    board: BoardName,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    lanes: Annotated[
        str | None,
        typer.Option(help="Lanes of the core: rows, or rows x columns; the fastest that fit.", metavar="8|8x2|51x3/3"),
    ] = None,
    frequency: Annotated[float | None, typer.Option(help="Clock in MHz; the fastest that meets timing.")] = None,
    form: Annotated[str | None, typer.Option(help="Form of the lanes; the best that the board has.")] = None,
    sequences: Annotated[
        int | None, typer.Option(help="Independent states in turn, each computed while the others wait.", metavar="N")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the placement.", min=0)] = 1,
    upload: Annotated[
        bool, typer.Option("--upload", help="Weights that a host can change while the board runs: 'autapse upload'.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="A debug build, whose pre-activations 'autapse verify --port' checks, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build a bitstream and its report: clock, cycles, steps per second, resources, times.

    Example: autapse build q.npz --board icebreaker -o build
    """
    from autapse_boards import build as build_network
    from autapse_boards import table as report_table

    q = read_quantized(file)
    hertz = None if frequency is None else frequency * 1e6
    with working("building", as_json) as say:
        report = build_network(
            q,
            board,
            output,
            lanes=lanes,
            form=form,
            sequences=sequences,
            frequency=hertz,
            seed=seed,
            upload=upload,
            trace=trace,
            progress=say,
        )
    emit(as_json, report.to_dict(), lambda: report_table(report))
    if not as_json:
        out.print(f"written to {output}")


def reweight(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder from 'autapse build'.", show_default=False)],
    file: QuantizedFile,
    as_json: Json = False,
) -> None:
    """Put other weights of the same shape and formats into a built bitstream, in seconds.

    The result is bit for bit that of a full build. 'autapse quantize --like' gives retrained weights those formats.
    Example: autapse reweight build q2.npz
    """
    from autapse_boards import reweight as exchange
    from autapse_boards import table as report_table

    q = read_quantized(file)
    with working("reweighting", as_json) as say:
        report = exchange(folder, q, progress=say)
    emit(as_json, report.to_dict(), lambda: report_table(report))
    if not as_json:
        out.print(f"exchanged in {folder}: {report.seconds['reweight']:.1f} s")
