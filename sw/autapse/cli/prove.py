"""The command that runs the formal proofs."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from autapse.cli._common import Json, emit, out, working
from autapse.errors import AutapseError


def prove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Which proofs, like uart-*; all without one.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Proofs at a time; as many as processors unless given.", min=1)] = (
        None
    ),
    as_json: Json = False,
) -> None:
    """Prove the properties of the gateware's blocks with SymbiYosys and z3: for all inputs, not for some.

    docs/verification.md says in words what is proved, and what is supposed.

    Example: autapse prove

    Example: autapse prove skid-buffer 'uart-*'
    """
    from autapse_sim.prove import prove_all, select

    proofs = select(names or [])
    with working(f"{len(proofs)} proofs", as_json) as say:
        outcomes = list(prove_all(proofs, jobs, say))
    rows = [
        {
            "name": o.proof.name,
            "block": o.proof.block,
            "claim": o.proof.claim,
            "parameters": o.proof.parameters,
            "reach": o.proof.reach,
            "verdict": o.verdict,
            "failed": list(o.failed),
            "seconds": round(o.seconds, 1),
        }
        for o in outcomes
    ]
    proved = sum(o.ok for o in outcomes)
    emit(as_json, {"proofs": rows, "proved": proved, "of": len(rows)}, lambda: _table(rows))
    if proved != len(rows):
        raise AutapseError(f"{len(rows) - proved} of {len(rows)} proofs failed")
    if not as_json:
        out.print(f"{proved} of {len(rows)} proved")


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("proof", no_wrap=True)
    table.add_column("claim", overflow="fold")
    table.add_column("block", overflow="fold")
    table.add_column("reach", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    table.add_column("s", justify="right", no_wrap=True)
    for row in rows:
        block = ": ".join(filter(None, (row["block"], row["parameters"])))
        verdict = ": ".join(filter(None, (row["verdict"], ", ".join(row["failed"]))))
        table.add_row(row["name"], row["claim"], block, row["reach"], verdict, f"{row['seconds']:.1f}")
    return table
