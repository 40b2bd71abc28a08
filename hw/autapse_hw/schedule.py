"""The timetable of a core: which cycle does what, and how many cycles a step takes.

Pure arithmetic, so that reports, resource estimates and tests can ask without building hardware. The core is made
from the same object.
"""

from dataclasses import dataclass

from autapse.activation import Activation
from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import multiply_latency
from autapse_hw.lanes import GENERIC, LaneForm, get_form

#: Cycles from the address of a column to its weights and operand at the lanes: those of the memory, and this one for
#: the operand register.
OPERAND_REGISTER = 1
#: From a row's sum to the head of the drain.
SUM_TO_HEAD = 1
#: From the head of the drain: difference, bias, rounding increment, rounding, magnitude; and one cycle for each
#: segment of the sums beyond the first.
HEAD_TO_MAGNITUDE = 5
#: The rounding of a leaky state with guard bits to the multiplied one: rounding, saturation.
GUARD_LATENCY = 2


def activation_latency(activation: Activation) -> int:
    """Cycles from a magnitude to the activation's result: table and its register, polynomial, limit, sign."""
    if activation.segments is None:
        return 3
    if activation.segments.degree == 0:
        return 4
    product = multiply_latency(activation.segments.shift)
    return 5 + product if activation.segments.degree == 1 else 6 + 2 * product


def leak_latency(q: QuantizedNetwork) -> int:
    """Cycles of the leaky update: products, sum, rounding increment, rounding, saturation."""
    return multiply_latency(max(q.formats.state.bits, q.activation.out.bits)) + 4


@dataclass(frozen=True)
class Schedule:
    """When a core of `lanes` lanes does what.

    A step computes ``rows`` sums over ``cols`` columns: the readout of the state *before* the step, then the new
    state. `lanes` rows at a time make a tile. Columns are the inputs, then the state. The sums of a tile leave through
    the drain, one a cycle, while the next tile is issued; those of the last tile while the next step reads its inputs
    and the first state elements.

    Attributes
    ----------
    units, inputs, outputs
        N, M and O of the network.
    lanes
        Multiply-accumulators, 1 to N + O.
    latency
        Cycles from issuing the last column of a tile until the state of its first row can be issued as an operand.
    """

    units: int
    inputs: int
    outputs: int
    lanes: int
    latency: int

    def __post_init__(self) -> None:
        if not isinstance(self.lanes, int) or isinstance(self.lanes, bool):
            raise TypeError(f"lanes must be an integer, not {self.lanes!r}")
        if not 1 <= self.lanes <= self.rows:
            raise ValueError(f"lanes must lie in 1 to {self.rows}, the rows of this network, not {self.lanes}")

    @classmethod
    def of(cls, q: QuantizedNetwork, lanes: int, form: str | LaneForm = GENERIC) -> "Schedule":
        """The schedule of `q` on `lanes` lanes of that form."""
        form = get_form(form)
        latency = (
            form.read_latency + OPERAND_REGISTER + form.latency + SUM_TO_HEAD + form.segments(q.formats.acc_bits) - 1
        )
        latency += HEAD_TO_MAGNITUDE + activation_latency(q.activation) + 1
        if q.leaky:
            latency += leak_latency(q) + (GUARD_LATENCY if q.formats.guard else 0)
        return cls(q.units, q.inputs, q.outputs, lanes, latency)

    @property
    def rows(self) -> int:
        """Sums a step computes: outputs + units."""
        return self.outputs + self.units

    @property
    def cols(self) -> int:
        """Products in a sum: inputs + units."""
        return self.inputs + self.units

    @property
    def tiles(self) -> int:
        """Groups of rows: ceil(rows / lanes)."""
        return -(-self.rows // self.lanes)

    @property
    def tile_cycles(self) -> int:
        """Cycles a tile takes: its columns, or the drain of its rows where there are more of them; at least 3."""
        return max(self.cols, self.lanes, 3)

    @property
    def stall(self) -> int:
        """Cycles that a step waits for the last state elements of the step before.

        State element j is issued ``inputs + j`` cycles into a step. It leaves the drain with its row, ``outputs + j``,
        so the last tile, which starts at row ``(tiles - 1) * lanes``, decides.
        """
        hidden = self.inputs + (self.tiles - 1) * self.lanes - self.outputs + (self.tile_cycles - self.cols)
        return max(0, self.latency - 1 - hidden)

    @property
    def cycles_per_step(self) -> int:
        """Cycles from step to step while inputs wait: ``tiles * tile_cycles + stall``."""
        return self.tiles * self.tile_cycles + self.stall

    @property
    def readout_tiles(self) -> int:
        """Tiles that hold readout rows; they are run alone when no further input waits."""
        return -(-self.outputs // self.lanes)

    @property
    def useful_products(self) -> int:
        """Multiply-accumulates of a step: the matrices' elements."""
        return self.units * self.cols + self.outputs * self.units

    @property
    def lane_efficiency(self) -> float:
        """Useful multiply-accumulates over lanes times cycles, steps back to back."""
        return self.useful_products / (self.lanes * self.cycles_per_step)
