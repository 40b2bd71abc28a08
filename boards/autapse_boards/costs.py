"""What the parts of a core cost on each family: the figures behind `autapse_boards.fit`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from autapse.activation import Segments
from autapse.fixed import Format
from autapse.protocol import COUNTERS_BYTES, IDENTITY_BYTES, SESSION_BYTES, STEP_MARKS, Identity
from autapse_boards.board import Board, Resources
from autapse_hw.activation import table_in_logic
from autapse_hw.arithmetic import multiply_latency
from autapse_hw.lanes import GENERIC, LaneForm
from autapse_hw.lanes.accumulator import segment_widths
from autapse_hw.link import buffer_memory
from autapse_hw.memories import layout
from autapse_hw.schedule import Schedule
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage

if TYPE_CHECKING:
    from autapse_boards.fit import Shape

#: Clock in Hz near which designs come, by kind of device and lane form: where the search for the clock starts.
CLOCKS = {
    ("up5k", "mac8x8"): 60e6,
    ("up5k", "mac16sum"): 58e6,
    ("up5k", "mac16"): 66e6,
    ("up5k", "generic"): 48e6,
    ("up5k", "booth"): 56e6,
    ("hx8k", "booth"): 110e6,
    ("hx8k", "generic"): 90e6,
    ("ecp5", "mult18"): 125e6,
    ("ecp5", "generic"): 90e6,
}

# Link, clock, reset, and the control of a core without lanes, in logic cells.
_BASE = {"ice40": 1005, "ecp5": 846}
# Beginnings and ends of carry chains, and what the packer does not join.
_PACKING = {"ice40": 1.06, "ecp5": 1.13}
# Logic cells for each bit of a product, multiplied in logic.
_PRODUCT_BIT = 3.0
_LEAK_BITS = 18
# The uploader and its part of the server; and for each stripe of a memory that it writes and reads back.
_UPLOADER = {"ice40": 190, "ecp5": 160}
_STRIPE = {"ice40": 24, "ecp5": 10}
# The part of a trace that all drains share.
_TRACE = 40
# Sixteen bits of a ROM cost yosys as much as a cell, a block RAM this much.
_RAM_COST = {"ice40": 64, "ecp5": 128}


def needed(shape: Shape, board: Board, tiling: Tiling, form: LaneForm) -> Resources:
    """What `shape` on lanes of that tiling and form needs of this board's kind of device, link and clock included."""
    blocks, cells = zip(*memories(shape, board, tiling, form), strict=True)
    return Resources(
        logic=math.ceil(logic_cells(shape, board, tiling, form, sum(cells))),
        dsps=dsps(shape, board, tiling.lanes, form),
        rams=sum(blocks),
        sprams=sprams(shape, tiling),
    )


def memory_blocks(width: int, depth: int, shapes: tuple[tuple[int, int], ...]) -> int:
    """Block RAMs for a memory of `depth` words of `width` bits, in the shape that yosys gives the blocks."""
    return _memory(width, depth, shapes)[0]


@cache
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
    if not board.resources.dsps or form is not GENERIC:
        return 0
    size = 16 if board.family == "ice40" else 18
    return lanes * math.ceil(shape.weight_bits / size) * math.ceil(shape.operand_bits / size)


def sprams(shape: Shape, tiling: Tiling) -> int:
    """SPRAMs, for weights that are in none of the others."""
    weights = shape.memory(tiling).weights
    return layout(weights.width, weights.depth, "spram").blocks if shape.storage == Storage.SPRAM else 0


