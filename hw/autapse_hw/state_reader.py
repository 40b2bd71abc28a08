"""Reading the state from outside: all kept states, one after another, while the core rests."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import successor
from autapse_hw.schedule import Schedule

#: Cycles that a new place gets until its value counts: registers here and in the sequencer, and the
#: slowest memory.
FETCH = 5


class StateReader(wiring.Component):
    """Walks over the units of all sequences, in the order in which they step next.

    Members
    -------
    dump : In(1), state : Out stream of signed(state bits)
        Strobe: begin; the states.
    busy : Out(1)
        Not all have been taken.
    next_page : In
        The page of the next step.
    page, bank, slot, drain : Out
        Where the state stands as an operand, and the drain that makes it. Slot 0 where nothing is read.
    value : In(signed(state bits))
        What stands there, at most `FETCH` cycles later.
    taken : Out(1)
        Strobe: the state has been given.
    """

    dump: Signal
    state: stream.Interface
    busy: Signal
    next_page: Signal
    page: Signal
    bank: Signal
    slot: Signal
    drain: Signal
    value: Signal
    taken: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule) -> None:
        self._schedule = schedule
        t = schedule.tiling
        shape = signed(q.formats.state.bits)
        super().__init__(
            {
                "dump": In(1),
                "state": Out(stream.Signature(shape)),
                "busy": Out(1),
                "next_page": In(range(t.sequences + 1)),
                "page": Out(range(t.sequences + 1)),
                "bank": Out(range(t.cols)),
                "slot": Out(range(schedule.slots)),
                "drain": Out(range(t.drains)),
                "value": In(shape),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        s, t = self._schedule, self._schedule.tiling
        m = Module()
        # All of these are set when a walk begins.
        unit = Signal(range(s.units), reset_less=True)
        sequence = Signal(range(t.sequences), reset_less=True)
        wait = Signal(range(FETCH + 2), reset_less=True)
        page = Signal.like(self.page, reset_less=True)
        bank = Signal.like(self.bank, reset_less=True)
        slot = Signal.like(self.slot, reset_less=True, name="place")
        drain = Signal.like(self.drain, reset_less=True)
        m.d.comb += [self.page.eq(page), self.bank.eq(bank), self.drain.eq(drain)]
        begin = Signal()
        walking = Signal()
        fetched = Signal()
        taken = Signal()
        first_slot, first_bank = divmod(s.inputs, t.cols)
        first = [unit.eq(0), slot.eq(first_slot), bank.eq(first_bank), drain.eq(s.outputs % t.drains)]
        m.d.comb += [
            self.state.payload.eq(self.value),
            self.taken.eq(taken),
            self.busy.eq(begin | walking),
        ]
        last_unit = Signal()  # both rest for many cycles before they count
        last_sequence = Signal()
        m.d.sync += [
            begin.eq(self.dump & ~self.busy),
            taken.eq(self.state.valid & self.state.ready),
            self.slot.eq(Mux(walking, slot, 0)),
            fetched.eq(wait == FETCH),
            wait.eq(Mux(self.state.valid | ~walking, 0, wait + 1)),
            last_unit.eq(unit == s.units - 1),
            last_sequence.eq(sequence == t.sequences - 1),
        ]
        with m.If(self.state.ready):
            m.d.sync += self.state.valid.eq(0)
        with m.If(fetched & walking):
            m.d.sync += self.state.valid.eq(1)
        with m.If(taken):
            m.d.sync += [unit.eq(unit + 1)]
            m.d.sync += [bank.eq(successor(bank, t.cols)), drain.eq(successor(drain, t.drains))]
            m.d.sync += slot.eq(slot + (bank == t.cols - 1))
            with m.If(last_unit):
                m.d.sync += [*first, sequence.eq(sequence + 1), page.eq(successor(page, t.sequences + 1))]
                with m.If(last_sequence):
                    m.d.sync += walking.eq(0)
        with m.If(begin):
            m.d.sync += [*first, walking.eq(1), sequence.eq(0), page.eq(self.next_page)]
        return m
