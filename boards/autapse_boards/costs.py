"""What the parts of a core cost on each family: the figures behind `autapse_boards.fit`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from autapse.activation import Segments
from autapse.fixed import Format
from autapse.protocol import COUNTERS_BYTES, IDENTITY_BYTES, SESSION_BYTES, Identity
from autapse_boards.board import Board, Resources
from autapse_hw.arithmetic import multiply_latency
from autapse_hw.lanes import LaneForm
from autapse_hw.lanes.accumulator import segment_widths

if TYPE_CHECKING:
    from autapse_boards.fit import Shape

#: Clock in Hz near which designs come, by kind of device and lane form: where the search for the clock starts.
CLOCKS = {
    ("up5k", "mac8x8"): 60e6,
    ("up5k", "mac16sum"): 58e6,
    ("up5k", "mac16"): 58e6,
    ("up5k", "generic"): 48e6,
    ("hx8k", "generic"): 90e6,
    ("ecp5", "mult18"): 125e6,
    ("ecp5", "generic"): 90e6,
}

# A link, clock, reset and the control of a core without lanes, in logic cells.
_BASE = {"ice40": 1090, "ecp5": 920}
# Logic cells for each bit of a product, multiplied in logic.
_PRODUCT_BIT = 3.0
_LEAK_BITS = 18
# Sixteen bits of a ROM cost yosys as much as a cell, a block RAM this much.
_RAM_COST = {"ice40": 64, "ecp5": 128}


def needed(shape: Shape, board: Board, lanes: int, form: LaneForm) -> Resources:
    """What `shape` on `lanes` lanes of that form needs of this board's kind of device, link and clock included."""
    return Resources(
        logic=math.ceil(logic_cells(shape, board, lanes, form)),
        dsps=dsps(shape, board, lanes, form),
        rams=ram_blocks(shape, board, lanes),
    )


def memory_blocks(width: int, depth: int, shapes: tuple[tuple[int, int], ...]) -> int:
    """Block RAMs for a memory of `depth` words of `width` bits, in the shape that yosys gives the blocks."""
    return _memory(width, depth, shapes)[0]


