"""Commands on network files: inspect, convert, quantize."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from autapse.bounds import ErrorBounds, error_bounds
from autapse.cli._common import Json, emit, facts, float_network, out, read_any, read_array, read_quantized, working
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
    options = parse_options(option or [])
    began = time.perf_counter()
    found = read_any(file, options)
    seconds = time.perf_counter() - began
    net = float_network(found)
    data = {**describe(net), "seconds to read": round(seconds, 3)}
    if isinstance(found, QuantizedNetwork):
        data["quantised"] = describe_quantized(found)
        data["error_bounds"] = None if (bounds := _bounds(found)) is None else bounds.to_dict()

    def table() -> Any:
        rows = {name: value for name, value in data.items() if not isinstance(value, dict | type(None))}
        rows |= {f"range of {name}": f"{low:.4g} to {high:.4g}" for name, (low, high) in data["ranges"].items()}
        rows |= data["info"] | data.get("quantised", {})
        return facts(rows)

    emit(as_json, data, table)


def describe(net: Network) -> dict[str, Any]:
    """What a network is, as plain data."""
    modulus = float(np.max(np.abs(np.linalg.eigvals(net.W))))
    return {
        "units": net.units,
        "inputs": net.inputs,
        "outputs": net.outputs,
        **({"layers of units": ", ".join(map(str, net.layers))} if net.layers else {}),
        "activation": net.activation,
        "update": update_text(net),
        "largest |eigenvalue| of W": round(modulus, 6),
        "ranges": {k: [float(a.min()), float(a.max())] for k, a in net.arrays().items() if np.any(a)},
        "info": dict(net.info),
    }


def assumed(net: Network) -> dict[str, str]:
    """What the network's file does not hold, or what its state is, as the importer says it."""
    return {name: net.info[name] for name in ("nonlinearity", "state", "discretisation") if name in net.info}


def update_text(net: Network) -> str:
    """The update and its form, on a line."""
    if net.form == "current":
        update, readout = "W s(v) + W_in x + b", "W_out s(v) + b_out"
        update = f"v <- d*v + g*({update})" if net.leaky else f"v <- {update}"
        return f"{update}, z = {readout} (current form)"
    return ("h <- d*h + g*s(W h + W_in x + b)" if net.leaky else "h <- s(W h + W_in x + b)") + " (rate form)"


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
        **(bounds.describe() if (bounds := _bounds(q)) else {"against float": "no bound is derived for this form"}),
        "model hash": q.model_hash().hex(),
    }
    if f.leak is not None:
        rows["kept state"] = f"{f.state} ({f.guard} guard bits); decay and gain {f.leak}"
    if q.form == "current":
        bound = proof.get("largest_kept_state")
        never = bound is not None and bound <= f.state.max_code
        reach = f"no more than ±{bound * f.state.ulp:g} can be reached" if bound is not None else "nothing bounds it"
        rows["kept state"] += f", ±{f.state.max_value:g}: {'never saturates' if never else 'saturates'}, {reach}"
    return rows


def _bounds(q: QuantizedNetwork) -> ErrorBounds | None:
    """The bounds of the error; None where none are derived, for the current form and for stacks."""
    return None if q.form == "current" or q.network.layers else error_bounds(q)


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
        for name, text in assumed(net).items():
            out.print(f"{name}: {text}", markup=False)


def quantize(
    file: NetworkFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="Q.npz", help="File to write.")],
    weight_bits: Annotated[int | None, typer.Option(help="Word length of the weights, 4 to 18; 8.")] = None,
    state_bits: Annotated[int | None, typer.Option(help="Word length of the state, 4 to 18; 8.")] = None,
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
    table: Annotated[
        str | None, typer.Option(help="Activation table: direct, linear or quadratic; auto, the smallest.")
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(metavar="Q.npz", help="Take all formats from this one: for 'reweight' and 'upload'."),
    ] = None,
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

    Example: autapse quantize retrained.npz -o q2.npz --like q.npz
    """
    from autapse.cli.shortest import search
    from autapse.quantize import quantize as quantize_network

    net = load(file, **parse_options(option or []))
    samples = None if calibrate is None else read_array(calibrate, "typical inputs (batch, time, inputs)")
    found: dict[str, Any] = {}
    if auto:
        _refuse_beside_auto(weight_bits=weight_bits, state_bits=state_bits, input_bits=input_bits, like=like)
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
            like=None if like is None else read_quantized(like),
        )
    q.save(output)
    data = {"file": str(output), **assumed(net), **describe_quantized(q)}
    bounds = _bounds(q)
    figures = {"overflow_proof": q.overflow_proof(), "error_bounds": bounds and bounds.to_dict()}
    result = {**data, "formats": q.formats.to_dict(), **figures, **found}
    emit(as_json, result, lambda: facts(data))


def _refuse_beside_auto(**options: object) -> None:
    """ValueError for an option that says what the search is to find."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--auto finds the words: leave out --{name.replace('_', '-')}")
