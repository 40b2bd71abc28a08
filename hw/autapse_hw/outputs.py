"""The output buffer: readouts wait here, so that the pipeline behind them never stalls."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import delayed, delayed_flag, successor


class OutputBuffer(wiring.Component):
    """Room for the readouts of some steps, given out before they are computed.

    Parameters
    ----------
    z_bits, acc_bits
        Word lengths of the outputs and of what the drains give; the lowest bits count.
    outputs, drains
        Readout k comes from drain ``k % drains``.
    steps
        Readouts that there is room for.

    Members
    -------
    begin : In(1)
        Strobe: room is taken for the readout of a step. Only while `room`.
    room : Out(1)
        Another readout may begin.
    z : In(drains * acc_bits), z_valid : In(drains)
        Outputs; always taken.
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

    def __init__(self, z_bits: int, acc_bits: int, outputs: int, drains: int, steps: int) -> None:
        self._outputs, self._drains, self._steps = outputs, drains, steps
        self._acc_bits, self._z_bits = acc_bits, z_bits
        super().__init__(
            {
                "begin": In(1),
                "room": Out(1),
                "z": In(drains * acc_bits),
                "z_valid": In(drains),
                "o": Out(stream.Signature(signed(z_bits))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # A queue for each drain that has readouts; they are emptied in turn.
        m = Module()
        queues = min(self._drains, self._outputs)
        turn = Signal(range(queues))
        turns = []
        for a in range(queues):
            m.submodules[f"queue_{a}"] = queue = SyncFIFOBuffered(
                width=self._z_bits, depth=self._steps * -(-(self._outputs - a) // self._drains)
            )
            m.d.comb += [
                queue.w_data.eq(delayed(m, self.z.word_select(a, self._acc_bits), 1)),
                queue.w_en.eq(delayed_flag(m, self.z_valid[a], 1)),
                queue.r_en.eq(self.o.ready & (turn == a)),
            ]
            turns.append(queue)
        m.d.comb += [
            self.o.payload.eq(Array(queue.r_data for queue in turns)[turn].as_signed()),
            self.o.valid.eq(Array(queue.r_rdy for queue in turns)[turn]),
        ]
        taken = Signal(range(self._steps + 1))
        left = Signal(range(self._outputs), init=self._outputs - 1)
        m.d.comb += [self.room.eq(taken != self._steps), self.busy.eq(taken != 0)]
        gone = Signal()
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += gone.eq(left == 0)
            m.d.sync += [
                left.eq(Mux(left == 0, self._outputs - 1, left - 1)),
                turn.eq(Mux(left == 0, 0, successor(turn, queues))),
            ]
        m.d.sync += taken.eq(taken + self.begin - gone)
        return m
