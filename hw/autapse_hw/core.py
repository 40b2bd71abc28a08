"""The core: a quantised network as a circuit with a stream of inputs and a stream of outputs."""

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.activation import ActivationUnit
from autapse_hw.arithmetic import delayed, delayed_flag
from autapse_hw.drain import Drain
from autapse_hw.lane import MacLane
from autapse_hw.outputs import OutputBuffer
from autapse_hw.schedule import Schedule
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

    def __init__(self, q: QuantizedNetwork, lanes: int) -> None:
        self.q = q
        self.schedule = Schedule.of(q, lanes)
        super().__init__({**_members(q), "clear": In(1)})

    def elaborate(self, platform: object) -> Module:
        # Clearing is a reset of everything that is not a memory; loading h0 follows every reset.
        m = Module()
        engine = _Engine(self.q, self.schedule)
        m.submodules.engine = ResetInserter(self.clear)(engine)
        for name in _members(self.q):
            if name in ("i", "o"):
                continue
            inner, outer = getattr(engine, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if name == "state_index" else outer.eq(inner)
        m.d.comb += [
            engine.i.payload.eq(self.i.payload),
            engine.i.valid.eq(self.i.valid),
            self.i.ready.eq(engine.i.ready & ~self.clear),
            self.o.payload.eq(engine.o.payload),
            self.o.valid.eq(engine.o.valid & ~self.clear),
            engine.o.ready.eq(self.o.ready),
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

    def __init__(self, q: QuantizedNetwork, schedule: Schedule) -> None:
        self.q, self.schedule = q, schedule
        super().__init__(_members(q))

    def elaborate(self, platform: object) -> Module:
        # A column passes, cycle by cycle: address from the sequencer, memories, operand and weight registers, lanes.
        # The sums pass through drain and activation back into the state store, and the readouts into the buffer.
        q, f, s = self.q, self.q.formats, self.schedule
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(s)
        m.submodules.store = store = StateStore(q)
        m.submodules.weights = weights = Memory(shape=s.lanes * f.W.bits, depth=s.tiles * s.cols, init=words(q, s))
        m.submodules.drain = drain = Drain(q, s)
        m.submodules.activation = activation = ActivationUnit(q.activation, drain.magnitude_bits)
        m.submodules.outputs = outputs = OutputBuffer(f.z.bits, q.outputs)

        weight = weights.read_port()
        m.d.comb += [
            weight.en.eq(1),
            weight.addr.eq(sequencer.weight),
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
        issued = delayed_flag(m, sequencer.issue, 1)
        last = delayed_flag(m, sequencer.last, 2)
        v, w = Signal(signed(f.operand_bits)), Signal(s.lanes * f.W.bits, reset_less=True)
        m.d.sync += [v.eq(Mux(issued, store.operand, 0)), w.eq(weight.data)]
        totals = []
        for k in range(s.lanes):
            lane = MacLane(weight_bits=f.W.bits, operand_bits=f.operand_bits, acc_bits=f.acc_bits)
            m.submodules[f"lane_{k}"] = lane
            m.d.comb += [lane.v.eq(v), lane.w.eq(w.word_select(k, f.W.bits)), lane.last.eq(last | ~store.loaded)]
            totals.append(lane.total)

        m.d.comb += [
            drain.totals.eq(Cat(*totals)),
            drain.prepare.eq(last),
            drain.first_row.eq(delayed(m, sequencer.first_row, 2)),
            drain.last_row.eq(delayed(m, sequencer.last_row, 2)),
            drain.emits.eq(delayed(m, sequencer.emits, 2)),
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
