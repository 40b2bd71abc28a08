"""The core: a quantised network as a circuit with a stream of inputs and a stream of outputs."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.activation import ActivationUnit
from autapse_hw.arithmetic import delayed, delayed_flag
from autapse_hw.drain import Drain
from autapse_hw.lanes import GENERIC, LaneForm, get_form
from autapse_hw.memories import Rom
from autapse_hw.outputs import OutputBuffer
from autapse_hw.schedule import OPERAND_REGISTER, Schedule
from autapse_hw.sequencer import Sequencer
from autapse_hw.state import StateStore
from autapse_hw.weights import words


def _members(q: QuantizedNetwork) -> dict[str, wiring.Member]:
    f = q.formats
    return {
        "i": In(stream.Signature(signed(f.x.bits))),
        "o": Out(stream.Signature(signed(f.z.bits))),
        "busy": Out(1),
        "state_index": In(range(max(2, q.units))),
        "state_value": Out(signed(f.state.bits)),
        "retire": Out(1),
        "retire_value": Out(signed(f.state.bits)),
    }


class Core(wiring.Component):
    """A recurrent network: M input codes in, one step, O output codes out. State stays inside.

    Bit for bit the integer model (docs/numerics.md). A step takes `schedule.cycles_per_step` cycles while inputs wait;
    the outputs of a step follow without waiting for another input. After reset, and after `clear`, the state is h0.

    Parameters
    ----------
    q
        The quantised network.
    lanes
        Multiply-accumulators, 1 to units + outputs.
    form
        How they are built: a name of :data:`autapse_hw.lanes.FORMS`.

    Members
    -------
    i : In stream of signed(x bits)
        Input codes x[0] to x[M - 1] of each step. The most negative code counts as its neighbour.
    o : Out stream of signed(z bits)
        Output codes z[0] to z[O - 1] of each step, unrounded.
    clear : In(1)
        Strobe: drop all inputs and outputs under way and load h0.
    busy : Out(1)
        A step or a readout is under way, loading is not finished, or outputs wait.
    state_index : In(range(N)), state_value : Out(signed(state bits))
        The kept state of a unit, two cycles later, while not busy.
    retire : Out(1), retire_value : Out(signed(state bits))
        A new state is written: units in order, step after step. For test benches; costs nothing unconnected.
    """

    i: stream.Interface
    o: stream.Interface
    clear: Signal
    busy: Signal
    state_index: Signal
    state_value: Signal
    retire: Signal
    retire_value: Signal

    def __init__(self, q: QuantizedNetwork, lanes: int, form: str | LaneForm = GENERIC) -> None:
        self.q, self.form = q, get_form(form)
        self.schedule = Schedule.of(q, lanes, self.form)
        f = q.formats
        if (shortage := self.form.shortage(f.W.bits, f.operand_bits, f.acc_bits)) is not None:
            raise ValueError(shortage)
        super().__init__({**_members(q), "clear": In(1)})

    def elaborate(self, platform: object) -> Module:
        # Clearing is a reset of everything that is not a memory; loading h0 follows every reset. The strobe is
        # registered, so that no path leads from outside into all registers of the core. While the reset is on, what the
        # streams do inside is undone by it; outside they are closed, so that nothing new is lost.
        m = Module()
        engine = _Engine(self.q, self.schedule, self.form)
        clearing = Signal()
        m.d.sync += clearing.eq(self.clear)
        m.submodules.engine = ResetInserter(clearing)(engine)
        m.d.comb += [
            engine.i.payload.eq(self.i.payload),
            engine.i.valid.eq(self.i.valid),
            self.i.ready.eq(engine.i.ready & ~clearing),
            self.o.payload.eq(engine.o.payload),
            self.o.valid.eq(engine.o.valid & ~clearing),
            engine.o.ready.eq(self.o.ready),
            self.busy.eq(engine.busy | clearing),
            engine.state_index.eq(self.state_index),
            self.state_value.eq(engine.state_value),
            self.retire.eq(engine.retire & ~clearing),
            self.retire_value.eq(engine.retire_value),
        ]
        return m


class _Engine(wiring.Component):
    """The core without `clear`."""

    i: stream.Interface
    o: stream.Interface
    busy: Signal
    state_index: Signal
    state_value: Signal
    retire: Signal
    retire_value: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule, form: LaneForm) -> None:
        self.q, self.schedule, self.form = q, schedule, form
        super().__init__(_members(q))

    def elaborate(self, platform: object) -> Module:
        # A column passes, cycle by cycle: address from the sequencer, memories, operand register, multipliers. The
        # weights' address takes the register that the operand has behind its memory.
        # The sums pass through drain and activation back into the state store, and the readouts into the buffer.
        q, f, s = self.q, self.q.formats, self.schedule
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(s)
        m.submodules.store = store = StateStore(q)
        m.submodules.weights = weights = Rom(s.lanes * f.W.bits, s.tiles * s.cols, words(q, s), self.form.memory)
        m.submodules.drain = drain = Drain(q, s, self.form.segments(f.acc_bits), self.form.memory)
        m.submodules.activation = activation = ActivationUnit(q.activation, drain.magnitude_bits)
        m.submodules.outputs = outputs = OutputBuffer(f.z.bits, q.outputs)

        m.d.comb += [
            weights.addr.eq(delayed(m, sequencer.weight, 1)),
            store.column.eq(sequencer.column),
            store.page.eq(sequencer.page),
            store.next_page.eq(sequencer.next_page),
            store.inputs_done.eq(sequencer.inputs_done),
            sequencer.inputs_ready.eq(store.inputs_ready),
            sequencer.start.eq(store.loaded),
            sequencer.readout_room.eq(outputs.room),
            outputs.begin.eq(sequencer.begin_readout),
        ]

        # Where nothing was issued the operand register is cleared, and the lanes add nothing.
        m.submodules.bank = bank = self.form.bank(
            s.lanes, f.W.bits, f.operand_bits, f.acc_bits, self.form.segments(f.acc_bits)
        )
        behind = self.form.read_latency - 1
        issued = delayed_flag(m, sequencer.issue, 1 + behind)
        v = Signal(signed(f.operand_bits))
        m.d.sync += v.eq(Mux(issued, delayed(m, store.operand, behind), 0))
        m.d.comb += [
            bank.v.eq(v),
            bank.w.eq(delayed(m, weights.data, self.form.read_latency - weights.latency)),
            bank.clear.eq(~store.loaded),
        ]

        ahead = self.form.read_latency + OPERAND_REGISTER + self.form.latency - 1  # one cycle before the sums
        m.d.comb += [
            drain.sums.eq(bank.sums),
            drain.clear.eq(~store.loaded),
            drain.prepare.eq(delayed_flag(m, sequencer.last, ahead)),
            drain.first_row.eq(delayed(m, sequencer.first_row, ahead)),
            drain.last_row.eq(delayed(m, sequencer.last_row, ahead)),
            drain.emits.eq(delayed(m, sequencer.emits, ahead)),
            activation.magnitude.eq(drain.magnitude),
            activation.negative.eq(drain.negative),
            store.y.eq(activation.y),
            store.y_next.eq(delayed_flag(m, drain.h_valid, activation.latency - 1)),
            outputs.z.eq(drain.z),
            outputs.z_valid.eq(drain.z_valid),
        ]
        wiring.connect(m, wiring.flipped(self.i), store.i)
        wiring.connect(m, outputs.o, wiring.flipped(self.o))
        m.d.comb += [
            self.busy.eq(sequencer.busy | ~store.loaded | store.inputs_ready.any() | outputs.busy),
            store.state_index.eq(self.state_index),
            self.state_value.eq(store.state_value),
            self.retire.eq(store.retire),
            self.retire_value.eq(store.retire_value),
        ]
        return m
