"""The network in fixed point, and its circuit."""

import numpy as np

import autapse
from design import SETTINGS, network, plan, quantized, stimulus


def test_fixed_point_is_as_close_to_float_as_it_was():
    """Better: the score of your own task. `largest_error` was measured when this project was made."""
    x = stimulus()
    difference = np.abs(network().run(x).z - quantized().readout(x)).max()
    assert difference <= SETTINGS["test"]["largest_error"]


def test_the_circuit_equals_the_integer_model():
    """Every state and every output, in the form and with the lanes that are built."""
    result = autapse.verify(quantized(), lanes=plan().tiling, form=plan().form, steps=100)
    assert result.ok, result.first
