"""The page of an analysis: one HTML file with its pictures inside."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from autapse.analysis.numbers import shown
from autapse.analysis.pictures import PICTURES

if TYPE_CHECKING:
    from autapse.analysis import Analysis
    from autapse.analysis.numbers import Side

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1f2937 }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.2rem } img { max-width: 100% }
table { border-collapse: collapse }
th, td { text-align: left; padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid #ddd }
"""
_HEADINGS = {
    "eigenvalues": (
        "Eigenvalues",
        "Of diag(d) + diag(g) W, a step at slope 1. Modes inside the circle decay, the others do not.",
    ),
    "fixed_points": ("Fixed points", "Found without input from many starts. A search may miss some."),
    "weights": ("Weights", "The quantised ones sit on the codes of their format."),
    "connectivity": ("Connectivity", "Rows receive, columns send."),
    "trajectories": ("Trajectories", "Both sides in the principal components of the float states."),
    "activity": ("Activity", "One trial. The quantised side is the integer model, bit for bit what the circuit does."),
}
_MOST = 6


def page(a: Analysis, folder: Path) -> str:
    """The page as text; `folder` holds the pictures."""
    f = a.q.formats
    title = f"{a.q.units} units, {a.q.inputs} inputs, {a.q.outputs} outputs, {a.q.network.activation}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>Float64 beside {f.W.bits}-bit weights and a {f.h.bits}-bit state.</p>",
        "<h2>What moved most</h2><ol>",
        *(f"<li>{escape(change.words)}</li>" for change in a.changes[:_MOST]),
        "</ol>",
        *(f"<p><b>{escape(note)}</b></p>" for note in notes(a)),
        _table(a),
    ]
    for name in PICTURES:
        heading, text = _HEADINGS[name]
        image = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
        parts.append(f"<h2>{heading}</h2><p>{escape(text)}</p>")
        parts.append(f'<img alt="{heading}" src="data:image/png;base64,{image}">')
    parts.append("<h2>All that was compared</h2><ul>")
    parts += [f"<li>{escape(change.words)}</li>" for change in a.changes[_MOST:]]
    parts.append("</ul>")
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def notes(a: Analysis) -> list[str]:
    """What a reader has to know before the numbers."""
    result = []
    for side in a.sides:
        if side.condition > 1e8:
            result.append(
                f"The {side.name} matrix is defective (condition of its eigenvectors {side.condition:.1e}): its "
                "eigenvalues are sensitive to every rounding, and its modes do not span the state."
            )
        if len(side.fixed) > 200:
            result.append(
                f"The {side.name} network has {len(side.fixed)} distinct points of rest, as many as the search has "
                "starts for: a line or a surface of them."
            )
    return result


def rows(a: Analysis) -> list[tuple[str, str, str]]:
    """Name, float, quantised."""

    def mode(side: Side) -> tuple[str, ...]:
        m, counts = side.mode, side.kinds()
        return (
            shown(m.value, 4),
            f"{abs(m.value):.5f}",
            f"{m.frequency:.4f}",
            f"{m.cycles_per_step:.4f}",
            f"{m.time_constant:.4g} steps" + (" (grows)" if m.time_constant < 0 else ""),
            str(sum(abs(v) > 1 for v in side.values)),
            f"{len(side.fixed)}: {', '.join(f'{n} {k}' for k, n in counts.items() if n and k != 'slow') or 'none'}",
            str(counts["slow"]),
        )

    names = (
        "dominant eigenvalue l",
        "|l|",
        "f = Im l / (2 pi Re l)",
        "angle of l / (2 pi), cycles a step",
        "time constant -1 / ln |l|",
        "eigenvalues outside the unit circle",
        "fixed points",
        "slow points",
    )
    r = a.resting
    ends = f"from {r.starts} starts: {r.still} at rest, {r.dithering} within 4 ulp, {r.moving} moving; "
    ends += f"distinct places: {r.places}"
    return [*zip(names, mode(a.float_side), mode(a.fixed_side), strict=True), ("integer model, no input", "", ends)]


def _table(a: Analysis) -> str:
    body = "".join(f"<tr><td>{escape(n)}</td><td>{escape(x)}</td><td>{escape(y)}</td></tr>" for n, x, y in rows(a))
    return f"<table><tr><th></th><th>float</th><th>quantised</th></tr>{body}</table>"
