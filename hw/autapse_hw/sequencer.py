"""The sequencer: which weights and which operands are read in each cycle, and when a pass may begin."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import successor
from autapse_hw.schedule import Schedule


class Sequencer(wiring.Component):
    """Issues one slot a cycle, tile after tile, pass after pass.

    A *step* pass reads the inputs of its page and the state beside them, computes the readout of that state and the
    next state. A *flush* pass computes the readout rows alone; it runs when a readout is owed and no input waits. Pages
    take turns, one more than there are sequences. All outputs but `inputs_done`, `begin_readout` and `busy` come from
    registers.

    Members
    -------
    start : In(1)
        High once the initial states are loaded.
    inputs_ready : In(pages)
        By page: the inputs of a step are complete.
    readout_room : In(1)
        The output buffer has room for the readout of one more step.
    issue, last : Out(1)
        A slot is issued; it is the last one of its tile.
    weight : Out(range(tiles * slots)), slot : Out(range(slots)), page : Out(range(pages))
        Addresses of the weights and of the operands.
    group, next_group : Out(range(tiles * groups))
        The tile's first group of rows, and that of the tile that follows it.
    step, emits : Out(1)
        This pass computes new states; its readout rows are wanted.
    inputs_done : Out(pages)
        By page, a strobe: the inputs have been read for the last time.
    begin_readout : Out(1)
        Strobe: a pass that emits a readout begins.
    layer : Out(range(layers))
        Of the tile; only of a stack.
    next_page : Out(range(pages))
        Page of the next step.
    peek : In(1), peek_slot, peek_page : In
        While nothing is under way, what `slot` and `page` are to be; `peek_slot` is 0 without `peek`.
    busy : Out(1)
        A pass is under way, or a readout is owed.
    """

    start: Signal
    inputs_ready: Signal
    readout_room: Signal
    issue: Signal
    last: Signal
    weight: Signal
    slot: Signal
    page: Signal
    group: Signal
    next_group: Signal
    step: Signal
    emits: Signal
    inputs_done: Signal
    begin_readout: Signal
    layer: Signal
    next_page: Signal
    peek: Signal
    peek_slot: Signal
    peek_page: Signal
    busy: Signal

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = s = schedule
        pages = s.tiling.sequences + 1
        super().__init__(
            {
                "start": In(1),
                "inputs_ready": In(pages),
                "readout_room": In(1),
                "issue": Out(1),
                "last": Out(1),
                "weight": Out(range(s.tiles * s.slots)),
                "slot": Out(range(s.slots)),
                "page": Out(range(pages)),
                "group": Out(range(s.tiles * s.groups)),
                "next_group": Out(range(s.tiles * s.groups)),
                "step": Out(1),
                "emits": Out(1),
                "inputs_done": Out(pages),
                "begin_readout": Out(1),
                **({"layer": Out(range(len(s.layers)))} if s.layers else {}),
                "next_page": Out(range(pages)),
                "peek": In(1),
                "peek_slot": In(range(s.slots)),
                "peek_page": In(range(pages)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        # `cycle` counts the cycles of a tile: its slots first, then what the drain of many rows or, in the last tile
        # of a step, the dependency on the last state elements makes it wait. The next pass is chosen while the last
        # cycle of a pass is still to come, so that its first slot follows without a bubble, and so that the choice
        # is a register: `go_step` or `go_flush` high in a cycle means that the first slot is issued in the next.
        s = self._schedule
        m = Module()
        idle = Signal(init=1)
        flush = Signal()
        # These are set whenever a pass begins, and need no reset of their own.
        cycle = Signal(range(s.tile_cycles + max(s.stall, *s.gaps, 0)), reset_less=True)
        tile = Signal(range(s.tiles), reset_less=True)
        final_tile = Signal(reset_less=True)
        slot, weight, page, emits = (
            Signal.like(port, reset_less=True) for port in (self.slot, self.weight, self.page, self.emits)
        )
        group, next_group = (Signal.like(port, reset_less=True) for port in (self.group, self.next_group))
        m.d.comb += [
            self.slot.eq(slot),
            self.weight.eq(weight),
            self.page.eq(page),
            self.emits.eq(emits),
            self.step.eq(~flush),
            self.group.eq(group),
            self.next_group.eq(next_group),
        ]
        before_end = Signal()
        tile_end = Signal()
        pass_end = Signal()
        go_step = Signal()
        go_flush = Signal()
        go = Signal()
        owed, all_owed, flush_page, settled = self._owed(m, go_step, go_flush, idle)
        m.d.comb += [
            go.eq(go_step | go_flush),
            self.begin_readout.eq(go_flush | (go_step & all_owed)),
            self.busy.eq(~idle | owed | go),
        ]
        before_final = Signal()
        only_tile = Signal()
        m.d.comb += only_tile.eq(Mux(go_flush, s.readout_tiles == 1, s.tiles == 1))
        m.d.sync += before_final.eq(tile + 1 == Mux(flush, s.readout_tiles - 1, s.tiles - 1))  # a tile has 3 cycles
        within = self._layers(m, go, go_step, tile_end, pass_end, tile, flush)
        will_be_free, inputs_wait = Signal(), Signal()
        m.d.comb += [
            will_be_free.eq(self.start & ((before_end & final_tile) | ((idle | pass_end) & ~go))),
            inputs_wait.eq(self.inputs_ready.bit_select(self.next_page, 1)),
        ]
        m.d.sync += [
            go_step.eq(will_be_free & inputs_wait & (self.readout_room | ~all_owed)),
            go_flush.eq(will_be_free & ~inputs_wait & owed & settled & self.readout_room),
            before_end.eq(cycle == Mux(final_tile & ~flush, s.tile_cycles + s.stall - 3, within)),
            tile_end.eq(before_end),
            pass_end.eq(before_end & final_tile),
            cycle.eq(cycle + 1),
        ]
        issuing = Signal()  # the first slot of a tile is issued in the next cycle
        m.d.comb += issuing.eq(go | (tile_end & ~pass_end))
        if s.slots == 1:
            m.d.sync += self.last.eq(issuing)
        else:
            m.d.sync += self.last.eq(self.issue & ~self.last & (slot == s.slots - 2))
        with m.If(self.last):
            m.d.sync += self.issue.eq(0)
        m.d.sync += slot.eq(Mux(self.issue & ~self.last, slot + 1, self.peek_slot))
        with m.If(self.issue):
            m.d.sync += weight.eq(weight + 1)
        with m.If(tile_end):
            m.d.sync += [cycle.eq(0), tile.eq(tile + 1), group.eq(next_group)]
            m.d.sync += [final_tile.eq(before_final), next_group.eq(Mux(before_final, 0, next_group + s.groups))]
        with m.If(pass_end):
            m.d.sync += idle.eq(1)
        with m.If(idle):
            m.d.sync += before_end.eq(0)
        with m.If(self.peek):
            m.d.sync += page.eq(self.peek_page)
        with m.If(go):
            m.d.sync += [idle.eq(0), flush.eq(go_flush), emits.eq(go_flush | all_owed)]
            m.d.sync += [cycle.eq(0), tile.eq(0), weight.eq(0), group.eq(0)]
            m.d.sync += page.eq(Mux(go_flush, flush_page, self.next_page))
            m.d.sync += [final_tile.eq(only_tile), next_group.eq(Mux(only_tile, 0, s.groups))]
        with m.If(issuing):
            m.d.sync += self.issue.eq(1)
        with m.If(go_step):
            m.d.sync += self.next_page.eq(successor(self.next_page, len(self.inputs_ready)))

        final_read = min(s.slots - 1, (s.inputs - 1) // s.tiling.cols + 1)
        done = ~flush & final_tile & self.issue & (slot == final_read)
        m.d.comb += self.inputs_done.eq(Cat(done & (page == k) for k in range(len(self.inputs_done))))
        return m

    def _layers(
        self, m: Module, go: Signal, go_step: Signal, tile_end: Signal, pass_end: Signal, tile: Signal, flush: Signal
    ) -> Value | int:
        """Keep `layer`; gives the cycle, three before its end, of a tile before a pass's last.

        The last tile of a layer takes longer: until the next layer can begin. Whether a tile is one is found while the
        tile before it runs.
        """
        s = self._schedule
        within: Value | int = s.tile_cycles - 3
        ends = []
        for k, gap in enumerate(s.gaps):
            final = s.places[k + 1].start // s.tiling.rows - 1
            before, end = (
                Signal(reset_less=True, name=f"{name}_{k}") for name in ("before_end_of_layer", "end_of_layer")
            )
            m.d.sync += before.eq((tile + 1 == final) & ~flush)
            with m.If(tile_end):
                m.d.sync += end.eq(before)
            with m.If(go):
                m.d.sync += end.eq(go_step if final == 0 else 0)
            within = Mux(end, s.tile_cycles + gap - 3, within)
            ends.append(end)
        if ends:
            with m.If(tile_end):
                m.d.sync += self.layer.eq(Mux(pass_end, 0, self.layer + Cat(ends).any()))
        return within

    def _owed(
        self, m: Module, go_step: Signal, go_flush: Signal, idle: Signal
    ) -> tuple[Signal, Signal, Signal, Signal]:
        """A readout is owed; those of all sequences are; the page of the oldest one; and its state is written."""
        s = self._schedule
        sequences = s.tiling.sequences
        count = Signal(range(sequences + 1))
        oldest = Signal(range(sequences + 1), init=sequences)
        owed, all_owed, settled = Signal(), Signal(), Signal()
        m.d.comb += [owed.eq(count != 0), all_owed.eq(count == sequences)]
        with m.If(go_flush | (go_step & all_owed)):
            m.d.sync += oldest.eq(successor(oldest, sequences + 1))
        m.d.sync += count.eq(count + (go_step & ~all_owed) - go_flush)
        # A step waits for its own sequence only; a flush may read what the step just before it wrote.
        if (wait := s.flush_stall - s.stall) > 0:
            waited = Signal(range(wait + 1))
            with m.If(go_step):
                m.d.sync += waited.eq(0)
            with m.Elif(idle & ~settled):
                m.d.sync += waited.eq(waited + 1)
            m.d.comb += settled.eq(waited == wait)
        else:
            m.d.comb += settled.eq(1)
        return owed, all_owed, oldest, settled
