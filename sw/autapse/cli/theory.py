"""Commands of the theory: analyze, zoo."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autapse.cli._common import Json, emit, facts, out, read_array, working
from autapse.cli._rtl import simulated
from autapse.cli._zoo import HELP, read_network
from autapse.errors import AutapseError
from autapse.files import folder_beside
from autapse.fixed import FloatArray

if TYPE_CHECKING:
    from autapse.zoo import Exhibit

NUMBERS = "zoo.json"


def analyze(
    file: Annotated[
        str, typer.Argument(metavar="NET", help=f"A network, float or quantised: {HELP}.", show_default=False)
    ],
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

    net, _ = read_network(file)
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
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A network of the zoo, or all.", show_default=False),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")] = None,
    rtl: Annotated[bool, typer.Option("--rtl/--no-rtl", help="Simulate the circuit of a named network too.")] = True,
    as_json: Json = False,
) -> None:
    """Show the networks of the lecture. With a NAME: check what it must do in float, in fixed point and in RTL.

    Without a name, -o draws the figures of docs/theory.md, and without -o the names and formulas are listed. A claim
    that does not hold at some level makes the exit code 1.

    Example: autapse zoo winner_take_all -o winner
    """
    from autapse.zoo import CATALOGUE, draw, exhibit

    if name is not None:
        return _exhibits(list(CATALOGUE) if name == "all" else [name], output, rtl, as_json)
    if output is None:
        formulas = {each: exhibit(each).formula for each in CATALOGUE}
        return emit(as_json, formulas, lambda: facts(formulas))
    with working("drawing", as_json) as say:
        files = draw(output, say)
    emit(as_json, {"folder": str(output), "files": files})
    if not as_json:
        out.print(f"{output}: {', '.join(files)}")
    return None


def _exhibits(names: list[str], output: Path | None, rtl: bool, as_json: bool) -> None:
    """Run exhibits, print their findings, and write their pictures and numbers."""
    from autapse.analysis.pictures import save
    from autapse.zoo import exhibit
    from autapse.zoo.exhibits import table, told
    from autapse.zoo.portrait import portrait

    shown = [exhibit(name) for name in names]
    data: dict[str, Any] = {}
    wrong: list[str] = []
    with folder_beside(output, NUMBERS) if output else nullcontext() as folder, working("zoo", as_json) as say:
        for each in shown:
            say(each.name)
            circuit, left_out = _circuit(each, say) if rtl else (None, "not asked for")
            runs = each.runs(circuit)
            findings = each.findings(runs)
            wrong += [f"{each.name}, {f.level}: {f.claim.words}" for f in findings if not f.holds]
            data[each.name] = {"formula": each.formula, "claims": table(findings), "left_out": left_out}
            if not as_json:
                out.print(f"{each.name}: {each.formula}", markup=False)
                out.print("\n".join(f"  {line}" for line in told(findings)), markup=False)
            if folder:
                save(portrait(each, runs, findings), folder, each.name)
        if folder:
            (folder / NUMBERS).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    emit(as_json, data)
    if not as_json:
        for reason in sorted({row["left_out"] for row in data.values() if row["left_out"]}):
            out.print(f"RTL left out: {reason}", markup=False)
        if output:
            out.print(f"written to {output}")
    if wrong:
        raise AutapseError(f"a claim does not hold: {'; '.join(wrong)}")


def _circuit(shown: Exhibit, say: Callable[[str], None]) -> tuple[FloatArray | None, str | None]:
    """The readouts of the simulated circuit; or why there are none."""
    codes = shown.q.quantize_inputs(shown.x[None])[0]
    return simulated(shown.q, codes, lambda m: say(f"{shown.name}, {m}"))
