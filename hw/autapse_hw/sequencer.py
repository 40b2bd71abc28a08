"""The sequencer: which weight and which operand are read in each cycle, and when a pass may begin."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.schedule import Schedule


class Sequencer(wiring.Component):
    """Issues one column a cycle, tile after tile, pass after pass.

    A *step* pass reads the inputs of page `page` and the state beside them, computes the readout of that state and the
    next state. A *flush* pass computes the readout rows alone; it runs when a readout is owed and no input waits. All
    outputs but `go_step` and `busy` come from registers.

    Members
    -------
    start : In(1)
        High once the initial state is loaded.
    inputs_ready : In(2)
        By page: the inputs of a step are complete.
    readout_room : In(1)
        The output buffer has room for the readout of one more step.
    issue, last : Out(1)
        A column is issued; it is the last one of its tile.
    weight : Out(range(tiles * cols)), column : Out(range(cols)), page : Out(1)
        Addresses of the weights and of the operand.
    first_row, last_row : Out(range(rows))
        The tile's first row, and the pass's last one.
    emits : Out(1)
        The readout rows of this pass are wanted.
    inputs_done : Out(2)
        By page, a strobe: the inputs have been read for the last time.
    begin_readout : Out(1)
        Strobe: a pass that emits a readout begins.
    next_page : Out(1)
        Page of the next pass: it holds the newest state when the core is not busy.
    busy : Out(1)
        A pass is under way, or a readout is owed.
    """

    start: Signal
    inputs_ready: Signal
    readout_room: Signal
    issue: Signal
    last: Signal
    weight: Signal
    column: Signal
    page: Signal
    first_row: Signal
    last_row: Signal
    emits: Signal
    inputs_done: Signal
    begin_readout: Signal
    next_page: Signal
    busy: Signal

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = s = schedule
        super().__init__(
            {
                "start": In(1),
                "inputs_ready": In(2),
                "readout_room": In(1),
                "issue": Out(1),
                "last": Out(1),
                "weight": Out(range(s.tiles * s.cols)),
                "column": Out(range(s.cols)),
                "page": Out(1),
                "first_row": Out(range(s.rows)),
                "last_row": Out(range(s.rows)),
                "emits": Out(1),
                "inputs_done": Out(2),
                "begin_readout": Out(1),
                "next_page": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # `cycle` counts the cycles of a tile: its columns first, then what the drain of many rows or, in the last tile
        # of a step, the dependency on the last state elements makes it wait. The next pass is chosen while the last
        # cycle of a pass is still to come, so that its first column follows without a bubble, and so that the choice
        # is a register: `go_step` or `go_flush` high in a cycle means that the first column is issued in the next.
        s = self._schedule
        m = Module()
        idle, flush, owed = Signal(init=1), Signal(), Signal()
        # These are set whenever a pass begins, and need no reset of their own.
        cycle = Signal(range(s.tile_cycles + s.stall), reset_less=True)
        tile, final_tile = Signal(range(s.tiles), reset_less=True), Signal(reset_less=True)
        column, weight = (Signal.like(port, reset_less=True) for port in (self.column, self.weight))
        page, emits = Signal(reset_less=True), Signal(reset_less=True)
        first_row, last_row = (Signal.like(port, reset_less=True) for port in (self.first_row, self.last_row))
        m.d.comb += [
            self.column.eq(column),
            self.weight.eq(weight),
            self.page.eq(page),
            self.emits.eq(emits),
            self.first_row.eq(first_row),
            self.last_row.eq(last_row),
        ]
        before_end, tile_end, pass_end = Signal(), Signal(), Signal()
        go_step, go_flush, go = Signal(), Signal(), Signal()
        m.d.comb += [
            go.eq(go_step | go_flush),
            self.begin_readout.eq(go & owed),
            self.busy.eq(~idle | owed | go),
        ]
        will_be_free, inputs_wait = Signal(), Signal()
        m.d.comb += [
            will_be_free.eq(self.start & ((before_end & final_tile) | ((idle | pass_end) & ~go))),
            inputs_wait.eq(self.inputs_ready.bit_select(self.next_page, 1)),
        ]
        m.d.sync += [
            go_step.eq(will_be_free & inputs_wait & (self.readout_room | ~owed)),
            go_flush.eq(will_be_free & ~inputs_wait & owed & self.readout_room),
            before_end.eq(cycle == Mux(final_tile & ~flush, s.tile_cycles + s.stall - 3, s.tile_cycles - 3)),
            tile_end.eq(before_end),
            pass_end.eq(before_end & final_tile),
            self.last.eq(self.issue & (column == s.cols - 2)),
            cycle.eq(cycle + 1),
        ]
        with m.If(self.last):
            m.d.sync += self.issue.eq(0)
        with m.If(self.issue):
            m.d.sync += [column.eq(column + 1), weight.eq(weight + 1)]
        with m.If(tile_end):
            m.d.sync += [cycle.eq(0), column.eq(0), self.issue.eq(~pass_end)]
            m.d.sync += [tile.eq(tile + 1), first_row.eq(first_row + s.lanes)]
            m.d.sync += final_tile.eq(tile + 1 == Mux(flush, s.readout_tiles - 1, s.tiles - 1))
        with m.If(pass_end):
            m.d.sync += idle.eq(1)
        with m.If(idle):
            m.d.sync += before_end.eq(0)
        with m.If(go):
            m.d.sync += [idle.eq(0), flush.eq(go_flush), emits.eq(owed), owed.eq(go_step)]
            m.d.sync += [self.issue.eq(1), cycle.eq(0), tile.eq(0), weight.eq(0), column.eq(0)]
            m.d.sync += [first_row.eq(0), page.eq(self.next_page)]
            m.d.sync += last_row.eq(Mux(go_flush, s.outputs - 1, s.rows - 1))
            m.d.sync += final_tile.eq(Mux(go_flush, s.readout_tiles == 1, s.tiles == 1))
        with m.If(go_step):
            m.d.sync += self.next_page.eq(~self.next_page)

        done = ~flush & final_tile & self.issue & (column == s.inputs)
        m.d.comb += self.inputs_done.eq(Cat(done & ~page, done & page))
        return m
