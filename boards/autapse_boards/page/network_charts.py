"""Figures of the network: trials, the table's error, eigenvalues."""

from __future__ import annotations

import altair as alt
import numpy as np

from autapse.activation import Activation
from autapse.fixed import FloatArray
from autapse_boards.page.charts import FIXED, FLOAT, INK, INPUT, Drawing, chart, short, ticks, zoom
from autapse_boards.page.findings import Comparison, Spectrum

#: Trials that can be looked at, and outputs that are drawn; more would hide what there is to see.
TRIALS, OUTPUTS = 3, 6
# Points of a curve from which on it is drawn as the range in each of so many columns.
_COLUMNS = 1000
# As wide in every figure of a trial, so that the steps lie above each other.
_VALUES = alt.Axis(tickCount=4, minExtent=38, maxExtent=38)


def trials(c: Comparison, output: int) -> Drawing:
    """Input and output of one channel in both forms, a trial at a time."""
    data = [
        {"trial": trial, "step": step, "float": short(c.z_float[trial, step, output])}
        | {"fixed": short(c.z_fixed[trial, step, output])}
        | ({"input": short(c.x[trial, step, output])} if output < c.x.shape[2] else {})
        for trial in range(min(TRIALS, len(c.x)))
        for step in range(c.x.shape[1])
    ]
    chosen = alt.param(name="trial", value=0)
    base = chart(data).transform_filter("datum.trial == trial")
    lines = [("float", FLOAT, 3.5), ("fixed", FIXED, 1.4)]
    if output < c.x.shape[2]:
        lines.insert(0, ("input", INPUT, 1.0))
    x = _steps(c)
    layers = [
        base.mark_line(stroke=colour, strokeWidth=width, clip=True).encode(
            x, alt.Y(f"{name}:Q", title=None, axis=_VALUES)
        )
        for name, colour, width in lines
    ]
    tooltip = [alt.Tooltip(f"{name}:Q", format=".4f") for name, *_ in lines]
    nearest = base.mark_rule(opacity=0, strokeWidth=8).encode(x, tooltip=[alt.Tooltip("step:Q"), *tooltip])
    return alt.layer(*layers, nearest.add_params(zoom())).add_params(chosen).properties(height=120)


def differences(c: Comparison) -> Drawing:
    """Fixed less float of the drawn outputs, a trial at a time."""
    data = [
        {"trial": trial, "step": step, "channel": k + 1, "difference": short(c.difference[trial, step, k])}
        for trial in range(min(TRIALS, len(c.x)))
        for k in range(min(OUTPUTS, c.z_fixed.shape[2]))
        for step in range(c.x.shape[1])
    ]
    colours = alt.Scale(domain=list(range(1, OUTPUTS + 1)), range=[f"var(--channel-{k + 1})" for k in range(OUTPUTS)])
    base = chart(data).transform_filter("datum.trial == trial")
    lines = base.mark_line(strokeWidth=1.2, clip=True).encode(
        _steps(c), alt.Y("difference:Q", title=None, axis=_VALUES), alt.Color("channel:N", scale=colours, legend=None)
    )
    return alt.layer(lines.add_params(zoom())).add_params(alt.param(name="trial", value=0)).properties(height=90)


def table_error(activation: Activation) -> Drawing:
    """Result less real function, in ulps, over every input code; its range, where there are too many to be drawn."""
    errors = activation.errors()
    at = np.ldexp(np.arange(-activation.limit, activation.limit + 1, dtype=np.float64), -activation.in_frac)
    names = ("x", "low", "high")
    data = [dict(zip(names, map(short, row), strict=True)) for row in zip(*_ranges(at, errors), strict=True)]
    base = chart(data)
    x = alt.X("x:Q", title=f"input of {activation.name}", scale=alt.Scale(nice=False), axis=ticks())
    y = alt.Y("low:Q", title="error in ulp", scale=alt.Scale(domain=[-1.1, 1.1], nice=False))
    if len(data) == len(errors):
        tips = [alt.Tooltip("x:Q", format=".5f"), alt.Tooltip("low:Q", title="error in ulp")]
        marks = base.mark_point(stroke=None, fill=FIXED, size=10, opacity=1, clip=True).encode(x, y, tooltip=tips)
    else:
        tips = [alt.Tooltip("low:Q", title="error from"), alt.Tooltip("high:Q", title="to")]
        marks = base.mark_rule(stroke=FIXED, strokeWidth=1.2, clip=True).encode(x, y, alt.Y2("high:Q"), tooltip=tips)
    bounds = chart([{"y": -1}, {"y": 1}])
    rules = bounds.mark_rule(stroke=INK, strokeDash=[4, 4], opacity=0.6).encode(alt.Y("y:Q"))
    return alt.layer(rules, marks.add_params(zoom())).properties(height=180)


def eigenvalues(spectrum: Spectrum) -> Drawing:
    """Both spectra in the complex plane, with the unit circle."""
    found = (("float", spectrum.exact), ("quantised", spectrum.quantised))
    data = [
        {"side": side, "re": short(v.real), "im": short(v.imag), "modulus": short(abs(v))}
        for side, values in found
        for v in values
    ]
    reach = 1.08 * max(1.0, *(float(np.abs(values).max()) for _, values in found))
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    x, y = alt.X("re:Q", title="real part", scale=scale), alt.Y("im:Q", title="imaginary part", scale=scale)
    angle = np.linspace(0.0, 2 * np.pi, 181)
    circle = [{"k": k, "re": short(np.cos(a)), "im": short(np.sin(a))} for k, a in enumerate(angle)]
    around = chart(circle).mark_line(stroke=INK, strokeWidth=1, opacity=0.5, clip=True)
    base = chart(data)
    tips = [alt.Tooltip("side:N"), *(alt.Tooltip(f"{name}:Q", format=".4f") for name in ("re", "im", "modulus"))]
    layers = [
        base.transform_filter(f"datum.side == '{side}'")
        .mark_point(stroke=colour, fill=fill, size=size, strokeWidth=1.6, opacity=1, clip=True)
        .encode(x, y, tooltip=tips)
        for side, colour, fill, size in (("float", FLOAT, "transparent", 90), ("quantised", FIXED, FIXED, 14))
    ]
    layers[-1] = layers[-1].add_params(zoom("x", "y"))
    return alt.layer(around.encode(x, y, order="k:Q"), *layers).properties(height="container")


def _steps(c: Comparison) -> alt.X:
    """The axis of a trial's steps."""
    return alt.X("step:Q", title="step", scale=alt.Scale(nice=False, domain=[0, c.x.shape[1] - 1]), axis=ticks())


def _ranges(at: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Place, smallest and largest value in each of at most so many columns: nothing that sticks out is lost."""
    count = -(-len(at) // _COLUMNS)
    starts = np.arange(0, len(at), count)
    return at[starts], np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
