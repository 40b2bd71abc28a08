"""Consistent Overhead Byte Stuffing (COBS) in hardware: frames of any bytes to frames without zeros, and back.

Inside the device a frame is a run of :data:`TOKEN`: its bytes, then one end token.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
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
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(TOKEN))})

    def elaborate(self, platform: object) -> Module:
        """Each byte in makes at most one token, so one register is enough.

        A length byte is where the zero of the block before it comes out, unless there is none: at the start of a
        frame, and after a block of full length. What a byte is, is found out in the cycle before it is taken.
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

        m.d.comb += self.i.ready.eq(take)
        m.d.sync += [take.eq(self.i.valid & ~self.o.valid & ~take), zero.eq(byte == 0), full.eq(byte == 255)]
        m.d.sync += at_length.eq((left == 1) | ~begun)
        m.d.sync += self.o.valid.eq((take & Mux(zero, begun, ~at_length | owed)) | (self.o.valid & ~self.o.ready))
        with m.If(take):
            m.d.sync += [begun.eq(~zero), token.end.eq(zero), token.data.eq(Mux(at_length, 0, byte | zero))]
            m.d.sync += left.eq(Mux(at_length, byte, left - 1))
            m.d.sync += owed.eq(~zero & Mux(at_length, ~full, owed))
        return m


class CobsEncoder(wiring.Component):
    """Holds one frame, sends it, and sends it again when asked.

    A frame goes out when its end token has come; until then, and while it goes out, nothing else is taken. A token
    takes four cycles, or five if it fills a block; then a byte goes out at most every second cycle.

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
        Nothing is being sent, nor worked on. Low from the cycle after an end token or `again` on.
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

        Each state is one register, the memory has registers on all sides, and the byte after the one that goes out
        has been read already. `at` is where the next byte is written, or read.
        """
        m = Module()
        depth = self.room + self.room // 254 + 2  # its bytes, a length for each block, the delimiter
        # What is read while it is written is not used. Yosys can be told so for a port whose register is outside, and
        # then it adds no bypass to the block RAM of an iCE40.
        memory: Memory[Any, Any] = Memory(shape=8, depth=depth, init=[], attrs={"no_rw_check": "1"})
        m.submodules.memory = memory
        write = memory.write_port()
        read = memory.read_port(domain="comb")

        # The states. A token is taken, looked at, judged, and put into the memory with all that it entails.
        fill = Signal()
        look = Signal()
        judge = Signal()
        put_byte = Signal()
        put_zero = Signal()
        put_length = Signal()
        put_end = Signal()
        delimit = Signal()
        # The frame is sent, and all is made ready for the next one, as it also is in the second cycle of all.
        rewind = Signal()
        first = Signal()
        fetch = Signal()
        send = Signal()
        clear = Signal()
        awake = Signal()

        at = Signal(range(depth + 1), reset_less=True)
        length_at = Signal(range(depth), reset_less=True)  # the place kept for the block's length
        length = Signal(8, reset_less=True)  # 1 + bytes in the block
        filled = Signal()  # the next byte is the block's 254th
        blank = Signal()  # nothing has come after a full block
        byte = Signal(8, reset_less=True)
        zero = Signal()
        end = Signal()
        give_length = Signal()
        to_length = Signal()
        write_now = Signal()
        write_at = Signal(range(depth), reset_less=True)
        written = Signal(8, reset_less=True)
        move = Signal()
        home = Signal()
        new_block = Signal()
        fetched = Signal(8, reset_less=True)
        out = Signal(8, reset_less=True)
        last = Signal()  # the delimiter has gone out

        m.d.comb += [self.i.ready.eq(fill), self.idle.eq(fill), self.o.valid.eq(send), self.o.payload.eq(out)]
        m.d.comb += [write.addr.eq(write_at), write.data.eq(written), write.en.eq(write_now), read.addr.eq(at)]
        m.d.sync += [
            fill.eq((fill & ~self.i.valid & ~self.again) | (put_byte & ~filled) | put_zero | put_length | clear),
            look.eq(fill & self.i.valid),
            judge.eq(look),
            put_byte.eq(judge & ~zero & ~end),
            put_zero.eq(judge & zero & ~end),
            put_end.eq(judge & end),
            put_length.eq(put_byte & filled),
            delimit.eq(put_end),
            rewind.eq(delimit | (fill & self.again)),
            first.eq(rewind),
            fetch.eq(first | (send & self.o.ready)),
            send.eq((fetch & ~last) | (send & ~self.o.ready)),
            clear.eq((fetch & last) | ~awake),
            awake.eq(1),
        ]

        with m.If(fill):
            m.d.sync += [byte.eq(self.i.payload.data), end.eq(self.i.payload.end)]
        m.d.sync += zero.eq(byte == 0)
        m.d.sync += give_length.eq((judge & ((zero & ~end) | (end & ~blank))) | (put_byte & filled))
        m.d.sync += to_length.eq((judge & (zero | end)) | (put_byte & filled))
        # Where the frame has already ended, at the kept place, `delimit` writes a zero behind it, never read.
        m.d.sync += write_now.eq(put_byte | put_zero | put_end | put_length | delimit)
        m.d.sync += write_at.eq(Mux(to_length, length_at, at))
        m.d.sync += written.eq(Mux(put_byte, byte, 0) | Mux(give_length, length, 0))

        m.d.sync += move.eq((judge & ~end) | (put_byte & filled))
        with m.If(move | fetch):
            m.d.sync += at.eq(at + 1)
        m.d.sync += home.eq(delimit | (fill & self.again) | (fetch & last) | ~awake)
        with m.If(home):  # that is, in `rewind` and `clear`
            m.d.sync += at.eq(clear)
        m.d.sync += new_block.eq((judge & zero & ~end) | (put_byte & filled) | (fetch & last) | ~awake)
        with m.If(new_block):  # that is, in `put_zero`, `put_length` and `clear`
            m.d.sync += length_at.eq(at)
        with m.If(clear):
            m.d.sync += length_at.eq(0)
        with m.If(put_byte):
            m.d.sync += length.eq(length + 1)
        with m.If(new_block):
            m.d.sync += length.eq(1)
        if self.room >= 254:  # else no block is ever full
            after_full = Signal()
            m.d.sync += [filled.eq(length == 254), blank.eq(after_full & (length == 1))]
            m.d.sync += after_full.eq(put_length | (after_full & ~put_zero & ~clear))

        m.d.sync += fetched.eq(read.data)
        with m.If(fetch):
            m.d.sync += out.eq(fetched)
        m.d.sync += last.eq((out == 0) & send)
        return m
