"""The timetable of a core: which cycle does what, and how many cycles a step takes.

Pure arithmetic, so that reports, resource estimates and tests can ask without building hardware. The core is made
from the same object.
"""

from dataclasses import dataclass

from autapse.quantized import QuantizedNetwork

#: Cycles from the address of a row's last column to its sum at the head of the drain chain: memory, operand register,
#: product register, accumulation into the chain.
ISSUE_TO_HEAD = 4
#: From the head of the chain: bias, rounding, magnitude.
HEAD_TO_MAGNITUDE = 3
#: The activation, from magnitude to result, by kind.
ACTIVATION_LATENCY = {"clamp": 2, "direct": 2, "linear": 4, "quadratic": 6}
#: The leaky update: products, sum, rounding, saturation.
LEAK_LATENCY = 4
#: The rounding of a leaky state with guard bits to the multiplied one: rounding, saturation.
GUARD_LATENCY = 2


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
    def of(cls, q: QuantizedNetwork, lanes: int) -> "Schedule":
        """The schedule of `q` on `lanes` lanes."""
        latency = ISSUE_TO_HEAD + HEAD_TO_MAGNITUDE + ACTIVATION_LATENCY[q.activation.kind] + 1
        if q.leaky:
            latency += LEAK_LATENCY + (GUARD_LATENCY if q.formats.guard else 0)
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
        """Cycles a tile takes: its columns, or the drain of its rows where there are more of them."""
        return max(self.cols, self.lanes)

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
