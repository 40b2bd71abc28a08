"""What can go wrong on the link, beyond what it repairs itself."""

from __future__ import annotations

from autapse.errors import AutapseError


class NoAnswerError(AutapseError, TimeoutError):
    """The device did not answer, however often it was asked."""


class TransportError(AutapseError, OSError):
    """The transport is gone: a port that was unplugged, or a board that was switched off."""


class DeviceResetError(AutapseError, RuntimeError):
    """The device was reset in the middle of a session: its state is h0 again, and what was under way is lost."""


class SessionTakenError(AutapseError, RuntimeError):
    """Another host has opened a session with the device."""


class NotLoadedError(AutapseError, RuntimeError):
    """The device made no step: its memory does not hold a whole network."""
