# amaranth: UnusedElaboratable=no
"""Every form of lanes beside the generic one, over the word lengths that it claims, cycle by cycle.

One design holds many pairs of banks and makes their stimulus itself: random codes, stretches of small ones and of both
ends of the range, gaps that do not count. A pair is aligned by what its banks claim as latency; from then on the two
running sums, which may start anywhere, must differ by the same amount in each cycle.
"""

import subprocess
from itertools import cycle

import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from autapse_hw.arithmetic import delayed, symmetric
from autapse_hw.lanes import FORMS, GENERIC
from autapse_hw.lanes.accumulator import Number, segment_widths
from autapse_hw.lanes.generic import Bank, GenericBank
from autapse_hw.lanes.ice40_logic import BoothBank
from autapse_sim.simulator import compile_program
from autapse_sim.verilog import design_source

SHAPES = [(2, 1), (1, 3), (3, 2)]
WARM_UP = 31  # cycles without products, longer than any latency
CYCLES = 20_000
# Weight bits, operand bits: all of the first, some of the second up to the end of what the form takes.
WORDS = {
    "generic": ((*range(2, 19), 32, 64), (2, 7, 12, 18, 64)),
    "mac16": (range(2, 17), (2, 5, 8, 9, 16)),
    "mac16sum": (range(2, 17), (2, 5, 9, 13, 16)),
    "mac8x8": (range(2, 9), range(2, 9)),
    "booth": (range(3, 13), (2, 3, 5, 8, 11, 12)),
    "mult18": (range(2, 19), (2, 9, 17, 18)),
}


class Plain(Bank):
    """What the generic bank is compared with: products and tree in one cycle."""

    product_latency = 0

    @classmethod
    def latency(cls, cols):
        return 1

    def elaborate(self, platform):
        m = Module()
        for row in range(self.rows):
            total = self.sums.word_select(row, self.acc_bits)
            added = sum(self.weight(row, col) * self.operand(col) for col in range(self.cols))
            with m.If(self.enable):
                m.d.sync += total.eq(total + added)
        return m


class Random(wiring.Component):
    """Marsaglia's xorshift generator of 64 bits (13, 7, 17)."""

    def __init__(self, seed):
        self._seed = seed * 0x9E3779B97F4A7C15 % 2**64
        super().__init__({"o": Out(64)})

    def elaborate(self, platform):
        m = Module()
        x = Signal(64, init=self._seed)
        a = x ^ (x << 13)[:64]
        b = a ^ (a >> 7)
        m.d.sync += x.eq(b ^ (b << 17))
        m.d.comb += self.o.eq(x)
        return m


