"""The frames of the serial link, as pure functions; `docs/protocol.md` is the specification.

A frame is COBS-encoded and ends with a zero byte. Its body is a sequence number, a command, in a request the number of
the next answer that is wanted, a payload, and a CRC-16 (X-25) with the low byte first. The answer has the request's
sequence number and ``command | ANSWER``.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autapse.errors import AutapseError
from autapse.fixed import Format, IntArray

PROTOCOL_VERSION = 2
#: Set in the command of an answer. Alone it is the command of a refusal, whose payload is a :class:`Status`.
ANSWER = 0x80
REFUSAL = ANSWER
#: CRC-16/X-25, reflected, so that the low byte comes first. The gateware builds its CRC from the same numbers.
CRC_POLYNOMIAL = 0x1021
CRC_INITIAL = 0xFFFF
CRC_FINAL = 0xFFFF
#: Bytes of a body without its payload: sequence number, command, number of the next answer, CRC.
REQUEST_OVERHEAD = 5
#: The same for an answer, which has no number of a next answer.
ANSWER_OVERHEAD = 4
COUNTER_BYTES = 4
SESSION_BYTES = 4

_IDENTITY = struct.Struct("<B8sHHHBbBbBbHIBBBBI")
_STATUS = struct.Struct("<IIB")
_COUNTERS = struct.Struct("<6IH")
# The least room for frames each way: a block RAM of an iCE40. Frames are kept in slots of at least 64 bytes.
_ROOM = 512
_SLOT = 64
_SLOTS = 128  # sequence numbers have one byte, and windows less than half of its values
_PAYLOAD = 40  # a request with so much has less than 15 % of overhead


class ProtocolError(AutapseError, ValueError):
    """Bytes from the link that are not what the protocol says."""


class Command(IntEnum):
    """What a frame asks for. From 8 on, a request is executed only in sequence; from 9 on, only once."""

    IDENTIFY = 0x01
    STATUS = 0x02
    SYNC = 0x03
    OPEN = 0x04
    ABORT = 0x05
    COUNTERS = 0x06
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


class Features:
    """Bits of :attr:`Identity.features`."""

    SET_STATE = 1
    UPLOAD = 2


class Frame(NamedTuple):
    """A decoded frame; in an answer, `command` has :data:`ANSWER` set."""

    sequence: int
    command: int
    payload: bytes


class Request(NamedTuple):
    """A decoded request; `wanted` is the sequence number of the first answer that the host does not have."""

    sequence: int
    command: int
    wanted: int
    payload: bytes


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
        Sums that were clipped by the core.
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


@dataclass(frozen=True)
class Identity:
    """What a device says of itself, and all that either end needs to pack and unpack payloads.

    Attributes
    ----------
    model_hash
        Eight bytes that name the quantised network.
    units, inputs, outputs
        Shapes, each 1 to 65535.
    input_format, state_format, z_format
        Number formats of inputs, state and outputs; fraction bits from -128 to 127.
    lanes
        Multiply-accumulators in the core.
    clock_hz
        Clock of the core.
    version
        Protocol version.
    sequences
        Independent sequences that the core interleaves: a step has the inputs, outputs and states of all.
    window
        Frames that may be on their way: the credits. One less than a power of two; as many as fit if left out.
    batch
        Steps that one frame may hold; computed.
    features
        Bits of :class:`Features`.
    memory_bytes
        Size of the weight memory that can be uploaded; 0 if there is none.
    """

    model_hash: bytes
    units: int
    inputs: int
    outputs: int
    input_format: Format
    state_format: Format
    z_format: Format
    lanes: int
    clock_hz: int
    version: int = field(default=PROTOCOL_VERSION)
    sequences: int = 1
    window: int = 0
    batch: int = 0
    features: int = Features.SET_STATE
    memory_bytes: int = 0

    def __post_init__(self) -> None:
        if len(self.model_hash) != 8:
            raise ValueError(f"a model hash has 8 bytes, not {len(self.model_hash)}")
        for name in ("units", "inputs", "outputs", "lanes"):
            if not 1 <= getattr(self, name) <= 0xFFFF:
                raise ValueError(f"{name} must be 1 to 65535, not {getattr(self, name)}")
        for name in ("input_format", "state_format", "z_format"):
            if not -128 <= getattr(self, name).frac <= 127:
                raise ValueError(f"fraction bits of {name} must be -128 to 127, not {getattr(self, name).frac}")
        if not 1 <= self.sequences <= 0xFF:
            raise ValueError(f"sequences must be 1 to 255, not {self.sequences}")
        for name, limit in (("clock_hz", 0xFFFFFFFF), ("memory_bytes", 0xFFFFFFFF), ("version", 0xFF)):
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(f"{name} must be 0 to {limit}, not {getattr(self, name)}")
        object.__setattr__(self, "batch", self.batch or self._batch(self.slot))
        object.__setattr__(self, "window", self.window or min(_SLOTS, self._least_room // self.slot) - 1)
        if not 1 <= self.window < _SLOTS or not 1 <= self.batch <= 0xFF:
            raise ValueError(f"window and batch must be 1 to {_SLOTS - 1} and 255, not {self.window} and {self.batch}")

    @property
    def step_input_bytes(self) -> int:
        """Payload of a request for one step."""
        return self.sequences * self.inputs * code_bytes(self.input_format.bits)

    @property
    def step_output_bytes(self) -> int:
        """Payload of the answer to one step."""
        return self.sequences * self.outputs * code_bytes(self.z_format.bits)

    @property
    def state_bytes(self) -> int:
        """Payload with the state of all units."""
        return self.sequences * self.units * code_bytes(self.state_format.bits)

    @property
    def slot(self) -> int:
        """Bytes that the device has for one frame of a window, in either direction."""
        slot = _SLOT
        largest = max(self.step_input_bytes, self.step_output_bytes)
        while (batch := self._batch(slot)) < 1 or batch * largest < _PAYLOAD:
            slot *= 2
        return slot

    @property
    def room(self) -> int:
        """Bytes that the device has for frames in either direction."""
        return self.slot * (self.window + 1)

    @property
    def longest_answer(self) -> int:
        """Bytes of the longest body of an answer."""
        payloads = (self.batch * self.step_output_bytes, self.state_bytes, IDENTITY_BYTES, COUNTERS_BYTES)
        return ANSWER_OVERHEAD + max(payloads)

    @property
    def _least_room(self) -> int:
        longest = max(REQUEST_OVERHEAD + self.state_bytes, ANSWER_OVERHEAD + IDENTITY_BYTES)
        room = max(_ROOM, 4 * self.slot)
        while wire_bytes(longest) >= room:
            room *= 2
        return room

    def _batch(self, slot: int) -> int:
        """Steps in a frame that fits a slot, both as a request and as an answer."""
        body = slot - 2 - slot // 255  # without the delimiter, and the lengths of COBS
        requests = (body - REQUEST_OVERHEAD) // self.step_input_bytes
        return min(requests, (body - ANSWER_OVERHEAD) // self.step_output_bytes, 0xFF)

    def to_bytes(self) -> bytes:
        """The payload of the answer to :attr:`Command.IDENTIFY`, :data:`IDENTITY_BYTES` bytes."""
        formats = (self.input_format, self.state_format, self.z_format)
        numbers = [number for f in formats for number in (f.bits, f.frac)]
        shapes = (self.units, self.inputs, self.outputs)
        link = (self.sequences, self.window, self.batch, self.features, self.memory_bytes)
        return _IDENTITY.pack(self.version, self.model_hash, *shapes, *numbers, self.lanes, self.clock_hz, *link)

    @classmethod
    def from_bytes(cls, data: bytes) -> Identity:
        """The identity in a payload; ProtocolError if it has a wrong length, another version or impossible values."""
        if data and data[0] != PROTOCOL_VERSION:
            raise ProtocolError(f"the device speaks protocol version {data[0]}, this program {PROTOCOL_VERSION}")
        if len(data) != _IDENTITY.size:
            raise ProtocolError(f"an identity has {_IDENTITY.size} bytes, not {len(data)}")
        version, model_hash, units, inputs, outputs, *numbers = _IDENTITY.unpack(data)
        lanes, clock_hz, *link = numbers[6:]
        try:
            if not all(link[:3]):
                raise ValueError("sequences, window and batch must not be 0")
            x, h, z = (Format(*numbers[k : k + 2]) for k in (0, 2, 4))
            return cls(model_hash, units, inputs, outputs, x, h, z, lanes, clock_hz, version, *link)
        except ValueError as error:
            raise ProtocolError(f"the device's identity makes no sense: {error}") from error

    def request_bytes(self, command: Command) -> int:
        """Length of the payload of a request: of a STEP with one step, of a WRITE without data."""
        return {
            Command.STEP: self.step_input_bytes,
            Command.SET_STATE: self.state_bytes,
            Command.OPEN: SESSION_BYTES,
            Command.ABORT: SESSION_BYTES,
            Command.WRITE: 4,
            Command.APPLY: 4,
        }.get(command, 0)

    def answer_bytes(self, command: Command) -> int:
        """Length of the payload of an answer: of a STEP with one step."""
        if command in (Command.STATUS, Command.SYNC, Command.OPEN, Command.ABORT):
            return STATUS_BYTES
        return {
            Command.IDENTIFY: IDENTITY_BYTES,
            Command.COUNTERS: _COUNTERS.size,
            Command.READ_STATE: self.state_bytes,
            Command.STEP: self.step_output_bytes,
            Command.APPLY: 1,
        }.get(command, 0)


IDENTITY_BYTES = _IDENTITY.size
STATUS_BYTES = _STATUS.size
COUNTERS_BYTES = _COUNTERS.size


def wire_bytes(body: int) -> int:
    """The most bytes that a body of this length has on the wire, with the delimiter."""
    return body + body // 254 + 2


def code_bytes(bits: int) -> int:
    """Bytes that carry a code of `bits` bits."""
    return -(-bits // 8)


def pack_ints(codes: ArrayLike, bits: int) -> bytes:
    """Codes of `bits` bits as little-endian, sign-extended bytes; ValueError names one outside the symmetric range."""
    values = np.asarray(codes)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"codes are a vector of integers, not {values.dtype} of shape {values.shape}")
    limit = 2 ** (bits - 1) - 1
    outside = values[(values > limit) | (values < -limit)]
    if outside.size:
        raise ValueError(f"code {outside[0]} is outside ±{limit}, the range of {bits} bits")
    return values.astype("<i8").view(np.uint8).reshape(-1, 8)[:, : code_bytes(bits)].tobytes()


def unpack_ints(data: bytes, count: int, bits: int) -> IntArray:
    """The `count` codes (int64) that :func:`pack_ints` put into `data`; ProtocolError if they are not that."""
    size = code_bytes(bits)
    if len(data) != count * size:
        raise ProtocolError(f"{count} codes of {bits} bits have {count * size} bytes, not {len(data)}")
    padded = np.zeros((count, 8), dtype=np.uint8)
    padded[:, 8 - size :] = np.frombuffer(data, dtype=np.uint8).reshape(count, size)
    codes = padded.reshape(-1).view("<i8").astype(np.int64) >> (8 * (8 - size))
    if np.any((codes >= 2 ** (bits - 1)) | (codes < -(2 ** (bits - 1)))):
        raise ProtocolError(f"a code does not fit the {bits} bits that the device claims")
    return codes


_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def crc16(data: bytes) -> int:
    """CRC-16/X-25 of `data`; the standard library has its mirror image, with the same polynomial, in C."""
    mirrored = binascii.crc_hqx(data.translate(_MIRRORED), CRC_INITIAL)
    return (_MIRRORED[mirrored & 0xFF] << 8 | _MIRRORED[mirrored >> 8]) ^ CRC_FINAL


def cobs_encode(data: bytes) -> bytes:
    """Consistent Overhead Byte Stuffing: `data` without its zero bytes, the delimiter not included.

    Each block is a length byte n and n - 1 bytes; it stands for these bytes and, unless n is 255, a zero, of which
    the last in the frame is left out.
    """
    out = bytearray()
    *blocks, last = (bytes(block) for block in data.split(b"\0"))
    for block in blocks:
        for run in _full_runs(block, keep_empty=True):
            out += bytes([len(run) + 1]) + run
    for run in _full_runs(last, keep_empty=not last):
        out += bytes([len(run) + 1]) + run
    return bytes(out)


def _full_runs(block: bytes, *, keep_empty: bool) -> Iterator[bytes]:
    """`block` in runs of 254 bytes and a shorter one, which may be empty only if `keep_empty`."""
    while len(block) >= 254:
        yield block[:254]
        block = block[254:]
    if block or keep_empty:
        yield block


def cobs_decode(data: bytes) -> bytes:
    """Undo :func:`cobs_encode`; ProtocolError if `data` holds a zero, or ends inside a block."""
    if 0 in data:
        raise ProtocolError("a zero byte inside a frame")
    out = bytearray()
    at = 0
    while at < len(data):
        end = at + data[at]
        if end > len(data):
            raise ProtocolError("a frame that ends inside a COBS block")
        out += data[at + 1 : end]
        if data[at] < 255 and end < len(data):
            out.append(0)
        at = end
    return bytes(out)


def encode_frame(sequence: int, command: int, payload: bytes = b"") -> bytes:
    """The bytes on the wire, with the zero that ends them."""
    body = bytes([sequence, command]) + payload
    return cobs_encode(body + crc16(body).to_bytes(2, "little")) + b"\0"


def decode_frame(data: bytes) -> Frame:
    """The frame in the bytes between two zeros; ProtocolError if it is too short or its CRC is wrong."""
    body = cobs_decode(data)
    if len(body) < ANSWER_OVERHEAD:
        raise ProtocolError(f"a frame has at least {ANSWER_OVERHEAD} bytes, not {len(body)}")
    if crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
        raise ProtocolError("a frame with a wrong CRC")
    return Frame(body[0], body[1], body[2:-2])


def encode_request(sequence: int, command: int, wanted: int, payload: bytes = b"") -> bytes:
    """The bytes of a request on the wire; `wanted` is the first answer that the host does not have."""
    return encode_frame(sequence & 0xFF, command, bytes([wanted & 0xFF]) + payload)


def decode_request(data: bytes) -> Request:
    """The request in the bytes between two zeros; ProtocolError as :func:`decode_frame`."""
    frame = decode_frame(data)
    if not frame.payload:
        raise ProtocolError(f"a request has at least {REQUEST_OVERHEAD} bytes, not {ANSWER_OVERHEAD}")
    return Request(frame.sequence, frame.command, frame.payload[0], frame.payload[1:])
