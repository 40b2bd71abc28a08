"""Filling the page."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
import vl_convert

from autapse.bounds import error_bounds
from autapse.evidence import recorded
from autapse.quantized import QuantizedNetwork
from autapse_boards.page import build_charts, network_charts, tables
from autapse_boards.page.figures import TRIALS, Figure, figures
from autapse_boards.page.findings import Comparison, Spectrum
from autapse_boards.report import Report
from autapse_hw.tiling import Tiling
from autapse_hw.timeline import Timeline


def render(q: QuantizedNetwork, report: Report, c: Comparison, folder: Path) -> tuple[str, list[Figure]]:
    """The page of the build in `folder`, and its figures."""
    spectrum, line = Spectrum.of(q), Timeline.of(q, Tiling.of(report.tiling), report.lane_form)
    found = figures(q, report, c, spectrum, line)
    evidence = recorded(folder, report.model_hash)
    html = (
        _environment()
        .get_template("page.html")
        .render(
            title=q.network.info.get("name") or f"{q.units} units on {report.board}",
            q=q,
            report=report,
            comparison=c,
            figures={figure.name: figure for figure in found},
            trials=[figure for figure in found if figure.group == TRIALS and figure.name != "differences"],
            shown_trials=min(network_charts.TRIALS, len(c.x)),
            channels=[(f"channel-{k + 1}", f"channel {k + 1}") for k in range(min(network_charts.OUTPUTS, q.outputs))],
            resources=build_charts.RESOURCES,
            others=tables.others(report),
            origin=tables.origin(q),
            formats=tables.formats(q),
            proof=tables.proof(report),
            scores=tables.scores(c),
            errors=tables.errors(c),
            bounds=error_bounds(q).describe(),
            spectrum=list(zip(spectrum.exact.tolist(), spectrum.quantised.tolist(), strict=True)),
            line=line,
            spans=line.spans(),
            legs=tables.legs(report.critical_path),
            rungs=tables.rungs(evidence, folder),
            counted=next((e.cycles_per_step for e in evidence if e.cycles_per_step is not None), None),
            commands=tables.commands(folder, report),
            wiring=tables.wiring(report),
            made_with=tables.made_with(report),
            vega=_vega(),
        )
    )
    return html, found


def _environment() -> jinja2.Environment:
    ours = files("autapse_boards.page")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: ours.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": False}
    return environment


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one program."""
    program: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its types know of no default
    return program.replace("</script", "<\\/script")  # or a string in it would end its element
