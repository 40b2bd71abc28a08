"""Consistent Overhead Byte Stuffing (COBS) in hardware: frames of any bytes to frames without zeros, and back.

Inside the device a frame is a run of :data:`TOKEN`: its bytes, then one end token.
"""

from typing import Any

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

#: A byte of a frame, or (`end` is 1) its end. Of an end token from the decoder, bit 0 of `data` tells a broken frame.
TOKEN = data.StructLayout({"data": unsigned(8), "end": unsigned(1)})


class CobsDecoder(wiring.Component):
    """Takes the frames apart; one byte a cycle, one cycle of latency.

    Members
    -------
    i : In(stream.Signature(8))
        COBS-encoded frames, each ended by a zero. Zeros in a row are no frames.
    o : Out(stream.Signature(TOKEN))
        The frames' bytes, and an end token after each. The latter's data is 1 if the frame ended inside a block,
        and 0 if it is sound.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(TOKEN))})

    def elaborate(self, platform: object) -> Module:
        """Each byte in makes at most one token, so one register is enough.

        A length byte is where the zero of the block before it comes out, unless there is none: at the start of a
        frame, and after a block of full length.
        """
        m = Module()
        left = Signal(8, init=1)  # 1 + data bytes still to come in this block
        begun = Signal()  # inside a frame
        owed = Signal()  # the block before ended with a zero that has not come out

        token = self.o.payload
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            zero = self.i.payload == 0
            at_length = left == 1
            with m.If(zero):
                m.d.sync += [self.o.valid.eq(begun), token.end.eq(1), token.data.eq(~at_length)]
                m.d.sync += [begun.eq(0), owed.eq(0), left.eq(1)]
            with m.Elif(at_length):
                m.d.sync += [self.o.valid.eq(owed), token.end.eq(0), token.data.eq(0)]
                m.d.sync += [begun.eq(1), owed.eq(self.i.payload != 255), left.eq(self.i.payload)]
            with m.Else():
                m.d.sync += [self.o.valid.eq(1), token.end.eq(0), token.data.eq(self.i.payload), left.eq(left - 1)]
        return m


class CobsEncoder(wiring.Component):
    """Holds one frame, sends it, and sends it again when asked.

    A frame goes out when its end token has come; until then, and while it goes out, nothing else is taken. A token
    takes a cycle, the end token up to two more; then a byte goes out at most every second cycle.

    Parameters
    ----------
    room : int
        The longest frame in bytes, not encoded. A longer one overwrites itself: the user must not offer it.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        The frame's bytes and its end.
    again : In(1)
        High for one cycle while `idle`: send the last frame once more. Only before the first byte of a new one.
    idle : Out(1)
        Nothing is being sent.
    o : Out(stream.Signature(8))
        The encoded frame, ended by a zero.
    """

    i: stream.Interface
    o: stream.Interface
    again: Signal
    idle: Signal

    def __init__(self, room: int) -> None:
        if not isinstance(room, int) or room < 1:
            raise ValueError(f"the room for a frame is 1 byte or more, not {room!r}")
        self.room = room
        super().__init__(
            {
                "i": In(stream.Signature(TOKEN)),
                "again": In(1),
                "idle": Out(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The frame is encoded as it comes in, so that it is sent, and sent again, by reading the memory in order.

        A place is kept for the length of the block that is being written, and filled in when the block ends: by a
        zero, by its 254th byte, or by the end of the frame. A zero itself is not written, so each token is one write,
        save for the 254th byte, which has one for its length too. After a full block the frame may end without
        another block; the delimiter then takes the place that was kept.
        """
        m = Module()
        depth = self.room + self.room // 254 + 2  # its bytes, a length for each block, the delimiter
        memory: Memory[Any, Any] = Memory(shape=8, depth=depth, init=[])
        m.submodules.memory = memory
        write = memory.write_port()
        read = memory.read_port()

        at = Signal(range(depth), init=1)  # where the next byte goes
        length_at = Signal(range(depth))  # the place kept for the block's length
        length = Signal(8, init=1)  # 1 + bytes in the block
        after_full = Signal()
        reading = Signal(range(depth))
        token = self.i.payload

        m.d.comb += read.addr.eq(reading)
        with m.FSM():
            with m.State("FILL"):
                zero = token.data == 0
                m.d.comb += [self.i.ready.eq(1), self.idle.eq(1)]
                m.d.comb += write.en.eq(self.i.valid)
                with m.If(token.end):
                    m.d.comb += [write.addr.eq(length_at), write.data.eq(length)]
                    with m.If(after_full & (length == 1)):
                        m.d.comb += write.data.eq(0)
                with m.Elif(zero):
                    m.d.comb += [write.addr.eq(length_at), write.data.eq(length)]
                with m.Else():
                    m.d.comb += [write.addr.eq(at), write.data.eq(token.data)]

                with m.If(self.i.valid):
                    with m.If(token.end):
                        m.next = "DELIMIT"
                    with m.Elif(zero):
                        m.d.sync += [length_at.eq(at), at.eq(at + 1), length.eq(1), after_full.eq(0)]
                    with m.Else():
                        m.d.sync += [at.eq(at + 1), length.eq(length + 1)]
                        with m.If(length == 254):
                            m.next = "FULL"
                with m.Elif(self.again):
                    m.next = "READ"
            with m.State("FULL"):
                m.d.comb += [write.addr.eq(length_at), write.data.eq(length), write.en.eq(1)]
                m.d.sync += [length_at.eq(at), at.eq(at + 1), length.eq(1), after_full.eq(1)]
                m.next = "FILL"
            with m.State("DELIMIT"):
                # Where the frame has already ended, at the kept place, this writes a zero behind it, never read.
                m.d.comb += [write.addr.eq(at), write.en.eq(1)]
                m.d.sync += [at.eq(1), length_at.eq(0), length.eq(1), after_full.eq(0)]
                m.next = "READ"
            with m.State("READ"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [self.o.payload.eq(read.data), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.d.sync += reading.eq(reading + 1)
                    m.next = "READ"
                    with m.If(read.data == 0):
                        m.d.sync += reading.eq(0)
                        m.next = "FILL"
        return m
