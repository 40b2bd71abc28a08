"""The list of components, by the names that they have in the netlist."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from autapse.circuit.synthesis import Circuit
from autapse.circuit.tolerance import round_values


@dataclass(frozen=True)
class Component:
    """One component: farads, henries or ohms. A gyrator has a gyration resistance, whose sign is its orientation."""

    name: str
    kind: str
    joins: str
    value: float
    unit: str

    @property
    def active(self) -> bool:
        """Whether it is a negative resistor."""
        return self.kind in ("coupling", "shunt") and self.value < 0.0


def components(circuit: Circuit) -> Iterator[Component]:
    """Every component but the amplifiers and the sources."""
    p, parallel = circuit.nport, circuit.form == "parallel"
    n, m = p.inputs.shape
    letter, unit = ("c", "F") if parallel else ("l", "H")

    def ohms(value: float) -> float:
        return 1.0 / value if parallel else value

    for k in range(n):
        at = f"unit {k + 1}"
        yield Component(f"unit{k + 1}.{letter}1", "storage", at, float(circuit.storage[k]), unit)
        yield Component(f"unit{k + 1}.r1", "leak", at, ohms(float(circuit.leak[k])), "Ω")
    for k in range(n):
        if p.shunt[k]:
            yield Component(f"rs{k + 1}", "shunt", f"unit {k + 1}", ohms(float(p.shunt[k])), "Ω")
        for i in range(m):
            if p.inputs[k, i]:
                sign = "" if p.inputs[k, i] > 0.0 else "-"
                name, joins = f"rx{i + 1}_{k + 1}", f"{sign}x{i + 1} unit {k + 1}"
                yield Component(name, "input", joins, ohms(abs(float(p.inputs[k, i]))), "Ω")
        if p.bias[k]:
            sign = "" if p.bias[k] > 0.0 else "-"
            yield Component(f"rone_{k + 1}", "bias", f"{sign}1 unit {k + 1}", ohms(abs(float(p.bias[k]))), "Ω")
        for j in range(k + 1, n):
            joins, tag = f"unit {k + 1} unit {j + 1}", f"{k + 1}_{j + 1}"
            if p.coupling[k, j]:
                yield Component(f"rc{tag}", "coupling", joins, ohms(float(p.coupling[k, j])), "Ω")
            if p.gyrator[k, j]:
                yield Component(f"g{tag}", "gyrator", joins, ohms(float(p.gyrator[k, j])), "Ω")


def component_table(circuit: Circuit) -> str:
    """The components as CSV, with their exact and their preferred values."""
    rounded = {s: {c.name: c.value for c in components(round_values(circuit, s))} for s in ("E24", "E96")}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["name", "kind", "joins", "unit", "exact", "E24", "E96", "active"])
    for c in components(circuit):
        values = [rounded[s].get(c.name, "") for s in rounded]  # a shunt may become so small that it is left out
        rows.writerow([c.name, c.kind, c.joins, c.unit, c.value, *values, "active" if c.active else ""])
    return text.getvalue()
