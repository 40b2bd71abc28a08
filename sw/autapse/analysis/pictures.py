"""The pictures of an analysis: float left, quantised right. matplotlib is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autapse.analysis.changes import match
from autapse.analysis.numbers import principal, shown
from autapse.plots import new_figure

if TYPE_CHECKING:
    from autapse.analysis import Analysis

_FLOAT, _FIXED, _GREY = "#1d4ed8", "#c2410c", "#8a8f98"
_COLOURS = (_FLOAT, _FIXED)
_KINDS = {"stable": "#15803d", "saddle": "#d97706", "unstable": "#b91c1c", "marginal": "#7c3aed", "slow": _GREY}
_MARKS = {"stable": "o", "saddle": "D", "unstable": "X", "marginal": "s", "slow": "."}


def save(figure: Any, folder: Path, name: str, dpi: int = 120) -> list[str]:
    """Write a figure as PNG and as SVG, cut to what is drawn; returns the names of the files."""
    files = [f"{name}.png", f"{name}.svg"]
    for file in files:
        figure.savefig(folder / file, dpi=dpi, bbox_inches="tight", pad_inches=0.1)
    return files


def unit_circle(axis: Any) -> None:
    """The unit circle and the axes of the complex plane."""
    angle = np.linspace(0, 2 * np.pi, 400)
    axis.plot(np.cos(angle), np.sin(angle), color="#444", lw=1)
    axis.axhline(0, color="#bbb", lw=0.6, zorder=0)
    axis.axvline(0, color="#bbb", lw=0.6, zorder=0)
    axis.set_aspect("equal")
    axis.set_xlabel("Re l")
    axis.grid(alpha=0.15)


def eigenvalues(a: Analysis) -> Any:
    """The spectrum of a step against the unit circle; on the right with lines from where the values came."""
    figure = new_figure(10, 5.2)
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for axis, side, colour in zip(axes, a.sides, _COLOURS, strict=True):
        unit_circle(axis)
        if side is a.fixed_side:
            came = a.float_side.values
            for start, end in zip(came, match(came, side.values), strict=True):
                axis.plot([start.real, end.real], [start.imag, end.imag], color=_GREY, lw=1)
            axis.plot(came.real, came.imag, "o", ms=4, mfc="none", mec=_GREY, mew=0.8, label="float")
        axis.plot(side.values.real, side.values.imag, "o", ms=4.5, color=colour, alpha=0.85, label=side.name)
        v = side.mode.value
        axis.plot([v.real, v.real], [v.imag, -v.imag], "o", ms=12, mfc="none", mec=colour, mew=1.4)
        axis.set_title(f"{side.name}: dominant {shown(v)}, |l| = {abs(v):.4f}", fontsize=10)
        axis.legend(loc="lower left", fontsize=8)
    axes[0].set_ylabel("Im l")
    return figure


def fixed_points(a: Analysis) -> Any:
    """Above: fixed points among the states of the run, in two principal components. Below: their Jacobians' spectra."""
    figure = new_figure(10, 9.4)
    axes = figure.subplots(2, 2, sharex="row", sharey="row")
    points = [p.h for side in a.sides for p in side.points]
    cloud = a.float_side.h.reshape(-1, a.q.units)
    mean, rows, _ = principal(np.concatenate([cloud, *(p[None] for p in points)]), 2)
    for column, side in enumerate(a.sides):
        axis = axes[0, column]
        path = (side.h - mean) @ rows.T
        for trial in path:
            axis.plot(trial[:, 0], trial[:, 1], color=_GREY, lw=0.5, alpha=0.4, zorder=0)
        counts = side.kinds()
        for kind, colour in _KINDS.items():
            chosen = [p.h for p in side.points if ("slow" if p.slow else p.kind) == kind]
            if chosen:
                place = (np.array(chosen) - mean) @ rows.T
                label = f"{kind}: {counts[kind]}"
                axis.scatter(*place.T, s=42, c=colour, marker=_MARKS[kind], label=label, edgecolors="w", lw=0.6)
        axis.set_title(f"{side.name}, fixed points: {len(side.fixed)}", fontsize=10)
        axis.set_xlabel("component 1")
        axis.grid(alpha=0.15)
        if side.points:
            axis.legend(fontsize=8)
        below = axes[1, column]
        unit_circle(below)
        for point in side.points:
            kind = "slow" if point.slow else point.kind
            values = point.eigenvalues
            below.plot(values.real, values.imag, _MARKS[kind], ms=3.5, color=_KINDS[kind], alpha=0.6, mew=0)
        below.set_title("eigenvalues of the Jacobian at each of them", fontsize=10)
    axes[0, 0].set_ylabel("component 2")
    axes[1, 0].set_ylabel("Im l")
    return figure


