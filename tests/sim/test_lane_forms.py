# amaranth: UnusedElaboratable=no
"""The core on the vendors' multipliers, simulated with models of the cells: exactly the integer model.

yosys's own model of SB_MAC16; for MULT18X18D, of which yosys has none, ours.
"""

import numpy as np
import pytest

from autapse.network import Network
from autapse.quantize import quantize
from autapse_hw.core import Core
from autapse_sim import verify


def network(weights, seed=0, units=14, inputs=3, outputs=2):
    rng = np.random.default_rng(seed)
    return Network(
        W=weights * rng.choice([-1.0, 1.0], size=(units, units)) * rng.uniform(0.7, 1.0, size=(units, units)),
        W_in=rng.normal(size=(units, inputs)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(outputs, units)) / np.sqrt(units),
        h0=rng.uniform(-0.9, 0.9, units),
    )


# form, lanes, (weight, state, input) bits
CASES = [
    ("mac8x8", "5x2", (8, 8, 8)),
    ("mac8x8", "3x3/3*2", (6, 7, 7)),
    ("mac16", "5", (16, 16, 16)),
    ("mac16", "4x2/2", (9, 12, 7)),
    ("mac16sum", "5", (11, 12, 12)),
    ("mac16sum", "4*3", (8, 9, 9)),
    ("booth", "5x2", (8, 8, 8)),
    ("booth", "4x4/2*2", (7, 9, 6)),
    ("booth", "3", (12, 12, 12)),
    ("mult18", "16x3/3", (18, 18, 18)),
    ("mult18", "5*2", (10, 8, 16)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "lanes", "bits"), CASES)
def test_exact(form, lanes, bits):
    weight, state, inputs = bits
    q = quantize(network(0.3), weight_bits=weight, state_bits=state, input_bits=inputs, operand_bits=max(state, inputs))
    result = verify(q, lanes=lanes, form=form, steps=150)
    assert result.mismatches == 0, result.first
    assert result.states > 150 * 14


def test_a_word_too_long_is_refused():
    q = quantize(network(0.3), weight_bits=9)
    with pytest.raises(ValueError, match="lane form mac8x8 takes weights of up to 8 bits, not 9"):
        Core(q, 4, "mac8x8")
