"""The order of events in a core: what the sequencer reads, and when states and inputs are written.

The whole core stands in the bench, with all its latencies; what it computes does not matter here. Beside each element
of the operand memories stands a mark, `fresh`: it has been written for the step that will read it, and is not used up.
That is an account of its own, by page and column of the matrix, kept from nothing but the memories' ports.

It reaches some cycles. Its parts hold for ever: the sequencer's timetable (`timetable`), the way of the sums back, and
the places of the states.
"""

from amaranth.hdl import Cat, Mux, Signal, Value

from autapse_hw.arithmetic import delayed, successor
from autapse_hw.core import Core
from autapse_hw.formal.bench import Bench, implies
from autapse_hw.formal.networks import small
from autapse_hw.formal.proof import Proof
from autapse_hw.formal.streams import offer
from autapse_hw.schedule import Schedule
from autapse_hw.state import StateStore

_BOUND = "the states on their way are as deep as the pipeline, and induction needs an account of each"


def _order(name: str, shape: tuple[int, int, int], tiling: str, depth: int, *, dumps: bool = False) -> Proof:
    units, inputs, outputs = shape

    def properties(b: Bench) -> None:
        block = Core(small(units, inputs, outputs), tiling)
        s, t = block.schedule, block.schedule.tiling
        opened = b.open(block)
        offer(b, block.i)
        b.m.d.comb += [block.o.ready.eq(1), block.state.ready.eq(1)]
        if dumps:
            dump = b.drive(block.dump, "dump")
            b.suppose(implies(dump, ~block.busy))
        issue, last, slot, page, weight, flush = (
            opened[f"engine.sequencer.{register}"] for register in ("issue", "last", "slot", "page", "weight", "flush")
        )

        # Each (row, column) once a step: the slots of all tiles in order, of a flush those of the readout's tiles.
        at = Signal(range(s.tiles * s.slots + 1))  # slots that this pass has issued
        total = Mux(flush, s.readout_tiles * s.slots, s.tiles * s.slots)
        ends = issue & (at == total - 1)
        with b.m.If(issue):
            b.m.d.sync += at.eq(Mux(ends, 0, at + 1))
            b.check((weight == at) & (slot == at % s.slots) & (last == (slot == s.slots - 1)))
        under_way = at != 0
        before = b.past(Cat(page, flush))
        b.check(implies(under_way, Cat(page, flush) == before))

        # Each element is written before it is read, and read for the last time before it is written again. A step may
        # begin before its last states have been written; what it has read is never written until it has ended.
        pages = t.sequences + 1
        fresh = [[Signal(name=f"fresh_{p}_{k}") for k in range(s.cols)] for p in range(pages)]
        for p in range(pages):
            here = page == p
            for k in range(s.cols):
                bank, place = k % t.cols, k // t.cols
                enable, address = (opened[f"engine.store.bank_{bank}.write__{pin}"] for pin in ("en", "addr"))
                bits = (s.slots - 1).bit_length()
                written = enable & (address == (p << bits | place))
                is_input = k < inputs
                used = issue & here & (slot == place)
                b.check(implies(used & ~(flush if is_input else 0), fresh[p][k]))
                b.check(implies(written, ~fresh[p][k]))
                done = ends & ~flush & here
                if is_input:  # the next inputs may come as soon as these have been read for the last time
                    done = opened["engine.sequencer.inputs_done"][p]
                b.m.d.sync += fresh[p][k].eq((fresh[p][k] & ~done) | written)

    return Proof(
        name,
        "Sequencer, StateStore",
        "each (row, column) is visited once a step; no element is read before it is written for its step, or written "
        "while its step still reads it" + ("; reading the state does not disturb a step" if dumps else ""),
        properties,
        depth=depth,
        bound=_BOUND,
        parameters=f"{units} units, {inputs} inputs, {outputs} outputs, {tiling} lanes",
    )


