"""Codes as bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import IntArray
from autapse.protocol.frames import ProtocolError


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
