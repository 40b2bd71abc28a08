"""The core: a quantised network as a circuit with a stream of inputs and a stream of outputs."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.activation import ActivationUnit
from autapse_hw.arithmetic import delayed, delayed_flag
from autapse_hw.bands import BandedRom, lane_bank, weight_rom
from autapse_hw.cells import CellInterface, CellMemory, cell_port, share
from autapse_hw.drain import Drain
from autapse_hw.lanes import GENERIC, LaneForm, get_form
from autapse_hw.memories import LATENCY, Rom
from autapse_hw.outputs import OutputBuffer
from autapse_hw.schedule import BROADCAST, Schedule
from autapse_hw.sequencer import Sequencer
from autapse_hw.state import StateStore
from autapse_hw.tiling import Tiling
from autapse_hw.trace import STEP_BITS, Trace, unit_bits
from autapse_hw.weights import Storage, check_storage, weight_memory, weight_words

# What comes with a new state.
_RETIRED = ("retire_value", "retire_step", "retire_unit", "retire_sum", "retire_saturated")


def _members(q: QuantizedNetwork, s: Schedule, storage: Storage) -> dict[str, wiring.Member]:
    f, drains = q.formats, s.tiling.drains
    cells = {"cells": In(cell_port(weight_memory(q, s)))} if storage != Storage.FIXED else {}
    return {
        "i": In(stream.Signature(signed(f.x.bits))),
        "o": Out(stream.Signature(signed(f.z.bits))),
        "given": In(1),
        "initial": In(stream.Signature(signed(f.state.bits))),
        "dump": In(1),
        "state": Out(stream.Signature(signed(f.state.bits))),
        "busy": Out(1),
        "retire": Out(drains),
        "retire_value": Out(drains * f.state.bits),
        **cells,
        "retire_step": Out(drains * STEP_BITS),
        "retire_unit": Out(drains * unit_bits(q)),
        "retire_sum": Out(drains * f.acc_bits),
        "retire_saturated": Out(drains),
    }


class Core(wiring.Component):
    """A recurrent network: M input codes in, one step, O output codes out. State stays inside.

    Bit for bit the integer model (docs/numerics.md). A step takes `schedule.cycles_per_step` cycles while inputs wait;
    the outputs of a step follow without waiting for another input. After reset, and after `clear`, the state is h0.

    With S sequences there are S states, which step in turn: inputs and outputs belong to sequence 0, 1, .. S - 1, 0 and
    so on.

    Parameters
    ----------
    q
        The quantised network.
    tiling
        Lanes: how many rows, or rows x columns; drains and sequences. See :class:`~autapse_hw.tiling.Tiling`.
    form
        How the lanes are built: a name of :data:`autapse_hw.lanes.FORMS`.
    storage
        Whether weights and biases can be uploaded.

    Members
    -------
    i : In stream of signed(x bits)
        Input codes x[0] to x[M - 1] of each step. The most negative code counts as its neighbour.
    o : Out stream of signed(z bits)
        Output codes z[0] to z[O - 1] of each step, unrounded.
    clear : In(1), given : In(1)
        Strobe: drop all inputs and outputs under way and load h0; with `given` high in the same cycle, load the states
        that come through `initial` instead.
    initial : In stream of signed(state bits)
        Kept states of N units, sequence after sequence.
    dump : In(1), state : Out stream of signed(state bits)
        Strobe, while not busy: give the kept states, unit after unit, of the sequence that steps next, then of the
        others in turn. A step whose inputs come meanwhile waits.
    busy : Out(1)
        A step or a readout is under way, also from the cycle on that follows its last input; loading or a dump is not
        finished; or outputs wait.
    retire : Out(drains), retire_value : Out(drains * state bits)
        New states are written. Drain ``a`` writes the units j with ``(O + j) % drains == a``, in order, step after
        step. For monitors; costs nothing unconnected.
    retire_step, retire_unit, retire_sum, retire_saturated : Out
        In the same cycle, by drain: of which step and unit, from which pre-activation, and whether that saturated; as
        `step`, `unit`, `sum` and `saturated` of :class:`~autapse_hw.trace.Trace`.
    cells : In(cell_port)
        To weights and biases, if they can be uploaded; while not busy, and with `clear` behind it: the biases of the
        first tile are read ahead.
    """

    i: stream.Interface
    o: stream.Interface
    clear: Signal
    given: Signal
    initial: stream.Interface
    dump: Signal
    state: stream.Interface
    busy: Signal
    retire: Signal
    retire_value: Signal
    cells: CellInterface
    retire_step: Signal
    retire_unit: Signal
    retire_sum: Signal
    retire_saturated: Signal

    def __init__(
        self,
        q: QuantizedNetwork,
        tiling: int | str | Tiling,
        form: str | LaneForm = GENERIC,
        storage: Storage = Storage.FIXED,
    ) -> None:
        self.q, self.form, self.storage = q, get_form(form), storage
        self.schedule = Schedule.of(q, tiling, self.form)
        f = q.formats
        if (shortage := self.form.shortage(f.W.bits, f.operand_bits, f.acc_bits)) is not None:
            raise ValueError(shortage)
        if self.schedule.tiling.cols > self.form.columns:
            raise ValueError(f"lane form {self.form.name} takes {self.form.columns} column of lanes, not more")
        check_storage(storage, q.network.layers)
        if storage == Storage.SPRAM and self.form.memory != "ice40":
            raise ValueError(f"SPRAMs are on iCE40 UltraPlus only, and lane form {self.form.name} is not of it")
        super().__init__({**_members(q, self.schedule, storage), "clear": In(1)})

    def elaborate(self, platform: object) -> Module:
        # Clearing is a reset of everything that is not a memory; loading the states follows every reset. The strobe is
        # registered, so that no path leads from outside into all registers of the core. While the reset is on, what the
        # streams do inside is undone by it; outside they are closed, so that nothing new is lost.
        m = Module()
        engine = _Engine(self.q, self.schedule, self.form, self.storage)
        clearing = Signal()
        given = Signal()
        m.d.sync += clearing.eq(self.clear)
        with m.If(self.clear):
            m.d.sync += given.eq(self.given)
        m.submodules.engine = ResetInserter(clearing)(engine)
        for port, inner in ((self.i, engine.i), (self.initial, engine.initial)):
            m.d.comb += [
                inner.payload.eq(port.payload),
                inner.valid.eq(port.valid),
                port.ready.eq(inner.ready & ~clearing),
            ]
        for port, inner in ((self.o, engine.o), (self.state, engine.state)):
            m.d.comb += [
                port.payload.eq(inner.payload),
                port.valid.eq(inner.valid & ~clearing),
                inner.ready.eq(port.ready),
            ]
        m.d.comb += [
            engine.given.eq(given),
            engine.dump.eq(self.dump),
            self.busy.eq(engine.busy | clearing),
            self.retire.eq(engine.retire & ~clearing.replicate(len(self.retire))),
            *(getattr(self, name).eq(getattr(engine, name)) for name in _RETIRED),
        ]
        if self.storage != Storage.FIXED:
            wiring.connect(m, wiring.flipped(self.cells), engine.cells)
        return m


class _Engine(wiring.Component):
    """The core without `clear`."""

    i: stream.Interface
    o: stream.Interface
    given: Signal
    initial: stream.Interface
    dump: Signal
    state: stream.Interface
    busy: Signal
    retire: Signal
    retire_value: Signal
    cells: CellInterface
    retire_step: Signal
    retire_unit: Signal
    retire_sum: Signal
    retire_saturated: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule, form: LaneForm, storage: Storage) -> None:
        self.q, self.schedule, self.form, self.storage = q, schedule, form, storage
        super().__init__(_members(q, schedule, storage))

    def elaborate(self, platform: object) -> Module:
        # A slot passes, cycle by cycle: address from the sequencer, memories, operand registers, multipliers. The
        # weights' address takes the registers that the operands have behind their memories.
        # The sums pass through drains and activations back into the state store, and the readouts into the buffer.
        q, f, s, t = self.q, self.q.formats, self.schedule, self.schedule.tiling
        form, memory, segments = self.form, self.form.memory, self.form.segments(self.q.formats.acc_bits)
        m = Module()
        m.submodules.sequencer = sequencer = Sequencer(s)
        m.submodules.store = store = StateStore(q, s, memory)
        # What a host writes is one memory, and so the lanes are in one band.
        bands = form.bands(t) if self.storage == Storage.FIXED else (range(t.rows),)
        m.submodules.weights = weights = self._weights(bands)
        lengths = f.W.bits, f.operand_bits, f.acc_bits, segments
        m.submodules.bank = bank = lane_bank(form, bands, t.cols, *lengths)
        uploads = isinstance(weights, CellMemory)
        m.submodules.drain = drain = Drain(q, s, segments, memory, uploads=uploads, bands=bands)
        m.submodules.outputs = outputs = OutputBuffer(f.z.bits, f.acc_bits, q.outputs, t.drains, s.readouts)
        m.d.comb += [
            store.slot.eq(sequencer.slot),
            store.page.eq(sequencer.page),
            store.next_page.eq(sequencer.next_page),
            store.inputs_done.eq(sequencer.inputs_done),
            sequencer.peek.eq(store.dumping),
            sequencer.peek_slot.eq(store.peek_slot),
            sequencer.peek_page.eq(store.peek_page),
            sequencer.inputs_ready.eq(store.inputs_ready),
            sequencer.start.eq(store.loaded & ~store.dumping),  # inputs that come while a state is read wait
            sequencer.readout_room.eq(outputs.room),
            outputs.begin.eq(sequencer.begin_readout),
        ]
        if s.layers:
            m.d.comb += store.layer.eq(sequencer.layer)
        weight: Value = sequencer.weight
        if isinstance(weights, CellMemory):
            weight = Mux(self.cells.active, self.cells.word, weight)
            weights.attach(m, self.cells)
            share(m, self.cells, drain.cells)
            m.d.comb += self.cells.cell.eq(weights.cell | drain.cells.cell)

        m.d.comb += [
            weights.addr.eq(delayed(m, weight, BROADCAST)),
            bank.w.eq(weights.data),
            bank.v.eq(delayed(m, store.operands, BROADCAST)),
            bank.enable.eq(delayed_flag(m, sequencer.issue, LATENCY[memory] + BROADCAST)),
        ]

        ahead = LATENCY[memory] + BROADCAST + form.latency(t.cols) - drain.lead
        m.d.comb += [
            drain.sums.eq(bank.sums),
            drain.prime.eq(store.prime),
            drain.prepare.eq(delayed_flag(m, sequencer.last, ahead)),
            drain.group.eq(delayed(m, sequencer.group, ahead)),
            drain.next_group.eq(delayed(m, sequencer.next_group, ahead)),
            drain.step.eq(delayed(m, sequencer.step, ahead)),
            drain.emits.eq(delayed(m, sequencer.emits, ahead)),
            outputs.z.eq(drain.z),
            outputs.z_valid.eq(drain.z_valid),
        ]
        over = Signal(t.drains)
        for a in range(t.drains):
            m.submodules[f"activation_{a}"] = activation = ActivationUnit(
                q.first_activation, drain.magnitude_bits, memory
            )
            m.d.comb += [
                activation.magnitude.eq(drain.magnitude.word_select(a, drain.magnitude_bits)),
                activation.negative.eq(drain.negative[a]),
                over[a].eq(activation.over),
                store.y.word_select(a, q.driven.bits).eq(activation.y),
                store.y_next[a].eq(delayed_flag(m, drain.h_valid[a], activation.latency - 1)),
            ]
        arriving = store.arriving | store.inputs_ready.any()
        wiring.connect(m, wiring.flipped(self.i), store.i)
        wiring.connect(m, wiring.flipped(self.initial), store.initial)
        wiring.connect(m, outputs.o, wiring.flipped(self.o))
        wiring.connect(m, store.state, wiring.flipped(self.state))
        m.d.comb += [
            store.given.eq(self.given),
            store.dump.eq(self.dump),
            self.busy.eq(sequencer.busy | outputs.busy | Cat(~store.loaded, arriving, store.dumping).any()),
            self.retire.eq(store.retire),
            self.retire_value.eq(store.retire_value),
        ]
        m.submodules.trace = trace = Trace(q, s)
        m.d.comb += [
            trace.retire.eq(store.retire),
            trace.sums.eq(drain.z),
            trace.over.eq(over),
            self.retire_step.eq(trace.step),
            self.retire_unit.eq(trace.unit),
            self.retire_sum.eq(trace.sum),
            self.retire_saturated.eq(trace.saturated),
        ]
        return m

    def _weights(self, bands: Sequence[range]) -> Rom | BandedRom | CellMemory:
        """The memory of the weights, for lanes in these bands."""
        q, s, kind = self.q, self.schedule, self.form.memory
        words, layout = weight_words(q, s), weight_memory(q, s)
        if self.storage == Storage.FIXED:
            row_bits = s.tiling.cols * q.formats.W.bits
            return weight_rom(bands, row_bits, s.tiles * s.slots, words, kind)
        if self.storage == Storage.SPRAM:
            return CellMemory(layout.weights, 0, layout.stripes, [], "spram")
        return CellMemory(layout.weights, 0, layout.stripes, words, kind)
