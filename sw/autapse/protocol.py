"""The frames of the serial link, as pure functions; `docs/protocol.md` is the specification.

A frame is COBS-encoded and ends with a zero byte. Its body is a sequence number, a command, a payload, and a CRC-16
(X-25) with the low byte first. The answer has the same sequence number and ``command | ANSWER``.
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

PROTOCOL_VERSION = 1
#: Set in the command of an answer.
ANSWER = 0x80
#: CRC-16/X-25, reflected, so that the low byte comes first. The gateware builds its CRC from the same numbers.
CRC_POLYNOMIAL = 0x1021
CRC_INITIAL = 0xFFFF
CRC_FINAL = 0xFFFF
#: Bytes of a body without its payload: sequence number, command, CRC.
OVERHEAD = 4
COUNTERS = 3
COUNTER_BYTES = 4

_IDENTITY = struct.Struct("<B8sHHHBbBbBbHI")


class ProtocolError(AutapseError, ValueError):
    """Bytes from the link that are not what the protocol says."""


class Command(IntEnum):
    """What a frame asks for."""

    IDENTIFY = 0x01
    RESET = 0x02
    STEP = 0x03
    READ_STATE = 0x04
    COUNTERS = 0x05


class Frame(NamedTuple):
    """A decoded frame; in an answer, `command` has :data:`ANSWER` set."""

    sequence: int
    command: int
    payload: bytes


class Counters(NamedTuple):
    """What the device has counted since it was configured, each modulo 2**32.

    Attributes
    ----------
    accepted
        Frames that were well formed, the one that asks included, and repeated ones too.
    rejected
        Frames that were not: CRC, length, or an unknown command; and frames that came while another was executed,
        which count as one for each execution.
    steps
        Steps that were executed.
    """

    accepted: int
    rejected: int
    steps: int

    def to_bytes(self) -> bytes:
        """The payload of the answer."""
        return b"".join(count.to_bytes(COUNTER_BYTES, "little") for count in self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Counters:
        """The counters in the payload of an answer; ProtocolError if its length is wrong."""
        if len(data) != COUNTERS * COUNTER_BYTES:
            raise ProtocolError(f"counters have {COUNTERS * COUNTER_BYTES} bytes, not {len(data)}")
        return cls(*(int.from_bytes(data[k : k + COUNTER_BYTES], "little") for k in range(0, len(data), COUNTER_BYTES)))


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

    def __post_init__(self) -> None:
        if len(self.model_hash) != 8:
            raise ValueError(f"a model hash has 8 bytes, not {len(self.model_hash)}")
        for name in ("units", "inputs", "outputs", "lanes"):
            if not 1 <= getattr(self, name) <= 0xFFFF:
                raise ValueError(f"{name} must be 1 to 65535, not {getattr(self, name)}")
        for name in ("input_format", "state_format", "z_format"):
            if not -128 <= getattr(self, name).frac <= 127:
                raise ValueError(f"fraction bits of {name} must be -128 to 127, not {getattr(self, name).frac}")
        if not 0 <= self.clock_hz <= 0xFFFFFFFF:
            raise ValueError(f"a clock is 0 to 2**32 - 1 Hz, not {self.clock_hz}")
        if not 0 <= self.version <= 0xFF:
            raise ValueError(f"a protocol version is 0 to 255, not {self.version}")

    def to_bytes(self) -> bytes:
        """The payload of the answer to :attr:`Command.IDENTIFY`, :data:`IDENTITY_BYTES` bytes."""
        formats = (self.input_format, self.state_format, self.z_format)
        numbers = [number for f in formats for number in (f.bits, f.frac)]
        shapes = (self.units, self.inputs, self.outputs)
        return _IDENTITY.pack(self.version, self.model_hash, *shapes, *numbers, self.lanes, self.clock_hz)

    @classmethod
    def from_bytes(cls, data: bytes) -> Identity:
        """The identity in a payload; ProtocolError if it has a wrong length, another version or impossible values."""
        if len(data) != _IDENTITY.size:
            raise ProtocolError(f"an identity has {_IDENTITY.size} bytes, not {len(data)}")
        version, model_hash, units, inputs, outputs, *numbers, lanes, clock_hz = _IDENTITY.unpack(data)
        if version != PROTOCOL_VERSION:
            raise ProtocolError(f"the device speaks protocol version {version}, this program {PROTOCOL_VERSION}")
        try:
            x, h, z = (Format(*numbers[k : k + 2]) for k in (0, 2, 4))
            return cls(model_hash, units, inputs, outputs, x, h, z, lanes, clock_hz, version)
        except ValueError as error:
            raise ProtocolError(f"the device's identity makes no sense: {error}") from error

    def request_bytes(self, command: Command) -> int:
        """Length of the payload of a request."""
        return self.inputs * code_bytes(self.input_format.bits) if command == Command.STEP else 0

    def answer_bytes(self, command: Command) -> int:
        """Length of the payload of an answer."""
        return {
            Command.IDENTIFY: IDENTITY_BYTES,
            Command.RESET: 0,
            Command.STEP: self.outputs * code_bytes(self.z_format.bits),
            Command.READ_STATE: self.units * code_bytes(self.state_format.bits),
            Command.COUNTERS: COUNTERS * COUNTER_BYTES,
        }[command]


IDENTITY_BYTES = _IDENTITY.size


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
    if len(body) < OVERHEAD:
        raise ProtocolError(f"a frame has at least {OVERHEAD} bytes, not {len(body)}")
    if crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
        raise ProtocolError("a frame with a wrong CRC")
    return Frame(body[0], body[1], body[2:-2])
