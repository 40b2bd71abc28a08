"""Core and serial link together: everything between the pins of a board, for any board and any simulator."""

from fractions import Fraction

from amaranth.hdl import Module, ResetInserter, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import Identity, Upload, wire_bytes
from autapse.quantized import QuantizedNetwork
from autapse_hw.buffers import StreamRegister
from autapse_hw.core import Core
from autapse_hw.lanes import GENERIC, LaneForm
from autapse_hw.link import Link
from autapse_hw.tiling import Tiling
from autapse_hw.trace import SaturationCounter
from autapse_hw.trace_memory import TraceMemory
from autapse_hw.weights import Storage


def identity_of(
    q: QuantizedNetwork,
    tiling: int | str | Tiling,
    clock_hz: float,
    storage: Storage = Storage.FIXED,
    *,
    trace: bool = False,
) -> Identity:
    """What a device with this network, lanes, clock and storage of weights, and perhaps a trace, says of itself.

    ValueError if an answer with the whole trace is longer than the buffers of the link can be.
    """
    f, tiling = q.formats, Tiling.of(tiling)
    upload = None
    if storage != Storage.FIXED:
        loaded = storage != Storage.SPRAM
        upload = Upload(tiling.cols, tiling.drains, f.W.bits, f.acc_bits, q.circuit_hash(), loaded)
    identity = Identity(
        model_hash=q.model_hash(),
        units=q.units,
        inputs=q.inputs,
        outputs=q.outputs,
        input_format=f.x,
        state_format=f.state,
        z_format=f.z,
        lanes=tiling.lanes,
        clock_hz=round(clock_hz),
        sequences=tiling.sequences,
        upload=upload,
        sum_bits=f.acc_bits if trace else 0,
    )
    if trace and wire_bytes(identity.longest_answer) > identity.room:
        raise ValueError(
            f"a trace of {identity.states} states has {identity.trace_bytes} bytes, and the link has room for "
            f"{identity.room}: leave the trace out"
        )
    return identity


class System(wiring.Component):
    """A network behind a serial line.

    Parameters
    ----------
    q, tiling, form
        The network, and the multiply-accumulators that compute it; see :class:`Core`.
    clock_hz
        Clock of the sync domain; the device tells it to the host.
    divisor
        Clock cycles per bit of the serial line, from :func:`~autapse_hw.uart.divisor_for`.
    storage
        Whether weights and biases can be uploaded.
    trace
        Whether the host can read from which sums the states were made, out of a
        :class:`~autapse_hw.trace_memory.TraceMemory`.

    Members
    -------
    reset : In(1)
        Resets everything, where the sync domain has no reset of its own.
    rx, tx : In(1), Out(1)
        The serial line, asynchronous; high at rest.
    activity : Out(1)
        Changes with each request that is executed; for an LED.
    """

    reset: Signal
    rx: Signal
    tx: Signal
    activity: Signal

    def __init__(
        self,
        q: QuantizedNetwork,
        tiling: int | str | Tiling,
        clock_hz: float,
        divisor: int | Fraction,
        form: str | LaneForm = GENERIC,
        storage: Storage = Storage.FIXED,
        *,
        trace: bool = False,
    ) -> None:
        self._divisor = divisor
        self.core = Core(q, tiling, form, storage)
        self.identity = identity_of(q, self.core.schedule.tiling, clock_hz, storage, trace=trace)
        super().__init__({"reset": In(1), "rx": In(1), "tx": Out(1), "activity": Out(1)})

    def elaborate(self, platform: object) -> Module:
        # The link gives and takes a value in many cycles, so a register in each stream costs no speed, and keeps the
        # timing paths of the two apart. What resets all clears the core, as the link does: so its many registers are
        # reset by one register, which a global net takes, and not by a table that joins two.
        m = Module()
        link = Link(self.identity, self._divisor, self.core.form.memory)
        m.submodules.link = ResetInserter(self.reset)(link)
        m.submodules.core = core = self.core
        clear, given = Signal(), Signal()
        m.d.sync += [clear.eq(link.clear | self.reset), given.eq(link.given & ~self.reset)]
        counter = SaturationCounter(core.schedule.tiling.drains)
        m.submodules.saturations = ResetInserter(self.reset)(counter)
        m.d.comb += [
            counter.retire.eq(core.retire),
            counter.saturated.eq(core.retire_saturated),
            link.saturations.eq(counter.o),
        ]
        held = {}  # by stream, whether its register is full
        for name, source, sink in (
            ("into", link.x, core.i),
            ("out_of", core.o, link.z),
            ("state", core.state, link.state),
            ("initial", link.initial, core.initial),
        ):
            m.submodules[name] = register = StreamRegister(Shape.cast(source.payload.shape()))
            wiring.connect(m, source, register.i)
            wiring.connect(m, register.o, sink)
            m.d.comb += register.clear.eq(clear)
            held[name] = register.o.valid
        # Looked at two cycles after the strobe that clears, and so high from the next one on.
        busy = Signal()
        held_any = held["into"] | held["out_of"] | held["initial"]
        m.d.sync += busy.eq(core.busy | link.clear | clear | held_any)
        m.d.comb += [
            core.clear.eq(clear),
            core.given.eq(given),
            link.busy.eq(busy),
            core.dump.eq(link.dump),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.activity.eq(link.activity),
        ]
        if self.identity.upload is not None:
            wiring.connect(m, link.cells, core.cells)
        if self.identity.sum_bits:
            trace = TraceMemory(core.q, core.schedule, core.form.memory)
            m.submodules.trace = ResetInserter(clear)(trace)
            m.d.comb += [trace.retire.eq(core.retire), trace.recall.eq(link.recall)]
            for name in ("step", "unit", "sum", "saturated"):
                m.d.comb += getattr(trace, name).eq(getattr(core, f"retire_{name}"))
            wiring.connect(m, trace.o, link.records)
        return m
