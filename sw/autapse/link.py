"""The host's end of the serial link: a device that runs the network, behind any transport.

A session is::

    with Device(SerialTransport("/dev/ttyUSB1", 1_000_000)) as device:
        device.reset()
        z = device.run(x_codes)
"""

from __future__ import annotations

import contextlib
import secrets
import time
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from autapse.errors import AutapseError, MissingToolError
from autapse.fixed import IntArray
from autapse.protocol import (
    ANSWER,
    Command,
    Counters,
    Identity,
    ProtocolError,
    decode_frame,
    encode_frame,
    pack_ints,
    unpack_ints,
)


class NoAnswerError(AutapseError, TimeoutError):
    """The device did not answer, however often it was asked."""


class Transport(Protocol):
    """A two-way stream of bytes: a serial port, a virtual board, or a simulator."""

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, timeout: float) -> bytes:
        """The bytes that have arrived; waits at most `timeout` seconds for the first, then returns ``b""``."""

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
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            import serial
        except ImportError as error:
            raise MissingToolError("serial ports need pyserial: pip install 'autapse[link]'") from error
        try:
            self._port: Any = serial.Serial(port, baud, timeout=0, exclusive=True)
        except (serial.SerialException, ValueError) as error:
            raise AutapseError(f"{port}: cannot be opened at {baud} baud: {error}") from error
        self._error: type[Exception] = serial.SerialException
        # FTDI bridges hold short answers back for 16 ms unless they are asked not to. Not every port can be asked.
        with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
            self._port.set_low_latency_mode(True)

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self._port.write(data)
        except self._error as error:
            raise AutapseError(f"{self._port.name}: {error}") from error

    def read(self, timeout: float) -> bytes:
        """The bytes that have arrived; waits at most `timeout` seconds for the first."""
        try:
            if not self._port.in_waiting:
                self._port.timeout = timeout
                first = bytes(self._port.read(1))
            else:
                first = b""
            return first + bytes(self._port.read(self._port.in_waiting))
        except (self._error, OSError) as error:
            raise AutapseError(f"{self._port.name}: {error}") from error

    def close(self) -> None:
        """Close the port."""
        self._port.close()


class Device:
    """The network on the other end of `transport`. A context manager, which closes the transport.

    One frame is on its way at a time. A frame without a good answer within `timeout` is sent again, unchanged, and
    the device executes it only once, so a retry never steps the state twice.

    Parameters
    ----------
    transport
        The bytes' way.
    timeout
        Seconds to wait for an answer.
    retries
        How often a frame is sent again.
    sequence
        First sequence number; a random one if it is left out, so that answers to a former session are told apart.
    """

    def __init__(
        self, transport: Transport, *, timeout: float = 0.5, retries: int = 3, sequence: int | None = None
    ) -> None:
        if timeout <= 0:
            raise ValueError(f"a timeout is positive, not {timeout}")
        if retries < 0:
            raise ValueError(f"retries are 0 or more, not {retries}")
        self._transport = transport
        self._timeout = timeout
        self._retries = retries
        self._sequence = secrets.randbelow(256) if sequence is None else sequence % 256
        self._pending = bytearray()
        self._identity: Identity | None = None

    def __enter__(self) -> Self:
        try:
            deadline = time.monotonic() + self._timeout
            while self._transport.read(0.0) and time.monotonic() < deadline:  # what a former session left behind
                pass
            # The zero ends what may have been begun. Identify first: the device then no longer knows the last frame
            # of a former session, which a frame of ours could happen to equal.
            self._transport.write(b"\0")
            self.identify()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def identify(self) -> Identity:
        """Ask the device what it is."""
        self._identity = Identity.from_bytes(self._exchange(Command.IDENTIFY))
        return self._identity

    @property
    def identity(self) -> Identity:
        """What the device is; asked once."""
        return self._identity if self._identity is not None else self.identify()

    def reset(self) -> None:
        """Set the state to h0, and drop what is pending."""
        self._exchange(Command.RESET)

    def step(self, x_codes: ArrayLike) -> IntArray:
        """One step: `inputs` input codes in, `outputs` output codes out (int64)."""
        identity = self.identity
        codes = np.asarray(x_codes)
        if codes.shape != (identity.inputs,):
            raise ValueError(f"a step takes {identity.inputs} input codes, not an array of shape {codes.shape}")
        answer = self._exchange(Command.STEP, pack_ints(codes, identity.input_format.bits))
        return unpack_ints(answer, identity.outputs, identity.z_format.bits)

    def run(self, x_codes: ArrayLike) -> IntArray:
        """Steps from the present state: input codes (time, inputs) in, output codes (time, outputs) out."""
        identity = self.identity
        codes = np.asarray(x_codes)
        if codes.ndim != 2 or codes.shape[1] != identity.inputs:
            raise ValueError(f"a run takes codes of shape (time, {identity.inputs}), not {codes.shape}")
        out = np.empty((len(codes), identity.outputs), dtype=np.int64)
        for t, row in enumerate(codes):
            out[t] = self.step(row)
        return out

    def read_state(self) -> IntArray:
        """The state's codes (units,), int64."""
        identity = self.identity
        return unpack_ints(self._exchange(Command.READ_STATE), identity.units, identity.state_format.bits)

    def counters(self) -> Counters:
        """What the device has counted."""
        return Counters.from_bytes(self._exchange(Command.COUNTERS))

    def _exchange(self, command: Command, payload: bytes = b"") -> bytes:
        """Send a frame until it is answered; the payload of the answer."""
        sequence = self._sequence
        self._sequence = (sequence + 1) % 256
        request = encode_frame(sequence, command, payload)
        for _ in range(self._retries + 1):
            self._transport.write(request)
            answer = self._await(sequence, command | ANSWER)
            if answer is not None:
                return answer
        raise NoAnswerError(
            f"no answer to {command.name} after {self._retries + 1} attempts of {self._timeout} s; "
            "if it was a step, the state is now unknown: reset the device"
        )

    def _await(self, sequence: int, command: int) -> bytes | None:
        """The payload of the answer with this sequence number and command; None if the time is over.

        What does not decode, and late answers to earlier frames, are passed over.
        """
        deadline = time.monotonic() + self._timeout
        while True:
            while (end := self._pending.find(0)) >= 0:
                data = bytes(self._pending[:end])
                del self._pending[: end + 1]
                try:
                    frame = decode_frame(data)
                except ProtocolError:
                    continue
                if (frame.sequence, frame.command) == (sequence, command):
                    return frame.payload
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self._pending += self._transport.read(left)
