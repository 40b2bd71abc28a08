"""One contract for every lane form: sums of rows, back to back, with random data at the ends of the range."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from autapse_hw.lane import MacLane

FORMS = [MacLane]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("weight_bits", "operand_bits"), [(4, 4), (8, 8), (8, 11), (9, 16), (16, 16), (18, 18)])
def test_rows_back_to_back_and_with_gaps(form, weight_bits, operand_bits):
    rng = np.random.default_rng(weight_bits + 100 * operand_bits)
    acc_bits = weight_bits + operand_bits + 4
    lane = form(weight_bits=weight_bits, operand_bits=operand_bits, acc_bits=acc_bits)
    columns, expected = [], []
    w_max, v_max = 2 ** (weight_bits - 1) - 1, 2 ** (operand_bits - 1) - 1
    for row in range(40):
        length = int(rng.integers(1, 9))
        w = rng.integers(-w_max, w_max, size=length, endpoint=True)
        v = rng.integers(-v_max, v_max, size=length, endpoint=True)
        if row % 4 == 0:
            w, v = np.full(length, w_max), np.full(length, -v_max)
        expected.append(int(w @ v))
        columns += [(int(a), int(b), int(k == length - 1)) for k, (a, b) in enumerate(zip(w, v, strict=True))]
        columns += [(int(w_max), 0, 0)] * int(rng.integers(0, 3))  # a gap adds nothing
    totals = []

    async def bench(ctx):
        pending = []
        for w, v, last in [*columns, (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)]:
            ctx.set(lane.w, w)
            ctx.set(lane.v, v)
            ctx.set(lane.last, last)
            pending.append(last)
            if len(pending) > lane.latency and pending[-1 - lane.latency]:
                totals.append(ctx.get(lane.total))
            await ctx.tick()

    simulator = Simulator(lane)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert totals == expected
