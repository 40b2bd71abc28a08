"""Fields of a dataclass as command line texts, ``name=value``."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

T = TypeVar("T")


def settings(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that a command line can set; not those that its repr leaves out, as an environment."""
    return {f.name: getattr(value, f.name) for f in fields(value) if f.init and f.repr}


def with_fields(value: T, texts: list[str], what: str) -> T:
    """`value`, a dataclass, with fields from texts ``name=value``; the type is that of the field now.

    Raises ValueError for a field that is not there or a text that is no such value.
    """
    known = settings(value)
    changed: dict[str, Any] = {}
    for text in texts:
        name, equals, given = text.partition("=")
        if not equals or name not in known:
            raise ValueError(
                f"{text!r} is not a setting of {what}; it has {', '.join(f'{k}={_show(v)}' for k, v in known.items())}"
            )
        changed[name] = _parse(name, given, known[name])
    return replace(value, **changed) if changed else value  # type: ignore[type-var]


def _parse(name: str, text: str, now: Any) -> Any:
    kind = type(now)
    try:
        if kind is tuple:
            return tuple(float(part) for part in text.split(","))
        return kind(text)
    except ValueError:
        expected = {int: "an integer", float: "a number", tuple: "numbers with commas between"}.get(kind, kind.__name__)
        raise ValueError(f"{name} must be {expected}, not {text!r}") from None


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
