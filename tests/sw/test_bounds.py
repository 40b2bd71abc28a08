"""Measured errors of the integer model against the float network stay below the derived bounds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autapse.bounds import ErrorBounds, error_bounds
from autapse.fixed import FloatArray
from autapse.gallery import path
from autapse.loading import load
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.reference import step

pytestmark = pytest.mark.filterwarnings("ignore:every element of W")
same = settings(derandomize=True, deadline=None, database=None, max_examples=150)
STEPS = 60


@st.composite
def networks(draw: st.DrawFn, contracting: bool = False) -> tuple[QuantizedNetwork, FloatArray]:
    """A quantised network and inputs (batch, time, inputs) that do not saturate it; nor do its float states."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units, inputs = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    activation = draw(st.sampled_from(["tanh", "sigmoid", "hardtanh", "relu", "identity"]))
    W = rng.normal(size=(units, units))
    leak: dict[str, Any] = {}
    by_norm = draw(st.booleans())
    if draw(st.booleans()):
        g = rng.uniform(0.02, 1.0, 1 if by_norm else units) * np.ones(units)  # a norm asks for equal gains
        leak = {"g": g, "d": draw(st.sampled_from([1.0, 0.9, -0.7])) * (1.0 - g)}
    if contracting or activation in ("relu", "identity"):
        size = np.linalg.norm(W, 2) if by_norm else np.max(np.abs(np.linalg.eigvals(np.abs(W))))
        W *= draw(st.sampled_from([0.1, 0.6, 0.95])) / size
    else:
        W *= draw(st.sampled_from([0.5, 2.0])) / np.sqrt(units)
    net = Network(
        W,
        draw(st.sampled_from([0.1, 1.0, 5.0])) * rng.normal(size=(units, inputs)),
        rng.normal(size=units) * draw(st.sampled_from([0.0, 0.3])),
        rng.normal(size=(2, units)),
        rng.normal(size=2),
        h0=rng.uniform(-1.0, 1.0, units),
        activation=activation,
        **leak,
    )
    largest = draw(st.sampled_from([0.3, 1.0, 7.0]))
    x = rng.uniform(-largest, largest, (4, STEPS, inputs))
    x[0, 20:] = x[0, 19]
    x[1] = largest * np.sign(x[1])
    q = quantize(
        net,
        weight_bits=draw(st.integers(4, 18)),
        state_bits=draw(st.integers(4, 13)),
        input_bits=draw(st.integers(4, 16)),
        input_range=largest,
        calibrate=x,
        guard_bits=draw(st.sampled_from([None, 0, 3])),
    )
    return q, x


