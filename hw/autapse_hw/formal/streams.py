"""The stream rules, of the blocks that values pass through.

A value that is offered stays until it is taken. What comes out is what has come in: nothing is lost, doubled or
reordered. To see that of all values, one of them is marked, of any content and at any time, and followed: it must leave
unchanged, behind all that were there before it.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Mux, Signal, Value, unsigned
from amaranth.lib import stream

from autapse_hw.buffers import SkidBuffer, StreamRegister
from autapse_hw.formal.bench import Bench, Opened, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.outputs import OutputBuffer

_BITS = 4


def check_stable(b: Bench, port: stream.Interface, unless: Value | int = 0) -> None:
    """A value that is offered stays until it is taken, `unless` it is called back."""
    payload, stalled = Cat(port.payload), b.past(port.valid & ~port.ready & ~Value.cast(unless))
    b.check(implies(stalled & ~b.first, port.valid & (payload == b.past(payload))))


def offer(b: Bench, port: stream.Interface, unless: Value | int = 0) -> None:
    """Offer any values at any time, by the stream rules; `unless` calls back what has not been taken."""
    payload, valid = b.free("i_payload", len(Cat(port.payload))), b.free("i_valid")
    b.m.d.comb += [Cat(port.payload).eq(payload), port.valid.eq(valid)]
    stalled = b.past(valid & ~port.ready & ~Value.cast(unless))
    b.suppose(implies(stalled & ~b.first, valid & (payload == b.past(payload))))


class Passage:
    """Values that come into a block and leave it, one of them marked.

    Parameters
    ----------
    came
        Strobe and value of each that comes in a cycle, in order.
    went
        Strobe and value of what leaves.
    room
        Values that the block holds at most.

    Attributes
    ----------
    held : Signal
        Values that are in the block.
    inside : Signal
        The marked one is.
    ahead : Signal
        Values in front of it.
    value : Signal
        Its content.
    """

    def __init__(
        self,
        b: Bench,
        came: Sequence[tuple[Value, Value]],
        went: tuple[Value, Value],
        room: int,
        clear: Value | int = 0,
    ) -> None:
        self._b = b
        mark, seen = b.free("mark", range(len(came) + 1)), Signal(name="seen")
        self.held = held = Signal(range(room + len(came) + 1), name="held")
        self.inside, self.ahead = Signal(name="inside"), Signal.like(held, name="ahead")
        self.value = Signal(len(came[0][1]), name="value")
        leaves, leaving = went
        arrived: Value = held - leaves
        with b.m.If(self.inside & leaves):
            b.m.d.sync += [self.ahead.eq(self.ahead - 1), self.inside.eq(self.ahead != 0)]
        for k, (comes, content) in enumerate(came):
            with b.m.If(comes & ~seen & (mark == k)):
                b.m.d.sync += [seen.eq(1), self.inside.eq(1), self.ahead.eq(arrived), self.value.eq(content)]
            arrived = arrived + comes
        b.m.d.sync += held.eq(arrived)
        with b.m.If(clear):
            b.m.d.sync += [held.eq(0), self.inside.eq(0)]
        b.check(implies(leaves, held != 0))
        b.check(held <= room)
        b.check(implies(self.inside & leaves & (self.ahead == 0), leaving == self.value))
        b.check(implies(self.inside, seen & (self.ahead < held)))

    def lies(self, place: Value | int, content: Value, there: Value | int = 1) -> None:
        """For the induction: the value with so many in front of it, if it is `there`, is this one."""
        marked = self.inside & (self.ahead == place) & there
        self._b.check(implies(marked, content == self.value))


def taken(port: stream.Interface) -> tuple[Value, Value]:
    """Strobe and value of what passes there."""
    return port.valid & port.ready, Cat(port.payload)


def stream_register(b: Bench) -> None:
    block = StreamRegister(unsigned(_BITS))
    b.open(block)
    offer(b, block.i)
    b.drive(block.o.ready, "o_ready")
    clear = b.drive(block.clear, "clear")
    check_stable(b, block.o, unless=clear)
    passage = Passage(b, [taken(block.i)], taken(block.o), 1, clear)
    b.check(passage.held == block.o.valid)
    passage.lies(0, block.o.payload)


def skid_buffer(b: Bench) -> None:
    block = SkidBuffer(unsigned(_BITS))
    opened = b.open(block)
    offer(b, block.i)
    b.drive(block.o.ready, "o_ready")
    check_stable(b, block.o)
    passage = Passage(b, [taken(block.i)], taken(block.o), 2)
    full = opened["full"]
    b.check(implies(full, block.o.valid))
    b.check(passage.held == block.o.valid + full)
    passage.lies(0, block.o.payload)
    passage.lies(1, opened["spare"])


def _output_buffer(outputs: int, drains: int, steps: int) -> Proof:
    """Of as many queues as drains, which must divide the outputs."""

    def properties(b: Bench) -> None:
        block = OutputBuffer(_BITS, _BITS, outputs, drains, steps)
        opened = b.open(block)
        b.drive(block.o.ready, "o_ready")
        z = b.drive(block.z, "z")
        begin = b.drive(block.begin, "begin")
        b.suppose(implies(begin, block.room))
        # The readouts of a step come in groups, one value from each drain, some time after its room has been taken.
        groups, come = outputs // drains, b.free("come")
        group = Signal(range(groups), name="group")
        waiting = Signal(range(steps + 1), name="waiting")  # readouts that have begun and not come
        b.suppose(implies(come, waiting != 0))
        b.m.d.sync += waiting.eq(waiting + begin - (come & (group == groups - 1)))
        with b.m.If(come):
            b.m.d.sync += group.eq(Mux(group == groups - 1, 0, group + 1))
        b.m.d.comb += block.z_valid.eq(come.replicate(drains))

        check_stable(b, block.o)
        late, values = b.past(come), b.past(z)
        came = [(late, values.word_select(a, _BITS)) for a in range(drains)]
        passage = Passage(b, came, taken(block.o), steps * outputs)
        # For the induction: room is taken for what waits, what comes, and what is held; and where that is.
        turn = opened["turn"] if drains > 1 else Signal()
        left = opened["left"] + 1 if outputs > 1 else Value.cast(1)
        b.check((left <= outputs) & (turn == (outputs - left) % drains) & (group < groups))
        expected = outputs * waiting + drains * late + passage.held + outputs - left
        b.check(opened["taken"] <= steps)
        b.check(outputs * opened["taken"] == expected - drains * group)
        for a in range(drains):
            _check_queue(b, opened, passage, a, turn, steps * groups - 1)

    return Proof(
        f"output-buffer-{outputs}x{drains}",
        "OutputBuffer",
        "readouts leave in order, none is lost, and there is room for all that have begun",
        properties,
        depth=2,
        parameters=f"{outputs} outputs, {drains} drains, {steps} steps",
    )


def _check_queue(b: Bench, opened: Opened, passage: Passage, a: int, turn: Signal, inner: int) -> None:
    """A queue holds every so many-th value, the first in its register and `inner` more in its memory."""
    drains = len([name for name in opened if name.endswith(".r_rdy")])
    first, level = opened[f"queue_{a}.r_rdy"], opened[f"queue_{a}.inner_level"]
    produce, consume = opened[f"queue_{a}.produce"], opened[f"queue_{a}.consume"]
    b.check((level <= inner) & (produce < inner) & (consume < inner))
    b.check((consume + level) % inner == produce)
    b.check((level + first + (turn > a)) * drains == passage.held + turn)
    before = Signal(range(drains))  # values of other queues in front of this one's first
    b.m.d.comb += before.eq((a + drains - turn) % drains)
    passage.lies(before, opened[f"queue_{a}.r_data"], there=first)
    place = (passage.ahead - before) // drains - first  # of the marked value in this memory, if it is there
    word = opened.word(f"queue_{a}.storage", (consume + place) % inner)
    passage.lies(before + (place + first) * drains, word, there=(place >= 0) & (place < level))


_STABLE = "a value stays until it is taken; none is lost, doubled or reordered"
PROOFS = [
    Proof("stream-register", "StreamRegister", _STABLE, stream_register, depth=2),
    Proof("skid-buffer", "SkidBuffer", _STABLE, skid_buffer, depth=2),
    _output_buffer(outputs=3, drains=1, steps=2),
    _output_buffer(outputs=4, drains=2, steps=2),
]
