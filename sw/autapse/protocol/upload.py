"""Uploads of weights: what a device says of its memory, and the payloads of WRITE and APPLY."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from autapse.weight_memory import BLOCK_BYTES, BLOCK_WORDS, WeightMemory

_UPLOAD = struct.Struct("<HHBB8s?")
_WRITE = struct.Struct(f"<HH{BLOCK_BYTES}s")
_APPLY = struct.Struct("<I8s")
UPLOAD_BYTES = _UPLOAD.size
WRITE_BYTES = _WRITE.size
APPLY_BYTES = _APPLY.size


@dataclass(frozen=True)
class Upload:
    """What a host must know to upload weights.

    Attributes
    ----------
    cols, drains
        How the lanes lie over the matrix, each 1 to 65535; the rows are the lanes over `cols`.
    weight_bits, acc_bits
        Word lengths of a weight and of an accumulator, each 1 to 255.
    circuit
        Eight bytes that name all that an upload cannot change; :meth:`autapse.quantized.QuantizedNetwork.circuit_hash`.
    loaded
        Whether the memory holds the network of the model hash. If not, no step is made.
    """

    cols: int
    drains: int
    weight_bits: int
    acc_bits: int
    circuit: bytes
    loaded: bool = True

    def check(self, lanes: int) -> None:
        """Raise ValueError where it makes no sense for a core of so many lanes."""
        for name, limit in (("cols", 0xFFFF), ("drains", 0xFFFF), ("weight_bits", 0xFF), ("acc_bits", 0xFF)):
            if not 1 <= getattr(self, name) <= limit:
                raise ValueError(f"{name} must be 1 to {limit}, not {getattr(self, name)}")
        if lanes % self.cols:
            raise ValueError(f"{lanes} lanes do not lie in {self.cols} columns")
        if len(self.circuit) != 8:
            raise ValueError(f"a circuit hash has 8 bytes, not {len(self.circuit)}")

    def to_bytes(self) -> bytes:
        """The end of an identity, :data:`UPLOAD_BYTES` bytes; the last is `loaded`."""
        return _UPLOAD.pack(self.cols, self.drains, self.weight_bits, self.acc_bits, self.circuit, self.loaded)

    @classmethod
    def from_bytes(cls, data: bytes) -> Upload:
        """The inverse of :meth:`to_bytes`."""
        return cls(*_UPLOAD.unpack(data))


def write_payloads(memory: WeightMemory, image: bytes) -> Iterator[bytes]:
    """Payloads of the WRITEs that put `image` into the memory, in its order."""
    at = 0
    for first, part in ((0, memory.weights), (memory.weights.stripes, memory.biases)):
        for stripe in range(first, first + part.stripes):
            for block in range(part.depth // BLOCK_WORDS):
                yield _WRITE.pack(stripe, block, image[at : at + BLOCK_BYTES])
                at += BLOCK_BYTES


def block_offset(memory: WeightMemory, payload: bytes) -> tuple[int | None, bytes]:
    """Where a WRITE's block begins in the image, None if there is no such block; and its bytes."""
    stripe, block, data = _WRITE.unpack(payload)
    offset, part = 0, memory.weights
    if stripe >= part.stripes:
        stripe, offset, part = stripe - part.stripes, part.size, memory.biases
    if stripe >= part.stripes or block >= part.depth // BLOCK_WORDS:
        return None, data
    return offset + (stripe * part.depth // BLOCK_WORDS + block) * BLOCK_BYTES, data


def apply_payload(image: bytes, model_hash: bytes) -> bytes:
    """Payload of the APPLY of `image`, after which the device answers with `model_hash`."""
    return _APPLY.pack(zlib.crc32(image), model_hash)
