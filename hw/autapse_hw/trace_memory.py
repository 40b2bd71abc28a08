"""The trace of debug builds: a memory of what the retire port has said last of each unit, and its way to the host."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import STEP_MARKS, code_bytes
from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed, delayed_flag, extended, successor
from autapse_hw.memories import Ram
from autapse_hw.schedule import Schedule
from autapse_hw.trace import STEP_BITS, unit_bits

#: A byte of a record, and whether it is the last of all.
RECORD_BYTE = data.StructLayout({"data": unsigned(8), "last": unsigned(1)})
_MARK_BITS = (STEP_MARKS - 1).bit_length()


class TraceMemory(wiring.Component):
    """Keeps a record of each unit of each sequence, that of its last step, and gives them all when it is asked.

    A record is the lowest bits of the step's number, whether the pre-activation saturated, and the pre-activation; its
    bytes are those of :class:`autapse.protocol.Trace`. Records outlive a reset; before the first step they are 0.

    Parameters
    ----------
    q, schedule
        The network, and the timetable of its core.
    memory
        Kind of the memories: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    retire, step, unit, sum, saturated : In
        The core's retire port; see :class:`~autapse_hw.trace.Trace`. When the core is cleared, this is reset with it.
    recall : In(1)
        Strobe, while the core rests and nothing is given: give all records.
    o : Out stream of RECORD_BYTE
        Unit after unit, sequence after sequence.
    """

    retire: Signal
    step: Signal
    unit: Signal
    sum: Signal
    saturated: Signal
    recall: Signal
    o: stream.Interface

    def __init__(self, q: QuantizedNetwork, schedule: Schedule, memory: str) -> None:
        self._q, self._schedule, self._memory = q, schedule, memory
        drains = schedule.tiling.drains
        super().__init__(
            {
                "retire": In(drains),
                "step": In(drains * STEP_BITS),
                "unit": In(drains * unit_bits(q)),
                "sum": In(drains * q.formats.acc_bits),
                "saturated": In(drains),
                "recall": In(1),
                "o": Out(stream.Signature(RECORD_BYTE)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # A memory for each drain, since all of them may write at a time. A record is written where its labels say, so
        # that a wrong label is seen; there is room for every number of a unit. It is read into a register, and leaves
        # it byte by byte.
        s, t, acc = self._schedule, self._schedule.tiling, self._q.formats.acc_bits
        m = Module()
        unit, sequence = Signal(unit_bits(self._q)), Signal(range(t.sequences))
        drain, left = Signal(range(t.drains)), Signal(range(1 + code_bytes(acc)))
        memories = [self._record(m, a) for a in range(t.drains)]
        for memory in memories:
            m.d.comb += memory.addr.eq(Cat(unit, sequence))
        record = Cat(memory.data for memory in memories).word_select(drain, memories[0].width)
        mark, total = record[: _MARK_BITS + 1], record[_MARK_BITS + 1 :].as_signed()

        word = Signal(8 * (1 + code_bytes(acc)), reset_less=True)
        walking, wait = Signal(), Signal(range(memories[0].latency + 2))
        final = unit == s.units - 1, sequence == t.sequences - 1
        m.d.comb += [self.o.payload.data.eq(word[:8]), self.o.payload.last.eq(Cat(*final, left == 0).all())]
        m.d.sync += wait.eq(Mux(walking & ~self.o.valid, wait + 1, 0))
        with m.If(walking & (wait == memories[0].latency)):
            m.d.sync += [word.eq(Cat(mark, extended(total, 8 * code_bytes(acc)))), left.eq(code_bytes(acc))]
            m.d.sync += self.o.valid.eq(1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [word.eq(word[8:]), left.eq(left - 1)]
            with m.If(left == 0):
                m.d.sync += [self.o.valid.eq(0), walking.eq(~self.o.payload.last)]
                m.d.sync += [unit.eq(Mux(final[0], 0, unit + 1)), drain.eq(successor(drain, t.drains))]
                with m.If(final[0]):
                    m.d.sync += [sequence.eq(successor(sequence, t.sequences)), drain.eq(s.outputs % t.drains)]
        with m.If(self.recall):
            m.d.sync += [walking.eq(1), unit.eq(0), sequence.eq(0), drain.eq(s.outputs % t.drains)]
        return m

    def _record(self, m: Module, a: int) -> Ram:
        """The memory of a drain, with its way in: a register, so that the core's paths end where they leave it."""
        q, t, units = self._q, self._schedule.tiling, self._schedule.units_of(a)
        memory = Ram(_MARK_BITS + 1 + q.formats.acc_bits, t.sequences << unit_bits(q), [], self._memory)
        m.submodules[f"records_{a}"] = memory
        retire, unit = self.retire[a], self.unit.word_select(a, unit_bits(q))
        mark = self.step.word_select(a, STEP_BITS)[:_MARK_BITS]
        total = self.sum.word_select(a, q.formats.acc_bits)
        turn = Signal(range(t.sequences), name=f"turn_{a}")
        if units:
            with m.If(retire & (unit == units[-1])):
                m.d.sync += turn.eq(successor(turn, t.sequences))
        m.d.comb += [
            memory.w_en.eq(delayed_flag(m, retire, 1)),
            memory.w_addr.eq(delayed(m, Cat(unit, turn), 1)),
            memory.w_data.eq(delayed(m, Cat(mark, self.saturated[a], total), 1)),
        ]
        return memory
