"""Writing files and folders so that an interruption leaves nothing half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from autapse.errors import AutapseError


@contextmanager
def write_beside(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` for writing, and rename it to `path` when the block ends without error."""
    target = Path(path)
    _check_parent(target)
    with (
        _errors_name(target),
        tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file,
    ):
        try:
            yield file.file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            Path(file.name).replace(target)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


@contextmanager
def folder_beside(path: str | os.PathLike[str], marker: str) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`, and put it in the place of `path` when the block ends without error.

    A folder at `path` is replaced only if it is empty or holds the file `marker`, which says that we wrote it.
    """
    target = Path(path)
    _check_parent(target)
    if target.exists() and not target.is_dir():
        raise AutapseError(f"{target}: exists and is not a folder")
    if target.is_dir() and any(target.iterdir()) and not (target / marker).is_file():
        raise AutapseError(f"{target}: not empty, and not written by this command (no {marker} in it); name another")
    with _errors_name(target):
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        with _errors_name(target):
            yield work
        work.chmod(0o755)
        if target.exists():  # the old folder steps aside and goes last, so that one of the two is always whole
            old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
            target.replace(old)
            work.rename(target)
            shutil.rmtree(old)
        else:
            work.rename(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


@contextmanager
def _errors_name(target: Path) -> Iterator[None]:
    """What the system refuses, such as a full disk, is told of `target`, not of a temporary file or of none."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not (error.filename is None or f".{target.name}." in str(error.filename)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(target)) from error


def _check_parent(target: Path) -> None:
    if not target.parent.is_dir():
        raise AutapseError(f"{target.parent}: no such folder to write {target.name} into")
