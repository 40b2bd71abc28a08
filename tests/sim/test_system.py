"""The whole Verilated design behind its serial pins: the host's client, real bit timing, the model's numbers."""

from dataclasses import replace

import numpy as np
import pytest
from harness import random_codes, random_network
from line_harness import BIT, Verilated, compile_line

from autapse.link import Device
from autapse.quantize import quantize
from autapse.reference import pre_activation, saturated
from autapse_hw.system import System
from autapse_hw.tiling import Tiling

pytestmark = pytest.mark.slow
STEPS = 200


def saturations(q, h0, x):
    """How many states of a run from `h0` (units,) with codes x (steps, inputs) an activation at its end has made."""
    before = np.concatenate([np.asarray(h0)[None], replace(q, h0=np.asarray(h0)).run_int(x[None]).h[0, :-1]])
    return int(saturated(q, pre_activation(q, before, x)).sum())


@pytest.mark.parametrize(("tiling", "leaky"), [("4", False), ("4", True), ("8x3/3*2", False)])
def test_a_session_gives_the_models_numbers(tmp_path, tiling, leaky):
    """Steps, states read and set, a reset; with two states in turn as well, which the link sees side by side."""
    q = quantize(random_network(np.random.default_rng(11), 6, 3, 2, leaky=leaky, h0=True), state_bits=10)
    rng = np.random.default_rng(12)
    turns, top = Tiling.of(tiling).sequences, q.formats.state.max_code
    codes = np.stack([random_codes(q, STEPS, rng) for _ in range(turns)])  # (sequences, steps, inputs)
    model = q.run_int(codes)
    given = rng.integers(-top, top, size=(turns, q.units), endpoint=True)
    again = [replace(q, h0=h).run_int(x[None]) for h, x in zip(given, codes, strict=True)]

    def side_by_side(values):
        """(sequences, steps, n) as the device has it: (steps, sequences * n)."""
        return np.swapaxes(values, 0, 1).reshape(values.shape[1], -1)

    def states(values):
        return np.reshape(values, (turns, -1)) if turns > 1 else np.ravel(values)

    x, z = side_by_side(codes), side_by_side(model.z)
    line = Verilated(compile_line(tmp_path, System(q, tiling, 12e6, BIT)))
    with Device(line, timeout=10.0) as device:
        identity = device.identify()
        assert identity.model_hash == q.model_hash()
        assert (identity.units, identity.inputs, identity.outputs, identity.sequences) == (6, 3, 2, turns)
        np.testing.assert_array_equal(device.read_state(), states(np.tile(q.h0, turns)))
        np.testing.assert_array_equal(device.run(x), z)
        np.testing.assert_array_equal(device.read_state(), states(model.last))
        device.reset()
        np.testing.assert_array_equal(device.read_state(), states(np.tile(q.h0, turns)))
        np.testing.assert_array_equal(device.run(x[:2]), z[:2])
        device.set_state(states(given))
        np.testing.assert_array_equal(device.read_state(), states(given))
        np.testing.assert_array_equal(device.run(x), side_by_side(np.concatenate([r.z for r in again])))
        assert device.counters().steps == 2 * STEPS + 2
        runs = [
            (h0, x[:n]) for x, h in zip(codes, given, strict=True) for h0, n in ((q.h0, STEPS), (q.h0, 2), (h, STEPS))
        ]
        assert device.counters().saturations == sum(saturations(q, *run) for run in runs) > 0
        assert device.recoveries == 0
