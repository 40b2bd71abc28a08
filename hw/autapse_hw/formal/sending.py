"""The memory of what goes out: the frames in it leave whole and in order, and again when asked.

The account beside it knows which frame is next, and how many of its bytes have gone; what they are is in the memory.
"""

from amaranth.hdl import Cat, Mux, Signal

from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.formal.streams import check_stable, offer
from autapse_hw.transmit import TransmitBuffer

_SLOT, _SLOTS = 4, 4
_ROOM = _SLOT * _SLOTS
#: The writer's states.
_WRITING = ("fill", "judge", "put_byte", "put_zero", "put_end", "delimit", "commit", "begin", "wait")


def transmit_buffer(b: Bench) -> None:
    block = TransmitBuffer(_SLOT, _SLOTS, _ROOM - 2)
    opened = b.open(block)
    offer(b, block.i)
    b.drive(block.o.ready, "o_ready")
    keep, wanted, replay = (b.drive(p, p.name) for p in (block.keep, block.wanted, block.replay))
    slot, lone, rest = opened["slot"], opened["lone"], opened["rest"]
    check_stable(b, block.o)

    # The frame that is next, or goes out; its bytes are those in the memory from its slot on, up to a zero.
    out, gone = Signal(range(_SLOTS)), Signal(range(_ROOM))
    sent, moved = block.o.payload, block.o.valid & block.o.ready
    place = (out * _SLOT + gone)[: (_ROOM - 1).bit_length()]
    b.check(implies(block.o.valid, sent == opened.word("memory", place)))
    with b.m.If(moved):
        b.m.d.sync += gone.eq(Mux(sent == 0, 0, gone + 1))
    waiting = (slot - out)[: (_SLOTS - 1).bit_length()]  # kept frames
    waits = (waiting != 0) | lone
    b.check(implies(block.o.valid, waits))
    # Behind each frame comes the next; the one that is not kept comes last, and once. What is asked for again comes
    # when the frame under way has gone.
    finished, again = b.past(moved & (sent == 0)) & ~b.first, Signal()
    b.m.d.sync += again.eq(replay | (again & ~rest))
    with b.m.If(rest & again):
        b.m.d.sync += out.eq(wanted)
    with b.m.Elif(finished & (waiting != 0)):
        b.m.d.sync += out.eq(out + 1)
    over = finished & (waiting == 0)
    b.check(implies(b.past(lone & ~over) & ~b.first, lone))
    b.check(implies(b.past(over) & ~b.first, ~lone))
    # It goes on as long as something waits.
    idle = Signal(range(8))
    b.m.d.sync += idle.eq(Mux(waits & ~block.o.valid & ~again & ~replay, idle + 1, 0))
    b.check(idle < 7)

    # The user: a kept frame fits its slot; slots that wait are not written, and one of them is free.
    b.suppose(implies(block.o.valid & (waiting != 0) & (gone == _SLOT - 1), sent == 0))
    target = (opened["w_addr"][(_SLOT - 1).bit_length() :] - out)[: (_SLOTS - 1).bit_length()]
    b.suppose(implies(opened["w_en"], target >= waiting))
    asked = (slot - wanted)[: (_SLOTS - 1).bit_length()]
    b.suppose(implies(opened["commit"] & keep, (waiting < _SLOTS - 1) & (~again | (asked < _SLOTS - 1))))
    b.suppose(implies(again & ~replay, wanted == b.past(wanted)))
    b.check(implies(lone, ~opened["w_en"] & ~block.i.ready))

    # For the induction: where writer and reader stand.
    writing = Cat(opened[name] for name in _WRITING)
    b.check((writing != 0) & ((writing & (writing - 1)) == 0) & ~opened["put_length"])
    b.check(implies(lone, opened["begin"] | opened["wait"]))
    b.check((out == opened["frame"]) & (opened["again"] == again))
    b.check(implies(rest, ~block.o.valid & (gone == 0)))
    b.check(implies(~rest, (opened["addr"] == place) & waits & ~opened["finished"]))
    b.check(implies(rest & opened["rested"], opened["addr"] == out * _SLOT))
    b.check(implies(~rest, (waiting != 0) == opened["differs"]))
    b.check(implies(waiting != 0, gone < _SLOT))
    b.check(opened["finished"] == finished)
    b.check(implies(block.o.valid, opened["settled"] & (opened["last"] == (sent == 0))))


PROOFS = [
    Proof(
        "transmit-buffer",
        "TransmitBuffer",
        "written frames leave whole and in order, none is lost or doubled; kept ones again from the wanted one on",
        transmit_buffer,
        depth=6,
        parameters=f"{_SLOTS} slots of {_SLOT} bytes",
    )
]
