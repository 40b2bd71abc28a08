"""One network with its stimulus and what must be seen: the same claims in float, in fixed point, and in RTL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autapse.dynamics import RateODE
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.quantized import QuantizedNetwork

#: Names of the levels, in the order of the chain.
FLOAT, FIXED, RTL = "float", "fixed point", "RTL"


@dataclass(frozen=True)
class Claim:
    """A number that the readouts of a run must give.

    Attributes
    ----------
    words
        What it is.
    measure
        The number, from readouts (time, outputs).
    target
        What it must be: from a formula, not from a run.
    room
        How far it may be off in float: rounding, or what is left of a transient.
    fixed_room
        How far in fixed point and in RTL, derived from the formats.
    mark
        Step at whose end the target is a value of a readout, for the picture; None for other numbers.
    """

    words: str
    measure: Callable[[FloatArray], float]
    target: float
    room: float
    fixed_room: float
    mark: int | None = None


@dataclass(frozen=True)
class Finding:
    """A claim at one level: the value, how far it may be off, and whether it is not further."""

    claim: Claim
    level: str
    value: float
    room: float

    @property
    def holds(self) -> bool:
        """Whether the value is where the claim puts it."""
        return bool(abs(self.value - self.claim.target) <= self.room)


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A network of the zoo, ready to be run.

    Attributes
    ----------
    name, formula
        As in ``autapse zoo``.
    system
        The rate equation, of which :attr:`net` is the Euler step `dt`; or the network itself, with dt = 1.
    q
        Its quantised self.
    x
        Stimulus, (time, inputs).
    claims
        What must be seen in z.
    """

    name: str
    formula: str
    system: RateODE | Network
    dt: float
    q: QuantizedNetwork
    x: FloatArray
    claims: tuple[Claim, ...] = field(repr=False)

    @property
    def net(self) -> Network:
        """The float network."""
        return self.q.network

    def runs(self, rtl: FloatArray | None = None) -> dict[str, FloatArray]:
        """Readouts (time, outputs) of float and fixed point; of the RTL too where they are given."""
        runs = {FLOAT: self.net.run(self.x).z, FIXED: self.q.run(self.x).z}
        return runs if rtl is None else {**runs, RTL: rtl}

    def findings(self, runs: Mapping[str, FloatArray]) -> list[Finding]:
        """All claims at all levels of `runs`."""
        return [
            Finding(claim, level, float(claim.measure(z)), claim.room if level == FLOAT else claim.fixed_room)
            for claim in self.claims
            for level, z in runs.items()
        ]


def table(findings: list[Finding]) -> list[dict[str, Any]]:
    """The findings as plain data: one entry for each claim, with the levels in it."""
    rows: dict[str, dict[str, Any]] = {}
    for found in findings:
        row = rows.setdefault(found.claim.words, {"claim": found.claim.words, "target": float(found.claim.target)})
        row[found.level] = {"value": found.value, "room": float(found.room), "holds": found.holds}
    return list(rows.values())


def told(findings: Sequence[Finding]) -> list[str]:
    """One line for each claim, with what the levels gave and how far they may be off."""
    lines: dict[str, str] = {}
    for f in findings:
        before = lines.get(f.claim.words, f"{f.claim.words}: {f.claim.target:.6g}; ")
        level = f"{f.level} {f.value:.6g} (±{f.room:.1g})" + ("" if f.holds else " NOT SO")
        lines[f.claim.words] = before + ("" if before.endswith("; ") else ", ") + level
    return list(lines.values())
