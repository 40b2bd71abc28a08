"""The layout of the weights in the core's memory."""

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


def words(q: QuantizedNetwork, schedule: Schedule) -> list[int]:
    """The weight memory: word ``tile * cols + col`` holds the weights of the tile's lanes, lane 0 lowest.

    Rows beyond the last are zero.
    """
    bits = q.formats.W.bits
    lanes, tiles, cols = schedule.lanes, schedule.tiles, schedule.cols
    padded = np.zeros((tiles * lanes, cols), np.int64)
    padded[: schedule.rows] = matrix(q)
    columns = padded.reshape(tiles, lanes, cols).transpose(0, 2, 1).reshape(tiles * cols, lanes)
    mask = (1 << bits) - 1
    return [sum((int(w) & mask) << (lane * bits) for lane, w in enumerate(column)) for column in columns]
