"""The directive ``commands``: every command of the command line, with its arguments, options and examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from autapse.cli import app


def text_of(command: Any) -> Iterator[str]:
    """One command as lines of Markdown."""
    yield f"## autapse {command.name}"
    yield ""
    for line in command.help.splitlines():
        example = re.match(r"Example: (.*)", line)
        yield from ("```text", example[1], "```") if example else (line,)
    yield ""
    shown = [p for p in command.params if p.name != "help" and not getattr(p, "hidden", False)]
    if shown:
        yield from ("| | | default |", "|---|---|---|")
    for parameter in shown:
        yield f"| {names(parameter)} | {cell(getattr(parameter, 'help', '') or '')} | {default(parameter)} |"
    yield ""


def names(parameter: Any) -> str:
    """How a parameter is written."""
    metavar = parameter.metavar or ""
    if parameter.param_type_name == "argument":
        return f"`{metavar or parameter.name.upper()}`"
    options = ", ".join((*parameter.opts, *parameter.secondary_opts))
    choices = type(parameter.default) if isinstance(parameter.default, Enum) else ()
    value = metavar or "|".join(choice.value for choice in choices)
    return "`" + cell(f"{options} {value}".strip()) + "`"


def default(parameter: Any) -> str:
    """Its default, or that it must be given."""
    if parameter.required:
        return "required"
    value = getattr(parameter.default, "value", parameter.default)
    return "" if value in (None, False, ()) or callable(value) else f"`{cell(str(value))}`"


def cell(text: str) -> str:
    """Text that a cell of a table can hold."""
    return text.replace("|", "\\|").replace("\n", " ")


class Commands(SphinxDirective):
    """Parses the Markdown of all commands in the place of the directive."""

    def run(self) -> list[nodes.Node]:
        group: Any = typer.main.get_command(app)
        text = "\n".join(line for name in group.commands for line in text_of(group.commands[name]))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(sphinx: Sphinx) -> dict[str, bool]:
    sphinx.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
