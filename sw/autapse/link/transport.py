"""Ways for the bytes: what the client needs of one, and the serial port."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Protocol

from autapse.errors import AutapseError, MissingToolError
from autapse.link.errors import TransportError

_SYSFS = Path("/sys/bus/usb-serial/devices")
_WRITE_SECONDS = 10.0
# The kernel's attribute for the byte at which an FTDI chip sends what it has; with this bit it is on, and the byte 0.
_EVENT_CHARACTER, _EVENT_ENABLED = "event_char", 0x100


class Transport(Protocol):
    """A two-way stream of bytes: a serial port, a virtual board, or a simulator.

    Two more members are used if they are there: ``baud``, in bits per second, from which timeouts follow; and
    ``reopen()``, which opens a transport anew that is gone, or raises :class:`TransportError` if it still is.
    """

    def write(self, data: bytes) -> None:
        """Send all of `data`. TransportError if the other end is gone."""

    def read(self, timeout: float) -> bytes:
        """The bytes that have arrived; waits at most `timeout` seconds for the first, then returns ``b""``.

        A transport that knows that nothing will come may return ``b""`` at once. TransportError as for `write`.
        """

    def close(self) -> None:
        """Give the transport back."""


class SerialTransport:
    """A serial port, 8N1. Needs pyserial: ``pip install 'autapse[link]'``.

    Parameters
    ----------
    port
        Name of the port, as ``/dev/ttyUSB1`` or ``COM5``.
    baud
        Bits per second.

    Attributes
    ----------
    latency_hint : str
        Empty if the bridge passes on at once what it receives, or nothing is known of it; else why it does not.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            import serial
        except ImportError as error:
            raise MissingToolError("serial ports need pyserial: pip install 'autapse[link]'") from error
        self.name, self.baud = port, baud
        self._serial = serial
        self._errors: tuple[type[Exception], ...] = (serial.SerialException, OSError, TypeError)
        self._port: Any = self._open(AutapseError)
        self.latency_hint = lower_latency(port)

    def _open(self, kind: type[AutapseError]) -> Any:
        try:
            port = self._serial.Serial(self.name, self.baud, timeout=0, write_timeout=_WRITE_SECONDS, exclusive=True)
        except (self._serial.SerialException, OSError, ValueError) as error:
            raise kind(f"{self.name}: cannot be opened at {self.baud} baud: {error}") from error
        # The kernel's own switch for low latency. Not every port has it.
        with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
            port.set_low_latency_mode(True)
        return port

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self._port.write(data)
        except self._errors as error:
            raise TransportError(f"{self.name}: {error}") from error

    def read(self, timeout: float) -> bytes:
        """The bytes that have arrived; waits at most `timeout` seconds for the first."""
        try:
            first = b""
            if not self._port.in_waiting:
                self._port.timeout = timeout
                first = bytes(self._port.read(1))
            return first + bytes(self._port.read(self._port.in_waiting))
        except self._errors as error:
            raise TransportError(f"{self.name}: {error}") from error

    def reopen(self) -> None:
        """Open the port anew; TransportError if it is not there."""
        self.close()
        self._port = self._open(TransportError)
        lower_latency(self.name)

    def close(self) -> None:
        """Close the port."""
        with contextlib.suppress(*self._errors):
            self._port.close()


def lower_latency(port: str, sysfs: Path = _SYSFS) -> str:
    """Have an FTDI bridge pass on short answers after 1 ms instead of 16; "" if that is so, or it is not known.

    Otherwise one line that says what a user can do. Where the system lets it (Linux: root, or a udev rule), the bridge
    is also told to pass on what it has at each zero, that is, at the end of each frame, without waiting for its timer.
    """
    bridge = sysfs / Path(port).resolve().name
    timer = bridge / "latency_timer"
    with contextlib.suppress(OSError):
        if (bridge / _EVENT_CHARACTER).exists():
            (bridge / _EVENT_CHARACTER).write_text(str(_EVENT_ENABLED))
    try:
        milliseconds = int(timer.read_text())
    except (OSError, ValueError):
        return ""  # not an FTDI bridge, or not Linux
    if milliseconds <= 1:
        return ""
    try:
        timer.write_text("1")
        return ""
    except OSError:
        return (
            f"{port}: the bridge holds short answers back for up to {milliseconds} ms; "
            f'as root: echo 1 > {timer} (or a udev rule that sets ATTR{{latency_timer}}="1")'
        )
