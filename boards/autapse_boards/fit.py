"""Does a network fit a board, and with how many lanes: resources estimated before synthesis.

DSPs and block RAMs follow from the structure of the core. Logic is a sum over its parts whose factors were measured
with yosys; ``tests/boards/test_fit.py`` compares the estimate with real builds. It leans towards too much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from autapse.activation import Activation, design
from autapse.errors import DoesNotFitError
from autapse.fixed import Format
from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import WeightMemory
from autapse_boards.board import Board, Resources, get_board
from autapse_boards.costs import CLOCKS, dsps, needed
from autapse_hw.lanes import FORMS, LaneForm
from autapse_hw.schedule import Schedule, activation_latency, state_latency, sum_latency
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage, check_storage

#: Logic that may be filled, by kind of device; nextpnr finds no good routing, or none, beyond it. On HX8K, where lanes
#: are carry chains, one design with 90 % in use could not be placed.
FILL = {"up5k": 0.92, "hx8k": 0.89, "ecp5": 0.85}


# Logic cells of the smallest lane.
_LEAST_LANE = 60


@dataclass(frozen=True)
class Shape:
    """All of a network that decides what its core costs.

    Attributes
    ----------
    units, inputs, outputs
        N, M and O.
    weight_bits, operand_bits, acc_bits, input_bits, state_bits
        Word lengths: of the weights, the multipliers' operands, the accumulators, the inputs and the kept state.
    activation
        Its table and its multipliers.
    leaky, initial
        Whether the update is leaky, and whether the state starts elsewhere than at 0.
    summed_bits
        Of the rounded sum that drives the update in the current form; 0 in the rate form.
    layers
        Units of each layer of a stack, or empty.
    storage
        Where weights and biases are.
    trace
        Whether it has a memory of pre-activations.
    state_latency
        Cycles from a rounded sum to the new state; see :func:`autapse_hw.schedule.state_latency`.
    """

    units: int
    inputs: int
    outputs: int
    weight_bits: int
    operand_bits: int
    acc_bits: int
    input_bits: int
    state_bits: int
    activation: Activation
    leaky: bool = False
    initial: bool = False
    summed_bits: int = 0
    layers: tuple[int, ...] = ()
    state_latency: int = 6
    storage: Storage = Storage.FIXED
    trace: bool = False

    @classmethod
    def of(cls, q: QuantizedNetwork) -> Shape:
        """The shape of a quantised network with fixed weights."""
        f = q.formats
        return cls(
            units=q.units,
            inputs=q.inputs,
            outputs=q.outputs,
            weight_bits=f.W.bits,
            operand_bits=f.operand_bits,
            acc_bits=f.acc_bits,
            input_bits=f.x.bits,
            state_bits=f.state.bits,
            activation=q.activation,
            leaky=q.leaky,
            initial=bool(q.h0.any()),
            layers=q.network.layers,
            summed_bits=q.driven.bits if q.form == "current" else 0,
            state_latency=state_latency(q),
        )

    @classmethod
    def typical(cls, units: int, bits: int, inputs: int = 2, outputs: int = 1) -> Shape:
        """A plain tanh network whose weights, states and inputs all have `bits` bits.

        The accumulator is that of row sums that grow as the square root of the columns, as trained weights do.
        """
        growth = math.ceil(0.5 * math.log2(inputs + units)) + 1
        activation = design("tanh", bits - 1, Format(bits, bits - 1))
        latency = activation_latency(activation) + 1
        lengths = (bits, bits, 2 * bits - 1 + growth, bits, bits)
        return cls(units, inputs, outputs, *lengths, activation, state_latency=latency)

    @property
    def rows(self) -> int:
        """Sums a step computes."""
        return self.units + self.outputs

    @property
    def cols(self) -> int:
        """Products in a sum."""
        return self.units + self.inputs

    def memory(self, tiling: Tiling) -> WeightMemory:
        """How weights and biases lie in a core of that tiling."""
        shape, t = (self.units, self.inputs, self.outputs), tiling
        return WeightMemory(*shape, t.rows, t.cols, t.drains, self.weight_bits, self.acc_bits, self.layers)

    def schedule(self, tiling: Tiling, form: LaneForm) -> Schedule:
        """The timetable of a core of that tiling."""
        latency = sum_latency(form, tiling.cols, self.acc_bits) + self.state_latency
        return Schedule(self.units, self.inputs, self.outputs, tiling, latency, self.layers)


@dataclass(frozen=True)
class Plan:
    """A network on a board: which lanes, and what they are expected to need.

    Attributes
    ----------
    tiling, form
        Multiply-accumulators, and how they are built: a name of :data:`autapse_hw.lanes.FORMS`.
    schedule
        The core's timetable.
    storage, reason
        Where weights and biases are; why not in block RAMs, or empty.
    needed, available
        Estimate, and what the device has.
    expected_hz
        A clock that such designs come near to: where the search for the clock starts.
    """

    board: str
    tiling: Tiling
    form: str
    schedule: Schedule
    storage: Storage
    reason: str
    needed: Resources
    available: Resources
    expected_hz: float


def fit(
    q: QuantizedNetwork | Shape,
    board: str | Board,
    lanes: int | str | Tiling | None = None,
    form: str | None = None,
    sequences: int | None = None,
    *,
    upload: bool = False,
    trace: bool = False,
) -> Plan:
    """The plan for `q` on `board`.

    With `lanes` not given, the tiling with the fewest cycles a step that fits, and of those the one with the fewest
    lanes and drains; with `form` not given, the first of the board's forms that takes the word lengths; with
    `sequences` not given, those of `lanes`, or one. With `upload`, weights and biases can be uploaded; weights that are
    too many for the block RAMs are then in SPRAMs, where the device has them. With `trace`, a host can read
    pre-activations.

    Raises
    ------
    DoesNotFitError
        Names the resource that is short, by how much, and what would fit.
    ValueError
        For a tiling that the network cannot have, a form that the board has not or that takes no such words, or
        uploads to a stack of layers.
    """
    board = get_board(board)
    shape = q if isinstance(q, Shape) else Shape.of(q)
    given = None if lanes is None else _with_sequences(Tiling.of(lanes), sequences)
    kind = choose_form(shape, board, form, 1 if given is None else given.cols)
    if given is not None:
        shape.schedule(given, kind)  # is it possible at all?
    least = _with_sequences(Tiling(1), sequences)
    storages = _storages(board, kind, upload)
    check_storage(storages[0], shape.layers)
    shapes = [replace(shape, storage=storage, trace=trace) for storage in storages]
    shorts = []
    for tried in shapes:
        chosen = best_tiling(tried, board, kind, least.sequences) if given is None else given
        short = shortage(tried, board, chosen or least, kind)
        if short is None and chosen is not None:
            need, schedule = needed(tried, board, chosen, kind), tried.schedule(chosen, kind)
            clock, reason = CLOCKS[board.key, kind.name], shorts[0] if shorts else ""
            return Plan(board.name, chosen, kind.name, schedule, tried.storage, reason, need, board.resources, clock)
        shorts.append(short or "")
    raise DoesNotFitError(_message(shapes[-1], board, shorts[-1], given, form))


def _storages(board: Board, form: LaneForm, upload: bool) -> list[Storage]:
    """Where weights may be, the preferred first."""
    if not upload:
        return [Storage.FIXED]
    return [Storage.UPLOAD, *([Storage.SPRAM] if board.resources.sprams and form.memory == "ice40" else [])]


def _with_sequences(tiling: Tiling, sequences: int | None) -> Tiling:
    """The tiling with so many sequences, if they are given; ValueError if it has others already."""
    if sequences is None or tiling.sequences == sequences:
        return tiling
    if tiling.sequences > 1:
        raise ValueError(f"lanes {tiling} have {tiling.sequences} sequences already, and cannot have {sequences}")
    return replace(tiling, sequences=sequences)


def choose_form(shape: Shape, board: Board, form: str | None = None, cols: int = 1) -> LaneForm:
    """The first of the board's forms that takes the word lengths of `shape` and so many columns of lanes; or `form`,
    ValueError if it does not."""
    lengths = (shape.weight_bits, shape.operand_bits, shape.acc_bits)
    if form is not None:
        if form not in board.forms:
            raise ValueError(f"lane form on {board.name} must be one of {', '.join(board.forms)}; not {form!r}")
        if (short := FORMS[form].shortage(*lengths)) is not None:
            raise ValueError(short)
        if cols > FORMS[form].columns:
            raise ValueError(f"lane form {form} takes {FORMS[form].columns} column of lanes, not {cols}")
        return FORMS[form]
    # One form of every board, the generic one, takes all that a quantised network can have.
    forms = (FORMS[name] for name in board.forms)
    return next(f for f in forms if f.shortage(*lengths) is None and cols <= f.columns)


def shortage(shape: Shape, board: Board, tiling: Tiling, form: LaneForm) -> str | None:
    """What is short for `shape` on `board`, in words; None if nothing is."""
    need, have = needed(shape, board, tiling, form), board.resources
    logic = int(have.logic * FILL[board.key])
    for name, n, h in (
        ("block RAMs", need.rams, have.rams),
        ("SPRAMs", need.sprams, have.sprams),
        ("DSPs", need.dsps, have.dsps),
        ("logic cells", need.logic, logic),
    ):
        if n > h:
            usable = f" usable of {have.logic}" if name == "logic cells" else ""
            return f"{n} {name} needed, {h}{usable} available"
    return None


def fits(shape: Shape, board: Board, form: str | None = None) -> bool:
    """Whether `shape` fits with some lanes, of that form or of the preferred one."""
    kind = choose_form(shape, board, form)
    # A single column and drain need the least, and of the rows that make as many tiles the fewest.
    rows = _least(shape.rows, _most_lanes(shape, board, kind))
    return any(shortage(shape, board, Tiling(n), kind) is None for n in rows)


def _fits_stored(shape: Shape, board: Board, upload: bool) -> bool:
    """Whether `shape` fits with its weights in one of the places that the board has for them."""
    storages = _storages(board, choose_form(shape, board), upload)
    return any(fits(replace(shape, storage=storage), board) for storage in storages)


@lru_cache(maxsize=128)
def largest_units(board: str | Board, bits: int, inputs: int = 2, outputs: int = 1, *, upload: bool = False) -> int:
    """The most units of a plain tanh network, of `bits` bits throughout, that the board holds; 0 if none.

    With `upload`, of one whose weights can be uploaded, and be in SPRAM where the device has it.
    """
    board = get_board(board)

    def largest(storage: Storage) -> int:
        return _largest(board, lambda n: replace(Shape.typical(n, bits, inputs, outputs), storage=storage))

    form = choose_form(Shape.typical(1, bits, inputs, outputs), board)
    return max(largest(storage) for storage in _storages(board, form, upload))


def _largest(board: Board, make: Callable[[int], Shape], form: str | None = None) -> int:
    """The largest N for which ``make(N)`` fits, by bisection."""
    low, high = 0, 1
    while high < 1 << 14 and fits(make(high), board, form):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(make(middle), board, form) else (low, middle)
    return low


def best_tiling(shape: Shape, board: Board, form: LaneForm, sequences: int = 1) -> Tiling | None:
    """Of the tilings that fit, that with the fewest cycles a step, then fewest lanes and drains; None if none fits."""
    best: tuple[tuple[int, int, int, int], Tiling] | None = None
    # From those on that would be the fastest if nothing stalled.
    for busy, tiling in sorted(_tilings(shape, board, form, sequences), key=lambda each: (each[0], each[1].lanes)):
        if best is not None and busy > best[0][0]:
            break
        cycles = shape.schedule(tiling, form).cycles_per_step
        cost = (cycles, tiling.lanes, tiling.drains, tiling.cols)
        if (best is None or cost < best[0]) and shortage(shape, board, tiling, form) is None:
            best = cost, tiling
    return None if best is None else best[1]


def _tilings(shape: Shape, board: Board, form: LaneForm, sequences: int) -> Iterator[tuple[int, Tiling]]:
    """All tilings of as many lanes as the device may have, each with the least cycles that it can take."""
    most = _most_lanes(shape, board, form)
    for cols in range(1, min(shape.cols, form.columns, most) + 1):
        slots = -(-shape.cols // cols)
        for drains in (d for d in range(1, cols + 1) if cols % d == 0):
            for rows in range(1, min(shape.rows, most // cols) + 1):
                if rows % drains == 0 or (rows == shape.rows and not shape.layers):
                    tile_cycles = max(slots, -(-rows // drains), 3)
                    yield -(-shape.rows // rows) * tile_cycles, Tiling(rows, cols, drains, sequences)


def _most_lanes(shape: Shape, board: Board, form: LaneForm) -> int:
    """More lanes do not fit for sure: by the multipliers, or by the logic of the smallest ones."""
    have = board.resources
    if form.lanes_per_block:
        return form.lanes_per_block * have.dsps
    each = dsps(shape, board, 1, form)
    return have.dsps // each if each else max(1, have.logic // _LEAST_LANE)


def _least(length: int, most: int) -> list[int]:
    """The least widths, up to `most`, that cut `length` into each possible number of pieces."""
    return sorted({width for pieces in range(1, length + 1) if (width := -(-length // pieces)) <= most})


def _message(shape: Shape, board: Board, short: str, given: Tiling | None, form: str | None) -> str:
    """What is short, and what would help."""
    from autapse_boards.boards import BOARDS

    what = f"{shape.units} units with {shape.weight_bits}-bit weights"
    kind = choose_form(shape, board, form, 1 if given is None else given.cols)
    where = board.name if given is None else f"{board.name} on {given} lanes ({kind.name})"
    hints = []
    if given is not None and fits(shape, board, form):
        fewer = (replace(given, rows=n) for n in range(given.rows - 1, 0, -1) if n % given.drains == 0)
        if (most := next((t for t in fewer if shortage(shape, board, t, kind) is None), None)) is not None:
            hints.append(f"{most} lanes fit")
    else:
        if units := _largest(board, lambda n: replace(shape, units=n, layers=()), form):
            hints.append(f"{units} units fit at these word lengths")
        for bits in range(shape.weight_bits - 1, 3, -1):
            less = replace(shape, weight_bits=bits, acc_bits=max(4, shape.acc_bits - shape.weight_bits + bits))
            if fits(less, board, form):
                hints.append(f"weights of {bits} bits fit")
                break
        segments = shape.activation.segments
        if segments is not None and segments.degree == 0 and "block RAM" in short:
            hints.append("a linear activation table saves block RAMs")
        upload = shape.storage != Storage.FIXED
        spram = not upload and not shape.layers and Storage.SPRAM in _storages(board, kind, upload=True)
        if spram and fits(replace(shape, storage=Storage.SPRAM), board, form):
            hints.append("with --upload it fits, with its weights in SPRAM")
        others = [name for name, other in BOARDS.items() if name != board.name and _fits_stored(shape, other, upload)]
        if others:
            hints.append(f"it fits {', '.join(others)}")
    return f"{what} do not fit {where}: {short}" + (f"; {'; '.join(hints)}" if hints else "")
