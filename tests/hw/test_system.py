"""The whole design behind its serial pins: the host's client, real bit timing, the model's numbers."""

from collections import deque

import numpy as np
import pytest
from amaranth.sim import Simulator
from harness import random_codes, random_network

from autapse.link import Device
from autapse.quantize import quantize
from autapse_hw.system import System

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


@pytest.mark.parametrize("leaky", [False, True])
def test_a_session_gives_the_models_numbers(leaky):
    q = quantize(random_network(np.random.default_rng(11), 6, 3, 2, leaky=leaky, h0=True), state_bits=10)
    codes = random_codes(q, 6, np.random.default_rng(12))
    model = q.run_int(codes[None])
    with Device(Wires(System(q, 4, 12e6, DIVISOR)), timeout=60.0) as device:
        identity = device.identify()
        assert identity.model_hash == q.model_hash()
        assert (identity.units, identity.inputs, identity.outputs, identity.lanes) == (6, 3, 2, 4)
        np.testing.assert_array_equal(device.read_state(), q.h0)
        np.testing.assert_array_equal(device.run(codes), model.z[0])
        np.testing.assert_array_equal(device.read_state(), model.last[0])
        device.reset()
        np.testing.assert_array_equal(device.read_state(), q.h0)
        np.testing.assert_array_equal(device.run(codes[:2]), model.z[0, :2])
        assert device.counters().steps == 8
        assert device.recoveries == 0
        device.set_state(model.h[0, 3])
        np.testing.assert_array_equal(device.read_state(), model.h[0, 3])
        np.testing.assert_array_equal(device.run(codes[4:]), model.z[0, 4:])
