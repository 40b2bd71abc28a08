"""What a monitor needs to know of every state that the core writes: of which step and unit, and from which sum."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed
from autapse_hw.schedule import HEAD_TO_MAGNITUDE, Schedule, activation_latency, leak_latency

#: Bits of the number of a step; it wraps.
STEP_BITS = 32


def unit_bits(q: QuantizedNetwork) -> int:
    """Bits of the number of a unit."""
    return max(1, (q.units - 1).bit_length())


class Trace(wiring.Component):
    """Labels for the states that the drains write, each in the cycle in which its state is written.

    Nothing of it reaches the rest of the core: where its outputs are not connected, synthesis leaves it out.

    Members
    -------
    retire : In(A)
        A new state is written, by drain.
    sums : In(A * acc_bits)
        Pre-activations as they leave the drains, exact, with bias, before the activation rounds them.
    over : In(A)
        Beside the results of what a sum passes first (`q.first_activation`): its input is at or beyond the limit where
        that is constant.
    step : Out(A * STEP_BITS), unit : Out(A * unit_bits)
        Of which step since `clear`, from 0, and of which unit the state is. With several states in turn, step k is one
        of state ``k % sequences``.
    sum : Out(A * acc_bits), saturated : Out(A)
        The pre-activation from which it was made, and whether what it passed first was at its end: the
        activation or, in the current form, the format of the rounded sum.
    """

    retire: Signal
    sums: Signal
    over: Signal
    step: Signal
    unit: Signal
    sum: Signal
    saturated: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule) -> None:
        self._q, self._schedule = q, schedule
        drains, acc = schedule.tiling.drains, q.formats.acc_bits
        super().__init__(
            {
                "retire": In(drains),
                "sums": In(drains * acc),
                "over": In(drains),
                "step": Out(drains * STEP_BITS),
                "unit": Out(drains * unit_bits(q)),
                "sum": Out(drains * acc),
                "saturated": Out(drains),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # Each drain writes its units in order, so counters tell which one it is. A sum leaves the drain two cycles
        # before its magnitude.
        q, drains = self._q, self._schedule.tiling.drains
        leak = leak_latency(q) if q.leaky else 0
        m = Module()
        m.d.comb += [
            self.sum.eq(delayed(m, self.sums, HEAD_TO_MAGNITUDE - 1 + activation_latency(q.first_activation) + leak)),
            self.saturated.eq(delayed(m, self.over, leak)),
        ]
        for a in range(drains):
            if not (units := self._schedule.units_of(a)):
                continue
            step, unit = Signal(STEP_BITS, name=f"step_{a}"), Signal(unit_bits(q), init=units[0], name=f"unit_{a}")
            m.d.comb += [
                self.step.word_select(a, STEP_BITS).eq(step),
                self.unit.word_select(a, unit_bits(q)).eq(unit),
            ]
            with m.If(self.retire[a]):
                m.d.sync += unit.eq(Mux(unit == units[-1], units[0], unit + drains))
                m.d.sync += step.eq(step + (unit == units[-1]))
        return m


class SaturationCounter(wiring.Component):
    """Counts the states that were made from a clipped sum; see `saturated` of :class:`Trace`.

    Parameters
    ----------
    drains : int
        States that may come in a cycle.

    Members
    -------
    retire, saturated : In(drains)
        A state is written, and its activation was at its end, by drain.
    o : Out(16)
        How many there were, modulo 2**16; three cycles later.
    """

    retire: Signal
    saturated: Signal
    o: Signal

    def __init__(self, drains: int) -> None:
        if drains < 1:
            raise ValueError(f"a core has 1 drain or more, not {drains}")
        super().__init__({"retire": In(drains), "saturated": In(drains), "o": Out(16)})

    def elaborate(self, platform: object) -> Module:
        # Registers before and behind the sum over the drains, so that it slows nothing.
        m = Module()
        hits = Signal.like(self.retire)
        count = Signal(range(len(hits) + 1))
        m.d.sync += [hits.eq(self.retire & self.saturated), count.eq(sum(hits, Const(0))), self.o.eq(self.o + count)]
        return m
