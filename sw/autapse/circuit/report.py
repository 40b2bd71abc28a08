"""What is said about a circuit: the figures as plain data, as a page of text, and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from autapse.circuit.compare import Comparison
from autapse.circuit.levels import Levels
from autapse.circuit.schematic import drawn_as
from autapse.circuit.stimulus import Stimulus
from autapse.circuit.structure import dale, symmetrizing_scale
from autapse.circuit.synthesis import Circuit, counts
from autapse.circuit.text import engineering, value_range
from autapse.circuit.tolerance import Spread, errors, round_values
from autapse.errors import MissingToolError
from autapse.files import write_beside

#: Resistors outside are hard to buy or to keep from leaking; the report names how many there are.
PRACTICAL = (1.0, 10e6)


def report(circuit: Circuit, spreads: Sequence[Spread], comparison: Comparison | None = None) -> dict[str, Any]:
    """The figures of a circuit as plain data."""
    eq, (low, high) = circuit.equation, value_range(circuit)
    eigenvalues = np.linalg.eigvals(eq.jacobian())
    found = counts(circuit)
    can = circuit.levels.storage == "equal" and not found["reciprocal"] and symmetrizing_scale(eq.W) is not None
    return {
        "form": circuit.form,
        "units": eq.units,
        "inputs": eq.inputs,
        "activation": eq.activation,
        "levels": {
            **{name: getattr(circuit.levels, name) for name in Levels.__dataclass_fields__},
            "seconds_per_unit_of_time": circuit.seconds,
        },
        "counts": found,
        "gyrators_avoidable": can,
        "storage": {"smallest": float(circuit.storage.min()), "largest": float(circuit.storage.max())},
        "resistance": {"smallest": low, "largest": high},
        "largest_real_part": float(eigenvalues.real.max()),
        "dale": dale(circuit.nport.alpha()),
        "exact": errors(circuit),
        "rounding": {series: errors(round_values(circuit, series)) for series in ("E24", "E96")},
        "monte_carlo": [spread.to_dict() for spread in spreads],
        "simulation": None if comparison is None else comparison.to_dict(),
        "schematic": drawn_as(circuit),
    }


def page(data: Mapping[str, Any], title: str) -> str:
    """The report as Markdown."""
    return "\n".join(_page(data, title)) + "\n"


def _page(data: Mapping[str, Any], title: str) -> Iterator[str]:
    found, parallel = data["counts"], data["form"] == "parallel"
    yield from (f"# {title}", "", f"{data['form'].capitalize()} form, {data['units']} units, {data['inputs']} inputs,")
    level, time = data["levels"]["unit"], data["levels"]["seconds_per_unit_of_time"]
    yield f"{data['activation']}. h = 1 is {engineering(level, 'V' if parallel else 'A')}; one unit of the network's"
    yield from (f"time is {engineering(time, 's')}.", "", "## Elements", "", "| kind | number | negative (active) |")
    yield "|---|---|---|"
    yield f"| one-ports, {'R and C in parallel' if parallel else 'R and L in series'} | {found['one_ports']} | 0 |"
    yield f"| coupling resistors | {found['couplings']} | {found['couplings_active']} |"
    yield f"| shunt resistors | {found['shunts']} | {found['shunts_active']} |"
    yield f"| source resistors | {found['input_resistors'] + found['bias_resistors']} | 0 |"
    yield f"| gyrators | {found['gyrators']} | |"
    yield from (f"| saturating amplifiers | {found['amplifiers']} | |", "")
    if found["reciprocal"]:
        yield "The n-port is reciprocal and needs no gyrator."
    else:
        yield "The n-port is not reciprocal: one gyrator for each pair of units whose two connections differ."
    if data["gyrators_avoidable"]:
        yield "Other capacitors (inductors) would make it reciprocal: `--storage reciprocal`."
    merged = found["active_after_merging"]
    if merged is not None:
        yield f"With R_k and the shunt of each port in one resistor, {merged} negative ones remain."
    ohms = data["resistance"]
    yield f"Resistances: {engineering(ohms['smallest'], 'Ω')} to {engineering(ohms['largest'], 'Ω')}."
    if ohms["smallest"] < PRACTICAL[0] or ohms["largest"] > PRACTICAL[1]:
        span = " to ".join(engineering(value, "Ω") for value in PRACTICAL)
        yield f"Some lie outside {span}, where resistors are hard to get or leakage matters."
    yield from (f"{data['dale']['meaning']}.", f"Schematic: {data['schematic']}.", "")
    if data["largest_real_part"] > 0.0:
        yield f"W - 1/tau has an eigenvalue with real part {data['largest_real_part']:.4g}: the origin is unstable."
        yield ""
    yield from ("## Values", "", "Largest errors: of W, W_in, b relative to their largest element; of each tau; of the")
    yield from ("eigenvalues of W - 1/tau relative to the largest.", "")
    yield from ("| values | W | W_in | b | tau | eigenvalues |", "|---|---|---|---|---|---|")
    for name, row in {"exact": data["exact"], **data["rounding"]}.items():
        yield f"| {name} | " + " | ".join(f"{value:.2e}" for value in row.values()) + " |"
    if data["monte_carlo"]:
        first = data["monte_carlo"][0]["samples"]
        yield from ("", f"{first} circuits for each tolerance, from components that are off by up to it:", "")
        yield "| tolerance | state off by, median | 95 % | eigenvalue shift, median | 95 % | turned unstable |"
        yield "|---|---|---|---|---|---|"
        for row in data["monte_carlo"]:
            parts = [row[key] for key in ("trajectory_median", "trajectory_95", "eigenvalues_median", "eigenvalues_95")]
            yield (
                f"| {row['tolerance']:.0%} | "
                + " | ".join(f"{v:.2%}" for v in parts)
                + f" | {row['turned_unstable']} |"
            )
    if data["simulation"] is not None:
        s = data["simulation"]
        yield from ("", "## Simulation", "", f"ngspice against the equation, {s['points']} points: the largest")
        yield f"difference is {s['error']:.2e} of full scale ({s['full_scale']:.4g}); the bound is {s['bound']:g}."


def plot(path: Path, comparison: Comparison, stimulus: Stimulus, circuit: Circuit, title: str) -> None:
    """Draw inputs, states (ngspice over the equation) and their difference to a PNG. Needs matplotlib."""
    try:
        figure: Any = import_module("matplotlib.figure").Figure(figsize=(9.0, 6.4), layout="constrained")
    except ImportError:
        raise MissingToolError("matplotlib is not installed: pip install 'autapse[circuit]'") from None
    axes = figure.subplots(3, 1, sharex=True, height_ratios=(1.0, 2.2, 1.0))
    c, units = comparison, circuit.equation.units
    axes[0].plot(c.times, stimulus.at(c.times)[:, :6], lw=1.0)
    axes[0].set_ylabel("inputs x")
    shown = np.sort(np.argsort(-np.ptp(c.ode, axis=0))[:6])
    every = max(1, len(c.times) // 60)
    for i, k in enumerate(shown):
        axes[1].plot(c.times, c.ode[:, k], color=f"C{i}", lw=1.4, label=f"unit {k + 1}")
        axes[1].plot(c.times[::every], c.spice[::every, k], color=f"C{i}", marker="o", ms=3.2, mfc="white", ls="none")
    what = "" if len(shown) == units else f", the {len(shown)} of {units} units that move most"
    axes[1].set_title(f"line: rate equation; circles: ngspice{what}", fontsize=9, loc="left")
    axes[1].set_ylabel("states h")
    axes[1].legend(ncols=6, fontsize=8, frameon=False)
    difference = np.max(np.abs(c.spice - c.ode), axis=1) / (c.full_scale or 1.0)
    axes[2].semilogy(c.times, np.maximum(difference, 1e-9), color="#c2410c", lw=1.0)
    axes[2].axhline(c.bound, color="#1f2430", lw=0.8, ls="--")
    axes[2].annotate(
        f"bound {c.bound:g}", (0.995, c.bound), xycoords=("axes fraction", "data"), ha="right", va="bottom"
    )
    axes[2].set_ylim(1e-8, 0.3)
    axes[2].set_ylabel("|difference|\nof full scale")
    axes[2].set_xlabel(f"time of the network; one unit is {engineering(circuit.seconds, 's')} in the circuit")
    axes[0].set_title(title, loc="left")
    for axis in axes:
        axis.grid(alpha=0.25)
    with write_beside(path) as file:
        figure.savefig(file, format="png", dpi=130)
