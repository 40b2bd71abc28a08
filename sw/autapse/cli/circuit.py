"""The command circuit: a network as an analogue circuit."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from autapse.cli._common import Json, emit, facts, float_network, note, read_array, working
from autapse.cli._zoo import HELP, name_of, read_network
from autapse.errors import AutapseError
from autapse.files import folder_beside
from autapse.network import check_inputs


class Form(StrEnum):
    """Which of the two dual circuits."""

    PARALLEL = "parallel"
    SERIES = "series"


class Values(StrEnum):
    """Which component values the netlist has."""

    EXACT = "exact"
    E24 = "E24"
    E96 = "E96"


class Storage(StrEnum):
    """How the capacitors or inductors are chosen."""

    EQUAL = "equal"
    RECIPROCAL = "reciprocal"


def circuit(
    file: Annotated[str, typer.Argument(metavar="NET", help=f"A network: {HELP}.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    form: Annotated[Form, typer.Option(help="R || C with voltages as states, or R - L with currents.")] = Form.PARALLEL,
    simulate: Annotated[bool, typer.Option("--simulate", help="Run ngspice, and compare with the equation.")] = False,
    dt: Annotated[
        float | None, typer.Option(help="Time step of the network: d = 1 - dt/tau, g = dt; g itself.")
    ] = None,
    values: Annotated[Values, typer.Option(help="Component values of netlist and schematic.")] = Values.EXACT,
    storage: Annotated[Storage, typer.Option(help="Equal capacitors, or such that no gyrator is needed.")] = (
        Storage.EQUAL
    ),
    inputs: Annotated[
        Path | None, typer.Option(metavar="X.npy", help="Stimulus (time, inputs), held for dt; seeded when left out.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Circuits for each tolerance of the Monte Carlo.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Seed of stimulus and Monte Carlo.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Build a network as an electrical circuit: netlist, schematic, component values, tolerances.

    The network is read as an Euler step of dh/dt = -h/tau + s(W h + W_in x + b).

    Example: autapse circuit model.npz -o circuit --simulate
    """
    from dataclasses import replace

    from autapse import circuit as c
    from autapse.circuit.components import component_table
    from autapse.circuit.levels import default_levels
    from autapse.circuit.report import page, plot, report
    from autapse.circuit.schematic import draw

    if simulate:
        c.find_ngspice()  # before the work, not after it
    found, _ = read_network(file)
    net = float_network(found)
    equation = c.from_network(net, dt)
    if inputs is None:
        stimulus = c.Stimulus.default(equation, seed)
    else:
        x, _ = check_inputs(read_array(inputs, "inputs"), net.inputs)
        stimulus = c.Stimulus.held(x[0], float(net.g[0]))
    exact = c.synthesize(equation, form.value, replace(default_levels(form.value), storage=storage.value))
    built = exact if values is Values.EXACT else c.round_values(exact, values.value)
    title = name_of(file)
    with folder_beside(output, "report.json") as folder, working("circuit", as_json) as say:
        (folder / "circuit.cir").write_text(c.netlist(built, stimulus, title))
        (folder / "components.csv").write_text(component_table(exact))
        say("schematic")
        draw(built, folder / "schematic.svg", folder / "schematic.png", title=title)
        say(f"Monte Carlo of {samples} circuits")
        spreads = c.monte_carlo(exact, stimulus, samples=samples, seed=seed)
        comparison = None
        if simulate:
            say("ngspice")
            comparison = c.compare(built, stimulus)
            plot(folder / "comparison.png", comparison, stimulus, built, title)
        data = {**report(exact, spreads, comparison), "values": values.value}
        (folder / "report.json").write_text(json.dumps(_plain(data), indent=2) + "\n")
        (folder / "report.md").write_text(page(data, title))
    data = {"folder": str(output), **data}
    emit(as_json, _plain(data), lambda: facts(_summary(data, output)))
    if comparison is not None and not comparison.agrees and values is Values.EXACT:
        raise AutapseError(
            f"ngspice and the equation differ by {comparison.error:.2e} of full scale; {comparison.bound:g} is allowed"
        )
    if comparison is not None and not comparison.agrees:
        note(f"the difference is that of the {values.value} values")


def _summary(data: dict[str, Any], output: Path) -> dict[str, str]:
    from autapse.circuit.text import engineering

    n, ohms, simulation = data["counts"], data["resistance"], data["simulation"]
    low, high = engineering(ohms["smallest"], "Ω"), engineering(ohms["largest"], "Ω")
    resistors = n["couplings"] + n["shunts"] + n["input_resistors"] + n["bias_resistors"]
    rows = {
        "circuit": f"{data['form']} form, {data['units']} units, {n['amplifiers']} amplifiers",
        "resistors": f"{resistors} in the n-port, {n['active']} of them negative (active); {low} to {high}",
        "gyrators": f"{n['gyrators']}" + (" (reciprocal)" if n["reciprocal"] else ""),
        "Dale's law": data["dale"]["meaning"],
        "error of E24 / E96": " / ".join(
            f"W {row['W']:.2%}, tau {row['tau']:.2%}" for row in data["rounding"].values()
        ),
    }
    if data["gyrators_avoidable"]:
        rows["gyrators"] += "; none with --storage reciprocal"
    for row in data["monte_carlo"]:
        text = f"state off by {row['trajectory_median']:.2%}, 95 % of circuits below {row['trajectory_95']:.2%}"
        rows[f"tolerance {row['tolerance']:.0%}"] = text + (
            f"; {row['turned_unstable']} of {row['samples']} unstable" if row["turned_unstable"] else ""
        )
    if simulation is not None:
        rows["ngspice"] = f"differs from the equation by {simulation['error']:.2e} of full scale"
    rows["schematic"] = f"drawn {data['schematic']}" if data["schematic"].startswith("as") else data["schematic"]
    return rows | {"written": f"{output}/circuit.cir, schematic.svg, components.csv, report.md"}


def _plain(value: Any) -> Any:
    """JSON has no infinity: what ran away is null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