def errors(q: QuantizedNetwork, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Largest error of each state and each output after each step, (time, units) and (time, outputs)."""
    ours, theirs = q.run(x), q.network.run(x)
    return np.abs(ours.h - theirs.h).max(0), np.abs(ours.z - theirs.z).max(0)


@same
@given(networks())
def test_one_step_from_equal_states(case: tuple[QuantizedNetwork, FloatArray]) -> None:
    """From any state that is a code: the part of the bound that needs no contraction."""
    q, x = case
    rng, form = np.random.default_rng(0), q.formats.state
    bounds = error_bounds(q)
    state = rng.integers(-form.max_code, form.max_code + 1, (len(x), q.units))
    kept, _ = step(q, state, q.quantize_inputs(x[:, 0])[0])
    for start, ours, inputs in zip(state, kept, x[:, :1], strict=True):
        net = replace(q.network, h0=form.dequantize(start) if q.leaky else np.clip(form.dequantize(start), -1, 1))
        if not q.leaky and np.any(net.h0 != form.dequantize(start)):
            continue  # an unbounded plain state: a Network takes no such h0 of a bounded one
        real = net.run(inputs).h[0]
        inside = np.abs(real) <= form.max_value if bounds.conditional else np.ones(q.units, bool)
        if bounds.conditional and q.leaky:
            inside &= np.abs(real - net.d * net.h0) <= net.g * q.activation.out.max_value
        assert (np.abs(form.dequantize(ours) - real) <= bounds.step)[inside].all()


@same
@given(networks())
def test_states_and_outputs_after_any_number_of_steps(case: tuple[QuantizedNetwork, FloatArray]) -> None:
    q, x = case
    bounds = error_bounds(q)
    h, z = errors(q, x)
    for t in (0, 1, 4, STEPS - 1):
        assert (h[t] <= bounds.state(t + 1)).all()
        assert (z[t] <= bounds.readout(t + 1)).all()
    assert (h <= bounds.state()).all()
    assert (z <= bounds.readout()).all()


@same
@given(networks(contracting=True))
def test_contracting_networks_are_bounded_for_ever(case: tuple[QuantizedNetwork, FloatArray]) -> None:
    q, x = case
    bounds = error_bounds(q)
    assert bounds.contracting
    h, z = errors(q, x)
    assert (h.max(0) <= bounds.state()).all()
    assert (z.max(0) <= bounds.readout()).all()
    assert np.isfinite(bounds.state()).all()
    after = np.array([bounds.state(t) for t in (0, 1, 3, 50, 400)])
    assert (after <= bounds.state() * (1 + 1e-9)).all()
    assert (h[-1] <= after[-1]).all()


def slow_units() -> Network:
    """Leaky integrators of a constant input, without recurrence."""
    return Network(np.zeros((3, 3)), np.ones((3, 1)), d=np.full(3, 0.9), g=np.full(3, 0.1))


def test_by_hand() -> None:
    """One unit, h <- tanh(h/2 + x), whose weights are exact: input, sum and table alone."""
    q = quantize(Network([[0.5]], [[1.0]]), weight_bits=8, state_bits=8, input_range=0.5)
    bounds = error_bounds(q)
    ulp_x, ulp = q.formats.x.ulp, q.formats.h.ulp
    assert (ulp_x, ulp) == (2.0**-7, 2.0**-7)
    exact = {"weights": 0.0, "inputs": ulp_x / 2, "biases": 0.0, "sums": ulp / 2, "table": ulp, "state": 0.0}
    for name, size in exact.items():
        assert bounds.sources[name][0] == size
    assert bounds.step[0] == pytest.approx(2 * ulp, abs=1e-12)
    assert (bounds.matrix[0, 0], bounds.norm, bounds.contracting) == (0.5, 0.5, True)
    np.testing.assert_allclose(bounds.state(), 4 * ulp, rtol=1e-9)
    np.testing.assert_allclose(bounds.state(2), 3 * ulp, rtol=1e-9)
    np.testing.assert_allclose(bounds.readout(), 4 * ulp, rtol=1e-9)  # a readout weight of 1 has a code
    assert not bounds.conditional


def test_the_bound_is_of_use() -> None:
    """It is not far above what is measured: less than twice, for integrators of constant inputs."""
    x = np.repeat(np.linspace(-1.0, 1.0, 4001)[:, None, None], 80, axis=1)
    q = quantize(slow_units())
    bounds, (h, _) = error_bounds(q), errors(q, x)
    assert bounds.contracting
    assert bounds.state().max() < 2 * h.max()


def test_the_code_of_the_decay_counts() -> None:
    """With so many guard bits that the rounding of the kept state is less than the error of that code."""
    net = Network([[0.0]], [[0.0]], d=np.array([0.3]), g=np.array([0.0]), h0=np.array([0.9]))
    q = quantize(net, state_bits=13, guard_bits=16)
    h, _ = errors(q, np.zeros((1, 1, 1)))
    assert h[0, 0] <= error_bounds(q).state(1)[0]
    assert h[0, 0] > 0.3 * error_bounds(q).start[0] + q.formats.state.ulp


def test_more_bits_give_smaller_bounds() -> None:
    net = Network(0.3 * np.eye(4), np.ones((4, 1)), activation="tanh")
    found = [error_bounds(quantize(net, weight_bits=b, state_bits=b)).state().max() for b in (6, 9, 12)]
    assert found[0] > 7 * found[1] > 49 * found[2]


def test_inhibition_contracts_where_magnitudes_do_not() -> None:
    """d = 0.9 and a self-inhibition of -9 with g = 0.1: |d| + |g W| is 1.8, and q is 0.9."""
    net = Network(-9.0 * np.eye(2), np.ones((2, 1)), d=np.full(2, 0.9), g=np.full(2, 0.1))
    bounds = error_bounds(quantize(net))
    assert np.diag(bounds.matrix) == pytest.approx(1.8)
    assert bounds.norm == pytest.approx(0.9)
    assert bounds.contracting


def test_a_linear_network_has_its_own_slope() -> None:
    """Eigenvalues of 0.9 - 0.1 * 9 = 0: what magnitudes say is 1.8, and half slopes 0.9."""
    net = Network([[-9.0]], [[1.0]], d=np.array([0.9]), g=np.array([0.1]), activation="identity")
    bounds = error_bounds(quantize(net, state_range=1.0))
    assert (bounds.matrix[0, 0], bounds.norm) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_a_chain_contracts_where_its_norm_does_not() -> None:
    bounds = error_bounds(quantize(Network(np.diag([3.0, 3.0], -1), np.ones((3, 1)))))
    assert bounds.norm > 1.0
    assert bounds.factor == pytest.approx(0.0, abs=1e-4)
    assert np.isfinite(bounds.state()).all()


def test_a_memory_does_not_contract() -> None:
    """The shipped flip-flop holds its state: what it would take to bound the error is not there, and that is said."""
    bounds = error_bounds(quantize(load(path("flipflop_3bit")), input_range=1.5))
    assert not bounds.contracting
    assert np.isinf(bounds.state()).all()
    assert np.isfinite(bounds.state(3)).all()
    assert "only agreement on the task can be claimed" in bounds.describe()["against float"]
    data = bounds.to_dict()
    assert (data["contracting"], data["state"], data["readout"]) == (False, None, None)
    assert data["factor"] > 1.0


def test_what_is_said_of_a_contracting_network() -> None:
    bounds = error_bounds(quantize(Network([[0.5]], [[1.0]]), input_range=0.5))
    words = bounds.describe()
    assert words["error of a step"] == "at most 0.016: inputs 0.0039, sums 0.0039, table 0.0078"
    assert words["against float"] == (
        "contracting (factor 0.5 a step): no state is ever off by more than 0.031, no output by more than 0.031"
    )
    linear = error_bounds(quantize(Network([[0.5]], [[1.0]], activation="identity"), state_range=2.0))
    assert linear.conditional
    assert linear.describe()["against float"].endswith("; while the float states do not saturate")


def test_an_unused_state_that_grows_leaves_the_readout_bounded() -> None:
    zero, one = np.zeros(1), np.ones(1)
    grown = ErrorBounds({"table": one}, zero, np.array([[2.0]]), 2.0, {"state": zero}, np.array([[0.0]]), False)
    assert grown.readout(5) == 0.0
    assert grown.readout(None)[0] == 0.0
