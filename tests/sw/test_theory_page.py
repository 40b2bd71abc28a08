"""docs/theory.md runs as it stands, and prints what it says."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "theory.md"
BLOCK = re.compile(r"```python\n(.*?)```\n```text\n(.*?)```", re.DOTALL)


def outputs(text: str) -> list[tuple[str, str]]:
    """What each block of Python prints, and what the page says that it prints."""
    names: dict[str, Any] = {}
    found = []
    for code, said in BLOCK.findall(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), names)
        found.append((printed.getvalue(), said))
    return found


def test_every_block_prints_what_the_page_says():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count("```python") == len(BLOCK.findall(text)) >= 9
    for printed, said in outputs(text):
        assert printed == said


def test_the_figures_that_the_page_names_are_drawn():
    from autapse.zoo.pictures import PICTURES

    assert set(re.findall(r"figures/(\w+)\.png", PAGE.read_text(encoding="utf-8"))) == set(PICTURES)