def _arrival(name: str, shape: tuple[int, int, int], tiling: str) -> Proof:
    """The way of the sums back into the memories, from any state of the core, for the tiles that a sequencer issues."""
    units, inputs, outputs = shape
    network = small(units, inputs, outputs)
    s = Schedule.of(network, tiling)
    depth = s.latency + 2 * s.groups + 2

    def properties(b: Bench) -> None:
        block = Core(network, tiling)
        t, opened = s.tiling, b.open(block)
        offer(b, block.i)
        b.m.d.comb += [block.o.ready.eq(1), block.state.ready.eq(1)]
        b.suppose(~opened["clearing"] & opened["engine.store.loader.loaded"] & ~opened["engine.store.loader.prime"])
        last, step, group = (opened[f"engine.sequencer.{register}"] for register in ("last", "step", "group"))
        # What `sequencer-*` proves: tiles are so many cycles apart.
        apart = Signal(range(s.tile_cycles + 1), init=s.tile_cycles)
        b.m.d.sync += apart.eq(Mux(last, 1, Mux(apart == s.tile_cycles, apart, apart + 1)))
        b.suppose(implies(last, (apart == s.tile_cycles) & (group % s.groups == 0)))

        cycle = Signal(range(depth + 1))
        b.m.d.sync += cycle.eq(cycle + 1)
        for a in range(t.drains):
            due: list[Value] = []
            for g in range(s.groups):
                tile_row = group // s.groups * t.rows + g * t.drains + a
                comes = last & step & (tile_row >= outputs) & (tile_row < s.rows) & (g * t.drains + a < t.rows)
                due.append(delayed(b.m, comes, s.latency - 1 + g))
            b.check(implies(cycle == depth - 1, block.retire[a] == Cat(due).any()))

    return Proof(
        name,
        "Core",
        "each new state is written the cycles of the timetable after its tile, and none at any other time",
        properties,
        depth=depth,
        parameters=f"{units} units, {inputs} inputs, {outputs} outputs, {tiling} lanes",
        any_start=True,
        window=True,
    )


def _places(name: str, shape: tuple[int, int, int], tiling: str) -> Proof:
    """Where the states are written, one unit after another, whenever they come."""
    units, inputs, outputs = shape

    def properties(b: Bench) -> None:
        network = small(units, inputs, outputs)
        s = Schedule.of(network, tiling)
        t, pages = s.tiling, s.tiling.sequences + 1
        block = StateStore(network, s, "generic")
        opened = b.open(block)
        offer(b, block.i)
        soon = b.drive(block.y_next, "soon")
        done = b.drive(block.inputs_done, "inputs_done")
        b.suppose(implies(soon.any(), block.loaded))
        b.suppose((done & ~block.inputs_ready) == 0)
        unit, page = Signal(range(units)), Signal(range(pages))
        comes = (b.past(soon.any()) & ~b.first) | opened["loader.load"].any()
        column = inputs + unit
        with b.m.If(comes):
            b.m.d.sync += unit.eq(successor(unit, units))
            with b.m.If(unit == units - 1):
                b.m.d.sync += page.eq(successor(page, pages))
        bits = (s.slots - 1).bit_length()
        for k in range(t.cols):
            enable, address = (opened[f"bank_{k}.write__{pin}"] for pin in ("en", "addr"))
            here = comes & (column % t.cols == k)
            b.check(implies(here, enable & (address == (page << bits | column // t.cols))))
            b.check(implies(comes & ~here, ~enable))
        b.check((unit < units) & (page < pages))
        b.check((opened["page_0"] == page) & (opened["final_0"] == (unit == units - 1)))
        b.check((opened["slot_0"] == column // t.cols) & (opened["phase_0"] == column % t.cols))
        late = b.past(soon.any() | ~block.loaded) & ~b.first
        b.check(implies(b.first | late, ~opened["o__ready"]))
        b.check(implies(opened["loader.load"].any(), ~block.loaded))
        b.check(implies(block.loaded | (opened["loader.wait"] != 0), opened["loader.filled"]))
        settled = block.loaded | (opened["loader.wait"] >= 3)
        b.check(implies(settled, ~opened["loader.due"] & ~opened["loader.load"].any()))

    return Proof(
        name,
        "StateStore",
        "states are written one after another, each in its place, the pages in turn; no input is written beside one",
        properties,
        depth=4,
        parameters=f"{units} units, {inputs} inputs, {outputs} outputs, {tiling} lanes",
    )


PROOFS = [
    _places("places-tiles", (3, 1, 1), "2"),
    _places("places-columns", (3, 1, 1), "2x2"),
    _arrival("arrival-tiles", (3, 1, 1), "2"),
    _arrival("arrival-columns", (3, 1, 1), "2x2"),
    _order("order-tiles", (3, 1, 1), "2", 44),
    _order("order-columns", (3, 1, 1), "2x2", 44),
    _order("arbitration", (2, 1, 1), "3", 36, dumps=True),
]
