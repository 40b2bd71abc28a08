# amaranth: UnusedElaboratable=no
"""The bare datapath: what leaves its chains are the rows' sums, and it is built of the form's blocks."""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.sim import Simulator

from autapse_boards.bare import Bare, Datapath
from autapse_hw.lanes import FORMS
from autapse_hw.tiling import Tiling


def make(form, tiling, words=8, bits=8, acc_bits=36):
    return Bare(FORMS[form], Tiling.of(tiling), bits, bits, acc_bits, words)


@pytest.mark.parametrize("tiling", ["5", "3x2", "5x3/3"])
def test_heads_are_running_sums(tiling):
    """From one turn of the memories to the next, the reading of a row grows by the row's inner product."""
    bare = make("generic", tiling)
    t, groups, seen = bare.tiling, bare.groups, []
    circuit = Datapath(bare)

    async def watch(ctx):
        for _ in range(6 * bare.words):
            seen.append(ctx.get(circuit.heads))
            await ctx.tick()

    simulator = Simulator(circuit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(watch)
    simulator.run()
    w, v = bare.codes()
    inner = np.einsum("krc,kc->r", w, v)
    padded = np.concatenate([inner, [0] * (groups * t.drains - t.rows)]).reshape(groups, t.drains)
    # Sums are 36 bits in two segments: a reading is right only if the chain puts them together again.
    assert bare.form.segments(bare.acc_bits) == 2
    heads = [[word >> (36 * a) & (1 << 36) - 1 for a in range(t.drains)] for word in seen]
    grown = (np.array(heads[bare.words :]) - np.array(heads[: -bare.words])) % (1 << 36)
    found = [k for k in range(len(grown) - groups) if (grown[k : k + groups] == padded % (1 << 36)).all()]
    assert len(found) >= 3
    assert set(np.diff(found)) == {bare.words}


@pytest.mark.parametrize(
    ("form", "tiling", "blocks"),
    [
        ("mac8x8", "8x2", {"SB_MAC16": 8, "SB_RAM40_4K": 9}),
        ("mac16", "3x2", {"SB_MAC16": 6, "SB_RAM40_4K": 4}),
        ("mac16sum", "3", {"SB_MAC16": 3, "SB_RAM40_4K": 3}),
        ("booth", "3x2", {"SB_RAM40_4K": 4}),
        ("mult18", "3x2", {"MULT18X18D": 6, "DP16KD": 3}),
    ],
)
def test_blocks(form, tiling, blocks):
    text = rtlil.convert(Datapath(make(form, tiling, acc_bits=24)), name="top")
    cells = re.findall(r"cell \\(SB_MAC16|SB_RAM40_4K|MULT18X18D|DP16KD)\b", text)
    assert {name: cells.count(name) for name in set(cells)} == blocks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"form": "mac8x8", "bits": 9}, "lane form mac8x8 takes weights of up to 8 bits, not 9"),
        ({"form": "mac16sum", "tiling": "2x2", "acc_bits": 30}, "lane form mac16sum takes 1 column of lanes, not more"),
        ({"words": 4}, "words must be at least 5, the length of a chain, not 4"),
    ],
)
def test_refused(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(**{"form": "generic", "tiling": "5"} | change)