def code(bits, word, mode, negative):
    """A symmetric code of `bits` from a random word: at an end of the range, any or the given one; small; uniform."""
    uniform = word[64 - bits :].as_signed()
    sign = Mux(mode == 1, negative, word[0])
    end = Cat(Const(1, 1), (~sign)[:1].replicate(bits - 2), sign)
    return Mux(mode[1:] == 0, end, Mux(mode == 2, symmetric(uniform >> bits // 2), symmetric(uniform)))[:bits]


class Pair(wiring.Component):
    """Two banks with the same words. A row's bit in `differs` is set, and stays, when the two sums part."""

    def __init__(self, bank, reference, rows, cols, weight_bits, operand_bits, acc_bits, segments, *, fault=False):
        self.rows, self.weight_bits, self.fault = rows, weight_bits, fault
        words = (rows, cols, weight_bits, operand_bits, acc_bits)
        self.banks = [bank(*words, segments), reference(*words, 1)]
        super().__init__(
            {
                "w": In(rows * cols * weight_bits),
                "v": In(cols * operand_bits),
                **{flag: In(1) for flag in ("enable", "slip", "begin", "compare")},
                "differs": Out(rows),
                "moved": Out(rows),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.tested, m.submodules.reference = self.banks
        for bank in self.banks:
            m.d.comb += [bank.w.eq(self.w), bank.v.eq(self.v), bank.enable.eq(self.enable)]
        if self.fault:  # the lowest bit of the last weight is wrong, but rarely
            wrong = Cat(self.w[: -self.weight_bits], self.w[-self.weight_bits] ^ self.slip)
            m.d.comb += self.banks[0].w[: len(wrong)].eq(wrong)
        late = max(bank.latency(bank.cols) + bank.segments - 1 for bank in self.banks)
        for row in range(self.rows):
            tested, reference = (aligned(m, bank, row, late) for bank in self.banks)
            bits = len(reference)
            difference, first, start = (Signal(bits, name=f"{n}_{row}") for n in ("difference", "first", "start"))
            m.d.comb += difference.eq(tested - reference)
            with m.If(self.begin):
                m.d.sync += [first.eq(difference), start.eq(reference)]
            with m.If(self.compare & (difference != first)):
                m.d.sync += self.differs[row].eq(1)
            with m.If(self.compare & (reference != start)):
                m.d.sync += self.moved[row].eq(1)
        return m


def aligned(m, bank, row, late):
    """The sum of a row, `late` cycles after its factors: segments come one after another."""
    at, parts = row * bank.acc_bits, []
    for k, width in enumerate(segment_widths(bank.acc_bits, bank.segments)):
        parts.append(delayed(m, bank.sums[at : at + width], late - bank.latency(bank.cols) - k))
        at += width
    return Cat(*parts)


class Pairs(wiring.Component):
    """Pairs of banks with one stimulus: how many cycles were compared, and of a chosen row what was found."""

    def __init__(self, pairs):
        self._pairs = pairs
        rows = sum(pair.rows for pair in pairs)
        self.differs, self.moved = Signal(rows), Signal(rows)
        super().__init__({"row": In(range(rows)), "differ": Out(1), "move": Out(1), "compared": Out(32)})

    def elaborate(self, platform):
        m = Module()
        words = []
        for k in range(10):
            m.submodules[f"random_{k}"] = source = Random(k + 1)
            words.append(source.o)
        control = words[9]
        warm, mode, age = Signal(range(WARM_UP + 1)), Signal(3), Signal(4)
        compare = warm == WARM_UP
        with m.If(compare):
            m.d.sync += self.compared.eq(self.compared + 1)
        with m.Else():
            m.d.sync += warm.eq(warm + 1)
        m.d.sync += age.eq(age + 1)
        with m.If(age == 0):
            m.d.sync += mode.eq(control[61:])
        for k, pair in enumerate(self._pairs):
            m.submodules[f"pair_{k}"] = pair
            bank = pair.banks[0]
            lanes = bank.rows * bank.cols
            w = [code(bank.weight_bits, word, mode, 0) for word in words[:lanes]]
            v = [code(bank.operand_bits, word, mode, 1) for word in words[6 : 6 + bank.cols]]
            m.d.comb += [
                pair.w.eq(Cat(*w)),
                pair.v.eq(Cat(*v)),
                pair.enable.eq(compare & ((mode == 5) | control[:2].any())),
                pair.slip.eq(control[8:14] == 0),
                pair.begin.eq(warm == WARM_UP - 1),
                pair.compare.eq(compare),
            ]
        m.d.comb += [
            self.differs.eq(Cat(pair.differs for pair in self._pairs)),
            self.moved.eq(Cat(pair.moved for pair in self._pairs)),
            self.differ.eq(self.differs.bit_select(self.row, 1)),
            self.move.eq(self.moved.bit_select(self.row, 1)),
        ]
        return m


def pairs_of(form):
    """Pairs over the form's word lengths, in rows and columns of changing shape; the last one has a fault."""
    shapes = cycle([(rows, cols) for rows, cols in SHAPES if cols <= form.columns])
    reference = Plain if form is GENERIC else GenericBank
    weights, operands = WORDS[form.name]
    words = [(w, v, min(form.acc_bits, w + v + 2)) for w in weights for v in operands]
    pairs = [Pair(form.bank, reference, *next(shapes), w, v, acc, form.segments(acc)) for w, v, acc in words]
    w, v, acc = words[-1]
    return [*pairs, Pair(form.bank, reference, 2, 1, w, v, acc, form.segments(acc), fault=True)]


MAIN = """
#include <cstdio>
#include <cstdlib>
#include "Vtop.h"

int main(int, char** argv) {
    Vtop top;
    auto run = [&](int cycles) {
        while (cycles-- > 0) top.clk = 1, top.eval(), top.clk = 0, top.eval();
    };
    top.rst = 1;
    run(3);
    top.rst = 0;
    run(std::atoi(argv[1]));
    std::printf("%u\\n", top.compared);
    for (int row = 0; row < std::atoi(argv[2]); ++row) {
        top.row = row;
        top.eval();
        std::printf("%d %d\\n", top.differ, top.move);
    }
}
"""


def run_pairs(folder, pairs):
    """Cycles compared, and of each row whether its sums differed and moved. Verilator, without cocotb: no net is kept
    for it."""
    program = compile_program(folder, "top", design_source(Pairs(pairs), "top"), MAIN, "the pairs did not compile")
    rows = sum(pair.rows for pair in pairs)
    done = subprocess.run([program, str(CYCLES), str(rows)], stdout=subprocess.PIPE, text=True, check=True)
    (compared,), *flags = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    return compared, flags


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_same_sums_as_the_generic_bank(form, tmp_path, record_property):
    weights, operands = WORDS[form.name]
    assert (max(weights), max(operands)) == (form.weight_bits, form.operand_bits)
    pairs = pairs_of(form)
    compared, flags = run_pairs(tmp_path, pairs)
    names = [(name(pair), row) for pair in pairs for row in range(pair.rows)]
    assert compared == CYCLES - WARM_UP
    assert [where for where, (_, moved) in zip(names, flags, strict=True) if not moved] == []
    differing = [where for where, (differs, _) in zip(names, flags, strict=True) if differs]
    assert differing == names[-1:]  # the faulty lane's row, and no other
    good = len(names) - pairs[-1].rows
    print(f"\n{form.name}: {len(pairs) - 1} pairs of banks, {good * compared:,} comparisons of sums")
    record_property("comparisons", good * compared)


def name(pair):
    """The bank of a pair, in words."""
    bank = pair.banks[0]
    fault = " with a fault" * pair.fault
    return f"{bank.rows}x{bank.cols} of {bank.weight_bits} x {bank.operand_bits} bits, {bank.segments} segments{fault}"


def simulated(pairs, cycles=300):
    """`differs` and `moved` after some cycles in amaranth's simulator."""
    design, seen = Pairs(pairs), []

    async def bench(ctx):
        await ctx.tick().repeat(cycles)
        seen.append((ctx.get(design.differs), ctx.get(design.moved)))

    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen[0]


@pytest.mark.parametrize("bit", [0, 7, 14])
def test_a_wrong_product_bit_is_seen(bit, monkeypatch):
    """One bit of one product stuck at 0: its row differs, the other does not; and none in the right bank."""

    def pairs():
        return [Pair(BoothBank, GenericBank, 2, 2, 8, 8, 19, 2), Pair(GenericBank, Plain, 1, 3, 5, 7, 14, 1)]

    assert simulated(pairs()) == (0b000, 0b111)
    right = BoothBank.products

    def wrong(self, m):
        rows = right(self, m)
        product = rows[1][0]
        value = Cat(product.value[:bit], Const(0, 1), product.value[bit + 1 :]).as_signed()
        rows[1][0] = Number(value, product.carry)
        return rows

    monkeypatch.setattr(BoothBank, "products", wrong)
    assert simulated(pairs()) == (0b010, 0b111)
