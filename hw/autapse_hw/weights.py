"""Weights and biases in the core's memories, and whether they are fixed or can be uploaded."""

from enum import StrEnum

from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import WeightMemory
from autapse_hw.schedule import Schedule


class Storage(StrEnum):
    """Where weights and biases are, and whether a host can change them."""

    FIXED = "fixed"  #: part of the bitstream
    UPLOAD = "upload"  #: in block RAMs, which begin with those of the bitstream and can be written
    SPRAM = "spram"  #: the weights in SPRAMs, which begin with nothing; the biases as with UPLOAD


def check_storage(storage: Storage, layers: tuple[int, ...]) -> None:
    """Raise ValueError for a stack of layers whose weights are to be uploaded: a device does not tell its layers."""
    if storage != Storage.FIXED and layers:
        raise ValueError(f"weights of a stack of layers, here {layers}, cannot be uploaded: build it without --upload")


def weight_memory(q: QuantizedNetwork, s: Schedule) -> WeightMemory:
    """Their layout in a core with that timetable."""
    t, f = s.tiling, q.formats
    return WeightMemory(q.units, q.inputs, q.outputs, t.rows, t.cols, t.drains, f.W.bits, f.acc_bits, s.layers)


def weight_words(q: QuantizedNetwork, s: Schedule) -> list[int]:
    """The weight memory; see :meth:`autapse.weight_memory.WeightMemory.weight_words`."""
    return weight_memory(q, s).weight_words(q)


def bias_words(q: QuantizedNetwork, s: Schedule) -> list[int]:
    """The bias memory; see :meth:`autapse.weight_memory.WeightMemory.bias_words`."""
    return weight_memory(q, s).bias_words(q)
