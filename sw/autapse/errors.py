"""The errors that a user can cause. Each carries one line that names the value and what was expected."""

from __future__ import annotations


class AutapseError(Exception):
    """Base of the errors that the command line prints as one line, without a traceback."""


class FileFormatError(AutapseError, ValueError):
    """A file is not what it should be: wrong kind, truncated, or without weights."""


class MissingToolError(AutapseError, RuntimeError):
    """A program or Python package that this command needs is not installed."""


class DoesNotFitError(AutapseError, ValueError):
    """A network needs more of some resource than the device has."""


class ToolFailedError(AutapseError, RuntimeError):
    """A synthesis, place-and-route or simulation tool stopped with an error."""


def one_line(error: object) -> str:
    """The text of an error, or of anything, on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
