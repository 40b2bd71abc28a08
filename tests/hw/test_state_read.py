"""Inputs that come while the states are read out: they wait, and change nothing of what is read or computed."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from harness import random_codes, random_network

from autapse import quantize
from autapse_hw.core import Core


@pytest.mark.parametrize("tiling", ["3", "2x2"])
@pytest.mark.parametrize("delay", [1, 4, 9])
def test_inputs_wait_while_a_state_is_read(tiling: str, delay: int) -> None:
    rng = np.random.default_rng(delay)
    q = quantize(random_network(rng, 4, inputs=1, h0=True))
    core, codes = Core(q, tiling), random_codes(q, 1, rng)
    state: list[int] = []
    outputs: list[int] = []

    async def read(ctx):
        await ctx.tick().until(~core.busy)
        ctx.set(core.dump, 1)
        await ctx.tick()
        ctx.set(core.dump, 0)
        ctx.set(core.state.ready, 1)
        while len(state) < q.units:
            value, *_ = await ctx.tick().sample(core.state.payload).until(core.state.valid)
            state.append(value)

    async def send(ctx):
        await ctx.tick().until(~core.busy)
        await ctx.tick().repeat(delay)
        ctx.set(core.i.payload, int(codes[0, 0]))
        ctx.set(core.i.valid, 1)
        await ctx.tick().until(core.i.ready)
        ctx.set(core.i.valid, 0)
        ctx.set(core.o.ready, 1)
        value, *_ = await ctx.tick().sample(core.o.payload).until(core.o.valid)
        outputs.append(value)

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(read)
    simulator.add_testbench(send)
    simulator.run()
    assert state == q.h0.tolist()
    assert outputs == q.run_int(codes[None]).z[0, 0].tolist()


@pytest.mark.parametrize("inputs", [1, 3])
def test_busy_from_the_last_input_to_the_output(inputs: int) -> None:
    """Without a gap between the input's register, its memory, and the step."""
    rng = np.random.default_rng(inputs)
    q = quantize(random_network(rng, 4, inputs=inputs))
    core, codes = Core(q, 2), random_codes(q, 1, rng)
    busy: list[int] = []

    async def bench(ctx):
        await ctx.tick().until(~core.busy)
        ctx.set(core.i.valid, 1)
        for code in codes[0].tolist():
            ctx.set(core.i.payload, code)
            await ctx.tick().until(core.i.ready)
        ctx.set(core.i.valid, 0)
        while not ctx.get(core.o.valid):
            busy.append(ctx.get(core.busy))
            await ctx.tick()

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert len(busy) > 10
    assert all(busy)
