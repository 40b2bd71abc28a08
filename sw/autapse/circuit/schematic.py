"""Schematic drawings: every element up to six units, blocks beyond."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autapse.circuit import schematic_parallel, schematic_series
from autapse.circuit.pen import ACTIVE, GYRATOR, INK, PALE, SOURCE, Pen
from autapse.circuit.synthesis import Circuit, counts
from autapse.circuit.text import engineering, value_range
from autapse.fixed import FloatArray

#: The largest circuits that are drawn element by element.
DRAWN_UNITS, DRAWN_INPUTS = 6, 6


def drawn_as(circuit: Circuit) -> str:
    """How a circuit is drawn, in words."""
    n, m = circuit.equation.units, circuit.equation.inputs
    if n <= DRAWN_UNITS and m <= DRAWN_INPUTS:
        return "every element"
    what = f"{n} units" if n > DRAWN_UNITS else f"{m} inputs"
    limit = DRAWN_UNITS if n > DRAWN_UNITS else DRAWN_INPUTS
    return f"as blocks: {what}, and single elements are drawn up to {limit}"


def draw(circuit: Circuit, *paths: Path, title: str = "") -> None:
    """Draw the circuit to PNG and SVG files. Needs schemdraw and matplotlib."""
    pen = Pen()
    eq, n = circuit.equation, counts(circuit)
    if drawn_as(circuit) != "every element":
        top = _blocks(pen, circuit)
    elif circuit.form == "parallel":
        top = schematic_parallel.draw(pen, circuit)
    else:
        top = schematic_series.draw(pen, circuit)
    head = f"{title + ': ' if title else ''}{circuit.form} form, {eq.units} units, {eq.activation}"
    state = "voltage at the rail of each unit" if circuit.form == "parallel" else "current in the loop of each unit"
    unit = engineering(circuit.levels.unit, "V" if circuit.form == "parallel" else "A")
    pen.text((0.0, top + 1.1), head, size=13, weight="bold")
    said = "" if drawn_as(circuit) == "every element" else f"  Drawn {drawn_as(circuit)}."
    time = engineering(circuit.seconds, "s")
    text = f"State: {state}; h = 1 is {unit}. One unit of the network's time is {time}.{said}"
    pen.text((0.0, top + 0.5), text, size=9)
    legend = [("passive", INK)]
    legend += [("negative resistor (active)", ACTIVE)] if n["active"] else []
    legend += [(f"gyrator ({n['gyrators']})", GYRATOR)] if n["gyrators"] else []
    legend += [("source", SOURCE)]
    x = 0.0
    for text, color in legend:
        pen.text((x, top + 0.0), text, color=color, size=9, weight="bold")
        x += 0.155 * len(text) + 0.5
    pen.save(*paths)


def _blocks(pen: Pen, circuit: Circuit) -> float:
    """One block for each kind of thing; returns the height of the title above it."""
    eq, n, parallel = circuit.equation, counts(circuit), circuit.form == "parallel"
    storage, one = ("F", "C") if parallel else ("H", "L")
    rows = [(0.0, 1), (-1.5, 2), (-4.5, eq.units)] if eq.units > 3 else [(-1.5 * k, k + 1) for k in range(eq.units)]
    bottom = rows[-1][0] - 0.5
    for y, k in rows:
        values = f"R = {engineering(_ohms(circuit)[k - 1], 'Ω')}, {one} = "
        pen.box(0.0, y - 0.5, 4.4, y + 0.5)
        pen.text((2.2, y + 0.18), f"unit {k}: R {'‖ C' if parallel else '– L'}", align="center", weight="bold")
        pen.text((2.2, y - 0.2), values + engineering(circuit.storage[k - 1], storage), align="center", size=7.5)
        pen.line((4.4, y), (9.0 if eq.linear else 5.6, y))
        if not eq.linear:
            pen.line((6.8, y), (9.0, y))
            pen.polygon((5.6, y), (6.8, y + 0.45), (6.8, y - 0.45))
            pen.text((6.4, y), "s", align="center", style="italic")
    if eq.units > 3:
        for x in (2.2, 6.4):
            pen.text((x, -3.0), "⋮", align="center", size=16)
    pen.box(9.0, bottom, 15.0, 0.5)
    middle = (bottom + 0.5) / 2.0
    low, high = value_range(circuit)
    lines = [
        f"{'admittance' if parallel else 'impedance'} {eq.units}-port",
        f"{n['couplings']} coupling resistors, {n['couplings_active']} of them negative",
        f"{n['shunts']} shunts, {n['shunts_active']} of them negative",
        f"{n['gyrators']} gyrators" if n["gyrators"] else "reciprocal: no gyrators",
        f"{n['input_resistors'] + n['bias_resistors']} source resistors",
        f"{engineering(low, 'Ω')} to {engineering(high, 'Ω')}",
    ]
    for i, text in enumerate(lines):
        y = middle + 0.5 * (len(lines) - 1) / 2.0 - 0.5 * i
        pen.text((12.0, y), text, align="center", weight="normal" if i else "bold", size=8.5 if i else 10)
    sources = [f"{eq.inputs} input{'s' if eq.inputs > 1 else ''}, ±x"] + (["constant 1"] if n["bias_resistors"] else [])
    for i, text in enumerate(sources):
        y = middle + (0.6 if len(sources) > 1 else 0.0) - 1.2 * i
        pen.line((15.0, y), (16.2, y), color=SOURCE)
        pen.box(16.2, y - 0.4, 19.2, y + 0.4, color=SOURCE)
        pen.text((17.7, y), text, align="center", color=SOURCE)
    pen.text((6.4, bottom - 0.4), "" if eq.linear else f"{eq.units} saturating amplifiers", align="center", color=PALE)
    return 1.4


def _ohms(circuit: Circuit) -> FloatArray:
    return np.asarray(1.0 / circuit.leak if circuit.form == "parallel" else circuit.leak)
