"""How weights and biases lie in the memories of a core, and the image of them that a host uploads.

A core reads its weights in long words: those of all its lanes in one, and the biases of all its drains. For uploads a
memory is cut lengthwise into **stripes** of 16 bits, and a stripe into **blocks** of 16 words. The stripes of the
weights come first, the lowest bits in the first of them; then those of the biases. ``docs/protocol.md`` has the same in
words for who writes a client; the gateware and the host are made from this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from autapse.fixed import IntArray
from autapse.quantized import QuantizedNetwork

STRIPE_BITS = 16
BLOCK_WORDS = 16
#: Bytes of a block, in the order of its words, the low byte of each first.
BLOCK_BYTES = BLOCK_WORDS * STRIPE_BITS // 8


@dataclass(frozen=True)
class Part:
    """A memory of `depth` words of `width` bits; `depth` is a multiple of the words of a block."""

    width: int
    depth: int

    @property
    def stripes(self) -> int:
        """Pieces of 16 bits, the last of them perhaps in part."""
        return -(-self.width // STRIPE_BITS)

    @property
    def stripe_bits(self) -> list[int]:
        """Bits that each of them has of a word."""
        return [min(STRIPE_BITS, self.width - at) for at in range(0, self.width, STRIPE_BITS)]

    @property
    def size(self) -> int:
        """Bytes of its image."""
        return self.stripes * self.depth * STRIPE_BITS // 8

    def image(self, words: list[int]) -> bytes:
        """Its contents, stripe after stripe; words that are not given are 0."""
        mask = (1 << STRIPE_BITS) - 1
        padded = words + [0] * (self.depth - len(words))
        cells = [word >> STRIPE_BITS * k & mask for k in range(self.stripes) for word in padded]
        return np.array(cells, dtype="<u2").tobytes()

    def words(self, image: bytes) -> list[int]:
        """The words that :meth:`image` was made of."""
        cells = np.frombuffer(image, dtype="<u2").reshape(self.stripes, self.depth)
        return [sum(int(cell) << STRIPE_BITS * k for k, cell in enumerate(column)) for column in cells.T]


@dataclass(frozen=True)
class WeightMemory:
    """The memories of a core for weights and biases.

    Attributes
    ----------
    units, inputs, outputs
        N, M and O of the network.
    rows, cols, drains
        How the lanes lie over the matrix; docs/architecture.md.
    weight_bits, acc_bits
        Word lengths of a weight and of an accumulator.
    layers
        Units of each layer of a stack; empty for one layer.
    """

    units: int
    inputs: int
    outputs: int
    rows: int
    cols: int
    drains: int
    weight_bits: int
    acc_bits: int
    layers: tuple[int, ...] = ()

    @cached_property
    def places(self) -> tuple[range, ...]:
        """Where the rows of each layer lie in the tiles; see :func:`layer_places`."""
        return layer_places(layer_rows(self.outputs, self.layers or (self.units,)), self.rows, self.drains)

    @property
    def tiles(self) -> int:
        """Groups of rows that are computed together."""
        return -(-self.places[-1].stop // self.rows)

    @property
    def slots(self) -> int:
        """Groups of columns that are multiplied in one cycle."""
        return -(-(self.inputs + self.units) // self.cols)

    @property
    def groups(self) -> int:
        """Groups of rows of a tile that leave together."""
        return -(-self.rows // self.drains)

    @property
    def weights(self) -> Part:
        """The memory of the weights, for uploads."""
        return Part(self.rows * self.cols * self.weight_bits, _blocks(self.tiles * self.slots))

    @property
    def biases(self) -> Part:
        """The memory of the biases, for uploads."""
        return Part(self.drains * self.acc_bits, _blocks(self.tiles * self.groups))

    @property
    def stripes(self) -> int:
        """Of both parts."""
        return self.weights.stripes + self.biases.stripes

    @property
    def depth(self) -> int:
        """Words of the deeper part."""
        return max(self.weights.depth, self.biases.depth)

    @property
    def size(self) -> int:
        """Bytes of the image."""
        return self.weights.size + self.biases.size

    def weight_words(self, q: QuantizedNetwork) -> list[int]:
        """Word ``tile * slots + slot`` holds the weights of all lanes, row by row, lowest first.

        Rows and columns beyond the last are zero, and so are rows between two layers.
        """
        padded = np.zeros((self.tiles * self.rows, self.slots * self.cols), np.int64)
        padded[np.concatenate(self.places), : self.inputs + self.units] = matrix(q)
        blocks = padded.reshape(self.tiles, self.rows, self.slots, self.cols).transpose(0, 2, 1, 3)
        return [packed(word, self.weight_bits) for word in blocks.reshape(self.tiles * self.slots, -1)]

    def bias_words(self, q: QuantizedNetwork) -> list[int]:
        """Word ``tile * groups + group`` holds the negative biases of the rows that leave together."""
        padded = np.zeros((self.tiles, self.groups * self.drains), np.int64)
        rows = np.zeros(self.tiles * self.rows, np.int64)
        rows[np.concatenate(self.places)] = -bias(q)
        padded[:, : self.rows] = rows.reshape(self.tiles, self.rows)
        return [packed(word, self.acc_bits) for word in padded.reshape(-1, self.drains)]

    def image(self, q: QuantizedNetwork) -> bytes:
        """All that is uploaded for `q`."""
        return self.weights.image(self.weight_words(q)) + self.biases.image(self.bias_words(q))

    def network(self, image: bytes, like: QuantizedNetwork) -> QuantizedNetwork:
        """The network whose weights and biases are those of `image`, and all else that of `like`."""
        placed = np.concatenate(self.places)
        words = self.weights.words(image[: self.weights.size])[: self.tiles * self.slots]
        blocks = np.array([_unpacked(word, self.weight_bits, self.rows * self.cols) for word in words])
        full = blocks.reshape(self.tiles, self.slots, self.rows, self.cols).transpose(0, 2, 1, 3)
        weights = full.reshape(self.tiles * self.rows, -1)[placed, : self.inputs + self.units]
        words = self.biases.words(image[self.weights.size :])[: self.tiles * self.groups]
        sums = np.array([_unpacked(word, self.acc_bits, self.drains) for word in words])
        rows = -sums.reshape(self.tiles, -1)[:, : self.rows].ravel()[placed]
        o, m = self.outputs, self.inputs
        return replace(like, W=weights[o:, m:], W_in=weights[o:, :m], W_out=weights[:o, m:], b=rows[o:], b_out=rows[:o])


def layer_rows(outputs: int, layers: tuple[int, ...]) -> tuple[range, ...]:
    """The rows of each layer of so many units; the readout's belong to the first."""
    ends = np.cumsum(layers).tolist()
    return tuple(range(start and outputs + start, outputs + end) for start, end in zip([0, *ends], ends, strict=False))


