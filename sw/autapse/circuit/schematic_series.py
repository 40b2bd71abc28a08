"""The drawing of the series form: a horizontal loop for each unit, closed through ground; elements lie in it."""

from __future__ import annotations

from autapse.circuit.pen import ACTIVE, GYRATOR, INK, SOURCE, Pen
from autapse.circuit.schematic_parallel import pack
from autapse.circuit.synthesis import Circuit
from autapse.circuit.text import engineering

_ROW, _STEP, _WIDE = 3.6, 2.5, 1.8


def draw(pen: Pen, circuit: Circuit) -> float:
    """Draw; returns the height of the title above it."""
    p = circuit.nport
    n, m = p.inputs.shape
    heights = [-_ROW * k for k in range(n)]
    taken: list[list[float]] = [[] for _ in range(n)]  # where elements begin in each row
    x = 1.2
    for k, y in enumerate(heights):
        if p.shunt[k]:
            _inline(pen, x, y, p.shunt[k])
            taken[k].append(x)
    for source, values in [*((f"x{i + 1}", p.inputs[:, i]) for i in range(m)), ("1", p.bias)]:
        if not values.any():
            continue
        x += _STEP
        for k, y in enumerate(heights):
            if values[k]:
                _inline(pen, x, y, abs(float(values[k])))
                _source(pen, x, y, source, bool(values[k] > 0.0))
                taken[k].append(x)
    x += _STEP
    for matrix, pair in ((p.coupling, _transformer), (p.gyrator, _gyrator)):
        columns, placed = pack([(j, k) for j in range(n) for k in range(j + 1, n) if matrix[j, k]])
        for (j, k), column in placed:
            at = x + column * _STEP
            pair(pen, at, heights[j], heights[k], float(matrix[j, k]))
            taken[j].append(at)
            taken[k].append(at)
        x += columns * _STEP
    for k, y in enumerate(heights):
        _loop(pen, circuit, k, y, sorted(taken[k]), x)
    return 2.8


def _loop(pen: Pen, circuit: Circuit, k: int, y: float, taken: list[float], x: float) -> None:
    """The wires between the elements of row k, its amplifier, its one-port, and the way back to ground."""
    pen.text((-0.2, y + 0.5), f"unit {k + 1}", weight="bold", size=10)
    pen.text((-0.2, y - 1.0), f"i(0) = {engineering(circuit.initial[k], 'A')}", size=7.5)
    pen.ground((0.4, y))
    at = 0.4
    for start in taken:
        pen.line((at, y), (start, y))
        at = start + _WIDE
    if not circuit.equation.linear:
        pen.line((at, y), (x, y))
        pen.polygon((x, y + 0.6), (x, y - 0.6), (x + 1.4, y))
        pen.text((x + 0.47, y), circuit.equation.activation, align="center", size=6.5)
        pen.text((x + 0.7, y - 0.85), f"s = 1: {engineering(circuit.limit[k], 'V')}", align="center", size=7.5)
        at, x = x + 1.4, x + 2.0
    pen.line((at, y), (x, y))
    pen.inductor((x, y), (x + _WIDE, y))
    pen.text((x + _WIDE / 2.0, y - 0.5), engineering(circuit.storage[k], "H"), align="center")
    pen.resistor((x + _WIDE, y), (x + 2.0 * _WIDE, y))
    pen.text((x + 1.5 * _WIDE, y - 0.5), engineering(circuit.leak[k], "Ω"), align="center")
    pen.line((x + 2.0 * _WIDE, y), (x + 2.0 * _WIDE + 0.4, y))
    pen.ground((x + 2.0 * _WIDE + 0.4, y))


def _inline(pen: Pen, x: float, y: float, ohms: float) -> None:
    color = INK if ohms > 0.0 else ACTIVE
    pen.resistor((x, y), (x + _WIDE, y), color)
    pen.text((x + _WIDE / 2.0, y - 0.5), engineering(ohms, "Ω"), color, align="center")


def _source(pen: Pen, x: float, y: float, name: str, positive: bool) -> None:
    """A copy of the source current across a resistor."""
    left, right, top = (x + 0.1, y), (x + _WIDE - 0.1, y), y + 0.85
    ends = ((left[0], top), (right[0], top))
    pen.line(left, ends[0], color=SOURCE)
    pen.line(right, ends[1], color=SOURCE)
    pen.current_source(*(ends if positive else ends[::-1]))
    pen.dot(left)
    pen.dot(right)
    pen.text((x + _WIDE / 2.0, top + 0.62), name, SOURCE, align="center", weight="bold", size=9.5)


def _transformer(pen: Pen, x: float, upper: float, lower: float, ohms: float) -> None:
    """A resistor in the upper loop, with the primary across it; the secondary lies in the lower loop."""
    color = INK if ohms > 0.0 else ACTIVE
    pen.resistor((x, upper), (x + _WIDE, upper), color)
    pen.text((x + _WIDE / 2.0, upper + 0.45), engineering(ohms, "Ω"), color, align="center")
    below = upper - 0.85
    for end in (x + 0.15, x + _WIDE - 0.15):
        pen.dot((end, upper))
        pen.line((end, upper), (end, below))
    pen.inductor((x + 0.15, below), (x + _WIDE - 0.15, below))
    pen.inductor((x, lower), (x + _WIDE, lower))
    middle = x + _WIDE / 2.0
    pen.dashed((middle, below - 0.2), (middle, lower + 0.4), INK)
    pen.text((middle + 0.15, below - 0.6), "1:1", size=7.5)


def _gyrator(pen: Pen, x: float, upper: float, lower: float, ohms: float) -> None:
    """Half circles in both loops, facing each other; the arrow points to where the sign is kept."""
    middle = x + _WIDE / 2.0
    for y, side in ((upper, 1.0), (lower, -1.0)):
        pen.line((x, y), (middle - 0.45, y))
        pen.line((middle + 0.45, y), (x + _WIDE, y))
        pen.arc((middle - 0.45, y), (middle + 0.45, y), side)
    pen.dashed((middle, upper - 0.5), (middle, lower + 0.5), GYRATOR)
    reach = 0.45 if ohms > 0.0 else -0.45
    pen.arrow((middle + 0.25, upper - 1.2 + reach), (middle + 0.25, upper - 1.2 - reach), GYRATOR)
    pen.text((middle + 0.4, upper - 1.2), engineering(abs(ohms), "Ω"), GYRATOR)
