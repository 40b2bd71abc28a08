"""Which designs are not beaten by any other, and the pictures that show it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.files import write_beside
from autapse.fixed import FloatArray
from autapse.plots import new_figure
from autapse_boards.sweep.table import Row

_COLOURS = ("#1d4ed8", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#0e7490", "#be123c", "#4d7c0f")

_Figure = tuple[str, Callable[[Row], float], bool]  # name, value, whether more is better


def front(values: FloatArray) -> NDArray[np.bool_]:
    """Which rows of `values`, (designs, figures), no other row beats, (designs,).

    A row beats another if it is as large in every figure and larger in one.
    """
    no_less = (values[:, None, :] >= values[None, :, :]).all(axis=2)
    more = (values[:, None, :] > values[None, :, :]).any(axis=2)
    return np.asarray(~(no_less & more).any(axis=0))


def with_front(rows: Sequence[Row]) -> list[Row]:
    """The rows with their column `front`; each network has a front of its own."""
    marked = list(rows)
    for network in dict.fromkeys(row.network for row in rows):
        chosen = [k for k, row in enumerate(rows) if row.network == network and row.refused is None]
        if chosen:
            figures = [(rows[k].quality, rows[k].steps_per_second or 0.0, -(rows[k].logic or 0)) for k in chosen]
            for k, best in zip(chosen, front(np.array(figures)), strict=True):
                marked[k] = replace(rows[k], front=bool(best))
    return marked


def draw(rows: Sequence[Row], folder: Path) -> None:
    """Write ``pareto.png`` and ``pareto.svg``, each whole or not at all."""
    drawn = figure(rows)
    for kind in ("png", "svg"):
        with write_beside(folder / f"pareto.{kind}") as file:
            drawn.savefig(file, format=kind, dpi=120, bbox_inches="tight", pad_inches=0.1)


def figure(rows: Sequence[Row]) -> Any:
    """Score, steps/s, clock and logic against each other: a line of panels for each network, a colour for each board.

    The designs that no other beats in the two figures of a panel have a ring, and a line joins them. Needs matplotlib.
    """
    there = [row for row in rows if row.refused is None]
    networks = list(dict.fromkeys(row.network for row in there))
    boards = list(dict.fromkeys(row.board for row in there))
    colours = dict(zip(boards, itertools.cycle(_COLOURS), strict=False))
    drawn = new_figure(14.0, 0.8 + 3.1 * max(1, len(networks)))
    panels = drawn.subplots(max(1, len(networks)), 4, squeeze=False)
    for line, network in zip(panels, networks, strict=False):
        own = [row for row in there if row.network == network]
        quality = f"{own[0].metric} ({own[0].task})" if own[0].metric else "- error (no task)"
        clock = "clock expected, MHz" if all(row.estimated for row in own) else "clock allowed, MHz"
        steps: _Figure = ("steps/s", lambda r: r.steps_per_second or 0.0, True)
        logic: _Figure = ("logic cells", lambda r: float(r.logic or 0), False)
        score: _Figure = (quality, lambda r: r.quality, True)
        mhz: _Figure = (clock, lambda r: (r.fmax_hz or r.clock_hz or 0.0) / 1e6, True)
        for axis, (across, up) in zip(
            line, ((steps, score), (logic, score), (logic, steps), (logic, mhz)), strict=True
        ):
            _panel(axis, own, across, up, colours)
        line[0].set_title(network, loc="left", fontsize=10.5)
    marks = [drawn.gca().plot([], [], "o", color=colours[board], label=board)[0] for board in boards]
    drawn.legend(handles=marks, loc="outside upper right", ncols=max(1, len(boards)), frameon=False, fontsize=9)
    return drawn


def _panel(axis: Any, rows: list[Row], across: _Figure, up: _Figure, colours: dict[str, str]) -> None:
    x, y = (np.array([value(row) for row in rows]) for _, value, _ in (across, up))
    axis.scatter(x, y, s=22, c=[colours[row.board] for row in rows], alpha=0.75, linewidths=0)
    signs = [1.0 if more else -1.0 for _, _, more in (across, up)]
    best = front(np.stack([signs[0] * x, signs[1] * y], axis=1))
    order = np.argsort(x[best], kind="stable")
    axis.plot(x[best][order], y[best][order], "o-", color="#444", lw=1.0, ms=8, mfc="none", mew=0.8, zorder=0)
    axis.set_xlabel(across[0], fontsize=9)
    axis.set_ylabel(up[0], fontsize=9)
    axis.grid(alpha=0.2)
    axis.tick_params(labelsize=8)
