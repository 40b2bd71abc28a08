"""The sequencer alone, for ever: it keeps the timetable of `autapse_hw.schedule`, whatever comes when.

The account beside it counts cycles, tiles and steps on its own. What a core adds is the way of a sum from the lanes
back into the memories; `sequencing` has the whole core.
"""

from amaranth.hdl import Array, Cat, Mux, Signal, Value

from autapse_hw.arithmetic import successor
from autapse_hw.formal.bench import Bench, Opened, implies
from autapse_hw.formal.networks import small
from autapse_hw.formal.proof import Proof
from autapse_hw.schedule import Schedule
from autapse_hw.sequencer import Sequencer


class _Account:
    """Where a pass stands: the tile, the cycle in it, and whether it is the last one of the pass.

    Attributes
    ----------
    running, flush : Signal
        A pass is under way; it is one of the readout alone.
    tile, cycle : Signal
        Of the pass.
    page : Signal
        That it reads.
    ends : Value
        This is the pass's last cycle.
    """

    def __init__(self, b: Bench, s: Schedule, opened: Opened, next_page: Signal) -> None:
        pages = s.tiling.sequences + 1
        self.running, self.flush = Signal(), Signal()
        self.tile, self.cycle = Signal(range(s.tiles)), Signal(range(s.tile_cycles + s.stall))
        self.page = Signal(range(pages))
        tiles = Mux(self.flush, s.readout_tiles, s.tiles)
        self.final = self.tile == tiles - 1
        length = s.tile_cycles + Mux(self.final & ~self.flush, s.stall, 0)
        last = self.cycle == length - 1
        self.ends = self.running & self.final & last
        go_step, go_flush = opened["go_step"], opened["go_flush"]
        b.m.d.sync += [self.cycle.eq(Mux(last, 0, self.cycle + 1)), self.tile.eq(self.tile + last)]
        with b.m.If(self.ends):
            b.m.d.sync += self.running.eq(0)
        with b.m.If(go_step | go_flush):
            b.m.d.sync += [self.running.eq(1), self.flush.eq(go_flush), self.tile.eq(0), self.cycle.eq(0)]
            b.m.d.sync += self.page.eq(Mux(go_flush, opened["oldest"], next_page))
        b.check(~(go_step & go_flush))
        b.check(implies(go_step | go_flush, ~self.running | self.ends))
        b.check(implies(self.running, (self.tile < tiles) & (self.cycle < length)))


def _most(s: Schedule) -> int:
    """Cycles beyond which a timer need not tell."""
    return (s.tiling.sequences + 2) * s.cycles_per_step + s.flush_stall


def _timers(b: Bench, s: Schedule, account: _Account, go_step: Signal, step_page: Value) -> list[Signal]:
    """By page, the cycles since the step has begun that writes it: the page that the step before it has read."""
    pages = s.tiling.sequences + 1
    most = _most(s)
    timers = [Signal(range(most + 1), init=most, name=f"timer_{p}") for p in range(pages)]
    for p, timer in enumerate(timers):
        b.m.d.sync += timer.eq(Mux(timer == most, most, timer + 1))
        with b.m.If(go_step & (step_page == (p + 1) % pages)):
            b.m.d.sync += timer.eq(0)
        b.check(timer <= most)
    return timers


