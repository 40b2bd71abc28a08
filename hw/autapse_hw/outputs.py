"""The output buffer: readouts wait here, so that the pipeline behind them never stalls."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

#: Readouts that may be under way or waiting: one leaves while the next is computed.
_STEPS = 2


class OutputBuffer(wiring.Component):
    """Room for the readouts of two steps, given out before they are computed.

    Members
    -------
    begin : In(1)
        Strobe: room is taken for the readout of a step. Only while `room`.
    room : Out(1)
        Another readout may begin.
    z : In(signed), z_valid : In(1)
        An output; always taken. The lowest z bits count.
    o : Out stream of signed(z_bits)
        The outputs, in order.
    busy : Out(1)
        Room is taken.
    """

    begin: Signal
    room: Signal
    z: Signal
    z_valid: Signal
    o: stream.Interface
    busy: Signal

    def __init__(self, z_bits: int, outputs: int) -> None:
        self._outputs = outputs
        super().__init__(
            {
                "begin": In(1),
                "room": Out(1),
                "z": In(signed(z_bits)),
                "z_valid": In(1),
                "o": Out(stream.Signature(signed(z_bits))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=len(self.z), depth=_STEPS * self._outputs)
        taken = Signal(range(_STEPS + 1))
        left = Signal(range(self._outputs), init=self._outputs - 1)
        m.d.comb += [
            fifo.w_data.eq(self.z),
            fifo.w_en.eq(self.z_valid),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
            self.room.eq(taken != _STEPS),
            self.busy.eq(taken != 0),
        ]
        gone = Signal()
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += gone.eq(left == 0)
            m.d.sync += left.eq(Mux(left == 0, self._outputs - 1, left - 1))
        m.d.sync += taken.eq(taken + self.begin - gone)
        return m