def weights(a: Analysis) -> Any:
    """How the weights are distributed."""
    figure = new_figure(10, 3.6)
    axes = figure.subplots(1, 3)
    for axis, name in zip(axes, ("W", "W_in", "W_out"), strict=True):
        one, two = (getattr(side.net, name).ravel() for side in a.sides)
        low, high = min(one.min(), two.min()), max(one.max(), two.max())
        room = 0.03 * (high - low) or 0.5
        bins = np.linspace(low - room, high + room, int(np.clip(np.sqrt(one.size), 8, 50)) + 1)
        axis.hist(one, bins=bins.tolist(), color=_FLOAT, alpha=0.35, label="float")
        axis.hist(two, bins=bins.tolist(), histtype="step", color=_FIXED, lw=1.5, label="quantised")
        step = getattr(a.q.formats, name)
        codes = len(np.unique(two))
        axis.set_title(f"{name}, {one.size} weights, {codes} values\nin steps of {step.ulp:g}", fontsize=10)
        axis.set_xlabel("weight")
    axes[0].set_ylabel("count")
    axes[0].legend(fontsize=8)
    return figure


def connectivity(a: Analysis) -> Any:
    """W as an image: float, quantised, difference."""
    figure = new_figure(11, 4)
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    one, two = a.float_side.net.W, a.fixed_side.net.W
    names = "W, float", "W, quantised", "difference"
    for axis, image, name in zip(axes, (one, two, two - one), names, strict=True):
        top = float(np.abs(image).max()) or 1.0
        drawn = axis.imshow(image, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
        figure.colorbar(drawn, ax=axis, shrink=0.8)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("from unit")
    axes[0].set_ylabel("to unit")
    return figure


def trajectories(a: Analysis) -> Any:
    """The run in the principal components of the float states, in two and in three dimensions."""
    figure = new_figure(10, 9.2)
    mean, rows, shares = principal(a.float_side.h)
    paths = [(side.h - mean) @ rows.T for side in a.sides]
    ends = [(float(np.min(v)), float(np.max(v))) for v in np.moveaxis(np.concatenate(paths), -1, 0)]
    trials = min(8, len(a.x))
    from matplotlib import colormaps

    colours = colormaps["viridis"](np.linspace(0.0, 0.9, trials))
    for column, (side, path) in enumerate(zip(a.sides, paths, strict=True)):
        flat = figure.add_subplot(2, 2, column + 1)
        deep = figure.add_subplot(2, 2, column + 3, projection="3d")
        for k in range(trials):
            flat.plot(path[k, :, 0], path[k, :, 1], lw=0.9, color=colours[k], alpha=0.85)
            flat.plot(path[k, -1, 0], path[k, -1, 1], "o", ms=5, color=colours[k])
            deep.plot(*path[k].T, lw=0.9, color=colours[k], alpha=0.85)
        for name, low, high in zip("xyz", *zip(*ends, strict=True), strict=True):
            room = 0.05 * (high - low) or 1.0
            deep.set(**{f"{name}lim": (low - room, high + room)})
            if name != "z":
                flat.set(**{f"{name}lim": (low - room, high + room)})
        labels = [f"component {k + 1} ({100 * shares[k]:.0f} %)" for k in range(3)]
        flat.set(xlabel=labels[0], ylabel=labels[1])
        flat.set_title(f"{side.name}: {trials} trials, each ends at its dot", fontsize=10)
        flat.grid(alpha=0.15)
        deep.set(xlabel=labels[0], ylabel=labels[1], zlabel=labels[2])
        deep.set_box_aspect(None, zoom=0.82)
    return figure


def activity(a: Analysis) -> Any:
    """One trial: inputs, every unit over time in both, and the readouts."""
    figure = new_figure(11, 8)
    grid = figure.subplots(3, 2, sharex=True, height_ratios=[1, 2.6, 1.2])
    top = max(float(np.abs(side.h[0]).max()) for side in a.sides) or 1.0
    order = np.argsort(a.float_side.h[0].argmax(axis=0), kind="stable")
    for column, side in enumerate(a.sides):
        above, middle, below = grid[:, column]
        above.plot(a.x[0], lw=0.9)
        above.set_title(side.name, fontsize=10)
        drawn = middle.imshow(
            side.h[0][:, order].T, aspect="auto", cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest"
        )
        below.plot(side.z[0], lw=1)
        below.set_xlabel("step")
        below.sharey(grid[2, 0])
    figure.colorbar(drawn, ax=grid.ravel().tolist(), shrink=0.5, label="state")
    for axis, label in zip(grid[:, 0], ("input", "unit, by the time of its peak", "readout"), strict=True):
        axis.set_ylabel(label)
    return figure


#: Name of the file, and what draws it.
PICTURES: dict[str, Callable[[Any], Any]] = {
    "eigenvalues": eigenvalues,
    "fixed_points": fixed_points,
    "weights": weights,
    "connectivity": connectivity,
    "trajectories": trajectories,
    "activity": activity,
}
