"""The leaky update: decay times old state plus gain times activation, in the drain's pipeline."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse.quantized import QuantizedNetwork
from autapse_hw.arithmetic import delayed, delayed_flag, multiply, registered, rounding_increment, saturate, successor
from autapse_hw.schedule import leak_latency


class LeakyUpdate(wiring.Component):
    """s[j] <- clip(round(d[j] * s[j] + g[j] * y)), for the units in order; it keeps the states s.

    Latency from `y` to `state`: `leak_latency`. Throughput: one a cycle.

    Members
    -------
    y : In(signed(activation bits))
        The activation's result for the next unit in order.
    valid : In(1)
        `y` comes in the *next* cycle: this one reads the unit's old state, decay and gain.
    load, load_value : In(1), In(signed(state bits))
        Write an initial state for the next unit in order, instead of an update.
    state : Out(signed(state bits)), written : Out(1)
        The new state, in the cycle in which it is written.
    index : In(range(units)), value : Out(signed(state bits))
        Read any state, one cycle later.
    """

    y: Signal
    valid: Signal
    load: Signal
    load_value: Signal
    state: Signal
    written: Signal
    index: Signal
    value: Signal

    def __init__(self, q: QuantizedNetwork) -> None:
        if not q.leaky:
            raise ValueError("a plain update needs no LeakyUpdate")
        self._q = q
        bits = q.formats.state.bits
        super().__init__(
            {
                "y": In(signed(q.activation.out.bits)),
                "valid": In(1),
                "load": In(1),
                "load_value": In(signed(bits)),
                "state": Out(signed(bits)),
                "written": Out(1),
                "index": In(range(q.units)),
                "value": Out(signed(bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # Units come in order, so two counters address the memories: one for what is read, one for what is written.
        # Each unit is read once and written once a step, so one page is enough.
        q, f = self._q, self._q.formats
        assert f.leak is not None
        m = Module()
        leak_bits = f.leak.bits
        mask = (1 << leak_bits) - 1
        init = [(int(d) & mask) | (int(g) & mask) << leak_bits for d, g in zip(q.d, q.g, strict=True)]
        m.submodules.coefficients = coefficients = Memory(shape=2 * leak_bits, depth=q.units, init=init)
        m.submodules.states = states = Memory(shape=signed(f.state.bits), depth=q.units, init=q.h0.tolist())
        old, peek, write, leak = states.read_port(), states.read_port(), states.write_port(), coefficients.read_port()

        reading, writing = Signal(range(q.units)), Signal(range(q.units))
        with m.If(self.valid):
            m.d.sync += reading.eq(successor(reading, q.units))
        with m.If(self.written):
            m.d.sync += writing.eq(successor(writing, q.units))
        m.d.comb += [
            old.en.eq(1),
            old.addr.eq(reading),
            leak.en.eq(1),
            leak.addr.eq(reading),
            peek.en.eq(1),
            peek.addr.eq(self.index),
            self.value.eq(peek.data),
        ]
        d, g = leak.data[:leak_bits].as_signed(), leak.data[leak_bits:].as_signed()
        bits = max(len(old.data), len(self.y))  # of the same length, so that both products come together
        kept = multiply(m, d, _extended(old.data, bits))
        driven = multiply(m, g, _extended(self.y, bits))
        total = registered(m, kept + driven.shift_left(q.gain_shift))
        increment = delayed(m, rounding_increment(total, f.leak.frac), 1)
        rounded = registered(m, delayed(m, total, 1).shift_right(f.leak.frac) + increment)
        new = registered(m, saturate(rounded, f.state.max_code))
        m.d.comb += [
            self.written.eq(delayed_flag(m, self.valid, 1 + leak_latency(q)) | self.load),
            self.state.eq(Mux(self.load, self.load_value, new)),
            write.en.eq(self.written),
            write.addr.eq(writing),
            write.data.eq(self.state),
        ]
        return m


def _extended(value: Value, bits: int) -> Value:
    """The signed `value` in so many bits."""
    return Cat(value, value[-1].replicate(bits - len(value))).as_signed()
