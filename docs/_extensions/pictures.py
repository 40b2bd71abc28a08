"""The pictures of the documentation, drawn into docs/_generated before the pages are read; nothing of it is committed.

    python docs/_extensions/pictures.py [NAME ...]      # draws them alone

A page shows one with ``{figure} /_generated/NAME.svg``. To add one, write a function that returns a figure of
matplotlib, and its name in `PICTURES`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import autapse
from autapse.gallery import path
from autapse.plots import new_figure
from autapse.tasks import TASKS
from autapse.zoo.pictures import PICTURES as ZOO
from autapse_hw.schedule import Schedule

FOLDER = Path(__file__).resolve().parents[1] / "_generated"
_SLATE, _BLUE, _ORANGE, _GREEN = "#475569", "#1d4ed8", "#c2410c", "#15803d"


def _flipflop() -> Any:
    return autapse.quantize(autapse.load(path("flipflop_3bit")), input_range=1.5, operand_bits=8)


def timetable(tiling: str, steps: int) -> Any:
    """Which tile the lanes work on, and when states come back, for the flip-flop on so many lanes."""
    s = Schedule.of(_flipflop(), tiling)
    figure = new_figure(9.0, 2.4)
    axis = figure.subplots()
    for step in range(steps):
        begin = step * s.cycles_per_step
        for tile in range(s.tiles):
            at = begin + tile * s.tile_cycles
            colour = _BLUE if step % 2 == 0 else _ORANGE
            axis.broken_barh([(at, s.slots)], (1.1, 0.8), color=colour, alpha=0.55 + 0.4 * (tile % 2))
            axis.broken_barh([(at + s.slots - 1 + s.latency, s.groups)], (0.1, 0.8), color=colour, alpha=0.55)
        axis.axvline(begin, color=_SLATE, lw=0.8, ls=":")
        axis.text(begin, 2.02, f" step {step}", color=_SLATE, fontsize=9)
    axis.set_yticks([0.5, 1.5], ["rows leave,\nstates return", "lanes: tiles"])
    axis.set_ylim(0, 2.3)
    axis.set_xlim(0, steps * s.cycles_per_step + s.latency + s.groups)
    axis.set_xlabel("cycle")
    shape = f"{tiling} lanes: {s.tiles} tiles of {s.tile_cycles} cycles, latency {s.latency}, stall {s.stall}"
    axis.set_title(f"{s.units} units on {shape}: {s.cycles_per_step} cycles a step", loc="left", fontsize=10)
    return figure


def table_error() -> Any:
    """The error of the activation tables that are found for tanh, over every input, in ulp."""
    from autapse.activation import FAITHFUL, design
    from autapse.fixed import Format

    figure = new_figure(9.0, 3.4)
    for axis, bits in zip(figure.subplots(1, 2, sharey=True), (8, 16), strict=True):
        out = Format(bits, bits - 1)
        a = design("tanh", out.frac, out, "auto", FAITHFUL)
        codes = np.arange(-a.limit, a.limit + 1)
        error = np.asarray(a.table(), dtype=float) - np.tanh(np.ldexp(codes.astype(float), -a.in_frac)) * 2.0**out.frac
        axis.plot(np.ldexp(codes.astype(float), -a.in_frac), error, lw=0.6, color=_BLUE, rasterized=True)
        axis.set_title(f"tanh, {bits} bits: {np.abs(error).max():.3f} ulp at most", loc="left", fontsize=10)
        axis.axhspan(-0.5, 0.5, color=_GREEN, alpha=0.12)
        axis.set_xlabel("input")
        axis.grid(alpha=0.25)
    figure.axes[0].set_ylabel("table - tanh, in ulp")
    return figure


def flipflop() -> Any:
    """A trial of the 3-bit flip-flop in float64 and in 8-bit fixed point."""
    net, q = autapse.load(path("flipflop_3bit")), _flipflop()
    x = TASKS["flipflop"].trials(1, np.random.default_rng(3)).x[0]
    exact, fixed = net.run(x).z, q.readout(x[None])[0]
    figure = new_figure(9.0, 4.2)
    for k, axis in enumerate(figure.subplots(3, 1, sharex=True, sharey=True)):
        axis.plot(x[:, k], color=_SLATE, lw=0.7, alpha=0.5, label="input")
        axis.plot(exact[:, k], color=_BLUE, lw=3, alpha=0.35, label="float64")
        axis.plot(fixed[:, k], color=_ORANGE, lw=1, label="8 bits")
        axis.set_ylabel(f"bit {k}")
        axis.grid(alpha=0.25)
    figure.axes[0].legend(ncols=3, frameon=False, loc="lower right", bbox_to_anchor=(1, 1))
    figure.axes[-1].set_xlabel("step")
    return figure


def boxes(rows: list[list[tuple[str, str]]], arrows: list[tuple[str, str]]) -> Any:
    """A diagram: rows of boxes (name, text), and arrows (from, to) between them."""
    figure = new_figure(9.0, 1.15 * len(rows))
    axis = figure.subplots()
    places = {}
    for down, row in enumerate(rows):
        for across, (name, text) in enumerate(row):
            x, y = (across + 0.5) / len(row), len(rows) - down - 0.5
            label = name.replace("_", r"\_").replace(" ", r"\ ")
            places[name] = axis.text(
                x,
                y,
                f"$\\bf{{{label}}}$\n{text}",
                ha="center",
                va="center",
                fontsize=9,
                bbox={"boxstyle": "round,pad=0.5", "facecolor": "#f8fafc", "edgecolor": _SLATE},
            )
    for begin, end in arrows:
        style = {"arrowstyle": "-|>", "color": _BLUE}
        patches = {"patchA": places[begin].get_bbox_patch(), "patchB": places[end].get_bbox_patch()}
        axis.annotate("", places[end].get_position(), places[begin].get_position(), arrowprops={**style, **patches})
    axis.set_xlim(0, 1)
    axis.set_ylim(0, len(rows))
    axis.set_axis_off()
    return figure


def layers() -> Any:
    """Who imports whom."""
    return boxes(
        [
            [("autapse.cli", "the command line")],
            [("autapse_boards", "bitstreams, reports"), ("autapse_sim", "simulation, comparison")],
            [("autapse_hw", "the gateware, in Amaranth")],
            [("core", "numbers and contracts: numpy only"), ("edges", "files, tasks, training, link, circuits")],
        ],
        [
            ("autapse.cli", "autapse_boards"),
            ("autapse.cli", "autapse_sim"),
            ("autapse_boards", "autapse_hw"),
            ("autapse_sim", "autapse_hw"),
            ("autapse_hw", "core"),
            ("edges", "core"),
        ],
    )


def datapath() -> Any:
    """The core: where an operand goes, and how the state comes back."""
    return boxes(
        [
            [("sequencer", "the timetable"), ("weights", "a memory for each lane"), ("outputs", "a buffer, then o")],
            [("state store", "C memories"), ("lanes", "R x C products"), ("drains", "bias, rounding")],
            [("inputs", "i"), ("update", "leaky units only"), ("activation", "a table each")],
        ],
        [
            ("inputs", "state store"),
            ("state store", "lanes"),
            ("weights", "lanes"),
            ("sequencer", "lanes"),
            ("lanes", "drains"),
            ("drains", "outputs"),
            ("drains", "activation"),
            ("activation", "update"),
            ("update", "state store"),
        ],
    )


PICTURES: dict[str, Callable[[], Any]] = {
    "layers": layers,
    "datapath": datapath,
    "timetable_one_tile": partial(timetable, "53", 3),
    "timetable_tiles": partial(timetable, "8", 2),
    "table_error": table_error,
    "flipflop": flipflop,
    **{f"zoo_{name}": draw for name, draw in ZOO.items()},
}


def draw(*names: str) -> None:
    """Draw these pictures, or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or PICTURES:
        PICTURES[name]().savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", lambda _: draw())
    return {"parallel_read_safe": True}


if __name__ == "__main__":
    draw(*sys.argv[1:])
