"""What the figures of the page share: colours, axes, zoom, and the Vega-Lite that the browser draws.

Colours are custom properties of the page's style sheet, so that one drawing serves light, dark and print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

INK, FLOAT, FIXED, INPUT, FAINT = "var(--ink)", "var(--float)", "var(--fixed)", "var(--input)", "var(--rule)"
_DIGITS = 6  # significant ones

Drawing = alt.Chart | alt.LayerChart | alt.FacetChart


def specification(drawing: Drawing, description: str) -> dict[str, Any]:
    """What the browser draws: as wide as its place, in the page's type and colours."""
    fit: Literal["fit", "fit-x"] = "fit" if drawing.height == "container" else "fit-x"
    quiet = {"labelColor": INK, "titleColor": INK, "gridColor": FAINT, "domainColor": FAINT, "tickColor": FAINT}
    spec: dict[str, Any] = (
        drawing.properties(width="container", background="transparent", description=description)
        .configure(font="system-ui, sans-serif", autosize=alt.AutoSizeParams(type=fit, contains="padding", resize=True))
        .configure_view(stroke=None)
        .configure_axis(**quiet, titleFontWeight="normal", labelFontSize=11, titleFontSize=12)
        .to_dict()
    )
    return spec


def chart(values: Sequence[dict[str, Any]]) -> alt.Chart:
    """A chart of these rows, without marks yet."""
    return alt.Chart(alt.Data(values=values))  # type: ignore[no-untyped-call]  # so it is in altair


def zoom(*axes: Literal["x", "y"]) -> alt.Parameter:
    """Drag moves the axes, x unless given; the wheel zooms them with Ctrl: without, it scrolls the page."""
    encodings = list(axes) or ["x"]
    return alt.selection_interval(name="zoom", bind="scales", encodings=encodings, zoom="wheel![event.ctrlKey]")


def names() -> alt.Axis:
    """An axis of words."""
    return alt.Axis(ticks=False, domain=False, labelFontSize=13, labelPadding=8)


def ticks() -> alt.Axis:
    """An axis of numbers without a grid, for narrow places too."""
    return alt.Axis(grid=False, tickCount=8, labelOverlap=True)


def short(value: float) -> float:
    """As many digits as a figure can show."""
    return float(f"{value:.{_DIGITS}g}")
