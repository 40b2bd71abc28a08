"""The drawing of the parallel form: a horizontal rail for each unit, elements between rails and below them."""

from __future__ import annotations

from collections.abc import Sequence

from autapse.circuit.pen import ACTIVE, GYRATOR, INK, SOURCE, Pen
from autapse.circuit.synthesis import Circuit
from autapse.circuit.text import engineering

_ROW, _STEP, _HANG = 3.9, 2.3, 1.5


def draw(pen: Pen, circuit: Circuit) -> float:
    """Draw; returns the height of the title above it."""
    eq, p = circuit.equation, circuit.nport
    n, m = p.inputs.shape
    heights = [-_ROW * k for k in range(n)]
    hang = 1 + m + int(p.bias.any())
    first = 5.0 if eq.linear else 7.6  # where the n-port begins
    columns, pairs = pack([(j, k) for j in range(n) for k in range(j + 1, n) if p.coupling[j, k]])
    _, gyrators = pack([(j, k) for j in range(n) for k in range(j + 1, n) if p.gyrator[j, k]])
    start = first + hang * _STEP + 0.2
    end = [start - 0.6] * n
    for (j, k), column in pairs:
        x = start + column * _STEP
        color = INK if p.coupling[j, k] > 0.0 else ACTIVE
        _between(pen, x, heights[j], heights[k], color)
        pen.resistor((x, heights[j]), (x, heights[j] - _ROW), color)
        pen.text((x + 0.4, heights[j] - _ROW / 2.0), engineering(1.0 / p.coupling[j, k], "Ω"), color)
        end[j], end[k] = max(end[j], x), max(end[k], x)
    start += columns * _STEP
    for (j, k), column in gyrators:
        x = start + column * _STEP
        _between(pen, x, heights[j], heights[k], GYRATOR)
        _gyrator(pen, x, heights[j], 1.0 / p.gyrator[j, k])
        end[j], end[k] = max(end[j], x), max(end[k], x)
    for k, y in enumerate(heights):
        _one_port(pen, circuit, k, y)
        if eq.linear:
            pen.line((0.4, y), (end[k], y))
        else:
            pen.line((0.4, y), (4.9, y))
            pen.line((6.3, y), (end[k], y))
            pen.polygon((4.9, y), (6.3, y + 0.6), (6.3, y - 0.6))
            pen.text((5.83, y), eq.activation, align="center", size=6.5)
            pen.text((5.6, y - 0.85), f"s = 1: {engineering(circuit.limit[k], 'A')}", align="center", size=7.5)
        x = first
        _hanging(pen, x, y, p.shunt[k], "")
        for source, values in [*((f"x{i + 1}", p.inputs[:, i]) for i in range(m)), ("1", p.bias)]:
            if values.any():
                x += _STEP
                _hanging(pen, x, y, abs(float(values[k])), source if values[k] > 0.0 else f"−{source}")
    return 1.9


def pack(pairs: Sequence[tuple[int, int]]) -> tuple[int, list[tuple[tuple[int, int], int]]]:
    """Put intervals of rails into as few columns as they need without overlap; the number, and each one's column."""
    ends: list[int] = []
    placed = []
    for j, k in sorted(pairs):
        free = [c for c, end in enumerate(ends) if end < j]
        column = free[0] if free else len(ends)
        if not free:
            ends.append(k)
        ends[column] = k
        placed.append(((j, k), column))
    return len(ends), placed


def _one_port(pen: Pen, circuit: Circuit, k: int, y: float) -> None:
    pen.text((0.4, y + 0.45), f"unit {k + 1}", weight="bold", size=10)
    pen.text((1.9, y + 0.43), f"v(0) = {engineering(circuit.initial[k], 'V')}", size=7.5)
    pen.dot((0.4, y))
    for x, kind, value in (
        (0.9, pen.capacitor, engineering(circuit.storage[k], "F")),
        (2.9, pen.resistor, engineering(1.0 / circuit.leak[k], "Ω")),
    ):
        pen.dot((x, y))
        kind((x, y), (x, y - _HANG))
        pen.ground((x, y - _HANG))
        pen.text((x + 0.38, y - _HANG / 2.0), value)


def _hanging(pen: Pen, x: float, y: float, admittance: float, source: str) -> None:
    """A resistor below a rail, to ground or to the terminal of a source."""
    if not admittance:
        return
    color = INK if admittance > 0.0 else ACTIVE
    pen.dot((x, y))
    pen.resistor((x, y), (x, y - _HANG), color)
    pen.text((x + 0.38, y - _HANG / 2.0), engineering(1.0 / admittance, "Ω"), color)
    if source:
        pen.dot((x, y - _HANG), SOURCE)
        pen.text((x, y - _HANG - 0.35), source, SOURCE, align="center", weight="bold", size=9.5)
    else:
        pen.ground((x, y - _HANG))


def _between(pen: Pen, x: float, upper: float, lower: float, color: str) -> None:
    """The joints of an element between two rails, and its wire past the rails in between."""
    pen.dot((x, upper))
    pen.dot((x, lower))
    pen.line((x, upper - _ROW), (x, lower), color=color)


def _gyrator(pen: Pen, x: float, y: float, ohms: float) -> None:
    """Two half circles back to back in the wire below a rail; the arrow points to where the sign is kept."""
    middle = y - _ROW / 2.0
    pen.line((x, y), (x, middle + 0.1), color=GYRATOR)
    pen.line((x, middle - 0.1), (x, y - _ROW), color=GYRATOR)
    for side in (1.0, -1.0):  # each half is a port, with the common node as its other terminal
        top = middle + side * 0.55
        pen.arc((x - 0.45, top), (x + 0.45, top), side)
    reach = 0.45 if ohms > 0.0 else -0.45
    pen.arrow((x + 0.6, middle + reach), (x + 0.6, middle - reach), GYRATOR)
    pen.text((x + 0.75, middle), engineering(abs(ohms), "Ω"), GYRATOR)
