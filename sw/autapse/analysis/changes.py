"""What quantisation moved, and the words for it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autapse.analysis.numbers import Side, principal, shown
from autapse.dynamics.linear import ComplexArray
from autapse.fixed import FloatArray
from autapse.quantized import QuantizedNetwork


@dataclass(frozen=True)
class Change:
    """One quantity before and after.

    Attributes
    ----------
    name
        What it is.
    before, after
        Its values; None for one that is infinite.
    relative
        |after - before| relative to what it is measured against: its rank.
    words
        A sentence.
    """

    name: str
    before: float | None
    after: float | None
    relative: float
    words: str

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def changes(one: Side, two: Side, q: QuantizedNetwork) -> list[Change]:
    """All quantities, that which moved most first."""
    found = [
        _scalar("modulus of the dominant eigenvalue", abs(one.mode.value), abs(two.mode.value)),
        _scalar("time constant of the dominant mode", one.mode.time_constant, two.mode.time_constant, "steps"),
        _scalar("frequency of the dominant mode", one.mode.cycles_per_step, two.mode.cycles_per_step, "cycles a step"),
        _count("eigenvalues outside the unit circle", _outside(one.values), _outside(two.values)),
        *(
            _count(f"{kind} fixed points" if kind != "slow" else "slow points", one.kinds()[kind], two.kinds()[kind])
            for kind in one.kinds()
        ),
        _spectrum(one.values, two.values),
        *_points(one, two),
        *_weights(one, two),
        *(
            _run(name, getattr(one, attribute), getattr(two, attribute))
            for name, attribute in (("state", "h"), ("readout", "z"))
        ),
        _scalar(
            "share of the variance in three principal components",
            float(principal(one.h)[2].sum()),
            float(principal(two.h)[2].sum()),
        ),
    ]
    return sorted((c for c in found if c is not None), key=lambda c: -c.relative)


def match(one: ComplexArray, two: ComplexArray) -> ComplexArray:
    """`two` in the order in which its values lie nearest to those of `one`, closest pairs first."""
    distance = np.abs(one[:, None] - two[None, :])
    result = np.empty_like(one)
    for _ in range(len(one)):
        i, j = np.unravel_index(int(np.argmin(distance)), distance.shape)
        result[i] = two[j]
        distance[i, :] = distance[:, j] = np.inf
    return result


def percent(share: float) -> str:
    """A share for people, with two digits."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def _scalar(name: str, before: float, after: float, unit: str = "") -> Change | None:
    unit = f" {unit}" if unit else ""
    if not (math.isfinite(before) and math.isfinite(after)):
        if before == after:
            return None
        words = f"The {name} went from {before:.4g}{unit} to {after:.4g}{unit}."
        values = (before if math.isfinite(before) else None, after if math.isfinite(after) else None)
        return Change(name, *values, 1.0, words)
    moved = after - before
    if abs(moved) <= 1e-12 * max(abs(before), 1.0):
        return Change(name, before, after, 0.0, f"The {name} stayed at {before:.4g}{unit}.")
    relative = abs(moved) / abs(before) if before else 1.0
    share = f" ({'+' if moved > 0 else '-'}{percent(relative)})" if before else ""
    return Change(name, before, after, relative, f"The {name} went from {before:.5g} to {after:.5g}{unit}{share}.")


def _count(name: str, before: int, after: int) -> Change | None:
    if before == after:
        return None if before == 0 else Change(name, before, after, 0.0, f"There are still {before} {name}.")
    relative = abs(after - before) / max(before, after)
    return Change(name, before, after, relative, f"There were {before} {name}, and there are {after} now.")


def _outside(values: ComplexArray) -> int:
    return int(np.count_nonzero(np.abs(values) > 1.0))


def _spectrum(one: ComplexArray, two: ComplexArray) -> Change:
    paired = match(one, two)
    moves = np.abs(paired - one)
    k = int(np.argmax(moves))
    largest = float(moves[k])
    words = (
        f"The eigenvalue that moved furthest is {shown(one[k])}: by {largest:.2g}, to {shown(paired[k])} (half of "
        f"all moved less than {float(np.median(moves)):.2g})."
    )
    return Change("largest move of an eigenvalue", 0.0, largest, largest / max(float(np.abs(one).max()), 1e-12), words)


def _points(one: Side, two: Side) -> list[Change]:
    if not one.fixed or not two.fixed:
        return []
    a, b = np.array([p.h for p in one.fixed]), np.array([p.h for p in two.fixed])
    distance = np.max(np.abs(a[:, None] - b[None]), axis=2)
    nearest = distance.min(axis=1)
    k = int(np.argmax(nearest))
    scale = float(np.abs(a).max()) or 1.0
    kept = sum(one.fixed[i].kind == two.fixed[int(j)].kind for i, j in enumerate(distance.argmin(axis=1)))
    words = (
        f"Of the fixed points, one of kind {one.fixed[k].kind} moved furthest: the nearest is now "
        f"{float(nearest[k]):.2g} away in some unit. {kept} of {len(a)} have the kind of the one nearest to them now."
    )
    return [Change("largest move of a fixed point", 0.0, float(nearest[k]), float(nearest[k]) / scale, words)]


def _weights(one: Side, two: Side) -> list[Change]:
    result = []
    for name in ("W", "W_in", "W_out"):
        before, after = getattr(one.net, name), getattr(two.net, name)
        size = _rms(before)
        if size == 0.0:
            continue
        error = _rms(after - before)
        vanished = int(np.count_nonzero((after == 0) & (before != 0)))
        words = f"{name} has a rounding error of {percent(error / size)} of its size (rms)"
        words += f"; {vanished} of {before.size} weights became 0." if vanished else "; no weight became 0."
        result.append(Change(f"rounding error of {name}", 0.0, error, error / size, words))
    return result


def _run(name: str, before: FloatArray, after: FloatArray) -> Change:
    error, size = _rms(after - before), _rms(before - before.mean(axis=(0, 1)))
    relative = error / size if size else 0.0
    words = f"On the stimulus, the {name} of the integer model differs by {error:.2g} (rms), "
    words += f"{percent(relative)} of its own deviation."
    return Change(f"difference of the {name}", 0.0, error, relative, words)


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
