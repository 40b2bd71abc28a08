"""Sphinx: how the documentation is built. `make docs` does it; warnings are errors."""

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
for root in ("sw", "hw", "sim", "boards"):
    sys.path.insert(0, str(HERE.parent / root))
sys.path.insert(0, str(HERE / "_extensions"))

import autapse  # noqa: E402

project = "Autapse"
author = "The Autapse founders"
copyright = f"2026, {author}"
version = release = autapse.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "commands",  # the reference of the command line, from the commands themselves
    "pictures",  # draws docs/_generated before the pages are read
]
exclude_patterns = ["_generated", "_extensions"]
suppress_warnings = ["ref.python"]  # attributes of many classes have one name: `inputs` is a link to none of them
nitpicky = False  # numpydoc's types are prose: "(batch, time, inputs)"

myst_heading_anchors = 3
myst_links_external_new_tab = False
highlight_language = "none"

napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures have them
autodoc_class_signature = "mixed"

html_theme = "furo"
html_title = f"Autapse {release}"
html_show_sourcelink = False
html_static_path: list[str] = []
pygments_dark_style = "monokai"


def _plain_bars(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let ``|x|`` in a docstring be an absolute value: no docstring uses reStructuredText's substitutions."""
    for k, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        lines[k] = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def _pages_of_no_chapter(app: Any, docname: str, source: list[str]) -> None:
    """Put the pages that the index does not name in the place of its line ``*``."""
    if docname == "index":
        named = set(source[0].splitlines()) | {"index"}
        others = sorted(page.stem for page in HERE.glob("*.md") if page.stem not in named)
        source[0] = source[0].replace("\n*\n", "\n" + "".join(f"{page}\n" for page in others))


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", _plain_bars)
    app.connect("source-read", _pages_of_no_chapter)
