"""Core and serial link together: everything between the pins of a board, for any board and any simulator."""

from fractions import Fraction

from amaranth.hdl import Module, Shape, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import Identity
from autapse.quantized import QuantizedNetwork
from autapse_hw.buffers import StreamRegister
from autapse_hw.core import Core
from autapse_hw.lanes import GENERIC, LaneForm
from autapse_hw.link import Link


def identity_of(q: QuantizedNetwork, lanes: int, clock_hz: float) -> Identity:
    """What a device with this network, lanes and clock says of itself."""
    f = q.formats
    return Identity(
        model_hash=q.model_hash(),
        units=q.units,
        inputs=q.inputs,
        outputs=q.outputs,
        input_format=f.x,
        state_format=f.state,
        z_format=f.z,
        lanes=lanes,
        clock_hz=round(clock_hz),
        features=0,  # the core cannot be given a state yet
    )


class StateReader(wiring.Component):
    """The states of a core with an index, in order, as a stream.

    Members
    -------
    dump : In(1)
        High for one cycle: begin.
    index, value : Out(range(max(2, units))), In(signed(bits))
        A unit, and its state two cycles later.
    o : Out(stream.Signature(signed(bits)))
        The states.
    """

    dump: Signal
    index: Signal
    value: Signal
    o: stream.Interface

    def __init__(self, units: int, bits: int) -> None:
        self.units = units
        super().__init__(
            {
                "dump": In(1),
                "index": Out(range(max(2, units))),
                "value": In(signed(bits)),
                "o": Out(stream.Signature(signed(bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running = Signal()
        waited = Signal(2)
        m.d.comb += [self.o.valid.eq(running & waited[1]), self.o.payload.eq(self.value)]
        with m.If(running & ~waited[1]):
            m.d.sync += waited.eq(waited + 1)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.index.eq(self.index + 1), waited.eq(0), running.eq(self.index != self.units - 1)]
        with m.If(self.dump):
            m.d.sync += [self.index.eq(0), waited.eq(0), running.eq(1)]
        return m


class System(wiring.Component):
    """A network behind a serial line.

    Parameters
    ----------
    q, lanes, form
        The network, and the multiply-accumulators that compute it; see :class:`Core`.
    clock_hz
        Clock of the sync domain; the device tells it to the host.
    divisor
        Clock cycles per bit of the serial line, from :func:`~autapse_hw.uart.divisor_for`.

    Members
    -------
    rx, tx : In(1), Out(1)
        The serial line, asynchronous; high at rest.
    activity : Out(1)
        Changes with each request that is executed; for an LED.
    """

    rx: Signal
    tx: Signal
    activity: Signal

    def __init__(
        self, q: QuantizedNetwork, lanes: int, clock_hz: float, divisor: int | Fraction, form: str | LaneForm = GENERIC
    ) -> None:
        self._divisor = divisor
        self.core = Core(q, lanes, form)
        self.identity = identity_of(q, lanes, clock_hz)
        super().__init__({"rx": In(1), "tx": Out(1), "activity": Out(1)})

    def elaborate(self, platform: object) -> Module:
        # The link gives and takes a value in many cycles, so a register in each stream costs no speed, and keeps the
        # timing paths of the two apart.
        m = Module()
        m.submodules.link = link = Link(self.identity, self._divisor)
        m.submodules.core = core = self.core
        m.submodules.into = into = StreamRegister(Shape.cast(link.x.payload.shape()))
        m.submodules.out_of = out_of = StreamRegister(Shape.cast(core.o.payload.shape()))
        wiring.connect(m, link.x, into.i)
        wiring.connect(m, into.o, core.i)
        wiring.connect(m, core.o, out_of.i)
        wiring.connect(m, out_of.o, link.z)
        m.submodules.reader = reader = StateReader(core.q.units, core.q.formats.state.bits)
        wiring.connect(m, reader.o, link.state)
        clear = Signal()
        m.d.sync += clear.eq(link.clear)
        m.d.comb += [
            core.clear.eq(clear),
            into.clear.eq(clear),
            out_of.clear.eq(clear),
            link.busy.eq(core.busy | clear | into.o.valid | out_of.o.valid),
            reader.dump.eq(link.dump),
            core.state_index.eq(reader.index),
            reader.value.eq(core.state_value),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.activity.eq(link.activity),
        ]
        return m
