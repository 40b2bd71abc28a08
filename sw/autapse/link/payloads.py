"""Payloads of steps: inputs, several steps to a frame, and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autapse.fixed import IntArray
from autapse.link.errors import NotLoadedError
from autapse.protocol import Identity, pack_ints, unpack_ints


def array_frames(identity: Identity, inputs: NDArray[Any], batch: int) -> Iterator[bytes | None]:
    """Payloads of up to `batch` steps, of input codes (time, inputs)."""
    count = identity.step_inputs
    if inputs.ndim != 2 or inputs.shape[1] != count:
        raise ValueError(f"inputs have codes of shape (time, {count}), not {inputs.shape}")
    data, size = pack_ints(inputs.ravel(), identity.input_format.bits), batch * identity.step_input_bytes
    return (data[at : at + size] for at in range(0, len(data), size))


def row_frames(identity: Identity, rows: Iterator[ArrayLike | None], batch: int) -> Iterator[bytes | None]:
    """The same of rows (inputs,) as they come; None where none comes for the moment."""
    count = identity.step_inputs
    data = b""
    for row in rows:
        if row is not None:
            codes = np.asarray(row)
            if codes.shape != (count,):
                raise ValueError(f"a step takes {count} input codes, not an array of shape {codes.shape}")
            data += pack_ints(codes, identity.input_format.bits)
        if data and (row is None or len(data) == batch * identity.step_input_bytes):
            yield data
            data = b""
        if row is None:
            yield None
    if data:
        yield data


def output_codes(identity: Identity, payload: bytes, steps: int) -> IntArray:
    """Output codes (steps, outputs) of an answer; ProtocolError if it does not hold so many, NotLoadedError if it is
    empty."""
    if not payload:
        raise NotLoadedError("the device makes no steps: it has not all weights of a network; see 'autapse upload'")
    width = identity.step_outputs
    return unpack_ints(payload, steps * width, identity.z_format.bits).reshape(steps, width)
