"""The networks of the lecture as circuits: each state and output is the integer model's, and the claims hold."""

import numpy as np
import pytest
from harness import run_core

from autapse.quantize import quantize
from autapse.zoo import CATALOGUE, chaos, exhibit, hopfield, random_patterns, ring
from autapse_hw.core import Core


def check(q, x, lanes):
    """The readouts (time, outputs) of the simulated core, whose states, outputs and last state are the model's."""
    codes = q.quantize_inputs(x)[0]
    model = q.run_int(codes[None])
    recorded, state = run_core(Core(q, lanes), codes)
    np.testing.assert_array_equal(recorded.h(q.units), model.h[0])
    np.testing.assert_array_equal(recorded.z(q.outputs), model.z[0])
    np.testing.assert_array_equal(state, model.last[0])
    return q.formats.z.dequantize(recorded.z(q.outputs))


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_the_circuit_is_the_model_and_does_what_the_lecture_says(name):
    shown = exhibit(name)
    z = check(shown.q, shown.x, min(8, shown.q.units + shown.q.outputs))
    findings = [f for f in shown.findings(shown.runs(z)) if f.level == "RTL"]
    assert len(findings) == len(shown.claims) >= 2
    for found in findings:
        assert found.holds, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "steps"), [(chaos(32, 2.0), 300), (ring(32), 300), (hopfield(random_patterns(3, 32, 2)), 60)]
)
def test_larger_ones_for_longer(net, steps):
    x = np.zeros((steps, net.inputs))
    x[0] = 0.6
    check(quantize(net), x, 16)
