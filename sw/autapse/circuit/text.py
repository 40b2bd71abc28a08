"""Values as an engineer writes them."""

from __future__ import annotations

import math

import numpy as np

from autapse.circuit.synthesis import Circuit

_PREFIX = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def engineering(value: float, unit: str) -> str:
    """Three digits and a prefix: ``15.8 kΩ``."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    short = float(f"{value:.3g}")
    power = min(12, max(-15, 3 * math.floor(math.log10(abs(short)) / 3.0 + 1e-12)))
    return f"{short / 10.0**power:.3g} {_PREFIX[power]}{unit}".replace("-", "−")


def value_range(circuit: Circuit) -> tuple[float, float]:
    """The smallest and the largest resistance of the circuit in ohms, without sign; gyrators count with theirs."""
    p = circuit.nport
    values = np.abs(np.concatenate([np.ravel(a) for a in (circuit.leak, *vars(p).values())]))
    values = values[values > 0.0]
    ohms = 1.0 / values if circuit.form == "parallel" else values
    return float(ohms.min()), float(ohms.max())
