"""The memories of a bitstream: what is read from the unpacked text, and what is said of a bit that differs.

Real bitstreams are in tests/sim/test_ladder.py.
"""

import numpy as np
import pytest

from autapse_boards.contents import rows, stored
from autapse_boards.unpack import _compare
from autapse_hw.block_rams import dp16kd_init, ram40_init

WEIGHTS = "system.core.engine.weights.block_0_0"
TABLE = "system.core.engine.activation_0.table.block_0_0"
PLACES = {WEIGHTS: "8 7", TABLE: "25 3"}


def contents(family, seed):
    words = np.random.default_rng(seed).integers(0, 1 << 16, 256).tolist()
    return ram40_init(16, words) if family == "ice40" else dp16kd_init(18, words)


def text(family, blocks):
    """As the unpackers write it, with another section behind."""
    lines = [".comment text", ""]
    for place, values in blocks.items():
        if family == "ice40":
            lines += [f".ram_data {place}", *(f"{value:064x}" for value in values), ""]
        else:
            lines += [f".bram_init {place}"]
            lines += [" ".join(f"{value:024x}"[k : k + 3] for k in range(0, 24, 3)) + " " for value in values]
            lines += [""]
    return "\n".join([*lines, ".logic_tile 1 1", "0101", ""])


@pytest.mark.parametrize(("family", "bits"), [("ice40", 4096), ("ecp5", 18432)])
def test_memories(family, bits):
    expected = {path: rows(contents(family, k), family) for k, path in enumerate(PLACES)}
    held = {place: list(expected[path]) for path, place in PLACES.items()}
    held["1 1"] = [0] * len(expected[WEIGHTS])  # a block that the design does not use
    assert stored(text(family, held), family) == held
    found = _compare(held, PLACES, expected, family)
    assert found.ok
    assert (found.blocks, found.bits) == (2, {"weights": bits, "tables": bits, "others": bits})

    held["8 7"][3] ^= 1 << 5
    held["1 1"][0] = 6
    found = _compare(held, PLACES, expected, family)
    assert (found.ok, found.mismatches) == (False, 3)
    assert found.first[0] == "the unused block 1 1: row 0 is 0x6, the network has 0x0"
    assert found.first[1].startswith(f"{WEIGHTS}: row 3 is 0x")

    del held["8 7"]  # the text leaves out what is empty
    assert _compare(held, PLACES, expected, family).mismatches == 2 + sum(row.bit_count() for row in expected[WEIGHTS])


def test_a_design_without_weights_in_block_rams_is_not_ok():
    blank = {TABLE: [0] * 16}
    assert not _compare({}, {TABLE: "25 3"}, blank, "ice40").ok
