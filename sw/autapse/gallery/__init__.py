"""Trained networks that ship with the package; ``examples/`` holds the script that trained each of them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["names", "path"]


def names() -> list[str]:
    """The names of the shipped networks, sorted."""
    return sorted(entry.name.removesuffix(".npz") for entry in _folder().iterdir() if entry.name.endswith(".npz"))


def path(name: str) -> Path:
    """The file of the shipped network `name`, for :func:`autapse.loading.load`. ValueError for an unknown name."""
    if name not in names():
        raise ValueError(f"no network {name!r} in the gallery; it has: {', '.join(names())}")
    return _folder() / f"{name}.npz"


def _folder() -> Path:
    # Installed packages are folders here: neither pip nor an editable install leaves them zipped.
    return Path(str(files(__name__)))
