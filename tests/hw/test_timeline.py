"""The timeline against the cycles in which simulated cores write their states."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from amaranth.sim import Simulator
from harness import random_codes, random_network

from autapse.quantize import quantize
from autapse_hw.core import Core
from autapse_hw.timeline import PARTS, Timeline

# One tile, drained while the next step waits; tiles whose drain is hidden; readout rows alone in a tile; several
# columns and drains; a drain longer than its slots; states in turn.
SHAPES = [
    (5, 3, 2, "7", {}),
    (9, 2, 1, "3", {}),
    (5, 1, 4, "2", {}),
    (13, 5, 1, "6x3", {}),
    (9, 2, 1, "10x3/3", {}),
    (12, 1, 8, "20", {}),
    (9, 2, 1, "10x3/3*5", {}),
    (7, 2, 2, "4x2/2", {"leaky": True}),
    (9, 2, 1, "3", {"layers": (4, 5)}),
    (7, 3, 2, "4x2/2", {"layers": (3, 4)}),
]


def written_cycles(core: Core, steps: int) -> dict[tuple[int, int], int]:
    """The cycle in which each (step, unit) was written while inputs always wait."""
    q, drains = core.q, core.schedule.tiling.drains
    codes = random_codes(q, steps, np.random.default_rng(1)).ravel().tolist()
    units = [core.schedule.units_of(drain) for drain in range(drains)]
    found: dict[tuple[int, int], int] = {}

    async def send(ctx):
        ctx.set(core.o.ready, 1)
        for code in codes:
            ctx.set(core.i.payload, code)
            ctx.set(core.i.valid, 1)
            await ctx.tick().until(core.i.ready)
        ctx.set(core.i.valid, 0)

    async def watch(ctx):
        seen, cycle = [0] * drains, 0
        while len(found) < steps * q.units:
            *_, retire = await ctx.tick().sample(core.retire)
            assert cycle < 5000
            for drain in (d for d in range(drains) if retire >> d & 1):
                step, at = divmod(seen[drain], len(units[drain]))
                found[step, units[drain][at]] = cycle
                seen[drain] += 1
            cycle += 1

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(send, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    return found


def network(units, inputs, outputs, options):
    layers = options.get("layers", ())
    net = random_network(np.random.default_rng(units), units, inputs, outputs, leaky=options.get("leaky", False))
    return quantize(replace(net, layers=layers), weight_bits=8, state_bits=8)


@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling", "options"), SHAPES)
def test_states_are_written_when_the_timeline_says(units, inputs, outputs, tiling, options):
    """Every unit of every step, to the cycle; where the first step begins is the only thing taken from the run."""
    q = network(units, inputs, outputs, options)
    core, timeline, steps = Core(q, tiling), Timeline.of(q, tiling), 12
    found = written_cycles(core, steps)
    period = timeline.schedule.cycles_per_step
    begin = found[0, 0] - timeline.written(0)
    predicted = {(k, j): begin + k * period + timeline.written(j) for k in range(steps) for j in range(units)}
    assert found == predicted


@pytest.mark.parametrize(("units", "inputs", "outputs", "tiling", "options"), SHAPES)
def test_spans(units, inputs, outputs, tiling, options):
    """Each slot, row and unit once; steps do not run into each other; what waits is the schedule's stall."""
    q = network(units, inputs, outputs, options)
    timeline = Timeline.of(q, tiling)
    s, spans = timeline.schedule, timeline.spans(2)
    assert {span.part for span in spans} <= set(PARTS)
    assert all(span.begin < span.end for span in spans)
    cycles = {part: sum(x.end - x.begin for x in spans if x.part == part) for part in PARTS}
    assert cycles["operands"] == 2 * s.tiles * s.slots
    assert cycles["waiting"] == 2 * (s.stall + sum(s.gaps))
    writes = {cycle for x in spans if x.part == "state written" for cycle in range(x.begin, x.end)}
    assert writes == {timeline.written(j) + k * s.cycles_per_step for j in range(units) for k in range(2)}
    for part in ("operands", "state written"):
        parts = sorted((x.begin, x.end) for x in spans if x.part == part)
        assert all(one[1] <= two[0] for one, two in pairwise(parts))
    for step in range(2):  # a state is written when its activation is done
        chain = [[x for x in spans if x.part == part and x.step == step] for part in ("activation", "state written")]
        assert [x.end for x in chain[0]] == [x.end - 1 for x in chain[1]]


@pytest.mark.parametrize("form", ["generic", "mac16", "mac8x8", "booth", "mult18"])
def test_the_parts_make_up_the_latency(form):
    """From slot to sum, to the drain's head a cycle later, to the magnitude, to the write, after which it is there."""
    t = Timeline.of(network(13, 5, 1, {}), "6x3", form)
    assert t.fetch + t.summed + 1 + t.rounded + t.updated + 1 == t.schedule.latency
    assert min(t.fetch, t.summed, t.rounded, t.updated) >= 1
    first = {span.part: span for span in reversed(t.spans())}  # of the first tile, where a readout row comes first
    assert first["drains"].begin == first["lanes"].end + 1
    assert first["activation"].begin == first["drains"].begin + t.rounded + 1
