"""The symbols of the schematics: schemdraw's, and the few that it lacks, at places given by coordinates."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import MissingToolError
from autapse.files import write_beside

INK, ACTIVE, GYRATOR, SOURCE, PALE = "#1f2430", "#c2410c", "#1d4ed8", "#15803d", "#8a8f98"
Point = tuple[float, float]


class Pen:
    """A page to draw on, in units of which a resistor is about one long; y points up.

    Raises MissingToolError where schemdraw or matplotlib is not installed.
    """

    def __init__(self) -> None:
        try:
            schemdraw: Any = import_module("schemdraw")
            self._elements: Any = import_module("schemdraw.elements")
            figure: Any = import_module("matplotlib.figure")
        except ImportError as error:
            raise MissingToolError(f"{error.name} is not installed: pip install 'autapse[circuit]'") from None
        self._figure = figure.Figure()
        self._axes = self._figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self._drawing = schemdraw.Drawing(canvas=self._axes, show=False)
        self._drawing.config(unit=1.0, lw=1.3, color=INK)
        self._corners: list[Point] = []

    def _two_ends(self, kind: str, start: Point, end: Point, color: str) -> None:
        self._drawing += getattr(self._elements, kind)().endpoints(start, end).color(color)
        self._corners += [start, end]

    def line(self, *points: Point, color: str = INK) -> None:
        """A wire along points."""
        for start, end in pairwise(points):
            if start != end:
                self._two_ends("Line", start, end, color)

    def dashed(self, start: Point, end: Point, color: str) -> None:
        """A link that is no wire."""
        self._axes.plot(*zip(start, end, strict=True), color=color, ls=(0, (3, 3)), lw=1.1, zorder=0)

    def resistor(self, start: Point, end: Point, color: str = INK) -> None:
        """A resistor in the middle of the wire from start to end."""
        self._two_ends("ResistorIEEE", start, end, color)

    def capacitor(self, start: Point, end: Point) -> None:
        """A capacitor."""
        self._two_ends("Capacitor", start, end, INK)

    def inductor(self, start: Point, end: Point, color: str = INK) -> None:
        """An inductor, or one winding of a transformer."""
        self._two_ends("Inductor2", start, end, color)

    def current_source(self, start: Point, end: Point) -> None:
        """A current source; its arrow points from start to end."""
        self._two_ends("SourceI", start, end, SOURCE)

    def ground(self, at: Point) -> None:
        """The common node."""
        self._drawing += self._elements.Ground().at(at).color(INK)
        self._corners.append((at[0], at[1] - 0.6))

    def dot(self, at: Point, color: str = INK) -> None:
        """A joint of wires."""
        self._drawing += self._elements.Dot(radius=0.07).at(at).color(color)

    def arc(self, start: Point, end: Point, side: float, color: str = GYRATOR) -> None:
        """One half of a gyrator: a half circle over start and end, on the right hand side of that way for side = 1."""
        (x0, y0), (x1, y1) = start, end
        angle = np.linspace(0.0, np.pi, 40)
        forth, across = (1.0 - np.cos(angle)) / 2.0, side * np.sin(angle) / 2.0
        dx, dy = x1 - x0, y1 - y0
        self._axes.plot(x0 + forth * dx + across * dy, y0 + forth * dy - across * dx, color=color, lw=1.6)

    def arrow(self, start: Point, end: Point, color: str) -> None:
        """A thin arrow."""
        self._axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.0})

    def polygon(self, *points: Point, color: str = INK, fill: str = "#f4f4f2") -> None:
        """A filled outline: an amplifier, or a block."""
        self._axes.fill(*zip(*points, strict=True), facecolor=fill, edgecolor=color, lw=1.3, zorder=2)
        self._corners += list(points)

    def box(self, left: float, bottom: float, right: float, top: float, color: str = INK) -> None:
        """A block."""
        self.polygon((left, bottom), (right, bottom), (right, top), (left, top), color=color)

    def text(self, at: Point, text: str, color: str = INK, size: float = 8.5, align: str = "left", **more: Any) -> None:
        """Text whose vertical middle is at `at`."""
        style = {"va": "center", "ha": align, "fontsize": size, "color": color, "zorder": 4}
        self._axes.text(*at, text, **(style | more))
        self._corners += [at, (at[0] + (0.012 * size * len(text) if align == "left" else 0.0), at[1])]

    def save(self, *paths: Path) -> None:
        """Write the page, as PNG or SVG by the ending of each path."""
        self._drawing.draw(show=False)
        (left, bottom), (right, top) = np.min(self._corners, axis=0) - 0.6, np.max(self._corners, axis=0) + 0.6
        self._axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        self._axes.set_axis_off()
        self._figure.set_size_inches((right - left) * 0.55, (top - bottom) * 0.55)
        for path in paths:
            with write_beside(path) as file:
                self._figure.savefig(file, format=path.suffix[1:], dpi=110, facecolor="white")
