"""The drain: the sums of a tile leave the lanes together and pass, one a cycle, through bias and rounding."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed_flag, registered, shift_round
from autapse_hw.schedule import HEAD_TO_MAGNITUDE, Schedule
from autapse_hw.weights import bias


class Drain(wiring.Component):
    """Takes the lanes' sums at `load`, and gives the readouts and the pre-activations of the tile's rows in order.

    The row of lane k is at the head of the chain k + 1 cycles after `load`.

    Members
    -------
    totals : In(lanes * acc_bits)
        The sums, lane 0 lowest.
    prepare : In(1)
        `load` comes in the next cycle, with `first_row`, `last_row` and `emits` as they are now.
    first_row, last_row, emits
        As the sequencer gives them for the tile.
    z : Out(signed(acc bits)), z_valid : Out(1)
        A readout, two cycles after its sum was at the head.
    magnitude : Out, negative : Out(1), h_valid : Out(1)
        A pre-activation, rounded to the activation's input code: HEAD_TO_MAGNITUDE cycles after the head.
    """

    totals: Signal
    prepare: Signal
    first_row: Signal
    last_row: Signal
    emits: Signal
    z: Signal
    z_valid: Signal
    magnitude: Signal
    negative: Signal
    h_valid: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule) -> None:
        self._q, self._schedule = q, schedule
        self.acc_bits = q.formats.acc_bits
        rounded = shift_round(Signal(signed(self.acc_bits)), q.pre_shift)
        self.magnitude_bits = max(len(rounded), q.activation.limit.bit_length(), q.activation.top.bit_length())
        super().__init__(
            {
                "totals": In(schedule.lanes * self.acc_bits),
                "prepare": In(1),
                "first_row": In(range(schedule.rows)),
                "last_row": In(range(schedule.rows)),
                "emits": In(1),
                "z": Out(signed(self.acc_bits)),
                "z_valid": Out(1),
                "magnitude": Out(self.magnitude_bits),
                "negative": Out(1),
                "h_valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # A chain of registers, loaded in parallel and shifted towards lane 0. The row counter runs one cycle ahead of
        # the head, so that the bias of the row arrives with its sum.
        q, s = self._q, self._schedule
        m = Module()
        m.submodules.bias = memory = Memory(shape=signed(self.acc_bits), depth=s.rows, init=bias(q).tolist())
        port = memory.read_port()
        lanes = range(s.lanes)
        chain = Signal(data.ArrayLayout(signed(self.acc_bits), s.lanes), reset_less=True)
        load, active, emits = Signal(), Signal(), Signal(reset_less=True)
        row, stop, left = Signal(range(s.rows)), Signal(range(s.rows)), Signal(range(s.lanes))

        m.d.sync += load.eq(self.prepare)
        for k in lanes:
            after = chain[k + 1] if k + 1 < s.lanes else 0
            total = self.totals.word_select(k, self.acc_bits)
            m.d.sync += chain[k].eq(Mux(load, total, after))

        m.d.comb += [port.en.eq(1), port.addr.eq(row)]
        with m.If(active):
            m.d.sync += [row.eq(row + 1), left.eq(left - 1)]
            with m.If((left == 0) | (row == stop)):
                m.d.sync += active.eq(0)
        with m.If(self.prepare):
            m.d.sync += [active.eq(1), row.eq(self.first_row), left.eq(s.lanes - 1)]
            m.d.sync += [stop.eq(self.last_row), emits.eq(self.emits)]
        is_readout = Signal()
        m.d.comb += is_readout.eq(row < s.outputs)
        z_here = delayed_flag(m, active & is_readout & emits, 2)
        h_here = delayed_flag(m, active & ~is_readout, 1 + HEAD_TO_MAGNITUDE)

        total = registered(m, (chain[0] + port.data)[: self.acc_bits])
        rounded = registered(m, shift_round(total, q.pre_shift))
        m.d.comb += [self.z.eq(total), self.z_valid.eq(z_here), self.h_valid.eq(h_here)]
        m.d.sync += [self.magnitude.eq(Mux(rounded[-1], -rounded, rounded)), self.negative.eq(rounded[-1])]
        return m
