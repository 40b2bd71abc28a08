"""The leaky update: decay times old state plus gain times what drives it, in the drain's pipeline."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse.weight_memory import packed
from autapse_hw.arithmetic import (
    delayed,
    delayed_flag,
    extended,
    multiply,
    registered,
    rounding_increment,
    saturate,
    successor,
)
from autapse_hw.memories import Rom
from autapse_hw.schedule import leak_latency


class LeakyUpdate(wiring.Component):
    """s[j] <- clip(round(d[j] * s[j] + g[j] * y)), for some units in order; it keeps their states s.

    Latency from `y` to `state`: `leak_latency`. Throughput: one a cycle.

    Parameters
    ----------
    q
        The network.
    units
        Which they are.
    sequences
        States of each unit, that take turns after all units.

    Members
    -------
    y : In(signed(driven bits))
        The activation's result for the next unit in order, or, in the current form, its rounded sum.
    valid : In(1)
        `y` comes in the *next* cycle: this one reads the unit's old state, decay and gain.
    load, load_value : In(1), In(signed(state bits))
        Write an initial state for the next unit in order, instead of an update.
    state : Out(signed(state bits)), written : Out(1), soon : Out(1)
        The new state, in the cycle in which it is written; and a flag one cycle before it, but for initial states.
    value : Out(signed(state bits)), skip : In(1)
        While nothing is under way: the state of the unit that comes next; strobe: let it be the unit after it, whose
        value follows two cycles later.
    """

    y: Signal
    valid: Signal
    load: Signal
    load_value: Signal
    state: Signal
    written: Signal
    soon: Signal
    skip: Signal
    value: Signal

    def __init__(self, q: QuantizedNetwork, units: range, sequences: int) -> None:
        if not q.leaky:
            raise ValueError("a plain update needs no LeakyUpdate")
        self._q, self._units, self._sequences = q, units, sequences
        bits = q.formats.state.bits
        super().__init__(
            {
                "y": In(signed(q.driven.bits)),
                "valid": In(1),
                "load": In(1),
                "load_value": In(signed(bits)),
                "state": Out(signed(bits)),
                "written": Out(1),
                "soon": Out(1),
                "skip": In(1),
                "value": Out(signed(bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # Units come in order, so counters address the memories: one for what is read, one for what is written. Each
        # state is read once and written once in a round of all sequences, so one page is enough.
        q, f, units = self._q, self._q.formats, self._units
        assert f.leak is not None
        m = Module()
        leak_bits = f.leak.bits
        init = [packed((q.d[j], q.g[j]), leak_bits) for j in units]
        m.submodules.coefficients = coefficients = Rom(2 * leak_bits, len(units), init, "logic")
        count = len(units) * self._sequences
        m.submodules.states = states = Memory(shape=signed(f.state.bits), depth=count, init=[])
        old, write = states.read_port(), states.write_port()

        reading, writing, unit = Signal(range(count)), Signal(range(count)), Signal(range(len(units)))
        with m.If(self.valid | self.skip):
            m.d.sync += [reading.eq(successor(reading, count)), unit.eq(successor(unit, len(units)))]
        with m.If(self.written):
            m.d.sync += writing.eq(successor(writing, count))
        m.d.comb += [
            old.en.eq(1),
            old.addr.eq(reading),
            coefficients.addr.eq(unit),
            self.value.eq(old.data),
        ]
        d, g = coefficients.data[:leak_bits].as_signed(), coefficients.data[leak_bits:].as_signed()
        bits = max(len(old.data), len(self.y))  # of the same length, so that both products come together
        kept = multiply(m, d, extended(old.data, bits))
        driven = multiply(m, g, extended(self.y, bits))
        total = registered(m, kept + driven.shift_left(q.gain_shift))
        increment = delayed(m, rounding_increment(total, f.leak.frac), 1)
        rounded = registered(m, delayed(m, total, 1).shift_right(f.leak.frac) + increment)
        new = registered(m, saturate(rounded, f.state.max_code))
        m.d.comb += [
            self.soon.eq(delayed_flag(m, self.valid, leak_latency(q))),
            self.written.eq(delayed_flag(m, self.soon, 1) | self.load),
            self.state.eq(Mux(self.load, self.load_value, new)),
            write.en.eq(self.written),
            write.addr.eq(writing),
            write.data.eq(self.state),
        ]
        return m
