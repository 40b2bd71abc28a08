"""The picture of one exhibit: its stimulus, its readouts at every level, and what was claimed of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.plots import new_figure
from autapse.zoo.exhibits import FIXED, FLOAT, RTL, Exhibit, Finding, told

_COLOURS = ("#1d4ed8", "#c2410c", "#15803d", "#7c3aed", "#0e7490", "#a16207")
_LINES = 4  # inputs that are drawn as lines; more are an image
_SHARED = 4  # outputs that share an axis; more stand one above the other


def portrait(shown: Exhibit, runs: Mapping[str, FloatArray], findings: Sequence[Finding]) -> Any:
    """Draw `runs`, readouts (time, outputs) by level, and write the findings below. Needs matplotlib."""
    lines = told(findings)
    figure = new_figure(9.5, 5.2 + 0.19 * len(lines))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.0, 2.6))
    steps = len(shown.x)
    t = shown.dt * np.arange(steps + 1, dtype=np.float64)
    if shown.x.shape[1] <= _LINES:
        for k, column in enumerate(shown.x.T):
            above.step(t, np.append(column, column[-1]), where="post", color=_COLOURS[k], lw=1.2)
        above.set_ylabel("inputs")
        _with_zero(above)
    else:
        top = float(np.abs(shown.x).max()) or 1.0
        extent = (0.0, t[-1], shown.x.shape[1] + 0.5, 0.5)
        above.imshow(shown.x.T, aspect="auto", cmap="RdBu_r", vmin=-top, vmax=top, extent=extent, interpolation="none")
        above.set_ylabel("input, number")
    gap = _readouts(below, t, runs, shown)
    for step, target in {(f.claim.mark, f.claim.target) for f in findings if f.claim.mark is not None and not gap}:
        below.plot(t[step + 1], target, "+", color="k", ms=13, mew=1.4, zorder=5)
    below.set_xlabel("step" if shown.dt == 1.0 else "time / tau")
    if gap:
        below.set(ylabel="readouts z, one above the other", yticks=[])
    else:
        below.set_ylabel("readout z")
        _with_zero(below)
    below.set_xlim(0.0, t[-1] * 1.015)
    bits = f"{shown.q.formats.W.bits}-bit weights, {shown.q.formats.h.bits}-bit state"
    above.set_title(f"{shown.name}, {bits}\n{shown.formula}", loc="left", fontsize=9.5)
    for axis in (above, below):
        axis.grid(alpha=0.2)
    figure.supxlabel("\n".join(lines), x=0.012, ha="left", fontsize=8.5, linespacing=1.4)
    return figure


def _readouts(axis: Any, t: FloatArray, runs: Mapping[str, FloatArray], shown: Exhibit) -> float:
    """Draw the levels over each other; returns the gap between outputs, 0 where they share an axis."""
    net = shown.net
    start = net.W_out @ net.h0 + net.b_out
    drawn = min(net.outputs, len(_COLOURS))
    tops = [float(np.ptp(z)) for z in runs.values()]
    gap = 1.15 * max(tops) if net.outputs > _SHARED else 0.0
    every = max(1, len(t) // 50)
    looks: dict[str, dict[str, Any]] = {
        FLOAT: {"lw": 4.5, "alpha": 0.3},
        FIXED: {"lw": 1.2},
        RTL: {"ls": "none", "marker": "o", "ms": 4, "mfc": "none", "mew": 0.9},
    }
    for level, z in runs.items():
        begun = level != RTL  # the circuit sends no readout before its first step
        steps, values = (t, np.vstack([start, z])) if begun else (t[1::every], z[::every])
        for k in range(drawn):
            axis.plot(steps, values[:, k] + gap * (drawn - 1 - k), color=_COLOURS[k], **looks[level])
        axis.plot([], [], color="#444", label=level, **looks[level])
    if not gap:
        axis.plot([], [], "+", color="k", ms=10, mew=1.4, label="claimed")
    axis.legend(fontsize=8, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, borderaxespad=0.1)
    if drawn < net.outputs:
        axis.text(0.005, 1.02, f"{drawn} of {net.outputs} outputs", transform=axis.transAxes, fontsize=8)
    return gap


def _with_zero(axis: Any) -> None:
    """Let the axis hold 0, with some room, so that a constant is not a line without a scale."""
    low, high = axis.dataLim.intervaly
    low, high = min(low, 0.0), max(high, 0.0)
    room = 0.06 * (high - low) or 0.1
    axis.set_ylim(low - room, high + room)