def _sequencer(name: str, shape: tuple[int, int, int], tiling: str) -> Proof:
    units, inputs, outputs = shape

    def properties(b: Bench) -> None:
        s = Schedule.of(small(units, inputs, outputs), tiling)
        t, pages = s.tiling, s.tiling.sequences + 1
        block = Sequencer(s)
        opened = b.open(block)
        start, room, peek = (b.drive(p, p.name) for p in (block.start, block.readout_room, block.peek))
        ready, peek_slot = b.drive(block.inputs_ready, "inputs_ready"), b.drive(block.peek_slot, "peek_slot")
        b.drive(block.peek_page, "peek_page")
        b.suppose(implies(peek, ~block.busy & ~start))
        b.suppose(implies(~peek, peek_slot == 0))
        go_step, next_page = opened["go_step"], block.next_page
        account = _Account(b, s, opened, next_page)
        tile, cycle, running, flush = account.tile, account.cycle, account.running, account.flush

        # What is issued: the slots of each tile, then nothing until the tile ends.
        issue = running & (cycle < s.slots)
        b.check(block.issue == issue)
        with b.m.If(issue):
            b.check((block.slot == cycle) & (block.weight == tile * s.slots + cycle) & (block.page == account.page))
            b.check(block.last == (cycle == s.slots - 1))
        with b.m.If(running):
            b.check((block.group == tile * s.groups) & (block.step == ~flush))
            b.check(block.next_group == Mux(account.final, 0, (tile + 1) * s.groups))

        # A step begins when its inputs are there, and takes its page in turn; with a readout only when there is room.
        asked = b.past(Cat(start, ready.bit_select(next_page, 1), room))
        b.check(implies(go_step & ~b.first, (asked[:2] == 3) & (b.past(next_page) == next_page)))
        b.check(implies(block.begin_readout & ~b.first, asked[2]))
        turn = Signal(range(pages))
        with b.m.If(go_step):
            b.m.d.sync += turn.eq(successor(turn, pages))
        b.check((turn == next_page) & (turn < pages))

        # No element of a state is issued sooner after the step that writes it than the timetable has it ready.
        timers = _timers(b, s, account, go_step, next_page)
        made = Array(timers)[account.page]
        unit = b.constant("unit", range(units))
        b.suppose(unit < units)
        column, due = inputs + unit, Array(s._ready(s.place_of(outputs + j), 0) for j in range(units))[unit]
        b.check(implies(issue & (cycle == column // t.cols), made >= due))
        # The inputs are done with once, and then none of them is read any more.
        done, now = Signal(), block.inputs_done.any()
        b.m.d.sync += done.eq((done | now) & ~go_step)
        b.check(implies(now, ~done & running & ~flush & (block.inputs_done == 1 << account.page)))
        b.check(implies(done & running & ~flush & issue, cycle > (inputs - 1) // t.cols))
        b.check(implies(~flush & account.ends, done | now))
        _readouts(b, s, opened, block, account)
        _keep(b, s, opened, block, account, timers, done)

    return Proof(
        name,
        "Sequencer",
        "each pass issues each (row, column) once, in order; a state is read no sooner than the timetable has it ready",
        properties,
        depth=2,
        parameters=f"{units} units, {inputs} inputs, {outputs} outputs, {tiling} lanes",
    )


def _readouts(b: Bench, s: Schedule, opened: Opened, block: Sequencer, account: _Account) -> None:
    """Each step's readout is computed once, from the page that the step has written."""
    pages, next_page = s.tiling.sequences + 1, block.next_page
    go_step, go_flush, running, flush = opened["go_step"], opened["go_flush"], account.running, account.flush
    owed, emits = Signal(range(s.tiling.sequences + 1)), Signal()
    b.m.d.sync += owed.eq(owed + go_step - block.begin_readout)
    with b.m.If(go_step | go_flush):
        b.m.d.sync += emits.eq(block.begin_readout)
    b.check(implies(running, block.emits == emits))
    b.check(implies(go_flush, block.begin_readout))
    behind = (next_page + 2 * pages - 1 - owed) % pages  # its page
    b.check(implies(block.begin_readout, (owed != 0) & (behind == Mux(go_flush, opened["oldest"], next_page))))
    b.check((owed <= s.tiling.sequences) & (opened["oldest"] == behind) & (opened["count"] == owed))
    b.check(implies(running & flush, account.page == (behind + pages - 1) % pages))
    b.check(block.busy == running | (owed != 0) | go_step | go_flush)


def _keep(
    b: Bench, s: Schedule, opened: Opened, block: Sequencer, account: _Account, timers: list[Signal], done: Signal
) -> None:
    """For the induction: the sequencer's registers are the account's, and how long ago steps have begun."""
    t, pages = s.tiling, s.tiling.sequences + 1
    tile, cycle, running, final, flush = account.tile, account.cycle, account.running, account.final, account.flush
    length = s.tile_cycles + Mux(final & ~flush, s.stall, 0)
    b.check(opened["idle"] == ~running)
    b.check(opened["before_end"] == (running & (cycle == length - 2)))
    b.check(opened["tile_end"] == (running & (cycle == length - 1)))
    b.check(opened["pass_end"] == account.ends)
    with b.m.If(running):
        b.check((opened["cycle"] == cycle) & (opened["tile"] == tile) & (opened["flush"] == flush))
        b.check(block.page == account.page)
        b.check(opened["final_tile"] == final)
        b.check(implies(cycle != 0, opened["before_final"] == (tile + 1 == Mux(flush, s.readout_tiles, s.tiles) - 1)))
        b.check(implies(~flush, block.next_page == successor(account.page, pages)))
    with b.m.If(running & ~block.issue):
        b.check((block.slot == 0) & (block.weight == ((tile + 1) * s.slots)[: len(block.weight)]))
    b.check(implies(block.last, block.issue))
    final_read = min(s.slots - 1, (s.inputs - 1) // t.cols + 1)
    b.check(implies(running & ~flush, done == (final & (cycle > final_read))))

    # The steps before each other, and what a flush waits.
    since = Signal.like(timers[0])
    b.m.d.comb += since.eq(Array(timers)[(block.next_page + pages - 2) % pages])
    for k in range(1, pages):
        timer = Array(timers)[(block.next_page + 2 * pages - 2 - k) % pages]
        b.check((timer >= since + k * s.cycles_per_step) | (timer == _most(s)))
    elapsed = tile * s.tile_cycles + cycle
    wait = max(0, s.flush_stall - s.stall)
    waited = opened["waited"] if wait else Signal()
    b.check(waited <= wait)
    with b.m.If(running & ~flush):
        b.check((since == elapsed) & (waited == 0))
    with b.m.Elif(running):
        b.check(since >= s.cycles_per_step + wait + elapsed)
    with b.m.Else():
        b.check(since >= s.cycles_per_step + waited)


PROOFS = [
    _sequencer("sequencer-tiles", (3, 1, 1), "2"),
    _sequencer("sequencer-columns", (3, 1, 1), "2x2"),
    _sequencer("sequencer-turns", (3, 2, 1), "2*2"),
]
