"""Commands that run a network: run, verify, export."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from autapse.cli._common import (
    LANES_FORMS,
    LANES_HELP,
    Json,
    Lanes,
    QuantizedFile,
    emit,
    err,
    facts,
    out,
    read_array,
    read_lanes,
    read_quantized,
    working,
    write_array,
)
from autapse.cli._evidence import Circuit
from autapse.errors import AutapseError
from autapse.network import check_inputs
from autapse.quantized import saturation_message


class RunLevel(StrEnum):
    """What computes."""

    FLOAT = "float"
    MODEL = "model"
    RTL = "rtl"


class VerifyLevel(StrEnum):
    """What is compared with the integer model."""

    RTL = "rtl"
    GATES = "gates"


class Family(StrEnum):
    """Whose cells the gates are."""

    ICE40 = "ice40"
    ECP5 = "ecp5"


FORM_HELP = "Lanes: generic, mac8x8, mac16, mac16sum (iCE40 UltraPlus), booth (iCE40 HX), mult18 (ECP5)."
Seed = Annotated[int, typer.Option(help="Seed of the random inputs and pauses.", min=0)]


def run(
    file: QuantizedFile,
    inputs: Annotated[Path, typer.Option(metavar="X.npy", help="Inputs, (batch, time, inputs) or (time, inputs).")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="Z.npy", help="Readout to write, same axes.")],
    level: Annotated[RunLevel, typer.Option(help="Float model, integer model, or the simulated circuit.")] = (
        RunLevel.MODEL
    ),
    lanes: Lanes = "8",
    as_json: Json = False,
) -> None:
    """Run a network on inputs, and write its readout.

    Example: autapse run q.npz --inputs x.npy -o z.npy --level model
    """
    q = read_quantized(file)
    x, single = check_inputs(read_array(inputs, "inputs"), q.inputs)
    outside = 0
    if level is RunLevel.FLOAT:
        z = q.network.run(x).z
    else:
        codes, outside = q.quantize_inputs(x)
        if outside:
            err.print(f"[yellow]warning:[/] {saturation_message(q, outside, codes.size)}")
        if level is RunLevel.MODEL:
            z = q.formats.z.dequantize(q.run_int(codes, record=False).z)
        else:
            from autapse_sim.verify import simulate

            with working("simulating", as_json) as say:
                z = q.formats.z.dequantize(simulate(q, codes, lanes=read_lanes(lanes, q), progress=say))
    write_array(output, z[0] if single else z)
    data = {"file": str(output), "level": level.value, "shape": list(z[0].shape if single else z.shape)}
    emit(as_json, {**data, "saturated_inputs": outside}, lambda: facts(data))


def verify(
    file: Annotated[
        Path, typer.Argument(metavar="Q.npz|DIR", help="A quantised network, or a build folder.", show_default=False)
    ],
    level: Annotated[VerifyLevel, typer.Option(help="What is compared with the integer model.")] = VerifyLevel.RTL,
    steps: Annotated[int, typer.Option(help="Steps of random inputs.", min=1)] = 200,
    inputs: Annotated[
        Path | None, typer.Option(metavar="X.npy", help="Your own inputs (batch, time, inputs) instead.")
    ] = None,
    lanes: Annotated[str | None, typer.Option(help=f"{LANES_HELP} 8 unless given.", metavar=LANES_FORMS)] = None,
    form: Annotated[str | None, typer.Option(help=f"{FORM_HELP} generic unless given.", metavar="FORM")] = None,
    family: Annotated[
        Family | None, typer.Option(help="Whose cells generic lanes become at level gates; ice40 unless given.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare the circuit with the integer model: every state element at every step, and every output, exactly.

    The RTL, or the vendor cells that yosys makes of it, are simulated with Verilator, with inputs waiting and again
    with random pauses on both sides. Of a build folder the lanes that were built are compared, and what was found is
    kept in it, for 'autapse report'.

    Example: autapse verify q.npz --steps 500 --lanes 16

    Example: autapse verify q.npz --level gates --form mult18 --steps 50
    """
    from autapse_hw.schedule import Schedule
    from autapse_sim.verify import verify as verify_network

    circuit = Circuit.of(file, lanes, form)
    q, tiling, form = circuit.q, circuit.tiling, circuit.form
    sequences = None
    if inputs is not None:
        x, _ = check_inputs(read_array(inputs, "inputs"), q.inputs)
        sequences = list(q.quantize_inputs(x)[0])
    with working("verifying", as_json) as say:
        result = verify_network(
            q,
            lanes=tiling,
            form=form,
            steps=steps,
            inputs=sequences,
            seed=seed,
            level=level.value,
            family=family.value if family else None,
            progress=say,
        )
    circuit.keep(result)
    efficiency = Schedule.of(q, tiling, form).lane_efficiency
    data = {
        **asdict(result),
        "lane_efficiency": efficiency,
        "lanes": str(tiling),
        "form": form,
        "comparisons": result.comparisons,
        "ok": result.ok,
    }

    def table() -> Any:
        rows = {
            "level": f"{level.value} ({', '.join(filter(None, (result.family, f'{tiling} lanes', form)))})",
            "steps": f"{result.steps:,}",
            "comparisons": f"{result.states:,} state elements, {result.outputs:,} outputs",
            "mismatches": f"{result.mismatches:,}",
            "cycles per step": result.cycles_per_step,
            "lane efficiency": f"{efficiency:.3f} (useful products / lanes / cycles)",
            "time": f"{result.seconds:.1f} s",
        }
        return facts(rows | {f"mismatch {k + 1}": line for k, line in enumerate(result.first)})

    emit(as_json, data, table)
    if not result.ok:
        raise AutapseError(f"the circuit and the integer model differ in {result.mismatches} values")


def export(
    file: QuantizedFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    lanes: Lanes = "8",
    steps: Annotated[int, typer.Option(help="Steps of golden vectors.", min=1)] = 200,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write plain Verilog, golden vectors, and a cocotb test that runs without Autapse.

    Example: autapse export q.npz -o rtl && python rtl/run.py
    """
    from autapse_sim.verify import export as export_network

    q = read_quantized(file)
    tiling = read_lanes(lanes, q)
    export_network(q, output, lanes=tiling, steps=steps, seed=seed)
    files = sorted(file.name for file in output.iterdir())
    emit(as_json, {"folder": str(output), "files": files, "lanes": str(tiling)})
    if not as_json:
        out.print(f"{output}: {', '.join(files)}")
