"""The figures of the page, with what each of them shows in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autapse.quantized import QuantizedNetwork
from autapse_boards.page import build_charts, network_charts
from autapse_boards.page.charts import Drawing, specification
from autapse_boards.page.findings import Comparison, Spectrum
from autapse_boards.report import Report
from autapse_hw.timeline import Timeline

#: The group of the figures that show trials.
TRIALS = "trials"


@dataclass(frozen=True)
class Figure:
    """A figure of the page.

    Attributes
    ----------
    name
        Its element's id.
    title, text
        The caption; and what it shows, for those who do not see it.
    spec
        Vega-Lite.
    zoom
        Fields of the axes that can be zoomed.
    group
        What is zoomed and switched together.
    """

    name: str
    title: str
    text: str
    spec: dict[str, Any]
    zoom: tuple[str, ...]
    group: str

    @classmethod
    def of(
        cls,
        name: str,
        title: str,
        text: str,
        chart: Drawing,
        zoom: tuple[str, ...] = (),
        group: str | None = None,
    ) -> Figure:
        """A figure of a chart, in a group of its own unless given."""
        return cls(name, title, text, specification(chart, text), zoom, group or name)


def figures(q: QuantizedNetwork, report: Report, c: Comparison, spectrum: Spectrum, line: Timeline) -> list[Figure]:
    """All of them, in the order of the page."""
    return [*_of_network(q, c, spectrum), *_of_build(report, line)]


def _of_network(q: QuantizedNetwork, c: Comparison, spectrum: Spectrum) -> Iterator[Figure]:
    for k in range(min(network_charts.OUTPUTS, q.outputs)):
        text = (
            f"Input and output of channel {k + 1} over the steps of a trial; float and fixed point differ by "
            f"{c.largest(k):.4f} at most where the task counts."
        )
        yield Figure.of(f"trial-{k + 1}", f"Channel {k + 1}", text, network_charts.trials(c, k), ("step",), TRIALS)
    text = (
        f"The difference of the outputs over the steps of a trial; where the task counts it is {c.largest():.4f} at "
        f"most, its RMS {c.rms():.5f}."
    )
    title = "Fixed point less float, all channels"
    yield Figure.of("differences", title, text, network_charts.differences(c), ("step",), TRIALS)
    text = f"{q.activation.describe()}. Every input code from -{q.activation.limit} to {q.activation.limit}."
    yield Figure.of("table-error", "Error of the activation", text, network_charts.table_error(q.activation), ("x",))
    text = (
        "Eigenvalues of a step at slope 1 in the complex plane, with the unit circle. The largest modulus is "
        f"{abs(spectrum.exact[0]):.4f} in float and {abs(spectrum.quantised[0]):.4f} with the quantised weights."
    )
    yield Figure.of("eigenvalues", "Eigenvalues", text, network_charts.eigenvalues(spectrum), ("re", "im"))


def _of_build(report: Report, line: Timeline) -> Iterator[Figure]:
    s = line.schedule
    text = (
        f"Which part of the core works in which cycle: {s.tiles} groups of rows, {s.slots} slots each, "
        f"{s.stall + sum(s.gaps)} cycles of waiting; a step follows every {s.cycles_per_step} cycles."
    )
    yield Figure.of("timeline", "Two steps", text, build_charts.timeline(line), ("begin",))
    used = "; ".join(f"{name} {use.used} of {use.available}" for name, use in report.resources.items())
    yield Figure.of("resources", "Resources", f"Used of the device: {used}.", build_charts.resources(report))
    if path := report.critical_path:
        text = f"The slowest path takes {sum(hop.nanoseconds for hop in path):.1f} ns and ends at {path[-1].to}."
        yield Figure.of("critical-path", "Slowest path", text, build_charts.critical_path(path))
