"""Ten million state elements of random cores of every lane form, on Verilator: model = RTL, always.

Networks, words, tilings, interleaving, pauses on both streams, clears at any cycle of a step, states from outside,
weights at full scale, inputs at both ends: all at random from a seed. Uploads of weights belong into the rounds of
`core_farm`, beside the states from outside.
"""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from core_farm import Farm, compile_farm, run_farm, write_rounds
from designs import random_design

from autapse_hw.lanes import FORMS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:every element of W")]
SEED = 7
STEPS = 100  # of a round
STATES = 1_300_000  # of each core, at least
DESIGNS = [*FORMS, "generic", "generic"]


def farm_of(seed: int, forms: list[str], units: tuple[int, int]) -> Farm:
    random = Random(seed)
    return Farm([random_design(random, form, units) for form in forms])


def test_ten_million_states(tmp_path, record_property):
    farm = farm_of(SEED, DESIGNS, (8, 24))
    program = compile_farm(tmp_path, farm)
    files = [tmp_path / f"core_{k}" for k in range(len(farm.designs))]
    for k, (file, design) in enumerate(zip(files, farm.designs, strict=True)):
        write_rounds(file, design, -(-STATES // (STEPS * design.q.units)), STEPS, SEED + k)
    found = run_farm(program, files, SEED)
    for design, result in zip(farm.designs, found, strict=True):
        print(f"\n{design}: {result.states:,} states, {result.outputs:,} outputs, {result.mismatches} differ", end="")
        assert result.mismatches == 0, f"{design}: {result.first}"
    states = sum(result.states for result in found)
    print(f"\n{states:,} state elements compared, {sum(result.outputs for result in found):,} outputs")
    record_property("states", states)
    assert states >= 10_000_000


def test_a_wrong_state_is_seen(tmp_path):
    """One code of one state among those that are expected, of a unit, a step and a round; and one of the readings."""
    farm = farm_of(1, ["generic"], (3, 3))
    program, file = compile_farm(tmp_path, farm), tmp_path / "core"
    (design,) = farm.designs
    write_rounds(file, design, 3, 5, 0)
    right = np.fromfile(file, np.int64)
    (fine,) = run_farm(program, [file], 0)
    assert (fine.mismatches, fine.states) == (0, 3 * 3 * (5 + design.tiling.sequences))
    block = (len(right) - 9) // 3
    sums, tail = 5 * 3, design.tiling.sequences * 3
    # The last state that is read; the last that is written; whether the last sum saturated.
    places = {sums + 1: "state", sums + tail + 5 * design.q.outputs + 1: "state", 1: "saturated"}
    for back, what in places.items():
        wrong = right.copy()
        wrong[9 + 2 * block - back] ^= 1
        wrong.tofile(file)
        (found,) = run_farm(program, [file], 0)
        assert replace(fine, mismatches=1, first=found.first) == found
        assert found.first.startswith(f"round 1, {what}")
