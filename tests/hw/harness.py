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
    limit: int = 200_000,
    cleared: int | None = None,
) -> tuple[Recorded, list[int]]:
    """Send codes (steps, inputs), and record everything until the core is idle; then read the state through its port.

    `stall` is the chance of a pause before an input, and in each cycle of the output unless `deaf` is given for that.
    With `cleared`, all codes are sent twice: `cleared` cycles after the start the core is cleared, what it has done is
    forgotten, and they are sent anew.
    """
    rng = np.random.default_rng(seed)
    recorded, state = Recorded(), []
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
            await ctx.tick()
            ctx.set(core.clear, 0)
            recorded.states.clear()
            recorded.outputs.clear()
            recorded.cycles.clear()
        await send(ctx, flat)
        await ctx.tick()
        await ctx.tick().until(~core.busy)
        for k in range(core.q.units):
            ctx.set(core.state_index, k)
            await ctx.tick()
            await ctx.tick()
            state.append(ctx.get(core.state_value))
        done[0] = True

    drive.cycles = 0

    async def record(ctx):
        cycle = 0
        while not done[0]:
            ctx.set(core.o.ready, int(rng.random() >= (stall if deaf is None else deaf)))
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
            if retire:
                if len(recorded.states) % core.q.units == 0:
                    recorded.cycles.append(cycle)
                recorded.states.append(value)

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(record)
    simulator.run()
    return recorded, state
