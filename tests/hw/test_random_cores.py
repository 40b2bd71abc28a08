"""Random designs under random conditions in Amaranth's simulator: model = RTL, at every state and output, always."""

from random import Random

import numpy as np
import pytest
from designs import expected, random_codes, random_design
from harness import run_core
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autapse_hw.core import Core
from autapse_hw.schedule import Schedule

# Random scales far apart make one of the matrices vanish now and then; the model must be exact all the same.
pytestmark = pytest.mark.filterwarnings("ignore:every element of W")
STEPS = 6
examples = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@examples
@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_model_is_rtl(random: Random, seed: int) -> None:
    """Stalls of both streams, a clear at any cycle of a step, states from outside: all at random.

    Weights that arrive while the core runs belong here, too, once a core takes them.
    """
    design, rng = random_design(random, units=(1, 6), state_bits=11), np.random.default_rng(seed)
    q, sequences = design.q, design.tiling.sequences
    top = q.formats.state.max_code
    from_outside = random.random() < 0.4
    start = rng.integers(-top, top, size=(1, sequences, q.units), endpoint=True) if from_outside else None
    period = Schedule.of(q, design.tiling).cycles_per_step
    conditions = {
        "stall": random.choice([0.0, 0.0, 0.4]),
        "deaf": random.choice([0.0, 0.5, 0.9]),
        "cleared": random.randint(1, 3 * period) if from_outside or random.random() < 0.4 else None,
        "given": None if start is None else start.ravel().tolist(),
    }
    codes = random_codes(q, (1, STEPS), rng)
    recorded, state = run_core(Core(q, design.tiling), codes[0], seed=seed, **conditions)
    h, z, last = expected(q, sequences, codes, start)
    np.testing.assert_array_equal(recorded.h(q.units), h[0], err_msg=str(design))
    np.testing.assert_array_equal(recorded.z(q.outputs), z[0], err_msg=str(design))
    np.testing.assert_array_equal(state, last.ravel(), err_msg=str(design))
