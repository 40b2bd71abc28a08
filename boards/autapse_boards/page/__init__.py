"""The page of a build: one HTML file that needs no network, with the network, its numbers, and how it is believed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from autapse.errors import FileFormatError, MissingToolError
from autapse.files import write_beside
from autapse.quantized import load_quantized
from autapse_boards.report import Report
from autapse_boards.tools import Progress

__all__ = ["PAGE_FILE", "Page", "write_page"]

PAGE_FILE = "report.html"


@dataclass(frozen=True)
class Page:
    """A page that was written: where, how large, and the names of its figures."""

    file: Path
    bytes: int
    figures: tuple[str, ...]


def write_page(
    folder: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, *, progress: Progress | None = None
) -> Page:
    """Write the page of the build in `folder` to `out`, or beside its ``report.json``; whole or not at all.

    The float network and the integer model are run on fresh trials of the network's task. Of comparisons with the
    circuit it tells what is kept in the folder (:mod:`autapse.evidence`), and nothing else.

    Raises
    ------
    FileFormatError
        The folder holds no build, or one that was changed.
    MissingToolError
        The extra ``report`` is not installed.
    """
    for package in ("altair", "vl_convert", "jinja2"):
        if util.find_spec(package) is None:
            raise MissingToolError(f"{package} is not installed: pip install 'autapse[report]'")
    from autapse_boards.page.findings import compare
    from autapse_boards.page.render import render

    tell = progress or (lambda line: None)
    place = Path(folder)
    report = Report.load(place)
    q = load_quantized(place / report.files["network"])
    if (model := q.model_hash().hex()) != report.model_hash:
        raise FileFormatError(f"{place}: its network is {model}, and its report is of {report.model_hash}")
    tell("float against fixed point")
    comparison = compare(q)
    tell("drawing")
    html, found = render(q, report, comparison, place)
    target, data = place / PAGE_FILE if out is None else Path(out), html.encode()
    with write_beside(target) as file:
        file.write(data)
    return Page(target, len(data), tuple(figure.name for figure in found))
