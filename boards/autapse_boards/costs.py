"""What the parts of a core cost on each family: the figures behind `autapse_boards.fit`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from autapse_boards.board import Board, Resources

if TYPE_CHECKING:
    from autapse_boards.fit import Shape

#: Clock in Hz near which designs come, by family and whether it is UltraPlus.
CLOCKS = {("ice40", True): 48e6, ("ice40", False): 90e6, ("ecp5", False): 85e6}

# A link, clock, reset and the control of a core without lanes, in logic cells.
_BASE = {"ice40": 930, "ecp5": 1080}
# Logic cells for each bit of a product, multiplied in logic.
_PRODUCT_BIT = 3.15
_LEAK_BITS = 18
# SB_MAC16 holds an accumulator of up to this many bits, and yosys uses it; wider ones are built in logic.
_MAC16_ACC_BITS = 32


def needed(shape: Shape, board: Board, lanes: int) -> Resources:
    """What `shape` on `lanes` lanes needs of this board's kind of device, link and clock included."""
    return Resources(
        logic=math.ceil(logic_cells(shape, board, lanes)),
        dsps=dsps(shape, board, lanes),
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


def multipliers(shape: Shape, lanes: int) -> list[tuple[int, int]]:
    """Word lengths of every multiplication in the core."""
    segments = shape.activation.segments
    result = [(shape.weight_bits, shape.operand_bits)] * lanes
    if segments is not None and segments.degree:
        # Unsigned coefficients and offsets take one more bit in a signed multiplier.
        result += [(width + 1, segments.shift + 1) for width in segments.widths[1:]]
    if shape.leaky:
        result += [(_LEAK_BITS, shape.state_bits), (_LEAK_BITS, shape.activation.out.bits)]
    return result


def dsps(shape: Shape, board: Board, lanes: int) -> int:
    """Multiplier blocks."""
    if not board.resources.dsps:
        return 0
    size = 16 if board.family == "ice40" else 18
    return sum(math.ceil(a / size) * math.ceil(b / size) for a, b in multipliers(shape, lanes))


def roms(shape: Shape, lanes: int) -> list[tuple[int, int]]:
    """Width and depth of the memories that are never written: weights, biases, table, leak, initial state."""
    result = [(lanes * shape.weight_bits, math.ceil(shape.rows / lanes) * shape.cols), (shape.acc_bits, shape.rows)]
    if shape.activation.segments is not None:
        segments = shape.activation.segments
        result.append((sum(segments.widths), len(segments.c0)))
    if shape.leaky:
        result.append((2 * _LEAK_BITS, shape.units))
    if shape.initial:
        result.append((shape.state_bits, shape.units))
    return result


def rams(shape: Shape) -> list[tuple[int, int]]:
    """Width and depth of the memories that are written, one for each reader: operands, states, the link's buffers."""
    operands = (shape.operand_bits, 2 << max(0, shape.cols - 1).bit_length())
    answer = (8, 4 + max(32, shape.units * math.ceil(shape.state_bits / 8)))
    result = [operands, answer, answer]
    result += [(shape.state_bits, shape.units)] * 2 if shape.leaky else [operands]
    return result


def ram_blocks(shape: Shape, board: Board, lanes: int) -> int:
    """Block RAMs: all memories but those that yosys puts into logic."""
    kept = [m for m in roms(shape, lanes) if not _rom_in_logic(*m, board)]
    kept += [m for m in rams(shape) if not _ram_in_logic(*m, board)]
    return sum(memory_blocks(width, depth, board.ram_shapes) for width, depth in kept)


def logic_cells(shape: Shape, board: Board, lanes: int) -> float:
    """Logic cells."""
    acc, w, v = shape.acc_bits, shape.weight_bits, shape.operand_bits
    total = _BASE[board.family] + 12.0 * acc
    total += sum(width * depth / 12 for width, depth in roms(shape, lanes) if _rom_in_logic(width, depth, board))
    total += 0.6 * _memory(*roms(shape, lanes)[0], board.ram_shapes)[1]
    total += 35 * max(0.0, math.log2(shape.cols) - 4.5)  # longer counters and addresses
    for width, depth in rams(shape):
        if _ram_in_logic(width, depth, board):
            total += 6 * math.ceil(width / 4) * math.ceil(depth / 16)
    total += 60 * (shape.activation.segments.degree if shape.activation.segments is not None else 0)
    if shape.leaky:
        total += 120 + 9 * shape.state_bits
    # A lane's weight register, product register, accumulator, and stage of the drain chain.
    if not board.resources.dsps:
        total += sum(_PRODUCT_BIT * a * b for a, b in multipliers(shape, 0))
        lane = _PRODUCT_BIT * w * v + 1.25 * acc + w
    elif board.family == "ecp5":
        # The registers have cells of their own to themselves there, and become what counts with many lanes.
        flip_flops = 560 + 8 * acc + lanes * (2 * acc + 2 * w + v)
        return max(flip_flops, total + lanes * (2 * acc + 8))
    elif acc <= _MAC16_ACC_BITS:
        lane = 1.3 * (acc + w)
    else:
        lane = 1.45 * (2 * acc + 2 * w + v)
    return total + lanes * lane


def _rom_in_logic(width: int, depth: int, board: Board) -> bool:
    """Whether yosys' memory_libmap builds this ROM in logic: sixteen bits cost as much as a cell, a block RAM 64."""
    return width * depth / 16 <= 64 * memory_blocks(width, depth, board.ram_shapes)


def _ram_in_logic(width: int, depth: int, board: Board) -> bool:
    """Whether yosys uses distributed RAM, which only ECP5 has."""
    return board.family == "ecp5" and width * depth <= 2048
