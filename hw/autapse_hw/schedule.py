"""The timetable of a core: which cycle does what, and how many cycles a step takes.

Pure arithmetic, so that reports, resource estimates and tests can ask without building hardware. The core is made
from the same object.
"""

from dataclasses import dataclass
from functools import cached_property

from autapse.activation import Activation
from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import layer_places, layer_rows
from autapse_hw.arithmetic import multiply_latency
from autapse_hw.lanes import GENERIC, LaneForm, get_form
from autapse_hw.memories import LATENCY
from autapse_hw.tiling import Tiling

#: The register that spreads the operands over the lanes.
BROADCAST = 1
#: From a row's sum to the head of the drain.
SUM_TO_HEAD = 1
#: From the head of the drain: sum with bias, rounding increment, magnitude; and one cycle for each segment of the sums
#: beyond the first.
HEAD_TO_MAGNITUDE = 3
#: The rounding of a kept state: to the multiplied one, by guard bits, rounding and saturation; or, in the current form,
#: to the magnitude that the activation takes.
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
    return multiply_latency(max(q.formats.state.bits, q.driven.bits)) + 4


def multiplied_latency(q: QuantizedNetwork) -> int:
    """Cycles from a kept state to the multiplied one: its rounding, and, in the current form, the activation."""
    if q.form == "current":
        return GUARD_LATENCY + activation_latency(q.activation)
    return GUARD_LATENCY if q.leaky and q.formats.guard else 0


def sum_latency(form: LaneForm, cols: int, acc_bits: int) -> int:
    """Cycles from issuing the last slot of a tile until the magnitude of its first row: memories, lanes, drain."""
    fetch = LATENCY[form.memory] + BROADCAST + form.latency(cols)
    return fetch + SUM_TO_HEAD + form.segments(acc_bits) - 1 + HEAD_TO_MAGNITUDE


def state_latency(q: QuantizedNetwork) -> int:
    """Cycles from a magnitude until the new state can be issued as an operand."""
    leak = leak_latency(q) + multiplied_latency(q) if q.leaky else 0
    return activation_latency(q.first_activation) + leak + 1


