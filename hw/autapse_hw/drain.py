"""The drains: the sums of a tile leave the lanes together and pass, a group in a cycle, through bias and rounding."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed, delayed_flag, rounded_magnitude
from autapse_hw.bands import banded_chain
from autapse_hw.cells import CellInterface, CellMemory, cell_port
from autapse_hw.lanes.accumulator import alternated, carry_complemented, segment_widths
from autapse_hw.memories import Rom
from autapse_hw.schedule import HEAD_TO_MAGNITUDE, Schedule
from autapse_hw.weights import bias_words, weight_memory


class Drain(wiring.Component):
    """Reads the rows' running sums, and gives the readouts and the pre-activations of the tile's rows in order.

    Drain `a` of A takes the rows a, A + a, 2 A + a and so on of a tile, one a cycle, all drains in step: a group. The
    reading of group g is at the heads of the chains g + 1 cycles after the sums are complete. From one tile to the next
    it takes at least as many cycles as there are groups.

    Parameters
    ----------
    q, schedule
        The network and its timetable.
    segments
        Carry chains of the sums.
    memory
        Kind of the bias memory.
    uploads
        Whether a host can write it.
    bands
        The rows of each band of lanes; all in one, unless given.

    Members
    -------
    sums : In(rows * acc_bits)
        The running sums, row 0 lowest; segment k of each of them k cycles late, and those of band k another k cycles.
    prepare : In(1)
        `lead` cycles from now the sums contain the last products of a tile, that of `group` and so on.
    prime : In(1)
        Instead of `prepare`, before the first tile: the sums rest, and tile 0 comes next.
    group, next_group, step, emits
        As the sequencer gives them for the tile.
    z : Out(A * acc_bits), z_valid : Out(A)
        Readouts, by drain: a cycle after the last segment of their sums was at the head.
    magnitude : Out(A * magnitude_bits), negative : Out(A), h_valid : Out(A)
        Pre-activations, rounded to the activation's input code: HEAD_TO_MAGNITUDE cycles after the head. In the current
        form their magnitudes are exact, otherwise only up to the activation's limit.
    cells : In(cell_port)
        To the biases, if they can be uploaded.
    """

    sums: Signal
    prepare: Signal
    prime: Signal
    group: Signal
    next_group: Signal
    step: Signal
    emits: Signal
    z: Signal
    z_valid: Signal
    magnitude: Signal
    negative: Signal
    h_valid: Signal
    cells: CellInterface

    def __init__(
        self,
        q: QuantizedNetwork,
        schedule: Schedule,
        segments: int,
        memory: str,
        *,
        uploads: bool = False,
        bands: Sequence[range] = (),
    ) -> None:
        self._q, self._schedule, self._segments = q, schedule, segments
        self._bands = bands or (range(schedule.tiling.rows),)
        drains, groups = schedule.tiling.drains, schedule.tiles * schedule.groups
        self.acc_bits = q.formats.acc_bits
        self.magnitude_bits = q.first_activation.limit.bit_length() + 1
        words, layout = bias_words(q, schedule), weight_memory(q, schedule)
        self._biases = (
            CellMemory(layout.biases, layout.weights.stripes, layout.stripes, words, memory)
            if uploads
            else Rom(drains * self.acc_bits, groups, words, memory)
        )
        self.lead = self._biases.latency
        super().__init__(
            {
                "sums": In(schedule.tiling.rows * self.acc_bits),
                "prepare": In(1),
                "prime": In(1),
                "group": In(range(groups)),
                "next_group": In(range(groups)),
                "step": In(1),
                "emits": In(1),
                "z": Out(drains * self.acc_bits),
                "z_valid": Out(drains),
                "magnitude": Out(drains * self.magnitude_bits),
                "negative": Out(drains),
                "h_valid": Out(drains),
                **({"cells": In(cell_port(layout))} if uploads else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # Each drain is a chain of registers, loaded in parallel and shifted towards group 0, segment by segment as the
        # sums come. What leaves it gets the negative bias of the same lanes' next row, and goes round a ring of the
        # same length: there it meets the next reading, and the difference is the sum of that row, bias included.
        s = self._schedule
        m = Module()
        m.submodules.biases = self._biases
        upcoming = Signal(range(self._biases.depth), reset_less=True)
        begins = Signal()
        m.d.comb += [self._biases.addr.eq(upcoming), begins.eq(self.prepare | self.prime)]
        m.d.sync += upcoming.eq(upcoming + 1)
        with m.If(begins):
            m.d.sync += upcoming.eq(Mux(self.prime, 0, self.next_group))
        if isinstance(self._biases, CellMemory):
            with m.If(self.cells.active):
                m.d.sync += upcoming.eq(self.cells.word)
            self._biases.attach(m, self.cells)
            m.d.comb += self.cells.cell.eq(self._biases.cell)

        load = delayed_flag(m, begins, self.lead)
        group, left = Signal.like(self.group, reset_less=True), Signal(range(s.groups), reset_less=True)
        counts, step, emits = Signal(), Signal(reset_less=True), Signal(reset_less=True)
        turning = Signal()  # readings are at the heads
        m.d.sync += [group.eq(group + 1), left.eq(left - 1), turning.eq(load | (turning & (left != 0)))]
        tile = [delayed(m, value, self.lead) for value in (self.group, self.step, self.emits, self.prepare)]
        with m.If(load):
            m.d.sync += left.eq(s.groups - 1)
            m.d.sync += [to.eq(value) for to, value in zip((group, step, emits, counts), tile, strict=True)]
        drains, skew = s.tiling.drains, self._segments - 1
        magnitude, negative, z = [], [], []
        for a in range(drains):
            readouts = max(0, -(-(s.outputs - a) // drains))
            is_readout, is_unit = Signal(name=f"is_readout_{a}"), Signal(name=f"is_unit_{a}")
            m.d.comb += [
                is_readout.eq(turning & counts & emits & (group < readouts)),
                is_unit.eq(reduce(or_, self._units(turning & counts & step, group, a))),
                self.z_valid[a].eq(delayed_flag(m, is_readout, 1 + skew)),
                self.h_valid[a].eq(delayed_flag(m, is_unit, skew + HEAD_TO_MAGNITUDE)),
            ]
            total = self._total(m, a, load, turning)
            z.append(total)
            rounded = rounded_magnitude(m, total, self._q.pre_shift, self.magnitude_bits - 1)
            for values, value in zip((magnitude, negative), rounded, strict=True):
                values.append(value)
        m.d.comb += [self.z.eq(Cat(z)), self.magnitude.eq(Cat(magnitude)), self.negative.eq(Cat(negative))]
        return m

    def _units(self, valid: Value, group: Value, a: int) -> list[Value]:
        """By layer, whether `valid` is high and a group has a unit of this drain."""
        s, drains = self._schedule, self._schedule.tiling.drains
        found = []
        for span, place in zip(s.spans, s.places, strict=True):
            ends = place.start + max(0, s.outputs - span.start), place.stop
            first, last = (max(0, -(-(at - a) // drains)) for at in ends)
            found.append(valid & (group >= first) & (group < last))
        return found

    def _total(self, m: Module, a: int, load: Value, turning: Value) -> Value:
        """Chain, ring, and the row's sum with its bias, all segments together: a cycle behind the last of them."""
        # Each second segment of chain, ring and sums holds complements, as `running_sum` has it.
        t, groups = self._schedule.tiling, self._schedule.groups
        word = self._biases.data.word_select(a, self.acc_bits)
        rows = range(a, t.rows, t.drains)
        pieces, at = [], 0
        between: Value | int = 0  # the carry between segments on the way into the ring, and out of it
        carry: Value | int = 1
        for k, bits in enumerate(segment_widths(self.acc_bits, self._segments)):
            readings = [self.sums.word_select(row, self.acc_bits)[at : at + bits] for row in rows]
            readings = [alternated(reading, k)[:bits] for reading in readings]
            ring = [Signal(bits, name=f"ring_{a}_{k}_{g}", reset_less=True) for g in range(groups)]
            head = banded_chain(m, f"chain_{a}_{k}", bits, readings, load, self._bands, t.drains)
            old = Signal(bits + 1, name=f"old_{a}_{k}")
            bias = delayed(m, alternated(word[at : at + bits], k), k)
            m.d.comb += old.eq(carry_complemented(head + bias + between, bits))
            between = Signal(name=f"between_{a}_{k}", reset_less=True)
            with m.If(turning):
                # The complement is taken on the way, beside no adder, where there is a way.
                m.d.sync += [ring[g].eq(ring[g + 1]) for g in range(1, groups - 1)]
                m.d.sync += Cat(ring[-1], between).eq(old)
                m.d.sync += ring[0].eq(~(ring[1] if groups > 1 else old[:bits]))
            total = Signal(bits + 1, name=f"total_{a}_{k}", reset_less=True)
            m.d.sync += total.eq(carry_complemented(head + ring[0] + carry, bits))
            carry = total[bits]
            pieces.append(delayed(m, alternated(total[:bits], k), self._segments - 1 - k))
            load, turning = delayed_flag(m, load, 1), delayed_flag(m, turning, 1)
            at += bits
        return Cat(*pieces).as_signed()
