"""What requests ask for, and the answers that are the same for all networks."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from autapse.protocol.frames import ProtocolError

COUNTER_BYTES = 4
SESSION_BYTES = 4
#: Of the answer to APPLY: whether the memory is whole.
APPLIED_BYTES = 1

_STATUS = struct.Struct("<IIB")
_COUNTERS = struct.Struct("<6IH")
STATUS_BYTES = _STATUS.size
COUNTERS_BYTES = _COUNTERS.size


class Features:
    """Bits of :attr:`Identity.features`."""

    SET_STATE = 1
    UPLOAD = 2
    TRACE = 4


class Command(IntEnum):
    """What a frame asks for. From 8 on, a request is executed only in sequence; from 9 on, only once."""

    IDENTIFY = 0x01
    STATUS = 0x02
    SYNC = 0x03
    OPEN = 0x04
    ABORT = 0x05
    COUNTERS = 0x06
    READ_TRACE = 0x07
    READ_STATE = 0x08
    RESET = 0x09
    STEP = 0x0A
    SET_STATE = 0x0B
    WRITE = 0x0C
    APPLY = 0x0D

    @property
    def in_sequence(self) -> bool:
        """Whether it is executed only if its sequence number is the one that the device expects, in a session."""
        return self >= Command.READ_STATE

    @property
    def kept(self) -> bool:
        """Whether it takes a sequence number, and its answer is kept until the host has it."""
        return self >= Command.RESET

    @property
    def feature(self) -> int:
        """The bit of :class:`Features` that devices have which know it; 0 if all do."""
        return {
            Command.READ_TRACE: Features.TRACE,
            Command.SET_STATE: Features.SET_STATE,
            Command.WRITE: Features.UPLOAD,
            Command.APPLY: Features.UPLOAD,
        }.get(self, 0)


class Status(NamedTuple):
    """Where the device is.

    Attributes
    ----------
    session
        The number that opened its session; 0 after a reset of the device, or an abort.
    steps
        Steps executed since the device was reset, modulo 2**32.
    expected
        The sequence number that it expects.
    """

    session: int
    steps: int
    expected: int

    def to_bytes(self) -> bytes:
        """The payload of the answer."""
        return _STATUS.pack(*self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Status:
        """The status in the payload of an answer; ProtocolError if its length is wrong."""
        return cls(*_unpack(_STATUS, data, "a status"))


class Counters(NamedTuple):
    """What the device has counted since it was reset, each modulo 2**32, saturations modulo 2**16.

    Attributes
    ----------
    accepted
        Requests that were executed before this one.
    rejected
        Frames that were damaged or malformed: CRC, COBS, length, or an unknown command.
    steps
        Steps that were executed.
    refused
        Requests that were sound, but not in sequence or not in a session.
    framing_errors
        Bytes whose stop bit was low; several within one frame may count as one.
    overruns
        Bytes for which there was no room; several within one frame may count as one.
    saturations
        States whose sums were clipped: by the activation at its end, where it is constant, or, in the current form, by
        the format of the rounded sum.
    """

    accepted: int
    rejected: int
    steps: int
    refused: int = 0
    framing_errors: int = 0
    overruns: int = 0
    saturations: int = 0

    def to_bytes(self) -> bytes:
        """The payload of the answer; the steps come first."""
        accepted, rejected, steps, *rest = self
        return _COUNTERS.pack(steps, accepted, rejected, *rest)

    @classmethod
    def from_bytes(cls, data: bytes) -> Counters:
        """The counters in the payload of an answer; ProtocolError if its length is wrong."""
        steps, accepted, rejected, *rest = _unpack(_COUNTERS, data, "counters")
        return cls(accepted, rejected, steps, *rest)


def _unpack(layout: struct.Struct, data: bytes, what: str) -> tuple[int, ...]:
    if len(data) != layout.size:
        raise ProtocolError(f"{what} has {layout.size} bytes, not {len(data)}")
    return layout.unpack(data)
