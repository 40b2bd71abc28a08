"""Commands of the theory: analyze, zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autapse.cli._common import Json, emit, out, read_any, read_array, working


def analyze(
    file: Annotated[Path, typer.Argument(metavar="NET", help="A network, float or quantised.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    weight_bits: Annotated[int, typer.Option(help="Word length of the weights, for a float network.")] = 8,
    state_bits: Annotated[int, typer.Option(help="Word length of the state, for a float network.")] = 8,
    inputs: Annotated[
        Path | None, typer.Option(metavar="X.npy", help="Stimulus (batch, time, inputs); seeded pulses when left out.")
    ] = None,
    starts: Annotated[int | None, typer.Option(help="Starts of the search for fixed points.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Seed of stimulus and search.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Compare a network with its quantised self: eigenvalues, fixed points, weights, trajectories, activity.

    Writes pictures, one self-contained page, and the numbers. Says in words what moved most.

    Example: autapse analyze model.npz -o analysis
    """
    from autapse.analysis import analyze as analyze_network
    from autapse.analysis.page import notes, rows

    net = read_any(file)
    x = None if inputs is None else read_array(inputs, "inputs (batch, time, inputs)")
    with working("analysing", as_json) as say:
        result = analyze_network(
            net, weight_bits=weight_bits, state_bits=state_bits, x=x, starts=starts, seed=seed, progress=say
        )
        files = result.write(output, say)

    def table() -> Any:
        from rich.table import Table

        shown = Table("", "float", "quantised")
        for row in rows(result):
            shown.add_row(*row)
        return shown

    emit(as_json, {"folder": str(output), "files": files, **result.to_dict()}, table)
    if not as_json:
        for line in notes(result):
            out.print(line, markup=False)
        out.print("moved most:")
        for change in result.changes[:5]:
            out.print(f"  {change.words}", markup=False)
        out.print(f"written to {output}/index.html")


def zoo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    as_json: Json = False,
) -> None:
    """Draw the figures of docs/theory.md: the networks of the lecture, in float and in fixed point.

    Example: autapse zoo -o figures
    """
    from autapse.zoo import draw

    with working("drawing", as_json) as say:
        files = draw(output, say)
    emit(as_json, {"folder": str(output), "files": files})
    if not as_json:
        out.print(f"{output}: {', '.join(files)}")
