"""Commands on network files: inspect, convert, quantize."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from autapse.bounds import error_bounds
from autapse.cli._common import Json, emit, facts, out, read_any, read_array, working
from autapse.loading import READABLE, load, parse_options
from autapse.network import Network
from autapse.quantized import QuantizedNetwork

NetworkFile = Annotated[
    Path, typer.Argument(metavar="FILE", help=f"A trained network: {READABLE}.", show_default=False)
]


Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="What the file does not say: activation=relu, head=fc, dt=0.1. Repeatable.",
    ),
]


def inspect(file: NetworkFile, option: Options = None, as_json: Json = False) -> None:
    """Say what is in a network file: layers, shapes, ranges, activation, update.

    Example: autapse inspect model.hdf5
    """
    found = read_any(file, parse_options(option or []))
    net = found.network if isinstance(found, QuantizedNetwork) else found
    data = describe(net)
    if isinstance(found, QuantizedNetwork):
        data["quantised"] = describe_quantized(found)
        data["error_bounds"] = error_bounds(found).to_dict()

    def table() -> Any:
        rows = {name: value for name, value in data.items() if not isinstance(value, dict)}
        rows |= {f"range of {name}": f"{low:.4g} to {high:.4g}" for name, (low, high) in data["ranges"].items()}
        rows |= data["info"] | data.get("quantised", {})
        return facts(rows)

    emit(as_json, data, table)


def describe(net: Network) -> dict[str, Any]:
    """What a network is, as plain data."""
    modulus = float(np.max(np.abs(np.linalg.eigvals(net.W))))
    update = "h <- d*h + g*s(W h + W_in x + b)" if net.leaky else "h <- s(W h + W_in x + b)"
    return {
        "units": net.units,
        "inputs": net.inputs,
        "outputs": net.outputs,
        "activation": net.activation,
        "update": f"{update} (rate form)",
        "largest |eigenvalue| of W": round(modulus, 6),
        "ranges": {k: [float(a.min()), float(a.max())] for k, a in net.arrays().items() if np.any(a)},
        "info": dict(net.info),
    }


def describe_quantized(q: QuantizedNetwork) -> dict[str, Any]:
    """What a quantised network is, line by line."""
    f = q.formats
    proof = q.overflow_proof()
    rows = {
        "W, W_in, W_out": f"{f.W}; {f.W_in.frac}; {f.W_out.frac}",
        "input x": f"{f.x}, ±{f.x.max_value:g}" + (f", shifted left by {f.x_shift}" if f.x_shift else ""),
        "state h": f"{f.h}, ±{f.h.max_value:g}" + (f", shifted left by {f.h_shift}" if f.h_shift else ""),
        "output z": f"{f.z}, not rounded",
        "activation table": q.activation.describe(),
        "accumulator": (
            f"{proof['accumulator_bits']} bits hold ±{proof['accumulator_max']:,}; no row can exceed "
            f"{max(proof['largest_state_row'], proof['largest_readout_row']):,}: overflow is impossible"
        ),
        **error_bounds(q).describe(),
        "model hash": q.model_hash().hex(),
    }
    if f.leak is not None:
        rows["kept state"] = f"{f.state} ({f.guard} guard bits); decay and gain {f.leak}"
    return rows


def convert(
    file: NetworkFile,
    output: Annotated[Path, typer.Argument(metavar="OUT.npz", help="File to write.", show_default=False)],
    option: Options = None,
    as_json: Json = False,
) -> None:
    """Convert any supported file to the project's own .npz.

    Example: autapse convert model.hdf5 model.npz
    """
    net = load(file, **parse_options(option or []))
    net.save(output)
    emit(as_json, {"file": str(output), **describe(net)})
    if not as_json:
        out.print(f"{output}: {net.units} units, {net.inputs} inputs, {net.outputs} outputs, {net.activation}")


def quantize(
    file: NetworkFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="Q.npz", help="File to write.")],
    weight_bits: Annotated[int, typer.Option(help="Word length of the weights, 4 to 18.")] = 8,
    state_bits: Annotated[int, typer.Option(help="Word length of the state, 4 to 18.")] = 8,
    input_bits: Annotated[int | None, typer.Option(help="Word length of the inputs; that of the state.")] = None,
    input_range: Annotated[
        float | None, typer.Option(help="Largest input that must not saturate; from --calibrate, or 1.")
    ] = None,
    state_range: Annotated[float | None, typer.Option(help="Largest state, where it has no bound of its own.")] = None,
    calibrate: Annotated[
        Path | None, typer.Option(metavar="X.npy", help="Typical inputs (batch, time, inputs), for the ranges.")
    ] = None,
    operand_bits: Annotated[
        int | None,
        typer.Option(help="Widest operand of the multipliers, 16 or the longest word. 8: two lanes in a UP5K's DSP."),
    ] = None,
    option: Options = None,
    table: Annotated[str, typer.Option(help="Activation table: auto, direct, linear or quadratic.")] = "auto",
    auto: Annotated[
        bool, typer.Option("--auto", help="Find the shortest words that keep the score; with --task or --targets.")
    ] = False,
    task: Annotated[str | None, typer.Option(help="With --auto: the task that judges; see 'autapse tasks'.")] = None,
    targets: Annotated[
        Path | None, typer.Option(metavar="Y.npy", help="With --auto: targets of --calibrate (batch, time, outputs).")
    ] = None,
    tolerance: Annotated[float, typer.Option(help="With --auto: what the score may lose.")] = 0.01,
    as_json: Json = False,
) -> None:
    """Quantise a network to fixed point; print the formats, why no sum overflows, and bounds of the error.

    Example: autapse quantize model.hdf5 -o q.npz --weight-bits 9 --state-bits 9 --input-range 1.25

    Example: autapse quantize xor.npz -o q.npz --auto --task xor
    """
    from autapse.cli.shortest import search
    from autapse.quantize import quantize as quantize_network

    net = load(file, **parse_options(option or []))
    samples = None if calibrate is None else read_array(calibrate, "typical inputs (batch, time, inputs)")
    found: dict[str, Any] = {}
    if auto:
        (weight_bits, state_bits, input_bits), input_range, samples, found = search(
            net, task, samples, targets, input_range, tolerance, as_json
        )
    elif task is not None or targets is not None:
        raise ValueError("--task and --targets judge the search for the shortest words: give --auto too")
    with working("quantising", quiet=True):
        q = quantize_network(
            net,
            weight_bits=weight_bits,
            state_bits=state_bits,
            input_bits=input_bits,
            input_range=input_range,
            state_range=state_range,
            calibrate=samples,
            operand_bits=operand_bits,
            table=table,
        )
    q.save(output)
    data = {"file": str(output), **describe_quantized(q)}
    figures = {"overflow_proof": q.overflow_proof(), "error_bounds": error_bounds(q).to_dict()}
    result = {**data, "formats": q.formats.to_dict(), **figures, **found}
    emit(as_json, result, lambda: facts(data))
