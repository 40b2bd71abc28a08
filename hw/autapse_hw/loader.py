"""The loader: initial states for all units of all sequences, after reset, one by one."""

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import successor, symmetric
from autapse_hw.memories import Rom
from autapse_hw.schedule import Schedule, multiplied_latency

#: Cycles after the last element until it has passed through the pipelines that lead to the memories, but for those of
#: an activation.
_SETTLE = 12


class Loader(wiring.Component):
    """Gives h0, or states from outside, to the drains' units in order.

    Members
    -------
    given : In(1)
        Take the states from `initial`; constant while the loader works.
    initial : In stream of signed(state bits)
        Kept states, unit after unit, sequence after sequence.
    load : Out(drains), value : Out(signed(state bits))
        Strobe: the next initial state of that drain's units.
    prime : Out(1)
        Strobe, after the last one.
    loaded : Out(1)
        All states have arrived, and the drains are primed.
    """

    given: Signal
    initial: stream.Interface
    load: Signal
    value: Signal
    prime: Signal
    loaded: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule) -> None:
        self._q, self._schedule = q, schedule
        shape = signed(q.formats.state.bits)
        super().__init__(
            {
                "given": In(1),
                "initial": In(stream.Signature(shape)),
                "load": Out(schedule.tiling.drains),
                "value": Out(shape),
                "prime": Out(1),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # Every other cycle a state at most, so that the memory of h0 and the comparisons have time; then the wait. What
        # has been taken is looked at in the cycle after: so no path leads from outside into the counters.
        q, t = self._q, self._schedule.tiling
        m = Module()
        unit, sequence = Signal(range(q.units)), Signal(range(t.sequences))
        drain = Signal(range(t.drains), init=q.outputs % t.drains)
        settle = max(_SETTLE, self._schedule.groups + 4, multiplied_latency(q) + 4)
        due = Signal()
        filled = Signal()
        wait = Signal(range(settle))
        take = Signal()
        taken = Signal()
        code = Signal.like(self.value, reset_less=True)
        final = Signal()
        last_unit = Signal(init=q.units == 1)
        last_sequence = Signal(init=t.sequences == 1)
        m.d.comb += [
            self.initial.ready.eq(due & self.given),
            take.eq(due & (self.initial.valid | ~self.given)),
            final.eq(taken & last_unit & last_sequence),
        ]
        m.d.sync += [
            due.eq(~take & ~filled & ~final),
            taken.eq(take),
            code.eq(self.initial.payload),
            last_unit.eq(unit == q.units - 1),
            last_sequence.eq(sequence == t.sequences - 1),
            self.value.eq(Mux(self.given, symmetric(code), self._h0(m, unit))),
            self.load.eq(taken << drain),
            self.prime.eq(0),
        ]
        with m.If(taken):
            m.d.sync += [unit.eq(successor(unit, q.units)), drain.eq(successor(drain, t.drains))]
            with m.If(last_unit):
                m.d.sync += [sequence.eq(sequence + 1), drain.eq(q.outputs % t.drains)]
                with m.If(last_sequence):
                    m.d.sync += [filled.eq(1), self.prime.eq(1)]
        with m.If(filled & ~self.loaded):
            m.d.sync += [wait.eq(wait + 1), self.loaded.eq(wait == settle - 1)]
        return m

    def _h0(self, m: Module, unit: Value) -> Value:
        """The initial state of a unit, a cycle later."""
        q = self._q
        if not q.h0.any():
            return Const(0, signed(q.formats.state.bits))
        m.submodules.h0 = memory = Rom(q.formats.state.bits, q.units, q.h0.tolist(), "logic")
        m.d.comb += memory.addr.eq(unit)
        return memory.data.as_signed()
