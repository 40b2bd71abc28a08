"""Does a network fit a board, and with how many lanes: resources estimated before synthesis.

DSPs and block RAMs follow from the structure of the core. Logic is a sum over its parts whose factors were measured
with yosys; ``tests/boards/test_fit.py`` compares the estimate with real builds. It leans towards too much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from autapse.activation import Activation, design
from autapse.errors import DoesNotFitError
from autapse.fixed import Format
from autapse.quantized import QuantizedNetwork
from autapse_boards.board import Board, Resources, get_board
from autapse_boards.costs import CLOCKS, needed
from autapse_hw.lanes import FORMS, LaneForm

#: Logic that may be filled; nextpnr finds no good routing, or none, beyond it.
FILL = {"ice40": 0.92, "ecp5": 0.85}


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

    @classmethod
    def of(cls, q: QuantizedNetwork) -> Shape:
        """The shape of a quantised network."""
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
        )

    @classmethod
    def typical(cls, units: int, bits: int, inputs: int = 2, outputs: int = 1) -> Shape:
        """A plain tanh network whose weights, states and inputs all have `bits` bits.

        The accumulator is that of row sums that grow as the square root of the columns, as trained weights do.
        """
        growth = math.ceil(0.5 * math.log2(inputs + units)) + 1
        activation = design("tanh", bits - 1, Format(bits, bits - 1))
        return cls(units, inputs, outputs, bits, bits, 2 * bits - 1 + growth, bits, bits, activation)

    @property
    def rows(self) -> int:
        """Sums a step computes."""
        return self.units + self.outputs

    @property
    def cols(self) -> int:
        """Products in a sum."""
        return self.units + self.inputs

    def step_cycles(self, lanes: int) -> int:
        """Cycles a step takes on `lanes` lanes, but for the wait that very small networks need."""
        return math.ceil(self.rows / lanes) * max(self.cols, lanes)


@dataclass(frozen=True)
class Plan:
    """A network on a board: how many lanes, and what they are expected to need.

    Attributes
    ----------
    lanes, form
        Multiply-accumulators, and how they are built: a name of :data:`autapse_hw.lanes.FORMS`.
    needed, available
        Estimate, and what the device has.
    expected_hz
        A clock that such designs come near to: where the search for the clock starts.
    """

    board: str
    lanes: int
    form: str
    needed: Resources
    available: Resources
    expected_hz: float


def fit(q: QuantizedNetwork | Shape, board: str | Board, lanes: int | None = None, form: str | None = None) -> Plan:
    """The plan for `q` on `board`.

    With `lanes` not given, the fewest lanes that make the fastest step that fits; with `form` not given, the first of
    the board's forms that takes the word lengths.

    Raises
    ------
    DoesNotFitError
        Names the resource that is short, by how much, and what would fit.
    ValueError
        For a number of lanes outside 1 to N + O, or a form that the board has not or that takes no such words.
    """
    board = get_board(board)
    shape = q if isinstance(q, Shape) else Shape.of(q)
    if lanes is not None and (isinstance(lanes, bool) or not isinstance(lanes, int)):
        raise TypeError(f"lanes must be an integer, not {lanes!r}")
    if lanes is not None and not 1 <= lanes <= shape.rows:
        raise ValueError(f"lanes must lie in 1 to {shape.rows}, the rows of this network, not {lanes}")
    kind = choose_form(shape, board, form)
    chosen = _best_lanes(shape, board, kind) if lanes is None else lanes
    short = shortage(shape, board, 1 if chosen is None else chosen, kind)
    if short is None and chosen is not None:
        need = needed(shape, board, chosen, kind)
        return Plan(board.name, chosen, kind.name, need, board.resources, CLOCKS[board.key, kind.name])
    raise DoesNotFitError(_message(shape, board, short or "", lanes, form))


def choose_form(shape: Shape, board: Board, form: str | None = None) -> LaneForm:
    """The first of the board's forms that takes the word lengths of `shape`; or `form`, ValueError if it does not."""
    lengths = (shape.weight_bits, shape.operand_bits, shape.acc_bits)
    if form is not None:
        if form not in board.forms:
            raise ValueError(f"lane form on {board.name} must be one of {', '.join(board.forms)}; not {form!r}")
        if (short := FORMS[form].shortage(*lengths)) is not None:
            raise ValueError(short)
        return FORMS[form]
    # The last form of every board takes all that a quantised network can have.
    return next(f for f in (FORMS[name] for name in board.forms) if f.shortage(*lengths) is None)


