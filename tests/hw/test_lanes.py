# amaranth: UnusedElaboratable=no
"""The bank of lanes that every simulator can run: running sums, their segments, and the contract of the forms.

The forms with vendor cells are compared in tests/sim/test_lane_forms.py, with models of the cells.
"""

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal, signed
from amaranth.sim import Simulator

from autapse_hw.lanes import FORMS, get_form
from autapse_hw.lanes.generic import GenericBank
from autapse_hw.lanes.ice40_logic import BoothBank, booth_products
from autapse_hw.lanes.winograd import PAIR_LATENCY, pair, pair_offset

LENGTHS = [
    *[(GenericBank, w, v) for w, v in [(4, 4), (8, 8), (8, 11), (9, 16), (16, 16), (18, 18)]],
    *[(BoothBank, w, v) for w, v in [(3, 4), (4, 4), (5, 12), (6, 6), (7, 4), (8, 8), (8, 2), (9, 9), (10, 8)]],
    *[(BoothBank, w, v) for w, v in [(11, 12), (12, 5), (12, 12)]],
]


@pytest.mark.parametrize("segments", [1, 2, 3])
@pytest.mark.parametrize(("kind", "weight_bits", "operand_bits"), LENGTHS)
def test_running_sums(kind, weight_bits, operand_bits, segments):
    """Random products at the ends of the range, with gaps, until the sums have wrapped several times."""
    rng = np.random.default_rng(weight_bits + 100 * operand_bits)
    lanes, acc_bits = 3, weight_bits + operand_bits + 1
    bank = kind(lanes, weight_bits, operand_bits, acc_bits, segments)
    w_max, v_max = 2 ** (weight_bits - 1) - 1, 2 ** (operand_bits - 1) - 1
    w = rng.integers(-w_max, w_max, size=(60, lanes), endpoint=True)
    v = rng.integers(-v_max, v_max, size=60, endpoint=True)
    w[10:30], v[10:30] = w_max, -v_max
    v[40:45] = 0
    sums = np.cumsum([[int(a) * int(b) for a in row] for row, b in zip(w.tolist(), v.tolist(), strict=True)], axis=0)
    mask = (1 << acc_bits) - 1
    history = []

    async def drive(ctx):
        ctx.set(bank.clear, 1)
        await ctx.tick()
        ctx.set(bank.clear, 0)
        pack = (1 << weight_bits) - 1
        for row, operand in [
            *zip(w.tolist(), v.tolist(), strict=True),
            *[([0] * lanes, 0)] * (bank.latency + segments),
        ]:
            ctx.set(bank.w, sum((a & pack) << (k * weight_bits) for k, a in enumerate(row)))
            ctx.set(bank.v, operand)
            history.append(ctx.get(bank.sums))
            await ctx.tick()

    simulator = Simulator(bank)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()

    widths = [acc_bits // segments + (k < acc_bits % segments) for k in range(segments)]
    for step, row in enumerate(sums.tolist()):
        for lane, expected in enumerate(row):
            at = lane * acc_bits
            for late, width in enumerate(widths):
                seen = history[step + bank.latency + late] >> at & ((1 << width) - 1)
                assert seen == (expected & mask) >> (at - lane * acc_bits) & ((1 << width) - 1)
                at += width


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_names_what_it_cannot_take(form):
    assert form.shortage(form.weight_bits, form.operand_bits, form.acc_bits) is None
    assert f"not {form.weight_bits + 1}" in form.shortage(form.weight_bits + 1, 4, 8)
    assert f"not {form.operand_bits + 1}" in form.shortage(4, form.operand_bits + 1, 8)
    assert f"not {form.acc_bits + 1}" in form.shortage(4, 4, form.acc_bits + 1)


def test_unknown_form_is_named():
    with pytest.raises(ValueError, match=r"lane form must be one of generic, .*; not 'mac'"):
        get_form("mac")


def test_booth_products_of_all_weights_and_operands():
    """All 63 x 63 pairs of six-bit factors."""
    codes = np.arange(-31, 32)
    w, v = (grid.ravel().tolist() for grid in np.meshgrid(codes, codes))
    bank = BoothBank(1, 6, 6, 24, 1)
    seen = []

    async def drive(ctx):
        for a, b in zip(w + [0] * bank.latency, v + [0] * bank.latency, strict=True):
            ctx.set(bank.w, a & 63)
            ctx.set(bank.v, b)
            seen.append(ctx.get(bank.sums))
            await ctx.tick()

    run(bank, drive)
    sums = np.array(seen[bank.latency :])
    products = (np.diff(sums, prepend=0, append=0)[1:-1] + (1 << 23)) % (1 << 24) - (1 << 23)
    np.testing.assert_array_equal(products, np.multiply(w, v)[1:])


def test_booth_products_of_too_short_a_weight():
    with pytest.raises(ValueError, match="at least 3 bits, not 2"):
        booth_products(Module(), [Signal(signed(5)), Signal(signed(2))], Signal(signed(4)))


@pytest.mark.parametrize(("weight_bits", "operand_bits"), [(4, 4), (5, 7), (8, 8), (7, 7), (9, 6), (10, 11), (12, 12)])
def test_winograd_pairs(weight_bits, operand_bits):
    """A row less the row of zeros less the offset of its weights: twice the inner product, ends of the range too."""
    rng = np.random.default_rng(weight_bits + 100 * operand_bits)
    ends = [2 ** (bits - 1) - 1 for bits in (weight_bits, weight_bits, operand_bits, operand_bits)]
    codes = np.array([rng.integers(-end, end, 300, endpoint=True) for end in ends])
    codes[:, :100] = np.array(ends)[:, None] * rng.choice([-1, 1], (4, 100))
    m = Module()
    factors = [Signal(signed(bits)) for bits in (weight_bits, weight_bits, operand_bits, operand_bits)]
    row = pair(m, (factors[0], factors[1]), (factors[2], factors[3]))
    zero = Const(0, signed(weight_bits))
    reference = pair(m, (zero, zero), (factors[2], factors[3]))
    seen = []

    async def drive(ctx):
        for column in [*codes.T.tolist(), *[[0] * 4] * PAIR_LATENCY]:
            for factor, code in zip(factors, column, strict=True):
                ctx.set(factor, code)
            seen.append(ctx.get(row) - ctx.get(reference))
            await ctx.tick()

    run(m, drive)
    for (w0, w1, v0, v1), difference in zip(codes.T.tolist(), seen[PAIR_LATENCY:], strict=True):
        assert difference == 2 * (w0 * v0 + w1 * v1) + pair_offset(w0, w1, weight_bits, operand_bits)


def run(circuit, bench):
    simulator = Simulator(circuit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
