# amaranth: UnusedElaboratable=no
"""The probe of the bare datapath: all its forms add up the same numbers as exact arithmetic does."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from autapse_boards.probe import Probe
from autapse_boards.probe_forms import PROBE_FORMS

COLUMNS = 2


@pytest.mark.parametrize("form", ["generic", "array", "array2", "booth"])
def test_rows_are_inner_products(form):
    """Random codes and the ends of the range; the operands come a cycle after the weights, as from a register."""
    rng = np.random.default_rng(3)
    w, v = rng.integers(-127, 127, size=(2, 200, COLUMNS), endpoint=True)
    w[:40], v[:40] = rng.choice([-127, 127], size=(2, 40, COLUMNS))
    m = Module()
    weights = [Signal(signed(8), name=f"w{c}") for c in range(COLUMNS)]
    operands = [Signal(signed(8), name=f"v{c}") for c in range(COLUMNS)]
    (number,) = PROBE_FORMS[form].rows(m, [list(weights)], list(operands))
    value, carry = number.value, number.carry
    seen = []

    async def drive(ctx):
        for row, column in zip(w.tolist() + [[0] * COLUMNS] * 8, v.tolist() + [[0] * COLUMNS] * 8, strict=True):
            for signal, code in zip(weights + operands, row + column, strict=True):
                ctx.set(signal, code)
            seen.append(ctx.get(value.as_signed()) + (0 if carry is None else ctx.get(carry)))
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    expected = (w * v).sum(axis=1).tolist()
    latency = next(k for k in range(9) if seen[k : k + 200] == expected)
    assert latency >= 3


def test_unknown_form_is_named():
    with pytest.raises(ValueError, match=r"form must be one of generic, .*; not 'dadda'"):
        Probe("dadda", 4, 1)