def shortage(shape: Shape, board: Board, lanes: int, form: LaneForm) -> str | None:
    """What is short for `shape` on `board`, in words; None if nothing is."""
    need, have = needed(shape, board, lanes, form), board.resources
    logic = int(have.logic * FILL[board.family])
    for name, n, h in (
        ("block RAMs", need.rams, have.rams),
        ("DSPs", need.dsps, have.dsps),
        ("logic cells", need.logic, logic),
    ):
        if n > h:
            usable = f" usable of {have.logic}" if name == "logic cells" else ""
            return f"{n} {name} needed, {h}{usable} available"
    return None


def fits(shape: Shape, board: Board, form: str | None = None) -> bool:
    """Whether `shape` fits with some number of lanes, of that form or of the preferred one."""
    return _best_lanes(shape, board, choose_form(shape, board, form)) is not None


@lru_cache(maxsize=128)
def largest_units(board: str | Board, bits: int, inputs: int = 2, outputs: int = 1) -> int:
    """The most units of a plain tanh network, of `bits` bits throughout, that the board holds; 0 if none."""
    board = get_board(board)
    return _largest(board, lambda n: Shape.typical(n, bits, inputs, outputs))


def _largest(board: Board, make: Callable[[int], Shape], form: str | None = None) -> int:
    """The largest N for which ``make(N)`` fits, by bisection."""
    low, high = 0, 1
    while high < 1 << 14 and fits(make(high), board, form):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(make(middle), board, form) else (low, middle)
    return low


def _best_lanes(shape: Shape, board: Board, form: LaneForm) -> int | None:
    """The fewest lanes with the fewest cycles a step, of those that fit; None if no number does."""
    best: tuple[int, int] | None = None
    for lanes in range(1, min(shape.rows, max(shape.cols, 1)) + 1):
        cost = (shape.step_cycles(lanes), lanes)
        if (best is None or cost < best) and shortage(shape, board, lanes, form) is None:
            best = cost
    return None if best is None else best[1]


def _message(shape: Shape, board: Board, short: str, lanes: int | None, form: str | None) -> str:
    """What is short, and what would help."""
    from dataclasses import replace

    from autapse_boards.boards import BOARDS

    what = f"{shape.units} units with {shape.weight_bits}-bit weights"
    kind = choose_form(shape, board, form)
    where = board.name if lanes is None else f"{board.name} on {lanes} lanes ({kind.name})"
    hints = []
    if lanes is not None and lanes > 1 and (best := _best_lanes(shape, board, kind)) is not None:
        fewer = [n for n in range(1, lanes) if shortage(shape, board, n, kind) is None]
        hints.append(f"{max(fewer, default=best)} lanes fit")
    else:
        if units := _largest(board, lambda n: replace(shape, units=n), form):
            hints.append(f"{units} units fit at these word lengths")
        for bits in range(shape.weight_bits - 1, 3, -1):
            less = replace(shape, weight_bits=bits, acc_bits=max(4, shape.acc_bits - shape.weight_bits + bits))
            if fits(less, board, form):
                hints.append(f"weights of {bits} bits fit")
                break
        segments = shape.activation.segments
        if segments is not None and segments.degree == 0 and "block RAM" in short:
            hints.append("a linear activation table saves block RAMs")
        others = [name for name, other in BOARDS.items() if name != board.name and fits(shape, other)]
        if others:
            hints.append(f"it fits {', '.join(others)}")
    return f"{what} do not fit {where}: {short}" + (f"; {'; '.join(hints)}" if hints else "")
