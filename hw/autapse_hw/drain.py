"""The drain: the sums of a tile leave the lanes together and pass, one a cycle, through bias and rounding."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed, delayed_flag, registered, rounding_increment
from autapse_hw.lanes.accumulator import segment_widths
from autapse_hw.memories import Rom
from autapse_hw.schedule import HEAD_TO_MAGNITUDE, Schedule
from autapse_hw.weights import bias


class Drain(wiring.Component):
    """Reads the lanes' running sums, and gives the readouts and the pre-activations of the tile's rows in order.

    The reading of lane k is at the head of the chain k + 1 cycles after the sums are complete. From one tile to the
    next it takes at least `lanes` cycles.

    Members
    -------
    sums : In(lanes * acc_bits)
        The running sums, lane 0 lowest; segment k of each of them k cycles late.
    prepare : In(1)
        In the next cycle the sums contain the last products of a tile, that of `first_row`, `last_row` and `emits`.
    clear : In(1)
        The sums are 0, and so were all readings before.
    first_row, last_row, emits
        As the sequencer gives them for the tile.
    z : Out(signed(acc bits)), z_valid : Out(1)
        A readout, two cycles after the last segment of its sum was at the head.
    magnitude : Out, negative : Out(1), h_valid : Out(1)
        A pre-activation, rounded to the activation's input code: HEAD_TO_MAGNITUDE cycles after the head.
    """

    sums: Signal
    prepare: Signal
    clear: Signal
    first_row: Signal
    last_row: Signal
    emits: Signal
    z: Signal
    z_valid: Signal
    magnitude: Signal
    negative: Signal
    h_valid: Signal

    def __init__(self, q: QuantizedNetwork, schedule: Schedule, segments: int, memory: str) -> None:
        self._q, self._schedule, self._segments, self._memory = q, schedule, segments, memory
        self.acc_bits = q.formats.acc_bits
        self.magnitude_bits = q.activation.limit.bit_length() + 1
        super().__init__(
            {
                "sums": In(schedule.lanes * self.acc_bits),
                "prepare": In(1),
                "clear": In(1),
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
        # A chain of registers, loaded in parallel and shifted towards lane 0, segment by segment as the sums come. What
        # leaves it goes round a ring of the same length: there it meets the reading of the same lane a tile later, and
        # the difference is the sum of the row.
        q, s = self._q, self._schedule
        m = Module()
        m.submodules.bias = memory = Rom(self.acc_bits, s.rows, bias(q).tolist(), self._memory)
        active, emits = Signal(), Signal(reset_less=True)
        row, stop = Signal(range(s.rows), reset_less=True), Signal(range(s.rows), reset_less=True)
        m.d.comb += memory.addr.eq(row)
        m.d.sync += row.eq(row + 1)
        with m.If(row == stop):
            m.d.sync += active.eq(0)
        load = delayed_flag(m, self.prepare, 1)
        at_end = delayed_flag(m, self.prepare, s.lanes)  # the last lane's row
        turning = Signal()  # a reading is at the head
        with m.If(at_end):
            m.d.sync += active.eq(0)
        with m.If(delayed_flag(m, at_end, 1)):
            m.d.sync += turning.eq(0)
        with m.If(load):
            m.d.sync += turning.eq(1)
        with m.If(self.prepare):
            m.d.sync += [active.eq(1), row.eq(self.first_row), stop.eq(self.last_row), emits.eq(self.emits)]
        is_readout = Signal()
        m.d.comb += is_readout.eq(row < s.outputs)

        total = self._biased(m, delayed(m, memory.data, 2 - memory.latency), load, turning)
        skew = self._segments - 1
        increment = delayed(m, rounding_increment(total, q.pre_shift), 1)
        rounded = registered(m, delayed(m, total, 1).as_signed().shift_right(max(q.pre_shift, 0)) + increment)
        rounded = rounded.shift_left(max(-q.pre_shift, 0))
        if len(rounded) < self.magnitude_bits:
            rounded = Cat(rounded, rounded[-1].replicate(self.magnitude_bits - len(rounded)))
        m.d.comb += [
            self.z.eq(total),
            self.z_valid.eq(delayed_flag(m, active & is_readout & emits, 3 + skew)),
            self.h_valid.eq(delayed_flag(m, active & ~is_readout, 1 + skew + HEAD_TO_MAGNITUDE)),
        ]
        # What lies beyond the limit needs no exact magnitude, only one that is beyond it too: so the negation is as
        # short as the limit, and a bit above it says that the value is far out.
        near, sign = self.magnitude_bits - 1, rounded[-1]
        far = rounded[near:].any() & ~rounded[near:].all()
        magnitude = (rounded[: near + 1] ^ sign.replicate(near + 1)) + sign
        m.d.sync += [
            self.magnitude.eq(magnitude | Mux(far, 1 << near, 0)),
            self.negative.eq(sign),
        ]
        return m

    def _biased(self, m: Module, bias_word: Value, load: Value, turning: Value) -> Value:
        """Chain, ring, and the row's sum with its bias, all segments together: two cycles behind the last of them."""
        lanes, pieces, at = self._schedule.lanes, [], 0
        borrow: Value = Const(1, 1)  # the ring holds complements, so that the difference is a sum
        carry: Value = Const(0, 1)
        for k, bits in enumerate(segment_widths(self.acc_bits, self._segments)):
            chain = [Signal(bits, name=f"chain_{k}_{lane}", reset_less=True) for lane in range(lanes)]
            ring = [Signal(bits, name=f"ring_{k}_{lane}", reset_less=True) for lane in range(lanes)]
            for lane in range(lanes):
                reading = self.sums.word_select(lane, self.acc_bits)[at : at + bits]
                m.d.sync += chain[lane].eq(Mux(load, reading, chain[lane + 1] if lane + 1 < lanes else 0))
                with m.If(turning):
                    m.d.sync += ring[lane].eq(ring[lane + 1] if lane + 1 < lanes else ~chain[0])
                with m.If(self.clear):
                    m.d.sync += ring[lane].eq(~0)
            difference = Signal(bits + 1, name=f"difference_{k}", reset_less=True)
            total = Signal(bits + 1, name=f"total_{k}", reset_less=True)
            m.d.sync += [
                difference.eq(chain[0] + ring[0] + borrow),
                total.eq(difference[:bits] + delayed(m, bias_word[at : at + bits], k) + carry),
            ]
            borrow, carry = difference[bits], total[bits]
            load, turning = delayed_flag(m, load, 1), delayed_flag(m, turning, 1)
            pieces.append(delayed(m, total[:bits], self._segments - 1 - k))
            at += bits
        return Cat(*pieces).as_signed()
