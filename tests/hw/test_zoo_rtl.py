"""The networks of the lecture as circuits: every state and output equals the integer model."""

import numpy as np
import pytest
from harness import run_core

from autapse.quantize import quantize
from autapse.zoo import (
    amplifier,
    autapse,
    chaos,
    hadamard,
    hopfield,
    integrator,
    mutual,
    random_patterns,
    ring,
    sequence,
    two_attractors,
    winner_take_all,
)
from autapse_hw.core import Core


def held(value, steps):
    return np.tile(np.asarray(value, float), (steps, 1))


def cue(value, steps):
    x = held(np.zeros(len(value)), steps)
    x[0] = value
    return x


def linear(ode):
    return quantize(ode.discretize(0.1), state_range=1.0, input_range=0.25)


PATTERNS = random_patterns(1, 8, 0)
CORRUPTED = PATTERNS[0] * np.array([-1, 1, 1, 1, 1, 1, 1, 1])
FLIPPED = np.concatenate([held([0.9], 6), held([0.0], 6), held([-0.9], 12), held([0.0], 6)])

# Name: the quantised network, its input, and what the last state must look like.
ANIMALS = {
    "relaxation": (linear(autapse(0.5)), held([0.2], 80), lambda h: abs(h[0] - 0.4) < 0.05),
    "integrator autapse": (linear(autapse(1.0)), held([0.2], 30), lambda h: 0.4 < h[0] < 0.65),
    "growth": (
        quantize(autapse(2.0, activation="tanh").discretize(0.25)),
        held([0.1], 60),
        lambda h: abs(h[0] - np.tanh(2 * h[0] + 0.1)) < 0.03,
    ),
    "amplifier": (linear(amplifier(2.0)), held([0.2], 80), lambda h: abs(h[0] - 0.4) < 0.05),
    "excitation": (linear(mutual(0.5)), held([0.1, 0.1], 80), lambda h: abs(h.sum() - 0.4) < 0.1),
    "inhibition": (linear(mutual(-0.5)), held([0.2, -0.2], 80), lambda h: abs(h[0] - h[1] - 0.8) < 0.1),
    "integrator mode": (
        quantize(integrator(4, None), state_range=1.0),
        cue([0.5], 30),
        lambda h: abs(np.array([1, -1, 1, -1]) @ h / 2 - 0.5) < 0.02,
    ),
    "two attractors": (quantize(two_attractors()), FLIPPED, lambda h: h[0] < -0.9),
    "winner-take-all": (
        quantize(winner_take_all(3).discretize(0.2), state_range=2.0),
        held([0.5, 0.7, 0.5], 70),
        lambda h: h[1] > 1.2 and h[0] < 0.1 and h[2] < 0.1,
    ),
    "hopfield": (quantize(hopfield(PATTERNS)), cue(CORRUPTED, 6), lambda h: np.all(np.sign(h) == PATTERNS[0])),
    "sequence": (quantize(sequence(hadamard(8)[1:4])), cue([1.0, 0, 0], 8), lambda h: np.all(h * hadamard(8)[2] > 0.9)),
    "ring": (quantize(ring(8)), cue([0.7, 0.7], 12), lambda h: h[0] > 0.5 and h[2] > 0.5 and h[5] < -0.8),
    "chaos": (quantize(chaos(8, 3.0, seed=1)), held([0.0], 25), lambda h: np.abs(h).max() > 0.1),
}


def check(q, x, lanes):
    codes = q.quantize_inputs(x)[0]
    model = q.run_int(codes[None])
    recorded, state = run_core(Core(q, lanes), codes)
    np.testing.assert_array_equal(recorded.h(q.units), model.h[0])
    np.testing.assert_array_equal(recorded.z(q.outputs), model.z[0])
    np.testing.assert_array_equal(state, model.last[0])
    return q.formats.state.dequantize(np.array(state))


@pytest.mark.parametrize("name", list(ANIMALS))
def test_the_circuit_is_the_model_and_does_what_the_lecture_says(name):
    q, x, expected = ANIMALS[name]
    h = check(q, x, min(4, q.units + q.outputs))
    assert expected(h), h


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "steps"), [(chaos(32, 2.0), 300), (ring(32), 300), (hopfield(random_patterns(3, 32, 2)), 60)]
)
def test_larger_ones_for_longer(net, steps):
    q = quantize(net)
    check(q, cue(np.full(net.inputs, 0.6), steps), 16)
