"""The measurement itself: its shape and arithmetic, not the speed of whatever machine runs the tests."""

from dataclasses import asdict

import numpy as np
import pytest

from autapse.benchmark import _float_loop, _turns, model_throughput
from autapse.network import Network


def test_a_small_measurement() -> None:
    r = model_throughput(units=4, inputs=1, outputs=2, steps=5, batch=3, repetitions=2)
    assert (r.batch, r.units, r.inputs, r.outputs, r.steps, r.repetitions) == (3, 4, 1, 2, 5, 2)
    assert all(np.isfinite(v) and v > 0 for v in asdict(r).values())


def test_candidates_take_turns_and_the_first_turn_is_dropped() -> None:
    order: list[int] = []
    seconds = _turns([lambda: order.append(0), lambda: order.append(1)], 3)
    assert order == [0, 1] * 4
    assert seconds.shape == (3, 2)


@pytest.mark.parametrize("name", ["batch", "repetitions"])
def test_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        model_throughput(**{name: 0})


def test_the_loop_computes_the_network() -> None:
    rng = np.random.default_rng(0)
    net = Network(rng.normal(size=(4, 4)) / 2, rng.normal(size=(4, 2)), rng.normal(size=4), rng.normal(size=(3, 4)))
    x = rng.normal(size=(2, 6, 2)).astype(np.float32)
    assert _float_loop(net, x) == pytest.approx(net.run(x).z, abs=1e-5)
