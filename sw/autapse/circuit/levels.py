"""From the numbers of a network to volts, amperes, seconds, ohms: the scales of a practical circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from autapse.circuit.eseries import nearest
from autapse.fixed import FloatArray

#: ``parallel``: R || C one-ports, the state is a voltage. ``series``: R - L one-ports, the state is a current.
Form = Literal["parallel", "series"]


@dataclass(frozen=True)
class Levels:
    """The scales of a circuit.

    Attributes
    ----------
    impedance
        Ohms: about the size of the one-port of a unit with the mean time constant.
    time
        Seconds: about the time constant that the (geometric) mean of tau becomes. One unit of the network's time
        becomes a power of ten of seconds.
    unit
        What h = 1 and x = 1 become: volts (parallel form) or amperes (series form).
    storage
        ``equal``: all capacitors (inductors) have one value, so that a symmetric W gives a reciprocal n-port.
        ``reciprocal``: they are chosen so that W becomes reciprocal, where a diagonal D > 0 with D W symmetric exists.
    """

    impedance: float = 10e3
    time: float = 1e-3
    unit: float = 1.0
    storage: Literal["equal", "reciprocal"] = "equal"

    def __post_init__(self) -> None:
        for name in ("impedance", "time", "unit"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0.0 < value < float("inf")):
                raise ValueError(f"{name} of the levels must be positive and finite, not {value!r}")
        if self.storage not in ("equal", "reciprocal"):
            raise ValueError(f"storage of the levels must be equal or reciprocal, not {self.storage!r}")

    def seconds(self, tau: FloatArray) -> float:
        """Seconds of one unit of the network's time."""
        return float(10.0 ** np.round(np.log10(self.time) - np.mean(np.log10(tau))))

    def storage_value(self, form: Form, tau: FloatArray) -> float:
        """Farads or henries of the mean one-port: a value of the E6 series."""
        mean = self.seconds(tau) * float(np.exp(np.mean(np.log(tau))))
        return float(nearest(mean / self.impedance if form == "parallel" else mean * self.impedance, "E6"))


#: 100 nF, 10 kΩ and 1 V: values of op-amp circuits; tau of about 1 ms.
PARALLEL = Levels()
#: 10 mH, 1 kΩ and 1 mA; ten times 1 ms would need inductors of henries, so tau is of about 10 µs.
SERIES = Levels(impedance=1e3, time=10e-6, unit=1e-3)


def default_levels(form: Form) -> Levels:
    """The documented levels of a form."""
    return PARALLEL if form == "parallel" else SERIES
