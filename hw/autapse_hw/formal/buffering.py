"""The ring of received bytes: what is read is what was written, in order, as often as it is wanted."""

from amaranth.hdl import Mux, Signal

from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.receive import ReceiveBuffer

_ROOM = 4
#: Cycles between bytes of the line, at least; a UART takes ten times as many.
_APART = 5

#: Cycles from the last byte that a reader has taken until it rewinds or releases, at least.
_BEAT = 4


def receive_buffer(b: Bench) -> None:
    block = ReceiveBuffer(_ROOM)
    opened = b.open(block)
    byte, comes = b.drive(block.i.payload, "byte"), b.drive(block.i.valid, "comes")
    b.drive(block.o.ready, "o_ready")
    lost, rewind, release = (b.drive(port, port.name) for port in (block.lost, block.rewind, block.release))
    # The surroundings: bytes and losses come apart; a reader rewinds and releases some cycles after it has read.
    since = Signal(range(_APART + 1), init=_APART)
    b.m.d.sync += since.eq(Mux(comes | lost, 0, Mux(since == _APART, since, since + 1)))
    b.check(since <= _APART)
    b.suppose(implies(comes | lost, (since == _APART) & ~(comes & lost)))
    taken = block.o.valid & block.o.ready
    rests = Signal(range(_BEAT + 1), init=_BEAT)
    b.m.d.sync += rests.eq(Mux(taken, 0, Mux(rests == _BEAT, rests, rests + 1)))
    b.check(rests <= _BEAT)
    b.suppose(implies(rewind | release, (rests == _BEAT) & ~taken & ~(rewind & release)))

    put, get, start = opened["put"], opened["get"], opened["start"]
    counts = opened["counts"]
    ahead = (put - start)[: len(put)]  # bytes that are kept; a byte is in the memory a cycle before it counts
    read = (get - start)[: len(put)]
    b.check((read <= ahead) & (ahead + counts <= _ROOM))
    b.check(implies(block.o.valid, read < ahead))
    kept = b.past(byte)  # a byte counts a cycle after it has come
    # After a loss nothing is kept until a zero has come.
    gap = Signal()
    b.m.d.sync += gap.eq((gap & ~(counts & (kept == 0))) | lost | block.overrun)
    b.check(implies(counts & gap, kept == 0))
    b.check(implies(gap | block.overrun, opened["dropping"]))

    # A byte in any place of the ring, followed from when it is written until its place is written again.
    place = b.constant("place", range(_ROOM))
    known = Signal()
    value = Signal(8)
    with b.m.If(opened["w_en"] & (put[:-1] == place)):
        b.m.d.sync += [known.eq(1), value.eq(byte)]
    b.check(implies(known, opened.word("memory.memory", place) == value))
    b.check(implies(block.o.valid & (get[:-1] == place) & known, block.o.payload == value))
    offered = b.past(block.o.valid & ~block.o.ready & ~rewind)
    b.check(implies(offered & ~b.first, block.o.valid))
    b.check(implies((ahead == _ROOM) & (since == _APART), opened["full"]))


PROOFS = [
    Proof(
        "receive-buffer",
        "ReceiveBuffer",
        "bytes are read in order and unchanged, and again after a rewind; after a loss none is kept up to a zero",
        receive_buffer,
        depth=8,
        parameters=f"{_ROOM} bytes",
    )
]