@dataclass(frozen=True)
class Schedule:
    """When a core does what.

    A step computes ``rows`` sums over ``cols`` columns: the readout of the state *before* the step, then the new
    state. Columns are the inputs, then the state. ``tiling.rows`` rows at a time make a tile, ``tiling.cols`` columns
    at a time a slot. The sums of a tile leave through the drains, ``tiling.drains`` a cycle, while the next tile is
    issued; those of the last tile while the next step reads its inputs and the first state elements. With several
    sequences, steps of all of them take turns.

    Attributes
    ----------
    units, inputs, outputs
        N, M and O of the network.
    tiling
        Lanes, drains, sequences.
    latency
        Cycles from issuing the last slot of a tile until the state of its first row can be issued as an operand.
    layers
        Units of each layer of a stack. A layer begins with a tile of its own, once the states of the layer before it
        are there: it reads those of earlier layers from the page that the step writes.
    """

    units: int
    inputs: int
    outputs: int
    tiling: Tiling
    latency: int
    layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        t = self.tiling
        if t.rows > self.rows:
            raise ValueError(f"lanes must lie in 1 to {self.rows}, the rows of this network, not {t.rows}")
        if t.cols > self.cols:
            raise ValueError(
                f"columns of lanes must lie in 1 to {self.cols}, the columns of this network, not {t.cols}"
            )
        if self.tiles > 1 and t.rows % t.drains:
            raise ValueError(f"drains must divide the {t.rows} rows of lanes; {t.drains} do not")

    @classmethod
    def of(cls, q: QuantizedNetwork, tiling: int | str | Tiling, form: str | LaneForm = GENERIC) -> "Schedule":
        """The schedule of `q` on so many lanes of that form."""
        form, tiling = get_form(form), Tiling.of(tiling)
        latency = sum_latency(form, tiling.cols, q.formats.acc_bits) + state_latency(q)
        return cls(q.units, q.inputs, q.outputs, tiling, latency, q.network.layers)

    @property
    def rows(self) -> int:
        """Sums a step computes: outputs + units."""
        return self.outputs + self.units

    @property
    def cols(self) -> int:
        """Products in a sum: inputs + units."""
        return self.inputs + self.units

    @cached_property
    def spans(self) -> tuple[range, ...]:
        """The rows of each layer; the readout's belong to the first."""
        return layer_rows(self.outputs, self.layers or (self.units,))

    @cached_property
    def places(self) -> tuple[range, ...]:
        """Where the rows of each layer lie in the tiles, one after another: from a tile's begin, by the same drain."""
        return layer_places(self.spans, self.tiling.rows, self.tiling.drains)

    @property
    def tiles(self) -> int:
        """Groups of rows: ceil(rows / tiling.rows), or more where a layer leaves its last one unfilled."""
        return -(-self.places[-1].stop // self.tiling.rows)

    @cached_property
    def gaps(self) -> tuple[int, ...]:
        """Cycles that each layer but the first waits for the states of the one before it."""
        gaps: list[int] = []
        for span, place, following in zip(self.spans, self.places, self.places[1:], strict=False):
            begin = following.start // self.tiling.rows * self.tile_cycles
            needed = [
                self._ready(at, 0) - (self.inputs + row - self.outputs) // self.tiling.cols
                for row, at in zip(span, place, strict=True)
                if row >= self.outputs
            ]
            gaps.append(max(0, max(needed) - begin))
        return tuple(gaps)

    def place_of(self, row: int) -> int:
        """Where a row lies in the tiles."""
        return next(place[row - span.start] for span, place in zip(self.spans, self.places, strict=True) if row in span)

    def begin_of(self, tile: int) -> int:
        """The cycle of a step in which the first slot of a tile is issued."""
        waits = zip(self.gaps, self.places[1:], strict=True)
        return tile * self.tile_cycles + sum(gap for gap, place in waits if place.start // self.tiling.rows <= tile)

    def _ready(self, place: int, waited: int) -> int:
        """The cycle of a step in which the state of a row can be issued, `waited` gaps before its tile being in it."""
        tile, at = divmod(place, self.tiling.rows)
        return tile * self.tile_cycles + waited + self.slots - 1 + self.latency + at // self.tiling.drains

    @property
    def busy_cycles(self) -> int:
        """Cycles of a step without `stall`: of all tiles, and of the waits between layers."""
        return self.tiles * self.tile_cycles + sum(self.gaps)

    @property
    def slots(self) -> int:
        """Groups of columns, one issued in a cycle: ceil(cols / tiling.cols)."""
        return -(-self.cols // self.tiling.cols)

    @property
    def groups(self) -> int:
        """Groups of rows of a tile that leave together: ceil(tiling.rows / drains)."""
        return -(-self.tiling.rows // self.tiling.drains)

    def units_of(self, drain: int) -> range:
        """The units whose states that drain makes, in their order."""
        return range((drain - self.outputs) % self.tiling.drains, self.units, self.tiling.drains)

    @property
    def tile_cycles(self) -> int:
        """Cycles a tile takes: its slots, or the drain of its rows where that is longer; at least 3."""
        return max(self.slots, self.groups, 3)

    @cached_property
    def flush_stall(self) -> int:
        """Cycles after the last tile of a step until the next may begin if it needs that step's state.

        Unit j leaves the drain with its row, ``outputs + j``, and is needed with its column, ``inputs + j``.
        """
        # The last units decide: a tile takes no less than its drain, and a drain no less than it takes to issue as many
        # columns, but for the rounding of both. Those of earlier layers are there before the last layer begins.
        t, span, place = self.tiling, self.spans[-1], self.places[-1]
        first = max(self.outputs, span.start)
        tile = span.start + (self.tiles - 1) * t.rows - place.start  # its first row, or one before the layer
        last = max(first, tile, self.rows - t.cols - t.drains)
        worst = 0
        for row in {*range(last, self.rows), max(first, tile)}:
            ready = self._ready(place.start + row - span.start, sum(self.gaps)) - self.busy_cycles
            worst = max(worst, ready - (self.inputs + row - self.outputs) // t.cols)
        return worst

    @cached_property
    def input_stall(self) -> int:
        """Cycles that each step waits for its inputs, however many sequences there are.

        An input is written into the operand memories in a cycle in which no state is.
        """
        writing = 0
        for span, place in zip(self.spans, self.places, strict=True):
            begin = place.start + max(self.outputs - span.start, 0)
            first, last = (
                at // self.tiling.rows * self.groups + at % self.tiling.rows // self.tiling.drains
                for at in (begin, place.stop - 1)
            )
            writing += last + 1 - first
        return max(0, writing + self.inputs - self.busy_cycles)

    @cached_property
    def stall(self) -> int:
        """Cycles that each step waits: for the state of the same sequence, or for its inputs."""
        sequences, busy = self.tiling.sequences, self.busy_cycles
        return max(self.input_stall, -(-(self.flush_stall - (sequences - 1) * busy) // sequences))

    @property
    def filling_sequences(self) -> int:
        """The fewest sequences that hide the waits for states behind each other: `stall` is then `input_stall`."""
        busy = self.busy_cycles
        return max(1, -(-(self.flush_stall + busy) // (self.input_stall + busy)))

    @property
    def cycles_per_step(self) -> int:
        """Cycles from step to step, of whichever sequence, while inputs wait: `busy_cycles` and `stall`."""
        return self.busy_cycles + self.stall

    @property
    def readout_tiles(self) -> int:
        """Tiles that hold readout rows; they are run alone when no further input waits."""
        return -(-self.outputs // self.tiling.rows)

    @property
    def readouts(self) -> int:
        """Steps whose readouts may be under way or waiting: one leaves while those behind it are computed."""
        return 1 + -(-(self.latency + self.outputs) // self.cycles_per_step)

    @property
    def useful_products(self) -> int:
        """Multiply-accumulates of a step: the matrices' elements."""
        return self.units * self.cols + self.outputs * self.units

    @property
    def lane_efficiency(self) -> float:
        """Useful multiply-accumulates over lanes times cycles, steps back to back."""
        return self.useful_products / (self.tiling.lanes * self.cycles_per_step)
