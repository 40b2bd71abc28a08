"""The command compare: one network as equation, discrete float, fixed point, RTL and SPICE, on one time axis."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from autapse.cli._common import Json, emit, facts, float_network, out, read_array, working
from autapse.cli._rtl import simulated
from autapse.cli._zoo import HELP, name_of, read_network
from autapse.errors import AutapseError, MissingToolError, ToolFailedError
from autapse.files import folder_beside
from autapse.fixed import FloatArray
from autapse.network import Network, check_inputs
from autapse.quantized import QuantizedNetwork, saturation_message

if TYPE_CHECKING:
    from autapse.comparison import Runs
    from autapse.dynamics import RateODE

_POINTS = 1000  # of the equation's curve, at least one for each step
_MARKER = "compare.json"
Progress = Callable[[str], None]


def compare(
    net: Annotated[
        str,
        typer.Argument(
            metavar="NET",
            help=f"A network, float or quantised: {HELP}.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write.")],
    inputs: Annotated[
        Path | None, typer.Option(metavar="X.npy", help="Stimulus (time, inputs), held for dt; seeded when left out.")
    ] = None,
    dt: Annotated[
        float | None,
        typer.Option(help="Time step: d = 1 - dt/tau, g = dt. Left out: g, or 1 where g differs."),
    ] = None,
    units: Annotated[
        str | None, typer.Option(metavar="K,K", help="Compare the states of these units, from 1, not the readout.")
    ] = None,
    weight_bits: Annotated[int, typer.Option(help="Word length of the weights, for a float network.")] = 8,
    state_bits: Annotated[int, typer.Option(help="Word length of the state, for a float network.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the stimulus.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Draw a network as ODE, discrete float, fixed point, RTL and SPICE on one axis, and say what each step costs.

    The network is read as an Euler step of dh/dt = -h/tau + s(W h + W_in x + b). Writes compare.png, compare.svg,
    caption.md, the numbers, and the curves.

    Example: autapse compare zoo:mutual_excitation -o comparison
    """
    from autapse.analysis.pictures import save
    from autapse.comparison import caption, default_stimulus, figure, rows, to_dict
    from autapse.dynamics import RateODE

    found, step = read_network(net, dt)
    given = found if isinstance(found, QuantizedNetwork) else None
    float_net = float_network(found)
    chosen = None if units is None else _units(units, float_net.units)
    if chosen is not None:
        if given is not None:
            raise AutapseError(f"{net}: --units needs the float network; the readout of a quantised one is fixed")
        # The circuit sends its readout only. One that copies these states makes them visible at all five levels.
        float_net = replace(float_net, W_out=np.eye(float_net.units)[chosen], b_out=np.zeros(len(chosen)))
    ode = RateODE.from_network(float_net, step)
    x = default_stimulus(ode, step, seed) if inputs is None else _stimulus(inputs, float_net.inputs)
    title = f"{name_of(net)}, dt = {step:.4g}"
    quantity = "readout" if chosen is None else f"state of units {', '.join(str(k + 1) for k in chosen)}"
    with folder_beside(output, _MARKER) as folder, working("comparing", as_json) as say:
        q = given or _quantize(float_net, x, weight_bits, state_bits)
        runs = gather(float_net, q, ode, step, x, say)
        title += f", {q.formats.W.bits}-bit weights, {q.formats.h.bits}-bit state"
        say("drawing")
        names = None if chosen is None else [f"unit {k + 1}" for k in chosen]
        save(figure(runs, title, quantity, names), folder, "compare", dpi=130)
        words = caption(runs, title, quantity)
        (folder / "caption.md").write_text("\n\n".join(words) + "\n", encoding="utf-8")
        curves: dict[str, Any] = {name.replace(" ", "_"): z for name, z in runs.curves.items() if z is not None}
        np.savez_compressed(folder / "curves.npz", t=runs.t, x=x, **curves)
        data = {"network": net, "quantity": quantity, **to_dict(runs), "caption": words}
        (folder / _MARKER).write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    emit(as_json, {"folder": str(output), **data}, lambda: facts(dict(rows(runs))))
    if not as_json:
        for line in words:
            out.print(line, markup=False)
        out.print(f"written to {output}/compare.png")


