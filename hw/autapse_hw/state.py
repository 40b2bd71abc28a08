"""The state store: inputs and states side by side, as the operands of the lanes."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from autapse.quantized import QuantizedNetwork
from autapse_hw.activation import ActivationUnit
from autapse_hw.arithmetic import (
    delayed_flag,
    is_lowest,
    registered,
    rounded_magnitude,
    saturate,
    shift_round,
    successor,
    symmetric,
)
from autapse_hw.buffers import SkidBuffer
from autapse_hw.loader import Loader
from autapse_hw.memories import Ram
from autapse_hw.schedule import GUARD_LATENCY, Schedule, multiplied_latency
from autapse_hw.state_reader import StateReader
from autapse_hw.update import LeakyUpdate


class StateStore(wiring.Component):
    """Operand memories, one for each column of lanes, each of several pages.

    A page holds the inputs of a step and the state before it: column k of the matrix in slot ``k // C`` of memory
    ``k % C``. There is one page more than there are sequences: a step reads its page and writes the new state into
    the one that the step before it has read. The states come from the activations without stalls and have priority;
    inputs wait for a gap.

    Members
    -------
    i : In stream of signed(x bits)
        Inputs, M to a step, the sequences in turn.
    arriving : Out(1)
        An input has been taken, and is not written yet.
    inputs_ready : Out(pages), inputs_done : In(pages)
        By page: the inputs of a step are complete; strobe: they may be overwritten.
    slot, page, layer : In, operands : Out(C * operand_bits)
        Read the operands of a slot, as much later as the memory takes: from that page, or, the states of layers before
        `layer`, from the page that is written. Only a stack has layers.
    y : In(drains * driven bits), y_next : In(drains)
        Activation results, or, in the current form, rounded sums; the flags come one cycle before them.
    given, initial, loaded, prime
        As in :class:`~autapse_hw.loader.Loader`.
    next_page : In
        The page of the next step.
    dump : In(1), state : Out stream of signed(state bits)
        Strobe, while nothing is under way: give the kept states of all units, from the next sequence on.
    dumping : Out(1), peek_slot, peek_page : Out
        While it does so, `slot` and `page` must follow these, one cycle later.
    retire : Out(drains), retire_value : Out(drains * state bits)
        New kept states, by drain, in the order of the units.
    """

    i: stream.Interface
    arriving: Signal
    inputs_ready: Signal
    inputs_done: Signal
    slot: Signal
    page: Signal
    layer: Signal
    operands: Signal
    y: Signal
    y_next: Signal
    given: Signal
    initial: stream.Interface
    loaded: Signal
    prime: Signal
    next_page: Signal
    dump: Signal
    state: stream.Interface
    dumping: Signal
    peek_slot: Signal
    peek_page: Signal
    retire: Signal
    retire_value: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule, memory: str) -> None:
        self._q, self._schedule, self._memory = q, schedule, memory
        f, t = q.formats, schedule.tiling
        self._pages = pages = t.sequences + 1
        super().__init__(
            {
                "i": In(stream.Signature(signed(f.x.bits))),
                "arriving": Out(1),
                "inputs_ready": Out(pages),
                "inputs_done": In(pages),
                "slot": In(range(schedule.slots)),
                "page": In(range(pages)),
                **({"layer": In(range(len(schedule.layers)))} if schedule.layers else {}),
                "operands": Out(t.cols * f.operand_bits),
                "y": In(t.drains * q.driven.bits),
                "y_next": In(t.drains),
                "given": In(1),
                "initial": In(stream.Signature(signed(f.state.bits))),
                "loaded": Out(1),
                "prime": Out(1),
                "next_page": In(range(pages)),
                "dump": In(1),
                "state": Out(stream.Signature(signed(f.state.bits))),
                "dumping": Out(1),
                "peek_slot": Out(range(schedule.slots)),
                "peek_page": Out(range(pages)),
                "retire": Out(t.drains),
                "retire_value": Out(t.drains * f.state.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        q, f, s, t = self._q, self._q.formats, self._schedule, self._schedule.tiling
        m = Module()
        m.submodules.loader = loader = Loader(q, s)
        wiring.connect(m, wiring.flipped(self.initial), loader.initial)
        m.d.comb += [loader.given.eq(self.given), self.loaded.eq(loader.loaded), self.prime.eq(loader.prime)]

        slot_bits = ceil_log2(s.slots)
        banks = [Ram(f.operand_bits, self._pages << slot_bits, [], self._memory) for _ in range(t.cols)]
        for b, bank in enumerate(banks):
            m.submodules[f"bank_{b}"] = bank
            m.d.comb += [
                bank.addr.eq(Cat(self.slot, self._page(m, b))),
                self.operands.word_select(b, f.operand_bits).eq(bank.data),
            ]

        m.submodules.reader = reader = StateReader(q, s)
        m.d.comb += [
            reader.dump.eq(self.dump),
            reader.next_page.eq(self.next_page),
            self.dumping.eq(reader.busy),
            self.peek_slot.eq(reader.slot),
            self.peek_page.eq(reader.page),
        ]
        wiring.connect(m, reader.state, wiring.flipped(self.state))
        operand = self.operands.word_select(reader.bank, f.operand_bits).as_signed()
        m.d.comb += reader.value.eq(operand.shift_right(f.h_shift))

        states = [self._chain(m, a, loader, reader) for a in range(t.drains)]
        x, x_bank, x_address = self._inputs(m, Cat(soon for soon, *_ in states).any(), slot_bits)
        for b, bank in enumerate(banks):
            _, valid, phase, h, address = states[self._drain_of(b)]
            here = valid & (phase == b // t.drains)
            m.d.comb += [
                bank.w_en.eq(here | (x_bank[b] if b < len(x_bank) else 0)),
                bank.w_addr.eq(Mux(here, address, x_address) if b < len(x_bank) else address),
                bank.w_data.eq(Mux(here, h, x) if b < len(x_bank) else h),
            ]
        return m

    def _page(self, m: Module, bank: int) -> Value:
        """The page that a memory is read from: behind the first layer, states of earlier layers are those of this step.

        They lie where the step before has read, in the page before this one in turn.
        """
        s, inputs, columns = self._schedule, self._q.inputs, self._schedule.tiling.cols
        if not s.layers:
            return self.page
        written = Signal.like(self.page, reset_less=True, name=f"written_{bank}")  # the page rests for a whole tile
        m.d.sync += written.eq(Mux(self.page == 0, self._pages - 1, self.page - 1))
        new: Value = Const(0, 1)
        for layer, span in enumerate(s.spans[1:], 1):
            first, last = (-(-(at - bank) // columns) for at in (inputs, inputs + span.start - s.outputs))
            new = new | ((self.layer == layer) & (self.slot >= first) & (self.slot < last))
        return Mux(new, written, self.page)

    def _drain_of(self, bank: int) -> int:
        """The drain whose units have their operands there."""
        return (bank - self._q.inputs + self._q.outputs) % self._schedule.tiling.drains

    def _chain(self, m: Module, a: int, loader: Loader, reader: StateReader) -> tuple[Value, ...]:
        """The states of a drain's units: valid in the next cycle (but for initial ones), valid, which of its memories,
        value, address."""
        q, f, t = self._q, self._q.formats, self._schedule.tiling
        units = self._schedule.units_of(a)
        y = self.y.word_select(a, q.driven.bits).as_signed()
        if not units:
            return (Const(0, 1),) * 5
        if q.leaky:
            h, soon, valid = self._leaky(m, a, y, loader, reader)
        else:
            load = loader.load[a]
            soon = self.y_next[a]
            done = delayed_flag(m, soon, 1)
            h, valid = Mux(load, loader.value, y)[: f.h.bits].as_signed(), done | load
            m.d.comb += [self.retire[a].eq(done), self.retire_value.word_select(a, f.state.bits).eq(y)]
        # Column k is in memory k % C; the unit after the next drains' ones is `drains` columns on.
        place = [((q.inputs + j) % t.cols // t.drains, (q.inputs + j) // t.cols) for j in units]
        phases = t.cols // t.drains
        phase = Signal(range(phases), init=place[0][0], name=f"phase_{a}")
        slot = Signal(range(self._schedule.slots), init=place[0][1], name=f"slot_{a}")
        page = Signal(range(self._pages), name=f"page_{a}")
        final = Signal(init=len(units) == 1, name=f"final_{a}")  # this is the last unit
        before = place[-2] if len(units) > 1 else place[0]
        with m.If(valid):
            m.d.sync += [phase.eq(successor(phase, phases)), slot.eq(slot + (phase == phases - 1))]
            m.d.sync += final.eq((phase == before[0]) & (slot == before[1]))
            with m.If(final):
                m.d.sync += [phase.eq(place[0][0]), slot.eq(place[0][1]), page.eq(successor(page, self._pages))]
                m.d.sync += final.eq(len(units) == 1)
        return soon, valid, phase, h.shift_left(f.h_shift), Cat(slot, page)

    def _leaky(self, m: Module, a: int, y: Value, loader: Loader, reader: StateReader) -> tuple[Value, ...]:
        """h = the kept state, rounded by the guard bits, or its activation; valid in the next cycle, valid."""
        q, f, t = self._q, self._q.formats, self._schedule.tiling
        m.submodules[f"update_{a}"] = update = LeakyUpdate(q, self._schedule.units_of(a), t.sequences)
        m.d.comb += [
            update.y.eq(y),
            update.valid.eq(self.y_next[a]),
            update.load.eq(loader.load[a]),
            update.load_value.eq(loader.value),
            update.skip.eq(reader.taken & (reader.drain == a)),
            self.retire[a].eq(update.written & ~update.load),
            self.retire_value.word_select(a, f.state.bits).eq(update.state),
        ]
        with m.If(reader.drain == a):
            m.d.comb += reader.value.eq(update.value)
        if q.form == "current":
            return self._activated(m, a, update)
        if not f.guard:
            return update.state, update.soon, update.written
        rounded = registered(m, shift_round(update.state, f.guard))
        soon = delayed_flag(m, update.written, GUARD_LATENCY - 1)
        return registered(m, saturate(rounded, f.h.max_code)), soon, delayed_flag(m, soon, 1)

    def _activated(self, m: Module, a: int, update: LeakyUpdate) -> tuple[Value, ...]:
        """The same in the current form: h = the activation of the kept state."""
        q, near = self._q, self._q.activation.limit.bit_length()
        magnitude, negative = rounded_magnitude(m, update.state, q.formats.guard, near)
        m.submodules[f"rate_{a}"] = rate = ActivationUnit(q.activation, near + 1, self._memory)
        m.d.comb += [rate.magnitude.eq(magnitude), rate.negative.eq(negative)]
        soon = delayed_flag(m, update.written, multiplied_latency(q) - 1)
        return rate.y, soon, delayed_flag(m, soon, 1)

    def _inputs(self, m: Module, soon: Value, slot_bits: int) -> tuple[Value, list[Value], Value]:
        """The stream of inputs, which wait when a state is `soon` written: value, which memory takes it, address."""
        q, f, t = self._q, self._q.formats, self._schedule.tiling
        # A flag beside the code, so that the long way to the symmetric one lies before the buffer, and ends there.
        m.submodules.arrived = arrived = SkidBuffer(unsigned(f.x.bits + 1))
        m.d.comb += [
            arrived.i.payload.eq(Cat(self.i.payload, is_lowest(self.i.payload))),
            arrived.i.valid.eq(self.i.valid),
            self.i.ready.eq(arrived.i.ready),
            self.arriving.eq(arrived.o.valid),
        ]
        room, take, final = Signal(), Signal(), Signal(init=q.inputs == 1)
        count, page = Signal(range(max(q.inputs, 2))), Signal(range(self._pages))
        used = min(t.cols, q.inputs)
        bank, slot = Signal(range(used)), Signal(slot_bits)
        m.d.comb += [arrived.o.ready.eq(room), take.eq(arrived.o.valid & arrived.o.ready)]
        # `room` says whether an input may be written: its page is free, and no state comes. It is worked out a cycle
        # ahead.
        following = successor(page, self._pages)
        ready = Mux(take & final, self.inputs_ready.bit_select(following, 1), self.inputs_ready.bit_select(page, 1))
        m.d.sync += [room.eq(self.loaded & ~ready & ~soon), self.inputs_ready.eq(self.inputs_ready & ~self.inputs_done)]
        with m.If(take):
            m.d.sync += [count.eq(successor(count, q.inputs)), final.eq(count == max(q.inputs - 2, 0))]
            m.d.sync += [bank.eq(successor(bank, used)), slot.eq(slot + (bank == used - 1))]
            with m.If(final):
                m.d.sync += [page.eq(following), final.eq(q.inputs == 1), bank.eq(0), slot.eq(0)]
                m.d.sync += self.inputs_ready.bit_select(page, 1).eq(1)
        x = symmetric(arrived.o.payload[:-1], arrived.o.payload[-1]).shift_left(f.x_shift)
        return x, [take & (bank == b) for b in range(used)], Cat(slot, page)
