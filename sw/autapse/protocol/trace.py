"""The trace: from which sum, and in which step, a device has made each of its states."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from autapse.fixed import IntArray
from autapse.protocol.codes import code_bytes, pack_ints, unpack_ints
from autapse.protocol.frames import ProtocolError

#: Of what an identity says of it: the bits of a pre-activation.
TRACE_BYTES = 1
#: Numbers of steps are known modulo this.
STEP_MARKS = 128


def record_bytes(sum_bits: int) -> int:
    """Bytes of a unit's record: a mark and its pre-activation."""
    return 1 + code_bytes(sum_bits)


class Trace(NamedTuple):
    """Records of all units, of each sequence; arrays of one shape.

    Attributes
    ----------
    step
        In which step of the core since its state was set, modulo :data:`STEP_MARKS`, the state was made; with several
        sequences, step k is one of sequence ``k % sequences``.
    sums
        The pre-activation from which it was made: exact, with bias, before it is rounded.
    saturated
        Whether what that passes first was at its end: the activation or, in the current form, the format of the
        rounded sum.
    """

    step: IntArray
    sums: IntArray
    saturated: NDArray[np.bool_]

    def to_bytes(self, sum_bits: int) -> bytes:
        """The payload of the answer to READ_TRACE."""
        marks = (self.step % STEP_MARKS + STEP_MARKS * self.saturated).astype(np.uint8).reshape(-1, 1)
        sums = np.frombuffer(pack_ints(self.sums.ravel(), sum_bits), np.uint8)
        return np.hstack([marks, sums.reshape(len(marks), -1)]).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, shape: tuple[int, ...], sum_bits: int) -> Self:
        """The records in a payload, in that shape; ProtocolError if they are not so many, or a sum is too long."""
        states = math.prod(shape)
        if len(data) != (length := states * record_bytes(sum_bits)):
            raise ProtocolError(f"a trace of {states} states has {length} bytes, not {len(data)}")
        records = np.frombuffer(data, np.uint8).reshape(states, -1)
        marks = records[:, 0].astype(np.int64).reshape(shape)
        sums = unpack_ints(records[:, 1:].tobytes(), states, sum_bits).reshape(shape)
        return cls(marks % STEP_MARKS, sums, marks >= STEP_MARKS)