def gather(net: Network, q: QuantizedNetwork, ode: RateODE, dt: float, x: FloatArray, say: Progress) -> Runs:
    """Run `net`, its quantised self and its equation at all five levels on `x`, (time, inputs).

    A level whose tool is missing, or whose ngspice fails, is left out with the reason. An RTL that differs is an error.
    """
    from autapse.comparison import Runs
    from autapse.dynamics import dequantized

    say("the equation")
    parts = max(1, _POINTS // len(x))
    smooth = ode.solve(np.repeat(x, parts, axis=0), dt / parts).z
    stability = ode.stability(dt)
    if not stability.faithful:
        limit = stability.largest_dt
        warnings.warn(
            f"the step dt = {dt:g} makes modes grow that decay in the equation: "
            + (f"the largest stable dt is {limit:.6g}" if limit > 0.0 else "no dt is stable"),
            RuntimeWarning,
            stacklevel=2,
        )
    say("Euler steps and the integer model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the stability of dt/2, which dt has been warned of
        # In units of dt, where no step is too large for a Network.
        half = ode.rescale(1.0 / dt).discretize(0.5).run(np.repeat(x, 2, axis=0)).z[1::2]
    codes, outside = q.quantize_inputs(x[None])
    if outside:
        warnings.warn(saturation_message(q, outside, codes.size), RuntimeWarning, stacklevel=2)
    rounded = dequantized(q)
    trajectory = rounded.run(q.formats.x.dequantize(codes[0]))
    left_out: dict[str, str] = {}
    rtl, missing = simulated(q, codes, lambda m: say(f"RTL, {m}"))
    if missing is not None:
        left_out["RTL"] = missing
    spice, edges = _spice(ode, dt, x, left_out, say)
    return Runs(
        dt=dt,
        x=x,
        start=ode.readout(ode.h0),
        ode=smooth[parts - 1 :: parts],
        discrete=net.run(x).z,
        fixed=q.formats.z.dequantize(q.run_int(codes, record=False).z[0]),
        half=half,
        rounded=trajectory.z,
        rtl=rtl,
        spice=spice,
        edges=edges,
        smooth=smooth,
        saturated=_saturated(q, rounded, trajectory.h),
        left_out=left_out,
    )


def _saturated(q: QuantizedNetwork, net: Network, h: FloatArray) -> int:
    """How many states, and results of an unbounded activation, lie outside their formats in the float run `h`."""
    before = np.vstack([net.h0, h[:-1]])
    s = q.activation.out
    outside = np.abs(h) > q.formats.h.max_value + q.formats.h.ulp
    if net.activation in ("identity", "relu"):
        outside |= np.abs(h - net.d * before) > np.abs(net.g) * (s.max_value + s.ulp / 2.0)
    return int(np.count_nonzero(outside))


def _spice(
    ode: RateODE, dt: float, x: FloatArray, left_out: dict[str, str], say: Progress
) -> tuple[FloatArray | None, FloatArray | None]:
    """The readout of the circuit's states at the ends of the steps, and of the equation under the same sources."""
    from autapse import circuit as c

    stimulus = c.Stimulus.held(x, dt)
    try:
        c.find_ngspice()
        say("ngspice")
        found = c.compare(c.synthesize(ode), stimulus)
    except (MissingToolError, ToolFailedError) as error:
        left_out["SPICE"] = str(error)
        return None, None
    if not found.agrees:
        warnings.warn(
            f"ngspice and the equation differ by {found.error:.2e} of full scale; {found.bound:g} is expected",
            RuntimeWarning,
            stacklevel=3,
        )
    # ngspice chooses its own points. Between them only its small difference from the equation is interpolated, so that
    # the interpolation adds nothing to it.
    ends = np.minimum(dt * np.arange(1, len(x) + 1), stimulus.duration)
    edges = c.solve(c.Equation.of(ode), stimulus, ends)
    off = np.stack([np.interp(ends, found.times, column) for column in (found.spice - found.ode).T], axis=1)
    return ode.readout(edges + off), ode.readout(edges)


def _units(text: str, units: int) -> list[int]:
    """Indices from 0 of a list like 1,3."""
    try:
        chosen = [int(part) - 1 for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--units takes numbers like 1,3; not {text!r}") from None
    outside = [k + 1 for k in chosen if not 0 <= k < units]
    if outside:
        raise ValueError(f"--units: the network has the units 1 to {units}, not {outside[0]}")
    return chosen


def _stimulus(path: Path, inputs: int) -> FloatArray:
    x, _ = check_inputs(read_array(path, "inputs (time, inputs)"), inputs)
    if len(x) != 1 or x.shape[1] == 0:
        raise ValueError(f"{path}: a comparison takes one sequence with at least one sample; its shape is {x.shape}")
    first: FloatArray = x[0]
    return first


def _quantize(net: Network, x: FloatArray, weight_bits: int, state_bits: int) -> QuantizedNetwork:
    from autapse.quantize import quantize

    return quantize(net, weight_bits=weight_bits, state_bits=state_bits, calibrate=x[None])
