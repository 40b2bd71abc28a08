# amaranth: UnusedElaboratable=no
"""The banks of lanes that every simulator can run: products, trees, running sums, and the contract of the forms.

The forms with vendor cells are compared in tests/sim/test_lane_forms.py, with models of the cells.
"""

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal, signed
from amaranth.sim import Simulator

from autapse_hw.lanes import FORMS, get_form
from autapse_hw.lanes.accumulator import segment_widths, tree_latency
from autapse_hw.lanes.generic import GenericBank
from autapse_hw.lanes.ice40_logic import BoothBank, booth_products
from autapse_hw.lanes.winograd import PAIR_LATENCY, pair, pair_offset
from autapse_hw.tiling import Tiling


@pytest.mark.parametrize("bank_class", [GenericBank, BoothBank])
@pytest.mark.parametrize("segments", [1, 2, 3])
@pytest.mark.parametrize(("rows", "cols"), [(3, 1), (2, 2), (1, 3), (2, 7)])
@pytest.mark.parametrize(("weight_bits", "operand_bits"), [(3, 2), (4, 4), (5, 7), (8, 8), (8, 11), (12, 12)])
def test_running_sums(bank_class, rows, cols, weight_bits, operand_bits, segments):
    """Random products at the ends of the range, with gaps that do not count, until the sums have wrapped many times."""
    rng = np.random.default_rng(weight_bits + 100 * operand_bits)
    acc_bits, steps = weight_bits + operand_bits + 1, 60
    bank = bank_class(rows, cols, weight_bits, operand_bits, acc_bits, segments)
    w_max, v_max = 2 ** (weight_bits - 1) - 1, 2 ** (operand_bits - 1) - 1
    w = rng.integers(-w_max, w_max, size=(steps, rows, cols), endpoint=True)
    v = rng.integers(-v_max, v_max, size=(steps, cols), endpoint=True)
    w[10:30], v[10:30] = w_max, -v_max
    counts = rng.random(steps) < 0.7
    sums = np.cumsum([(a * b).sum(axis=1) * c for a, b, c in zip(w, v, counts, strict=True)], axis=0)
    history = []

    async def drive(ctx):
        for k in range(steps + latency + segments):
            if k < steps:
                ctx.set(bank.w, packed(w[k].ravel(), weight_bits))
                ctx.set(bank.v, packed(v[k], operand_bits))
            ctx.set(bank.enable, bool(k < steps and counts[k]))
            history.append(ctx.get(bank.sums))
            await ctx.tick()

    latency = bank.latency(cols)
    run(bank, drive)
    mask = (1 << acc_bits) - 1
    first = [history[0] >> (row * acc_bits) & mask for row in range(rows)]  # of any value
    for step, expected in enumerate(sums.tolist()):
        for row, total in enumerate(expected):
            at = 0
            for late, width in enumerate(segment_widths(acc_bits, segments)):
                seen = history[step + latency + late] >> (row * acc_bits + at) & ((1 << width) - 1)
                assert seen == ((first[row] + total) & mask) >> at & ((1 << width) - 1)
                at += width


@pytest.mark.parametrize(("terms", "cycles"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (8, 3), (9, 4)])
def test_depth_of_the_tree(terms, cycles):
    assert tree_latency(terms) == cycles


@pytest.mark.parametrize(
    ("tiling", "bands"),
    [
        ("28", [range(28)]),
        ("51x3/3", [range(9), range(9, 18), range(18, 27), range(27, 36), range(36, 45), range(45, 51)]),
        ("14x3/3", [range(9), range(9, 14)]),
        ("2x30/30", [range(2)]),  # no more bands than groups of rows
    ],
)
def test_bands_are_whole_groups_of_rows(tiling, bands):
    assert list(FORMS["mult18"].bands(Tiling.of(tiling))) == bands
    assert [len(rows) for rows in FORMS["mac16"].bands(Tiling.of(tiling))] == [Tiling.of(tiling).rows]


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
    bank = BoothBank(1, 1, 6, 6, 24, 1)
    latency = bank.latency(1)
    seen = []

    async def drive(ctx):
        ctx.set(bank.enable, 1)
        for a, b in zip(w + [0] * latency, v + [0] * latency, strict=True):
            ctx.set(bank.w, a & 63)
            ctx.set(bank.v, b & 63)
            seen.append(ctx.get(bank.sums))
            await ctx.tick()

    run(bank, drive)
    sums = np.array(seen[latency:])
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


def packed(codes, bits):
    """One word of signed codes, the first lowest."""
    return sum((int(code) & ((1 << bits) - 1)) << (k * bits) for k, code in enumerate(codes))
