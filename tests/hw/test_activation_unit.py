"""The activation unit against the integers of `autapse.activation`, over every input code and beyond."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from autapse.activation import design
from autapse.fixed import Format
from autapse_hw.activation import ActivationUnit


@pytest.mark.parametrize(
    ("name", "bits", "kind"),
    [
        ("tanh", 4, "auto"),
        ("tanh", 8, "direct"),
        ("tanh", 8, "linear"),
        ("tanh", 8, "quadratic"),
        ("tanh", 12, "linear"),
        ("tanh", 11, "quadratic"),
        ("sigmoid", 4, "auto"),
        ("sigmoid", 8, "direct"),
        ("sigmoid", 9, "linear"),
        ("sigmoid", 10, "quadratic"),
        ("relu", 7, "auto"),
        ("identity", 7, "auto"),
        ("hardtanh", 7, "auto"),
    ],
)
def test_every_input_code(name, bits, kind):
    activation = design(name, bits - 1, Format(bits, bits - 1), kind)
    magnitude_bits = activation.limit.bit_length() + 1
    unit = ActivationUnit(activation, magnitude_bits, "generic")
    codes = np.arange(-(2**magnitude_bits) + 1, 2**magnitude_bits)
    expected = activation.evaluate(codes).tolist()
    got = []

    async def bench(ctx):
        for k, code in enumerate([*codes.tolist(), *[0] * unit.latency]):
            ctx.set(unit.magnitude, abs(code))
            ctx.set(unit.negative, code < 0)
            if k >= unit.latency:
                got.append(ctx.get(unit.y))
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == expected
