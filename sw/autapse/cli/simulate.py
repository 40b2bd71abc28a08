"""Commands that run a network, or prepare a run elsewhere: run, export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autapse.cli._common import (
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
from autapse.network import check_inputs
from autapse.quantized import saturation_message


class RunLevel(StrEnum):
    """What computes."""

    FLOAT = "float"
    MODEL = "model"
    RTL = "rtl"


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
