"""The layout of weights and biases in the core's memories."""

from collections.abc import Iterable

import numpy as np

from autapse.fixed import IntArray
from autapse.quantized import QuantizedNetwork
from autapse_hw.schedule import Schedule


def matrix(q: QuantizedNetwork) -> IntArray:
    """All rows that the lanes compute, (rows, cols): ``[0, W_out]`` above ``[W_in, W]``."""
    readout = np.hstack([np.zeros((q.outputs, q.inputs), np.int64), q.W_out])
    return np.vstack([readout, np.hstack([q.W_in, q.W])])


def bias(q: QuantizedNetwork) -> IntArray:
    """The bias of each row: ``[b_out, b]``."""
    return np.concatenate([q.b_out, q.b])


def placed(s: Schedule) -> IntArray:
    """Where each row lies in the tiles."""
    return np.concatenate(s.places)


def weight_words(q: QuantizedNetwork, s: Schedule) -> list[int]:
    """The weight memory: word ``tile * slots + slot`` holds the weights of all lanes, row by row, lowest first.

    Rows and columns beyond the last are zero, and so are rows between two layers.
    """
    t = s.tiling
    padded = np.zeros((s.tiles * t.rows, s.slots * t.cols), np.int64)
    padded[placed(s), : s.cols] = matrix(q)
    words = padded.reshape(s.tiles, t.rows, s.slots, t.cols).transpose(0, 2, 1, 3).reshape(s.tiles * s.slots, -1)
    return [packed(word, q.formats.W.bits) for word in words]


def bias_words(q: QuantizedNetwork, s: Schedule) -> list[int]:
    """The bias memory: word ``tile * groups + group`` holds the negative biases of the rows that leave together."""
    t = s.tiling
    padded = np.zeros((s.tiles, s.groups * t.drains), np.int64)
    rows = np.zeros(s.tiles * t.rows, np.int64)
    rows[placed(s)] = -bias(q)
    padded[:, : t.rows] = rows.reshape(s.tiles, t.rows)
    return [packed(word, q.formats.acc_bits) for word in padded.reshape(-1, t.drains)]


def packed(codes: Iterable[int], bits: int) -> int:
    """One word of signed codes, the first lowest."""
    mask = (1 << bits) - 1
    return sum((int(code) & mask) << (k * bits) for k, code in enumerate(codes))