def roms(shape: Shape, tiling: Tiling, form: LaneForm) -> list[tuple[int, int]]:
    """Width and depth of the core's memories that are never written: weights, biases, tables."""
    tiles = Schedule(shape.units, shape.inputs, shape.outputs, tiling.within(shape.rows), 0, shape.layers).tiles
    slots = -(-shape.cols // tiling.cols)
    groups = -(-tiling.rows // tiling.drains)
    result = []
    if shape.storage == Storage.FIXED:
        result = [(len(rows) * tiling.cols * shape.weight_bits, tiles * slots) for rows in form.bands(tiling)]
        result += [(tiling.drains * shape.acc_bits, tiles * groups)]
    if (segments := shape.activation.segments) is not None and not table_in_logic(segments):
        result += [(sum(segments.widths), len(segments.c0))] * tiling.drains
    return result


def rams(shape: Shape, tiling: Tiling, form: LaneForm) -> list[tuple[int, int]]:
    """Width and depth of the memories of the lanes' kind that are written: of the operands, of server and link, of what
    can be uploaded, and of the trace."""
    slots = -(-shape.cols // tiling.cols)
    depth = (tiling.sequences + 1) << max(0, slots - 1).bit_length()
    served = SESSION_BYTES + COUNTERS_BYTES - 2 + IDENTITY_BYTES
    result = [(shape.operand_bits, depth)] * tiling.cols + [(8, served)]
    if form.memory == buffer_memory(form.memory):
        result += [(8, frame_room(shape, tiling))] * 2
    if shape.storage != Storage.FIXED:
        memory = shape.memory(tiling)
        for part in (memory.biases,) if shape.storage == Storage.SPRAM else (memory.weights, memory.biases):
            result += [(bits, part.depth) for bits in part.stripe_bits]
    if shape.trace:
        records = tiling.sequences << max(1, (shape.units - 1).bit_length())
        result += [(STEP_MARKS.bit_length() + shape.acc_bits, records)] * tiling.drains
    return result


def inferred_roms(shape: Shape, tiling: Tiling) -> list[tuple[int, int]]:
    """Width and depth of the memories that yosys may build of logic: a small table, leak, initial state."""
    result = []
    if (segments := shape.activation.segments) is not None and table_in_logic(segments):
        result += [(sum(segments.widths), len(segments.c0))] * tiling.drains
    if shape.leaky:
        result += [(2 * _LEAK_BITS, -(-shape.units // tiling.drains))] * tiling.drains
    if shape.initial:
        result.append((shape.state_bits, shape.units))
    return result


def inferred_rams(shape: Shape, tiling: Tiling, form: LaneForm) -> list[tuple[int, int]]:
    """Width and depth of the written memories that yosys may build of logic: leaky states, and the frames'."""
    result = []
    if form.memory != buffer_memory(form.memory):
        result += [(8, frame_room(shape, tiling))] * 2
    if shape.leaky:
        result += [(shape.state_bits, -(-shape.units // tiling.drains) * tiling.sequences)] * tiling.drains
    return result


def frame_room(shape: Shape, tiling: Tiling) -> int:
    """Bytes of each of the link's two memories for frames."""
    x, h, z = (Format(bits, 0) for bits in (shape.input_bits, shape.state_bits, shape.acc_bits))
    shapes, more = (shape.units, shape.inputs, shape.outputs), shape.acc_bits if shape.trace else 0
    link = Identity(bytes(8), *shapes, x, h, z, 1, 0, sequences=tiling.sequences, sum_bits=more)
    return link.room


def memories(shape: Shape, board: Board, tiling: Tiling, form: LaneForm) -> Iterator[tuple[int, float]]:
    """Block RAMs and logic cells of each memory: of the core's, and of those that yosys may put into logic."""
    for width, depth in inferred_roms(shape, tiling):
        if _rom_in_logic(width, depth, board):
            yield 0, width * depth / (10 if board.family == "ice40" else 14)
        else:
            yield memory_blocks(width, depth, board.ram_shapes), 0
    for width, depth in inferred_rams(shape, tiling, form):
        if _ram_in_logic(width, depth, board):
            deep = math.ceil(depth / 16)
            distributed = 6 * math.ceil(width / 4) * deep + 0.83 * width * (deep - 1)  # RAM, and the choice among it
            yield 0, distributed if board.family == "ecp5" else 2.8 * width * depth
        else:
            yield memory_blocks(width, depth, board.ram_shapes), 0
    for of_core, writable in ((roms(shape, tiling, form), False), (rams(shape, tiling, form), True)):
        for width, depth in of_core:
            if form.memory == "generic":
                yield _memory(width, depth, board.ram_shapes)
            else:
                yield _instances(width, depth, form.memory, writable)


@cache
def _instances(width: int, depth: int, kind: str, writable: bool) -> tuple[int, int]:
    chosen = layout(width, depth, kind, writable=writable)
    return chosen.blocks, (chosen.banks - 1) * width


def logic_cells(shape: Shape, board: Board, tiling: Tiling, form: LaneForm, of_memories: float) -> float:
    """Logic cells, with those of the memories."""
    total = _BASE[board.family] + 30 * (math.log2(shape.cols) - 4.5)  # longer counters and addresses
    total += 6 * shape.state_bits + 2 * (shape.input_bits + shape.acc_bits)  # the words in link and buffers
    total += of_memories
    total += tiling.cols * (2 * shape.operand_bits + 5)  # write ports of the memories, registers behind them
    if shape.storage != Storage.FIXED:
        total += _UPLOADER[board.family] + _STRIPE[board.family] * shape.memory(tiling).stripes
    if shape.trace:
        total += _TRACE + tiling.drains * trace_cells(shape, board)
    total += tiling.drains * drain_cells(shape, board, form) + tiling.rows * row_cells(shape, board, tiling, form)
    return _PACKING[board.family] * total


def row_cells(shape: Shape, board: Board, tiling: Tiling, form: LaneForm) -> float:
    """Logic cells of a row of lanes: products, their tree, sum, and its stages of the drain's chain and ring."""
    acc, w, v = shape.acc_bits, shape.weight_bits, shape.operand_bits
    tree, terms, bits = 0, tiling.cols, w + v - 1
    while terms > 1:
        terms, bits = -(-terms // 2), bits + 1
        tree += terms * bits
    if board.family == "ecp5":  # registers are for nothing: no ring
        return 2 * acc + tree
    if form.name == "mac16sum":
        return 2 * acc
    product = 0.0
    if form.name == "booth":  # digits, their multiples, adders
        count = math.ceil(w / 2)
        product = (w + 1) + count * (v + 2) + (count - 1) * (v + 7)
    elif form.lanes_per_block:  # a register
        product = w + v - 1
    elif not board.resources.dsps:
        product = _PRODUCT_BIT * w * v + w
    widths = segment_widths(acc, form.segments(acc))
    late = sum(k * bits + 1 for k, bits in enumerate(widths))  # addends of the later segments wait, carries
    return 3 * acc + late + tree + tiling.cols * product


def drain_cells(shape: Shape, board: Board, form: LaneForm) -> float:
    """Logic cells of a drain: bias, segments put together, rounding, activations, leaky update, write address."""
    acc, segments = shape.acc_bits, shape.activation.segments
    if board.family == "ice40":
        total = 20 + (1 + form.segments(acc)) * acc + 4.5 * shape.activation.out.bits
    else:
        total = 20 + 2 * acc + 2 * shape.activation.out.bits
    if segments is not None:
        total += _polynomial(segments, board)
    if shape.leaky:
        factor = max(shape.state_bits, shape.summed_bits or shape.activation.out.bits)
        total += (120 + 13 * shape.state_bits) if board.family == "ice40" else (40 + 5 * shape.state_bits)
        total += 2 * _product(_LEAK_BITS, factor, board)
    if shape.summed_bits:  # the sum through an activation unit of its own, and the rounding before the other one
        total += (4.5 if board.family == "ice40" else 2) * (shape.summed_bits + shape.activation.out.bits)
    return total


def trace_cells(shape: Shape, board: Board) -> float:
    """Logic cells of a drain's part of the trace: labels, and the sums that wait until their states are written."""
    waiting = shape.acc_bits * (shape.state_latency + 2) if board.family == "ice40" else 0
    return 25 + waiting


def _product(a: int, b: int, board: Board) -> float:
    """Logic cells of :func:`autapse_hw.arithmetic.multiply`: selections of digits, and the adders of their tree."""
    rows = math.ceil(b / 2)
    adders = (a + 2) + (rows - 1) * (a + 5)  # of three times a, and of the rows
    if board.family == "ecp5":
        return adders + rows * (a + 2) * 1.5
    return adders + rows * (a + 2) * 2 + a + b  # a register alone takes a cell on iCE40


def _polynomial(segments: Segments, board: Board) -> float:
    """Logic cells of an activation's polynomial: its products, sums, and what waits for them."""
    if not segments.degree:
        return 0
    wait = multiply_latency(segments.shift)
    total = sum(_product(width, segments.shift, board) for width in segments.widths[1:])
    if board.family == "ice40":
        total += sum(segments.widths) + wait * segments.widths[0] + 2 * segments.shift
        if segments.degree == 2:
            total += (wait + 1) * (segments.widths[0] + segments.shift) + wait * segments.widths[1]
    return total


def _rom_in_logic(width: int, depth: int, board: Board) -> bool:
    """Whether yosys' memory_libmap builds this ROM in logic."""
    return width * depth / 16 <= _RAM_COST[board.family] * memory_blocks(width, depth, board.ram_shapes)


def _ram_in_logic(width: int, depth: int, board: Board) -> bool:
    """Whether yosys uses distributed RAM, which only ECP5 has, or flip-flops, for the least memories."""
    blocks = memory_blocks(width, depth, board.ram_shapes)
    if board.family == "ecp5":
        return 4 * math.ceil(width / 4) * math.ceil(depth / 16) < _RAM_COST["ecp5"] * blocks
    return width * depth <= _RAM_COST["ice40"] * blocks
