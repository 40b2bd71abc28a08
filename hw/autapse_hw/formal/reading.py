"""The state reader: every state once, in order, and the right one, however slowly it is taken."""

from amaranth.hdl import Cat, Mux, Signal

from autapse_hw.arithmetic import successor
from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.networks import small
from autapse_hw.formal.proof import Proof
from autapse_hw.formal.streams import check_stable
from autapse_hw.schedule import Schedule
from autapse_hw.state_reader import FETCH, StateReader

#: Cycles that pass at most while it is busy, from one state to the next.
_PACE = FETCH + 4


def _reader(name: str, shape: tuple[int, int, int], tiling: str) -> Proof:
    units, inputs, outputs = shape

    def properties(b: Bench) -> None:
        q = small(units, inputs, outputs)
        s = Schedule.of(q, tiling)
        t, pages = s.tiling, s.tiling.sequences + 1
        block = StateReader(q, s)
        opened = b.open(block)
        dump, next_page = b.drive(block.dump, "dump"), b.drive(block.next_page, "next_page")
        b.drive(block.state.ready, "state_ready")
        value = b.drive(block.value, "value")
        b.suppose(next_page < pages)
        given = block.state.valid & block.state.ready

        # The account: how many states have been given since the strobe, and the page that was next then.
        reading, unit, sequence = Signal(), Signal(range(units)), Signal(range(t.sequences))
        page = Signal(range(pages))
        final = (unit == units - 1) & (sequence == t.sequences - 1)
        strobe = b.past(dump & ~block.busy) & ~b.first
        with b.m.If(strobe):
            b.m.d.sync += [reading.eq(1), unit.eq(0), sequence.eq(0), page.eq(next_page)]
        with b.m.If(given):
            b.m.d.sync += unit.eq(successor(unit, units))
            with b.m.If(unit == units - 1):
                b.m.d.sync += [sequence.eq(successor(sequence, t.sequences)), page.eq(successor(page, pages))]
            with b.m.If(final):
                b.m.d.sync += reading.eq(0)
        b.check(implies(block.state.valid, reading))
        b.check(implies(strobe | reading, block.busy))
        b.check(implies(block.taken, b.past(given) & ~b.first))
        b.check(implies(b.past(given) & ~b.first, block.taken))
        check_stable(b, block.state)
        # One comes in time, and the last one is the end.
        pause = Signal(range(_PACE + 1))
        b.m.d.sync += pause.eq(Mux(block.state.valid | ~block.busy, 0, pause + 1))
        b.check(pause < _PACE)

        # Where each state stands, by the matrix's columns; any one of them is followed, of any content.
        here = Cat(block.page, block.bank, block.slot, block.drain)
        column = inputs + unit
        place = [column % t.cols, column // t.cols, (outputs + unit) % t.drains]
        at_place = block.page == page
        for port, expected in zip((block.bank, block.slot, block.drain), place, strict=True):
            at_place &= port == expected
        marked_unit, marked_sequence = b.constant("marked_unit", range(units)), b.constant("s", range(t.sequences))
        content = b.constant("content", block.value.shape())
        still = Signal(range(FETCH + 1))  # cycles since the place has changed
        moved = (here != b.past(here)) | b.first
        rests = Signal.like(still)
        b.m.d.comb += rests.eq(Mux(moved, 0, still))
        b.m.d.sync += still.eq(Mux(rests == FETCH, FETCH, rests + 1))
        marked = reading & at_place & (unit == marked_unit) & (sequence == marked_sequence)
        b.suppose(implies(marked & (rests == FETCH), value == content))
        b.suppose(implies((rests == FETCH) & (still == FETCH), value == b.past(value)))
        b.check(implies(block.state.valid, at_place & (rests == FETCH)))
        b.check(implies(block.state.valid & marked, block.state.payload == content))

        # For the induction: the reader's own account is a cycle behind where a state has just been given; its place
        # comes to `slot` a cycle later still, and then rests for all but two of the cycles that it waits.
        late, wait = b.past(given) & ~b.first, opened["wait"]
        own = (opened["unit"], opened["sequence"], block.page, block.bank, opened["place"], block.drain)
        b.check(implies(strobe, ~opened["walking"] & ~block.state.valid))
        b.check((opened["begin"] == strobe) & (opened["walking"] == (reading | late)))
        for register, expected in zip(own, (unit, sequence, page, *place), strict=True):
            b.check(implies(reading & ~late, register == expected))
            b.check(implies(late, register == b.past(expected)))
        b.check((unit < units) & (sequence < t.sequences) & (page < pages))
        b.check(opened["fetched"] == (~b.first & b.past(wait == FETCH)))
        b.check(implies(late, ~block.state.valid & (wait == 0)))
        b.check(implies(block.state.valid, (wait == 0) | (wait == FETCH + 2)))
        b.check(implies(strobe | ~opened["walking"], wait + strobe <= 1))
        with b.m.If(reading & ~block.state.valid):
            b.check((wait <= FETCH + 1) & (pause <= wait + 1) & (rests + 2 >= wait))
            b.check(implies(wait >= 2, block.slot == opened["place"]))

    return Proof(
        name,
        "StateReader",
        "every unit of each state is read once, in order, when its value is there; it waits until it is taken",
        properties,
        depth=3,
        parameters=f"{units} units, {inputs} inputs, {outputs} outputs, {tiling} lanes",
    )


PROOFS = [
    _reader("state-reader-row", (3, 1, 1), "2*2"),
    _reader("state-reader-tiles", (4, 1, 1), "2x2/2"),
]
