"""Frames: CRC, COBS, and what stands before the payload."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import NamedTuple

from autapse.errors import AutapseError

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


class ProtocolError(AutapseError, ValueError):
    """Bytes from the link that are not what the protocol says."""


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


def wire_bytes(body: int) -> int:
    """The most bytes that a body of this length has on the wire, with the delimiter."""
    return body + body // 254 + 2


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
