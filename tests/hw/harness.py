"""Running a core in Amaranth's own simulator: slow, but without a compiler, so good for many small cores."""

from dataclasses import dataclass, field

import numpy as np
from amaranth.sim import Simulator

from autapse.network import Network
from autapse.quantized import QuantizedNetwork
from autapse_hw.core import Core

BOUNDED = ("tanh", "sigmoid", "hardtanh")


def random_network(
    rng: np.random.Generator,
    units: int,
    inputs: int = 2,
    outputs: int = 1,
    activation: str = "tanh",
    *,
    leaky: bool = False,
    h0: bool = False,
    form: str = "rate",
) -> Network:
    """A network whose state moves over its whole range."""
    return Network(
        W=rng.normal(size=(units, units)) * 1.2 / np.sqrt(units),
        W_in=rng.normal(size=(units, inputs)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(outputs, units)) / np.sqrt(units),
        b_out=0.1 * rng.normal(size=outputs),
        d=rng.uniform(0.5, 0.95, units) if leaky else None,
        g=rng.uniform(0.05, 0.5, units) if leaky else None,
        h0=rng.uniform(-0.9, 0.9, units) if h0 else None,
        activation=activation,
        form=form,
    )


def random_codes(q: QuantizedNetwork, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Input codes (steps, inputs) over the whole range, its ends included."""
    top = q.formats.x.max_code
    x = rng.integers(-top, top, size=(steps, q.inputs), endpoint=True)
    x[rng.random(x.shape) < 0.1] = top
    x[rng.random(x.shape) < 0.1] = -top
    return x


@dataclass
class Recorded:
    """What a core wrote and sent."""

    states: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)  # when unit 0 of each step was written

    def h(self, units: int) -> np.ndarray:
        """States (steps, units)."""
        return np.array(self.states).reshape(-1, units)

    def z(self, outputs: int) -> np.ndarray:
        """Outputs (steps, outputs)."""
        return np.array(self.outputs).reshape(-1, outputs)


def run_core(
    core: Core,
    codes: np.ndarray,
    *,
    stall: float = 0.0,
    deaf: float | None = None,
    seed: int = 0,
    cleared: int | None = None,
    given: list[int] | None = None,
) -> tuple[Recorded, list[int]]:
    """Send codes (steps, inputs), and record everything until the core is idle; then read the state through its port.

    `stall` is the chance of a pause before an input, and in each cycle of the output unless `deaf` is given for that.
    With `cleared`, all codes are sent twice: `cleared` cycles after the start the core is cleared, what it has done is
    forgotten, and they are sent anew; the states are then `given`, instead of h0.
    """
    rng = np.random.default_rng(seed)
    recorded, state = Recorded(), []
    drains, bits = core.schedule.tiling.drains, core.q.formats.state.bits
    retired = [[] for _ in range(drains)]
    per_step = [len(range((a - core.q.outputs) % drains, core.q.units, drains)) for a in range(drains)]
    first = core.q.outputs % drains
    done = [False]

    async def send(ctx, flat):
        for code in flat:
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(core.i.payload, code)
            ctx.set(core.i.valid, 1)
            await ctx.tick().until(core.i.ready)
            ctx.set(core.i.valid, 0)

    async def drive(ctx):
        flat = codes.ravel().tolist()
        if cleared is not None:
            for code in flat:
                ctx.set(core.i.payload, code)
                ctx.set(core.i.valid, 1)
                while True:
                    *_, ready = await ctx.tick().sample(core.i.ready)
                    drive.cycles += 1
                    if ready or drive.cycles >= cleared:
                        break
                ctx.set(core.i.valid, 0)
                if drive.cycles >= cleared:
                    break
            ctx.set(core.clear, 1)
            ctx.set(core.given, int(given is not None))
            await ctx.tick()
            ctx.set(core.clear, 0)
            ctx.set(core.given, 0)
            for codes_of_drain in retired:
                codes_of_drain.clear()
            recorded.outputs.clear()
            recorded.cycles.clear()
        for value in given or []:
            ctx.set(core.initial.payload, value)
            ctx.set(core.initial.valid, 1)
            await ctx.tick().until(core.initial.ready)
            ctx.set(core.initial.valid, 0)
        await send(ctx, flat)
        await ctx.tick()
        await ctx.tick().until(~core.busy)
        ctx.set(core.dump, 1)
        await ctx.tick()
        ctx.set(core.dump, 0)
        ctx.set(core.state.ready, 1)
        while len(state) < core.q.units * core.schedule.tiling.sequences:
            value, *_ = await ctx.tick().sample(core.state.payload).until(core.state.valid)
            state.append(value)
        done[0] = True

    drive.cycles = 0
    limit = 20_000 + 4 * len(codes) * core.schedule.cycles_per_step

    async def record(ctx):
        cycle, clear = 0, 0
        while not done[0]:
            # In the cycle after a clear an output would be taken, if one came.
            ctx.set(core.o.ready, int(clear or rng.random() >= (stall if deaf is None else deaf)))
            *_, valid, payload, ready, retire, value, clear = await ctx.tick().sample(
                core.o.valid, core.o.payload, core.o.ready, core.retire, core.retire_value, core.clear
            )
            cycle += 1
            if cycle > limit:
                raise TimeoutError(f"the core did not finish in {limit} cycles")
            if clear:
                continue
            if valid and ready:
                recorded.outputs.append(payload)
            for drain in range(drains):
                if retire >> drain & 1:
                    if drain == first and len(retired[drain]) % per_step[drain] == 0:
                        recorded.cycles.append(cycle)
                    code = value >> (drain * bits) & ((1 << bits) - 1)
                    retired[drain].append(code - (code >> (bits - 1) << bits))
        # Unit j belongs to drain (O + j) % drains.
        order = [iter(codes) for codes in retired]
        for _ in range(max(len(r) // max(n, 1) for r, n in zip(retired, per_step, strict=True))):
            recorded.states += [next(order[(core.q.outputs + j) % drains]) for j in range(core.q.units)]
        assert all(next(codes, None) is None for codes in order)

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(record)
    simulator.run()
    return recorded, state
