"""Figures of the build: resources, slowest path, cycles."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import numpy as np

from autapse_boards.page.charts import FAINT, FIXED, INK, Drawing, chart, names, short, ticks, zoom
from autapse_boards.report import Hop, Report
from autapse_hw.timeline import PARTS, Timeline

#: The resources of a report, for a reader.
RESOURCES = {"logic": "logic cells", "flip_flops": "flip-flops", "dsps": "DSP blocks", "rams": "block RAMs"}
#: What the pieces of a path are drawn in.
KINDS = {
    "logic": "var(--fixed)",
    "routing": "var(--float)",
    "clk-to-q": "var(--input)",
    "setup": "var(--good)",
}


def resources(report: Report) -> Drawing:
    """Used of the device, in percent, with what the estimate said."""
    data = [
        {
            "what": RESOURCES.get(name, name),
            "used": use.used,
            "of": use.available,
            "share": short(100 * use.used / use.available),
            "estimate": short(100 * report.estimated[name] / use.available) if name in report.estimated else None,
        }
        for name, use in report.resources.items()
        if use.available
    ]
    y = alt.Y("what:N", title=None, sort=None, axis=names())
    base = chart(data)
    x = alt.X("share:Q", title="percent of the device", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5))
    whole = base.transform_calculate(all="100").mark_bar(fill=FAINT, height=18).encode(alt.X("all:Q"), y)
    used = base.mark_bar(fill=FIXED, height=18).encode(x, y, tooltip=["what:N", "used:Q", "of:Q", "share:Q"])
    mark = base.mark_tick(color=INK, thickness=2, height=26).encode(
        alt.X("estimate:Q"), y, tooltip=[alt.Tooltip("estimate:Q", title="estimate, percent")]
    )
    return alt.layer(whole, used, mark).properties(height=36 * len(data))


def critical_path(hops: Sequence[Hop]) -> Drawing:
    """The slowest path piece by piece, one behind the other."""
    ends = np.cumsum([hop.nanoseconds for hop in hops])
    data = [
        {"kind": hop.kind, "to": hop.to, "ns": hop.nanoseconds}
        | {"begin": short(end - hop.nanoseconds), "end": short(end)}
        for hop, end in zip(hops, ends, strict=True)
        if hop.nanoseconds
    ]
    whole = alt.Scale(nice=False, domain=[0, short(ends[-1])])
    colours = alt.Scale(domain=list(KINDS), range=list(KINDS.values()))
    tips = [alt.Tooltip("kind:N"), alt.Tooltip("ns:Q", title="nanoseconds"), alt.Tooltip("to:N", title="to")]
    drawn: Drawing = (
        chart(data)
        .mark_bar(height=26, stroke="var(--page)", strokeWidth=1)
        .encode(
            alt.X("begin:Q", title="nanoseconds after the clock's edge", scale=whole, axis=ticks()),
            alt.X2("end:Q"),
            alt.Color("kind:N", scale=colours, legend=None),
            tooltip=tips,
        )
        .properties(height=48)
    )
    return drawn


def timeline(line: Timeline, steps: int = 2) -> Drawing:
    """Two steps, each part of the core in a row of its own."""
    spans = line.spans(steps)
    data = [
        {"part": s.part, "step": s.step, "tile": "" if s.tile is None else s.tile, "begin": s.begin, "end": s.end}
        | {"shade": "waiting" if s.tile is None else f"{s.step % 2}{s.tile % 2}"}
        for s in spans
    ]
    shades = alt.Scale(
        domain=["00", "01", "10", "11", "waiting"],
        range=["var(--fixed)", "var(--fixed-soft)", "var(--float)", "var(--float-soft)", "var(--bad)"],
    )
    rows = [part for part in PARTS if any(s.part == part for s in spans)]
    tips = [alt.Tooltip("begin:Q", title="from cycle"), alt.Tooltip("end:Q", title="to")]
    end = max(s.end for s in spans)
    drawn: Drawing = (
        chart(data)
        .mark_bar(height=18, clip=True)
        .encode(
            alt.X("begin:Q", title="cycle", scale=alt.Scale(nice=False, domain=[0, end]), axis=ticks()),
            alt.X2("end:Q"),
            alt.Y("part:N", title=None, sort=rows, axis=names()),
            alt.Color("shade:N", scale=shades, legend=None),
            tooltip=["part:N", "step:Q", "tile:N", *tips],
        )
        .add_params(zoom())
        .properties(height=28 * len(rows))
    )
    return drawn
