"""The timetable of a core as spans of cycles: what works on which rows, and when.

The spans come from the same figures as the schedule that the core is made from.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from autapse.quantized import QuantizedNetwork
from autapse_hw.lanes import GENERIC, LaneForm, get_form
from autapse_hw.memories import LATENCY
from autapse_hw.schedule import BROADCAST, HEAD_TO_MAGNITUDE, SUM_TO_HEAD, Schedule, state_latency
from autapse_hw.tiling import Tiling

#: The parts of a core in the order in which a sum passes them, and the cycles in which a step only waits.
PARTS = ("operands", "lanes", "drains", "activation", "state written", "waiting")


@dataclass(frozen=True)
class Span:
    """A part of the core at work.

    Attributes
    ----------
    part
        One of :data:`PARTS`.
    step
        Of the network, from 0.
    tile
        Which group of rows; None while waiting.
    begin, end
        Cycles, counted from the first slot of step 0; `end` is the first one after it.
    """

    part: str
    step: int
    tile: int | None
    begin: int
    end: int


@dataclass(frozen=True)
class Timeline:
    """When each part of a core works, while inputs wait.

    Attributes
    ----------
    schedule
        The timetable.
    fetch
        Cycles from issuing a slot until its weights and operands are at the lanes.
    summed
        Cycles from there to a sum that contains their products.
    rounded
        Cycles from a row at the head of its drain to its magnitude, before the activation.
    updated
        Cycles from there until the new state is written: activation, and leaky update.
    """

    schedule: Schedule
    fetch: int
    summed: int
    rounded: int
    updated: int

    @classmethod
    def of(cls, q: QuantizedNetwork, tiling: int | str | Tiling, form: str | LaneForm = GENERIC) -> "Timeline":
        """The timeline of `q` on so many lanes of that form."""
        form, tiling = get_form(form), Tiling.of(tiling)
        return cls(
            Schedule.of(q, tiling, form),
            LATENCY[form.memory] + BROADCAST,
            form.latency(tiling.cols),
            form.segments(q.formats.acc_bits) - 1 + HEAD_TO_MAGNITUDE,
            state_latency(q) - 1,
        )

    def written(self, unit: int) -> int:
        """The cycle in which the new state of `unit` is written, counted from the first slot of its step."""
        s = self.schedule
        tile, at = divmod(s.place_of(s.outputs + unit), s.tiling.rows)
        # The schedule's latency ends where the state can be issued: a cycle after it is written.
        return s.begin_of(tile) + s.slots - 1 + s.latency - 1 + at // s.tiling.drains

    def spans(self, steps: int = 1) -> list[Span]:
        """All spans of steps that follow each other."""
        period = self.schedule.cycles_per_step
        return [
            Span(span.part, step, span.tile, span.begin + step * period, span.end + step * period)
            for step in range(steps)
            for span in self._step()
        ]

    def _step(self) -> Iterator[Span]:
        s = self.schedule
        for tile in range(s.tiles):
            begin, following = s.begin_of(tile), s.begin_of(tile + 1) if tile + 1 < s.tiles else s.cycles_per_step
            at_lanes = begin + self.fetch
            head = at_lanes + s.slots - 1 + self.summed + SUM_TO_HEAD
            yield Span("operands", 0, tile, begin, begin + s.slots)
            yield Span("lanes", 0, tile, at_lanes, at_lanes + s.slots - 1 + self.summed)
            yield Span("drains", 0, tile, head, head + s.groups - 1 + self.rounded)
            units = [j for j in range(s.units) if s.place_of(s.outputs + j) // s.tiling.rows == tile]
            if units:  # else the tile holds readout rows alone
                first, last = self.written(units[0]), self.written(units[-1])
                yield Span("activation", 0, tile, first - self.updated, last)
                yield Span("state written", 0, tile, first, last + 1)
            if begin + s.tile_cycles < following:  # for the states of a layer, or of the step
                yield Span("waiting", 0, None, begin + s.tile_cycles, following)