def layer_places(layers: tuple[range, ...], rows: int, drains: int) -> tuple[range, ...]:
    """Where the rows of each layer lie in tiles of `rows`: from a tile's begin, but by the same drain."""
    found: list[range] = []
    end = 0
    for span in layers:
        begin = -(-end // rows) * rows + span.start % drains
        end = begin + len(span)
        found.append(range(begin, end))
    return tuple(found)


def matrix(q: QuantizedNetwork) -> IntArray:
    """All rows that the lanes compute, (rows, cols): ``[0, W_out]`` above ``[W_in, W]``."""
    readout = np.hstack([np.zeros((q.outputs, q.inputs), np.int64), q.W_out])
    return np.vstack([readout, np.hstack([q.W_in, q.W])])


def bias(q: QuantizedNetwork) -> IntArray:
    """The bias of each row: ``[b_out, b]``."""
    return np.concatenate([q.b_out, q.b])


def packed(codes: Iterable[int], bits: int) -> int:
    """One word of signed codes, the first lowest."""
    mask = (1 << bits) - 1
    return sum((int(code) & mask) << (k * bits) for k, code in enumerate(codes))


def _unpacked(word: int, bits: int, count: int) -> list[int]:
    """The `count` signed codes of a word."""
    sign = 1 << (bits - 1)
    return [((word >> k * bits & (2 * sign - 1)) ^ sign) - sign for k in range(count)]


def _blocks(words: int) -> int:
    """`words`, rounded up to whole blocks."""
    return -(-words // BLOCK_WORDS) * BLOCK_WORDS