def _memory(width: int, depth: int, shapes: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """Blocks, and two-way multiplexers that select among blocks of different addresses; yosys weighs both."""
    choices = []
    for d, w in shapes:
        deep = math.ceil(depth / d)
        choices.append((deep * math.ceil(width / w), (deep - 1) * width))
    return min(choices, key=lambda c: 64 * c[0] + c[1])


def dsps(shape: Shape, board: Board, lanes: int, form: LaneForm) -> int:
    """Multiplier blocks."""
    if form.lanes_per_block:
        return math.ceil(lanes / form.lanes_per_block)
    if not board.resources.dsps:
        return 0
    size = 16 if board.family == "ice40" else 18
    return lanes * math.ceil(shape.weight_bits / size) * math.ceil(shape.operand_bits / size)


def roms(shape: Shape, lanes: int) -> list[tuple[int, int]]:
    """Width and depth of the memories that are never written: weights, table, leak, initial state; not the biases."""
    result = [(lanes * shape.weight_bits, math.ceil(shape.rows / lanes) * shape.cols)]
    if shape.activation.segments is not None:
        segments = shape.activation.segments
        result.append((sum(segments.widths), len(segments.c0)))
    if shape.leaky:
        result.append((2 * _LEAK_BITS, shape.units))
    if shape.initial:
        result.append((shape.state_bits, shape.units))
    return result


def rams(shape: Shape) -> list[tuple[int, int, int]]:
    """Width, depth and readers of the memories that are written: operands, states, the link's three."""
    operands = (shape.operand_bits, 2 << max(0, shape.cols - 1).bit_length(), 1 if shape.leaky else 2)
    x, h, z = (Format(bits, 0) for bits in (shape.input_bits, shape.state_bits, shape.acc_bits))
    link = Identity(bytes(8), shape.units, shape.inputs, shape.outputs, x, h, z, 1, 0)
    served = SESSION_BYTES + COUNTERS_BYTES - 2 + IDENTITY_BYTES
    result = [operands, (8, served, 1), (8, link.room, 1), (8, link.room, 1)]
    return [*result, (shape.state_bits, shape.units, 2)] if shape.leaky else result


def ram_blocks(shape: Shape, board: Board, lanes: int) -> int:
    """Block RAMs: the biases, and all memories but those that yosys puts into logic."""
    kept = [(shape.acc_bits, shape.rows)]
    kept += [m for m in roms(shape, lanes) if not _rom_in_logic(*m, board)]
    for width, depth, readers in rams(shape):
        if not _ram_in_logic(width, depth, readers, board):
            kept += [(width, depth)] * readers
    return sum(memory_blocks(width, depth, board.ram_shapes) for width, depth in kept)


def logic_cells(shape: Shape, board: Board, lanes: int, form: LaneForm) -> float:
    """Logic cells."""
    acc, segments = shape.acc_bits, shape.activation.segments
    per_cell = 10 if board.family == "ice40" else 14  # bits of a ROM
    total = _BASE[board.family] + 12.5 * acc
    total += sum(width * depth / per_cell for width, depth in roms(shape, lanes) if _rom_in_logic(width, depth, board))
    total += 0.6 * _memory(*roms(shape, lanes)[0], board.ram_shapes)[1]
    total += 35 * max(0.0, math.log2(shape.cols) - 4.5)  # longer counters and addresses
    for width, depth, readers in rams(shape):
        if _ram_in_logic(width, depth, readers, board):
            distributed = 4 * math.ceil(width / 4) * math.ceil(depth / 16) * readers
            total += distributed if board.family == "ecp5" else 2.8 * width * depth
    if segments is not None:
        total += _polynomial(segments, board)
    if shape.leaky:
        factor = max(shape.state_bits, shape.activation.out.bits)
        total += 120 + 13 * shape.state_bits + 2 * _product(_LEAK_BITS, factor, board)
    return total + lanes * lane_cells(shape, board, form)


def lane_cells(shape: Shape, board: Board, form: LaneForm) -> float:
    """Logic cells of a lane: factors' and product's registers, sum, and its stages of the drain's chain and ring."""
    acc, w, v = shape.acc_bits, shape.weight_bits, shape.operand_bits
    widths = segment_widths(acc, form.segments(acc))
    late = sum(k * bits + 1 for k, bits in enumerate(widths))  # addends of the later segments wait, carries
    if form.name == "mac16sum":
        return 2 * acc
    if board.family == "ecp5":
        return 3.2 * acc + late
    if form.lanes_per_block or board.resources.dsps:
        return 3 * acc + (w + v - 1) + late
    return 3 * acc + _PRODUCT_BIT * w * v + w + late


def _product(a: int, b: int, board: Board) -> float:
    """Logic cells of :func:`autapse_hw.arithmetic.multiply`: selections of digits, and the adders of their tree."""
    rows = math.ceil(b / 2)
    first = (2 * a + 2 + b) if board.family == "ice40" else 2 * a  # a register alone takes a cell on iCE40
    return first + rows * (a + 2) * 2 + (rows - 1) * (a + 5)


def _polynomial(segments: Segments, board: Board) -> float:
    """Logic cells of an activation's polynomial: its products, sums, and what waits for them."""
    if not segments.degree:
        return 0
    wait = multiply_latency(segments.shift)
    total = sum(_product(width, segments.shift, board) for width in segments.widths[1:])
    total += sum(segments.widths)
    if board.family == "ice40":
        total += 80 * segments.degree + wait * segments.widths[0] + 2 * segments.shift
        if segments.degree == 2:
            total += (wait + 1) * (segments.widths[0] + segments.shift) + wait * segments.widths[1]
    return total


def _rom_in_logic(width: int, depth: int, board: Board) -> bool:
    """Whether yosys' memory_libmap builds this ROM in logic."""
    return width * depth / 16 <= _RAM_COST[board.family] * memory_blocks(width, depth, board.ram_shapes)


def _ram_in_logic(width: int, depth: int, readers: int, board: Board) -> bool:
    """Whether yosys uses distributed RAM, which only ECP5 has, or flip-flops, for the least memories."""
    blocks = memory_blocks(width, depth, board.ram_shapes)
    if board.family == "ecp5":
        return 4 * math.ceil(width / 4) * math.ceil(depth / 16) < _RAM_COST["ecp5"] * blocks
    return width * depth <= _RAM_COST["ice40"] * blocks * readers
