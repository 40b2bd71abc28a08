"""The state store: inputs and state as the lanes' operands, the update of the state, and the loading of h0."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed, delayed_flag, registered, saturate, shift_round, successor, symmetric
from autapse_hw.buffers import SkidBuffer
from autapse_hw.schedule import GUARD_LATENCY
from autapse_hw.update import LeakyUpdate

#: Cycles after the last element of h0 until it has passed through the pipelines that lead to the memory.
_SETTLE = 12


class StateStore(wiring.Component):
    """One operand memory of two pages, each with the inputs of a step and the state before it side by side.

    A step reads its page and writes the new state into the other one. The state comes from the activation without
    stalls and has priority; inputs wait for a gap.

    Members
    -------
    i : In stream of signed(x bits)
        Inputs, M to a step.
    inputs_ready : Out(2), inputs_done : In(2)
        By page: the inputs of a step are complete; strobe: they may be overwritten.
    column : In, page : In(1), operand : Out(signed(operand bits))
        Read an operand, one cycle later.
    y : In(signed(activation bits)), y_next : In(1)
        An activation result; the flag comes one cycle before it.
    loaded : Out(1)
        h0 has been loaded after reset; nothing may be issued before.
    next_page : In(1), state_index : In, state_value : Out
        Read the kept state of a unit, two cycles later, from the page of the next step.
    retire : Out(1), retire_value : Out
        A new kept state, in the order of the units.
    """

    i: stream.Interface
    inputs_ready: Signal
    inputs_done: Signal
    column: Signal
    page: Signal
    operand: Signal
    y: Signal
    y_next: Signal
    loaded: Signal
    next_page: Signal
    state_index: Signal
    state_value: Signal
    retire: Signal
    retire_value: Signal

    def __init__(self, q: QuantizedNetwork) -> None:
        self._q = q
        f = q.formats
        super().__init__(
            {
                "i": In(stream.Signature(signed(f.x.bits))),
                "inputs_ready": Out(2),
                "inputs_done": In(2),
                "column": In(range(q.inputs + q.units)),
                "page": In(1),
                "operand": Out(signed(f.operand_bits)),
                "y": In(signed(q.activation.out.bits)),
                "y_next": In(1),
                "loaded": Out(1),
                "next_page": In(1),
                "state_index": In(range(max(2, q.units))),
                "state_value": Out(signed(f.state.bits)),
                "retire": Out(1),
                "retire_value": Out(signed(f.state.bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # The state arrives in the order of the units, so a counter addresses it, and its wrap turns the page.
        q, f = self._q, self._q.formats
        first, cols = q.inputs, q.inputs + q.units
        m = Module()
        m.submodules.operands = operands = Memory(shape=signed(f.operand_bits), depth=2 << ceil_log2(cols), init=[])
        read, write = operands.read_port(), operands.write_port()
        state_column, state_page = Signal(range(cols), init=first), Signal()
        input_column, input_page = Signal(range(max(first, 2))), Signal()

        load, load_value = self._loader(m)
        if q.leaky:
            h, h_valid = self._leaky_path(m, load, load_value)
        else:
            h, h_valid = self._plain_path(m, operands, load, load_value)

        m.submodules.arrived = arrived = SkidBuffer(signed(f.x.bits))
        wiring.connect(m, wiring.flipped(self.i), arrived.i)
        room, take, final = Signal(), Signal(), Signal(init=first == 1)
        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(Cat(self.column, self.page)),
            self.operand.eq(read.data),
            arrived.o.ready.eq(room & ~h_valid),
            take.eq(arrived.o.valid & arrived.o.ready),
            write.en.eq(h_valid | take),
        ]
        address = Cat(input_column, Const(0, ceil_log2(cols)))[: ceil_log2(cols)]
        m.d.comb += [write.addr.eq(Cat(address, input_page))]
        m.d.comb += write.data.eq(symmetric(arrived.o.payload).shift_left(f.x_shift))
        with m.If(h_valid):
            m.d.comb += [write.addr.eq(Cat(state_column, state_page)), write.data.eq(h.shift_left(f.h_shift))]
            m.d.sync += state_column.eq(state_column + 1)
            with m.If(state_column == cols - 1):
                m.d.sync += [state_column.eq(first), state_page.eq(~state_page)]

        # `room` says whether the page that the next input goes to is free. It is worked out a cycle ahead.
        here, there = (self.inputs_ready.bit_select(page, 1) for page in (input_page, ~input_page))
        m.d.sync += room.eq(self.loaded & ~Mux(take & final, there, here))
        m.d.sync += self.inputs_ready.eq(self.inputs_ready & ~self.inputs_done)
        with m.If(take):
            m.d.sync += [input_column.eq(successor(input_column, first)), final.eq(input_column == max(first - 2, 0))]
            with m.If(final):
                m.d.sync += [input_page.eq(~input_page), final.eq(first == 1)]
                m.d.sync += self.inputs_ready.bit_select(input_page, 1).eq(1)
        return m

    def _loader(self, m: Module) -> tuple[Signal, Value]:
        """A strobe and a value for each unit in order, after reset; then `loaded`."""
        q, f = self._q, self._q.formats
        count = Signal(range(q.units + _SETTLE))
        load = Signal()
        with m.If(~self.loaded):
            m.d.sync += [count.eq(count + 1), load.eq(count < q.units)]
            with m.If(count == q.units + _SETTLE - 1):
                m.d.sync += self.loaded.eq(1)
        if not q.h0.any():
            return load, Const(0, signed(f.state.bits))
        m.submodules.h0 = memory = Memory(shape=signed(f.state.bits), depth=q.units, init=q.h0.tolist())
        port = memory.read_port()
        m.d.comb += [port.en.eq(1), port.addr.eq(count)]
        return load, port.data

    def _plain_path(self, m: Module, operands: Memory, load: Signal, load_value: Value) -> tuple[Value, Value]:
        """h = y; the kept state is the multiplied one, and is read from the operands."""
        q, f = self._q, self._q.formats
        valid = delayed_flag(m, self.y_next | load, 1)
        loading = delayed_flag(m, load, 1)
        m.d.comb += [self.retire.eq(valid & ~loading), self.retire_value.eq(self.y)]
        peek = operands.read_port()
        column = (self.state_index + q.inputs)[: ceil_log2(q.inputs + q.units)]
        m.d.comb += [
            peek.en.eq(1),
            peek.addr.eq(Cat(column, self.next_page)),
            self.state_value.eq(delayed(m, peek.data, 1).shift_right(f.h_shift)),
        ]
        return Mux(loading, delayed(m, load_value, 1), self.y)[: f.h.bits].as_signed(), valid

    def _leaky_path(self, m: Module, load: Signal, load_value: Value) -> tuple[Value, Value]:
        """h = the kept state, rounded by the guard bits."""
        q, f = self._q, self._q.formats
        m.submodules.update = update = LeakyUpdate(q)
        m.d.comb += [
            update.y.eq(self.y),
            update.valid.eq(self.y_next),
            update.load.eq(load),
            update.load_value.eq(load_value),
            update.index.eq(self.state_index),
            self.state_value.eq(delayed(m, update.value, 1)),
            self.retire.eq(update.written & ~load),
            self.retire_value.eq(update.state),
        ]
        if not f.guard:
            return update.state, update.written
        rounded = registered(m, shift_round(update.state, f.guard))
        return registered(m, saturate(rounded, f.h.max_code)), delayed_flag(m, update.written, GUARD_LATENCY)
