"""The core on Verilator over shapes, lanes, word lengths, activations and updates: a million states, exactly."""

import numpy as np
import pytest
from harness import random_network

from autapse.quantize import quantize
from autapse_sim import verify

pytestmark = pytest.mark.slow

# units, inputs, outputs, lanes, (weight, state, input) bits, activation, leaky, steps
CASES = [
    (1, 1, 1, 1, (8, 8, 8), "tanh", False, 500),
    (1, 1, 1, 2, (16, 16, 16), "sigmoid", True, 500),
    (1, 8, 8, 5, (6, 6, 6), "identity", False, 300),
    (2, 1, 2, 4, (4, 4, 4), "relu", True, 500),
    (8, 8, 1, 3, (5, 9, 7), "tanh", True, 500),
    (10, 1, 8, 18, (12, 12, 12), "sigmoid", False, 500),
    (17, 3, 5, 7, (18, 18, 18), "tanh", False, 300),
    (32, 4, 4, 1, (8, 8, 8), "hardtanh", False, 60),
    (50, 3, 3, 8, (8, 8, 8), "tanh", False, 500),
    (50, 2, 1, 51, (16, 16, 16), "tanh", False, 1000),
    (56, 4, 4, 20, (9, 9, 9), "tanh", True, 500),
    (64, 6, 2, 64, (8, 10, 8), "identity", True, 500),
    (100, 1, 1, 25, (9, 9, 9), "tanh", False, 500),
    (128, 8, 8, 40, (12, 14, 10), "relu", False, 300),
    (128, 4, 4, 132, (8, 8, 8), "tanh", False, 3200),
    (128, 1, 2, 65, (6, 7, 5), "sigmoid", False, 1500),
    (120, 5, 8, 128, (10, 11, 10), "hardtanh", True, 1500),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"N{c[0]}-M{c[1]}-O{c[2]}-L{c[3]}-{c[5]}{'-leaky' * c[6]}")
def test_every_state_and_output(case, record_property):
    units, inputs, outputs, lanes, (weight, state, x), activation, leaky, steps = case
    q = quantize(
        random_network(np.random.default_rng(units + lanes), units, inputs, outputs, activation, leaky=leaky, h0=True),
        weight_bits=weight,
        state_bits=state,
        input_bits=x,
        state_range=None if activation in ("tanh", "sigmoid", "hardtanh") else 3.0,
    )
    result = verify(q, lanes=lanes, steps=steps, seed=lanes, stalled=3)
    record_property("states", result.states)
    assert result.mismatches == 0, result.first
    assert result.states > units * steps


def test_the_cases_add_up_to_a_million_states():
    """Each case compares at least units * steps states, as asserted above."""
    assert sum(case[0] * case[-1] for case in CASES) >= 1_000_000
