"""Dataclasses out of decoded JSON, every type checked: what a file of ours says before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def record_of(kind: type[T], data: Any) -> T:
    """`data`, a decoded JSON object, as a dataclass of type `kind`.

    Its fields may be of str, bool, int, float, Any, an enumeration, a dataclass, and of tuples, mappings from text and
    unions of those. TypeError or ValueError, which names the field, for a wrong type, a missing or an unknown name.
    """
    return _value("the whole", kind, data)  # type: ignore[no-any-return]


def _value(name: str, kind: Any, data: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if origin in (Union, UnionType):
        return None if data is None and NoneType in parts else _value(name, parts[0], data)
    if origin is tuple and isinstance(data, list):
        return tuple(_value(name, parts[0], item) for item in data)
    if origin is Mapping and isinstance(data, dict):
        return {key: _value(f"{name}: {key}", parts[1], item) for key, item in data.items()}
    if is_dataclass(kind) and isinstance(data, dict):
        return _record(name, kind, data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is float and type(data) in (int, float):
        return data
    if kind in (str, bool, int) and type(data) is kind:
        return data
    wanted = getattr(kind, "__name__", str(kind)) if origin is None else origin.__name__
    raise TypeError(f"{name} must be of {wanted}, not of {type(data).__name__}")


def _record(name: str, kind: Any, data: dict[str, Any]) -> Any:
    types, known = get_type_hints(kind), {field.name: field for field in fields(kind)}
    if unknown := data.keys() - known.keys():
        raise ValueError(f"{name} has {min(unknown)!r}, which is unknown")
    for field in known.values():
        if field.default is MISSING and field.name not in data:
            raise ValueError(f"{name} lacks {field.name!r}")
    return kind(**{key: _value(key, types[key], item) for key, item in data.items()})
