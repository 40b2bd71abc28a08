"""Consistent Overhead Byte Stuffing (COBS) in hardware: frames without zeros back to frames of any bytes.

Inside the device a frame is a run of :data:`TOKEN`: its bytes, then one end token.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

#: A byte of a frame, or (`end` is 1) its end. Of an end token from the decoder, bit 0 of `data` tells a broken frame.
TOKEN = data.StructLayout({"data": unsigned(8), "end": unsigned(1)})


class CobsDecoder(wiring.Component):
    """Takes the frames apart; a byte every other cycle at best, two cycles of latency.

    Members
    -------
    i : In(stream.Signature(8))
        COBS-encoded frames, each ended by a zero. Zeros in a row are no frames.
    o : Out(stream.Signature(TOKEN))
        The frames' bytes, and an end token after each. The latter's data is 1 if the frame ended inside a block,
        and 0 if it is sound.
    rewind : In(1)
        High for one cycle while an end token waits, which is dropped: the frame comes once more.
    """

    i: stream.Interface
    o: stream.Interface
    rewind: Signal

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(TOKEN)), "rewind": In(1)})

    def elaborate(self, platform: object) -> Module:
        """Each byte in makes at most one token, so one register is enough.

        A length byte is where the zero of the block before it comes out, unless there is none: at the start of a
        frame, and after a block of full length. What a byte is, is found out in the cycle before it is taken; one is
        taken in the cycle after a token has left, or when none is there.
        """
        m = Module()
        take = Signal()
        zero = Signal()
        full = Signal()
        at_length = Signal()
        left = Signal(8, reset_less=True)  # 1 + data bytes still to come in this block
        begun = Signal()  # inside a frame
        owed = Signal()  # the block before ended with a zero that has not come out
        byte = self.i.payload
        token = self.o.payload
        free = ~self.o.valid | self.o.ready

        m.d.comb += self.i.ready.eq(take)
        m.d.sync += [take.eq(self.i.valid & free & ~take & ~self.rewind), zero.eq(byte == 0), full.eq(byte == 255)]
        m.d.sync += at_length.eq((left == 1) | ~begun)
        m.d.sync += self.o.valid.eq(((take & Mux(zero, begun, ~at_length | owed)) | ~free) & ~self.rewind)
        with m.If(take):
            m.d.sync += [begun.eq(~zero), token.end.eq(zero), token.data.eq(Mux(at_length, 0, byte | zero))]
            m.d.sync += left.eq(Mux(at_length, byte, left - 1))
            m.d.sync += owed.eq(~zero & Mux(at_length, ~full, owed))
        return m
