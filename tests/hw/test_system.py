"""The whole design behind its serial pins: the host's client, real bit timing, the model's numbers."""

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator
from harness import random_codes, random_network

from autapse.fixed import shift_round
from autapse.link import Device
from autapse.quantize import quantize
from autapse.reference import pre_activation
from autapse_hw.schedule import first_activation
from autapse_hw.system import System
from autapse_hw.tiling import Tiling

CYCLE = 1e-6
DIVISOR = 4


class Wires:
    """The design in Amaranth's simulator, as a transport."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.to_device: deque[int] = deque()
        self.from_device = bytearray()
        self.now = 0
        self.simulator = Simulator(system)
        self.simulator.add_clock(CYCLE)
        self.simulator.add_testbench(self._send, background=True)
        self.simulator.add_testbench(self._receive, background=True)

    async def _send(self, ctx):
        ctx.set(self.system.rx, 1)
        while True:
            await ctx.delay(DIVISOR * CYCLE)
            if self.to_device:
                byte = self.to_device.popleft()
                for level in [0, *((byte >> k & 1) for k in range(8)), 1]:
                    ctx.set(self.system.rx, level)
                    await ctx.delay(DIVISOR * CYCLE)

    async def _receive(self, ctx):
        while True:
            await ctx.negedge(self.system.tx)
            await ctx.delay(1.5 * DIVISOR * CYCLE)
            byte = 0
            for k in range(8):
                byte |= ctx.get(self.system.tx) << k
                await ctx.delay(DIVISOR * CYCLE)
            self.from_device.append(byte)

    def write(self, data: bytes) -> None:
        self.to_device.extend(data)

    def read(self, timeout: float) -> bytes:
        waited = 0
        while timeout > 0 and not self.from_device and (self.to_device or waited < 3000):
            waited += 0 if self.to_device else 50
            self.now += 50
            self.simulator.run_until(self.now * CYCLE)
        data = bytes(self.from_device)
        self.from_device.clear()
        return data

    def close(self) -> None:
        pass


def saturations(q, h0, x):
    """How many states of a run from `h0` (units,) with codes x (steps, inputs) an activation at its end has made."""
    before = np.concatenate([np.asarray(h0)[None], replace(q, h0=np.asarray(h0)).run_int(x[None]).h[0, :-1]])
    return int(first_activation(q).saturated(shift_round(pre_activation(q, before, x), q.pre_shift)).sum())


@pytest.mark.parametrize(("tiling", "leaky"), [("4", False), ("4", True), ("8x3/3*2", False)])
def test_a_session_gives_the_models_numbers(tiling, leaky):
    """Steps, states read and set, a reset; with two states in turn as well, which the link sees side by side."""
    q = quantize(random_network(np.random.default_rng(11), 6, 3, 2, leaky=leaky, h0=True), state_bits=10)
    rng = np.random.default_rng(12)
    turns, top = Tiling.of(tiling).sequences, q.formats.state.max_code
    codes = np.stack([random_codes(q, 6, rng) for _ in range(turns)])  # (sequences, steps, inputs)
    model = q.run_int(codes)
    given = rng.integers(-top, top, size=(turns, q.units), endpoint=True)
    again = [replace(q, h0=h).run_int(x[None]) for h, x in zip(given, codes, strict=True)]

    def side_by_side(values):
        """(sequences, steps, n) as the device has it: (steps, sequences * n)."""
        return np.swapaxes(values, 0, 1).reshape(values.shape[1], -1)

    def states(values):
        return np.reshape(values, (turns, -1)) if turns > 1 else np.ravel(values)

    x, z = side_by_side(codes), side_by_side(model.z)
    with Device(Wires(System(q, tiling, 12e6, DIVISOR)), timeout=60.0) as device:
        identity = device.identify()
        assert identity.model_hash == q.model_hash()
        assert (identity.units, identity.inputs, identity.outputs, identity.sequences) == (6, 3, 2, turns)
        np.testing.assert_array_equal(device.read_state(), states(np.tile(q.h0, turns)))
        np.testing.assert_array_equal(device.run(x), z)
        np.testing.assert_array_equal(device.read_state(), states(model.last))
        device.reset()
        np.testing.assert_array_equal(device.read_state(), states(np.tile(q.h0, turns)))
        np.testing.assert_array_equal(device.run(x[:2]), z[:2])
        device.set_state(states(given))
        np.testing.assert_array_equal(device.read_state(), states(given))
        np.testing.assert_array_equal(device.run(x), side_by_side(np.concatenate([r.z for r in again])))
        assert device.counters().steps == 14
        runs = [(h0, x[:n]) for x, h in zip(codes, given, strict=True) for h0, n in ((q.h0, 6), (q.h0, 2), (h, 6))]
        assert device.counters().saturations == sum(saturations(q, *run) for run in runs) > 0
        assert device.recoveries == 0
