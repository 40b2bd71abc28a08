# amaranth: UnusedElaboratable=no
"""The core as synthesised for each family, of vendor cells only: exactly the integer model."""

import re

import numpy as np
import pytest

from autapse.network import Network
from autapse.quantize import quantize
from autapse_hw.schedule import Schedule
from autapse_sim import gates, verify
from autapse_sim.gates import family_of

STEPS = 30


def network(units, seed=0):
    rng = np.random.default_rng(seed)
    net = Network(
        W=0.4 * rng.choice([-1.0, 1.0], size=(units, units)) * rng.uniform(0.7, 1.0, size=(units, units)),
        W_in=rng.normal(size=(units, 2)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(2, units)) / np.sqrt(units),
        h0=rng.uniform(-0.9, 0.9, units),
    )
    return quantize(net, weight_bits=8, state_bits=8, input_bits=8, operand_bits=8)


# form, lanes, units, family
CASES = [
    ("mac8x8", "4x2", 8, "ice40"),
    ("booth", "3x2", 7, "ice40"),
    ("mult18", "4x2/2", 6, "ecp5"),
    ("generic", "2", 6, "ecp5"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "lanes", "units", "family"), CASES)
def test_exact(form, lanes, units, family, record_property):
    q = network(units)
    result = verify(q, lanes=lanes, form=form, steps=STEPS, level="gates", family=family)
    record_property("comparisons", result.comparisons)
    assert (result.level, result.family) == ("gates", family)
    assert result.mismatches == 0, result.first
    # waiting inputs, pauses, and the state read back after each
    assert (result.states, result.outputs) == (2 * STEPS * units + 2 * units, 2 * STEPS * 2)
    assert result.cycles_per_step == Schedule.of(q, lanes, form).cycles_per_step


# Bit 2 of the running sum of a row: the sum of the product's bit, its own and a carry.
ADDER = re.compile(
    r"(LUT_INIT\(16'h)6996(\)\s+\) \\engine\.bank\.\S+SB_DFFE_Q\w+ +\(\s+\.I0\(1'h0\),\s+\.I1\(\S+ \[2\]\))"
)


@pytest.mark.slow
def test_a_wrong_entry_of_a_table_is_found(monkeypatch):
    """One entry, 0 + 1 without a carry, of the look-up table of one bit of a running sum."""
    right = gates.synthesise

    def wrong(*args):
        netlist = right(*args)
        faulty = ADDER.sub(r"\g<1>6986\g<2>", netlist, count=1)
        assert sum(a != b for a, b in zip(netlist, faulty, strict=True)) == 1
        return faulty

    monkeypatch.setattr(gates, "synthesise", wrong)
    result = verify(network(6), lanes="3", form="booth", steps=STEPS, level="gates")
    assert result.mismatches > 0
    assert "the model has" in result.first[0]


def test_families_of_the_forms():
    assert [family_of(form) for form in ("mac16", "booth", "mult18", "generic")] == ["ice40", "ice40", "ecp5", "ice40"]
    assert family_of("generic", "ecp5") == "ecp5"
    with pytest.raises(ValueError, match="lane form mult18 is made of cells of ecp5, not of ice40"):
        family_of("mult18", "ice40")
    with pytest.raises(ValueError, match="family must be one of ice40, ecp5; not 'gowin'"):
        family_of("generic", "gowin")


def test_levels():
    with pytest.raises(ValueError, match="level must be one of rtl, gates; not 'gate'"):
        verify(network(2), lanes=1, level="gate")
    with pytest.raises(ValueError, match="the RTL is of no family, and 'ecp5' was given; it is for level gates"):
        verify(network(2), lanes=1, family="ecp5")
