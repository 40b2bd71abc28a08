"""The memory for what comes in: a ring of bytes that can be read twice."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.memories import Ram


class ReceiveBuffer(wiring.Component):
    """Holds the bytes of the line until the frame that they belong to is done with.

    Where a byte is lost, in the line or because there is no room, all that follows is dropped up to the next zero: the
    frame is then cut short, and no byte of it stands in another's place.

    Parameters
    ----------
    room : int
        Bytes, a power of two. A frame that is longer is cut in two.
    memory : str
        Kind of the memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    i : In(stream.Signature(8, always_ready=True))
        Bytes of the line.
    lost : In(1)
        High for one cycle: a byte was lost in the line.
    o : Out(stream.Signature(8))
        The bytes in order; one in four cycles at best.
    rewind : In(1)
        High for one cycle: begin again with the first byte that has not been released.
    release : In(1)
        High for one cycle: all that has been taken is done with.
    overrun : Out(1)
        High for one cycle: there was no room for a byte.
    """

    i: stream.Interface
    lost: Signal
    o: stream.Interface
    rewind: Signal
    release: Signal
    overrun: Signal

    def __init__(self, room: int, memory: str = "logic") -> None:
        if not isinstance(room, int) or room < 2 or room & (room - 1):
            raise ValueError(f"the room is a power of two, not {room!r}")
        self.room, self._memory = room, memory
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "lost": In(1),
                "o": Out(stream.Signature(8)),
                "rewind": In(1),
                "release": In(1),
                "overrun": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Three pointers: where bytes are written, where they are read, and what has not been released.

        The memory answers one or two cycles after its address, and bytes come at least 40 cycles apart, so all
        comparisons are in registers, and count when nothing has moved for a cycle. If the ring is full of one frame
        that has been read to its end, it is longer than any that is meant for us; it is released, or nothing would ever
        move again.
        """
        m = Module()
        # What is read while it is written is not used.
        m.submodules.memory = memory = Ram(8, self.room, [], self._memory)

        # With a bit more than an address has, full and empty differ.
        put = Signal(range(2 * self.room))
        get = Signal(range(2 * self.room))
        start = Signal(range(2 * self.room))
        full = Signal()
        dropping = Signal()
        moved = Signal()
        settled = Signal()  # `more` is up to date
        more = Signal()
        stuck = Signal()
        # A byte is written at once if there is room; a cycle later it counts, or its place stays free.
        zero = Signal(reset_less=True)
        comes = Signal()
        missed = Signal()
        counts = Signal()
        m.d.sync += [
            zero.eq(self.i.payload == 0),
            comes.eq(self.i.valid & ~full),
            missed.eq(self.i.valid & full),
        ]

        m.d.comb += [
            memory.w_addr.eq(put[:-1]),
            memory.w_data.eq(self.i.payload),
            memory.w_en.eq(self.i.valid & ~full),
            counts.eq(comes & (~dropping | zero)),
            memory.addr.eq(get[:-1]),
            self.o.payload.eq(memory.data),
            moved.eq((self.o.valid & self.o.ready) | self.rewind),
        ]
        m.d.sync += [
            full.eq(put == start ^ self.room),
            self.overrun.eq(missed & ~dropping),
            dropping.eq((dropping & ~(comes & zero)) | self.lost | missed),
            more.eq(put != get),
            settled.eq(~moved),
            stuck.eq(full & settled & ~more),
            self.o.valid.eq(more & settled & ~moved),
        ]
        with m.If(counts):
            m.d.sync += put.eq(put + 1)
        with m.If(self.rewind):
            m.d.sync += get.eq(start)
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += get.eq(get + 1)
        with m.If(self.release | stuck):
            m.d.sync += start.eq(get)
        return m
