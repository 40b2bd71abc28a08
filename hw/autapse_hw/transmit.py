"""The memory for what goes out: encoded frames, kept until the host has them."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import delayed_flag, incremented
from autapse_hw.framing import TOKEN
from autapse_hw.memories import Ram


class TransmitBuffer(wiring.Component):
    """Encodes frames into slots, sends them in order, and sends those that were kept again when asked.

    The next frame is encoded while one goes out, so the line is never idle. A token takes three cycles, or four if it
    fills a block. The user sees to it that a kept frame fits a slot, and that its slot is free: the last `slots` kept
    frames are there, the oldest is overwritten. A frame that is not kept may be longer; it reaches into the following
    slots. Nothing is taken until it has gone out.

    Parameters
    ----------
    slot, slots : int
        Bytes of a slot, and how many there are; both powers of two.
    longest : int
        Bytes of the longest frame, not encoded.
    memory : str
        Kind of the memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        The frame's bytes and its end. Each stays for three cycles after it has been taken.
    keep : In(1)
        From the end token on, for six cycles: the frame is kept, and its slot counts as used.
    wanted : In(range(slots))
        Slot of the first kept frame that is wanted.
    replay : In(1)
        High for one cycle: when the frame under way has gone out, go on with `wanted`. Kept frames before it that have
        not gone out are left out.
    o : Out(stream.Signature(8))
        The encoded frames, each ended by a zero; a byte in four cycles at best, or in five with a memory
        that answers in two.
    """

    i: stream.Interface
    keep: Signal
    wanted: Signal
    replay: Signal
    o: stream.Interface

    def __init__(self, slot: int, slots: int, longest: int, memory: str = "logic") -> None:
        for name, value in (("slot", slot), ("number of slots", slots)):
            if not isinstance(value, int) or value < 2 or value & (value - 1):
                raise ValueError(f"the {name} is a power of two, not {value!r}")
        if not isinstance(longest, int) or not 1 <= longest <= slot * slots - 2 - longest // 254:
            raise ValueError(f"the longest frame has 1 byte or more and fits all slots together, not {longest!r}")
        self.slot, self.slots, self.longest, self._memory = slot, slots, longest, memory
        super().__init__(
            {
                "i": In(stream.Signature(TOKEN)),
                "keep": In(1),
                "wanted": In(range(slots)),
                "replay": In(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A writer and a reader with the memory between them; each state is one register."""
        m = Module()
        # What is read while it is written is not used.
        m.submodules.memory = memory = Ram(8, self.slot * self.slots, [], self._memory)
        slot = Signal(range(self.slots))  # the frame that is written
        lone = Signal()  # it is finished, is not kept, and has not gone out
        self._write(m, memory, slot, lone)
        self._read(m, memory, slot, lone)
        return m

    def _write(self, m: Module, memory: Ram, slot: Signal, lone: Signal) -> None:
        """Encode the frame as it comes in.

        A place is kept for the length of the block that is being written, and filled in when the block ends: by a
        zero, by its 254th byte, or by the end of the frame. A zero itself is not written, so each token is one write,
        save for the 254th byte, which has one for its length too. After a full block the frame may end without
        another block; the delimiter then takes the place that was kept.
        """
        # A token is taken, looked at, judged, and put into the memory with all that it entails.
        fill = Signal()
        judge = Signal()
        put_byte = Signal()
        put_zero = Signal()
        put_length = Signal()
        put_end = Signal()
        delimit = Signal()
        commit = Signal()
        begin = Signal(init=1)
        wait = Signal()

        at = Signal(range(self.slot * self.slots), reset_less=True)
        length_at = Signal.like(at)  # the place kept for the block's length
        length = Signal(range(min(self.longest, 254) + 2), reset_less=True)  # 1 + bytes in the block
        filled = Signal()  # the next byte is the block's 254th
        blank = Signal()  # nothing has come after a full block
        zero = Signal()
        byte, end = self.i.payload.data, self.i.payload.end
        give_length = Signal()
        to_length = Signal()
        move = Signal()
        new_block = Signal()
        write_now = Signal()
        write_at = Signal.like(at)
        written = Signal(8, reset_less=True)

        m.d.comb += [self.i.ready.eq(fill)]
        m.d.comb += [memory.w_addr.eq(write_at), memory.w_data.eq(written), memory.w_en.eq(write_now)]
        m.d.sync += [
            fill.eq((fill & ~self.i.valid) | (put_byte & ~filled) | put_zero | put_length | (wait & ~lone)),
            judge.eq(fill & self.i.valid),
            put_byte.eq(judge & ~zero & ~end),
            put_zero.eq(judge & zero & ~end),
            put_end.eq(judge & end),
            put_length.eq(put_byte & filled),
            delimit.eq(put_end),
            commit.eq(delimit),
            begin.eq(commit),
            wait.eq(begin | (wait & lone)),
            give_length.eq((judge & ((zero & ~end) | (end & ~blank))) | (put_byte & filled)),
            to_length.eq((judge & (zero | end)) | (put_byte & filled)),
            move.eq((judge & ~end) | (put_byte & filled)),
            new_block.eq((judge & zero & ~end) | (put_byte & filled)),
            # Where the frame has already ended, at the kept place, `delimit` writes a zero behind it, never read.
            write_now.eq(put_byte | put_zero | put_end | put_length | delimit),
            write_at.eq(Mux(to_length, length_at, at)),
            written.eq(Mux(put_byte, byte, 0) | Mux(give_length, length, 0)),
            zero.eq(byte == 0),
        ]
        with m.If(move):
            m.d.sync += at.eq(at + 1)
        with m.If(new_block):  # that is, in `put_zero` and `put_length`
            m.d.sync += [length_at.eq(at), length.eq(1)]
        with m.Elif(put_byte):
            m.d.sync += length.eq(length + 1)
        if self.longest >= 254:  # else no block is ever full
            after_full = Signal()
            m.d.sync += [filled.eq(length == 254), blank.eq(after_full & (length == 1))]
            m.d.sync += after_full.eq(put_length | (after_full & ~put_zero & ~begin))
        with m.If(commit & self.keep):
            m.d.sync += slot.eq(incremented(slot))
        with m.If(begin):
            offset = (self.slot - 1).bit_length()
            m.d.sync += [at.eq(Cat(Const(1, offset), slot)), length_at.eq(Cat(Const(0, offset), slot)), length.eq(1)]
        with m.If(commit & ~self.keep):
            m.d.sync += lone.eq(1)

    def _read(self, m: Module, memory: Ram, slot: Signal, lone: Signal) -> None:
        """Send a frame, then look whether there is another; what is compared, is compared a cycle before."""
        rest = Signal(init=1)
        rested = Signal()
        differs = Signal()
        again = Signal()
        frame = Signal(range(self.slots))  # the next to go out
        at = Signal(range(self.slot * self.slots), reset_less=True)
        moved = Signal()
        settled = Signal()  # the byte is there, and `last` is up to date
        last = Signal()
        finished = Signal()
        calm: Value = ~moved  # so many cycles as the memory takes
        for _ in range(memory.latency - 1):
            calm = delayed_flag(m, calm & ~rest, 1) & ~moved
        start = rest & rested & ~again & (differs | lone)

        m.d.comb += [memory.addr.eq(at), self.o.payload.eq(memory.data)]
        m.d.comb += moved.eq(self.o.valid & self.o.ready)
        m.d.sync += [
            last.eq(memory.data == 0),
            settled.eq(calm),
            finished.eq(moved & last),
            rest.eq((rest & ~start) | (moved & last)),
            rested.eq(rest & ~again & ~finished),
            differs.eq(frame != slot),
            self.o.valid.eq(~rest & settled & ~moved),
            again.eq(self.replay | (again & ~rest)),
        ]
        with m.If(moved):
            m.d.sync += at.eq(at + 1)
        with m.If(rest):
            m.d.sync += at.eq(Cat(Const(0, (self.slot - 1).bit_length()), frame))
        with m.If(rest & again):
            m.d.sync += frame.eq(self.wanted)
        with m.Elif(finished & differs):
            m.d.sync += frame.eq(incremented(frame))
        with m.If(finished & ~differs):
            m.d.sync += lone.eq(0)
