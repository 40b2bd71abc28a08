"""The rate equation: its solution, its steps, its tangents, and the orders in which they commute."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from autapse.dynamics import (
    RateODE,
    dequantized,
    interchange,
    modes,
    network_jacobian,
    run_from,
    scaling,
    slope,
    step,
)
from autapse.dynamics.interchange import EXACT
from autapse.errors import MissingToolError, ToolFailedError
from autapse.fixedpoints import find_fixed_points
from autapse.network import ACTIVATIONS, Network
from autapse.quantize import quantize


def random_ode(seed: int = 1, units: int = 4, **changes: Any) -> RateODE:
    rng = np.random.default_rng(seed)
    given: dict[str, Any] = {
        "W": 0.8 * rng.normal(size=(units, units)) / np.sqrt(units),
        "W_in": rng.normal(size=(units, 2)),
        "b": 0.3 * rng.normal(size=units),
        "tau": rng.uniform(0.5, 2.0, units),
        "h0": rng.uniform(-1, 1, units),
    }
    return RateODE(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": [1, 0, 1, 1]}, r"tau must be positive and finite; tau\[1\] is 0"),
        ({"tau": -2.0}, r"tau must be positive and finite; tau\[0\] is -2"),
        ({"tau": np.inf}, "tau must be positive and finite"),
        ({"tau": [1, 2]}, r"tau must be \(units\) = \(4,\); its shape is \(2,\)"),
        ({"tau": "slow"}, "tau must be an array of real numbers, not str"),
        ({"W": np.ones((4, 3))}, r"W must be square.*\(4, 3\)"),
        ({"W": np.full((4, 4), np.nan)}, "W must be finite"),
        ({"activation": "step"}, "activation must be one of"),
    ],
)
def test_bad_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        random_ode(**changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: o.discretize(0.0), "dt must be positive and finite, not 0"),
        (lambda o: o.discretize(-1.0), "dt must be positive"),
        (lambda o: o.discretize("fast"), "dt must be a positive number, not 'fast'"),
        (lambda o: o.solve(np.zeros((3, 2)), None), "dt must be a positive number, not None"),
        (lambda o: o.rescale(np.nan), "c must be positive and finite, not nan"),
        (lambda o: o.discretize(0.1, "midpoint"), "method must be one of euler, exponential, exact; not 'midpoint'"),
        (lambda o: o.discretize(0.1, "exact"), "an exact step needs a linear equation, not the activation tanh"),
        (lambda o: o.rescale(0.0), "c must be positive and finite, not 0"),
        (lambda o: o.rescale(1.0, "lost"), "state must be scaled or kept, not 'lost'"),
        (lambda o: o.linearize("centre"), "at must be 'origin' or a state, not 'centre'"),
        (lambda o: o.linearize(np.zeros(3)), r"at must have the shape \(4,\), not \(3,\)"),
        (lambda o: o.linearize(np.full(4, np.inf)), "at must be finite"),
        (lambda o: o.linearize(["a"] * 4), "at must be an array of real numbers, not list"),
        (lambda o: o.discretize(0.1).linearize("centre"), "at must be 'origin' or a state, not 'centre'"),
        (lambda o: o.discretize(0.1).linearize(x=np.zeros(3)), r"x must have the shape \(2,\), not \(3,\)"),
        (lambda o: o.solve(np.zeros((3, 2)), 0.0), "dt must be positive"),
        (lambda o: o.solve(np.zeros((3, 5)), 0.1), "x must be"),
        (lambda o: o.solve(lambda t: [0, 0], 0.1), "needs the number of steps"),
        (lambda o: o.solve(lambda t: [0], 0.1, 3), r"x\(t\) must have the shape \(2,\), not \(1,\)"),
        (lambda o: modes(np.ones((2, 3))), r"a matrix with modes is square, not \(2, 3\)"),
    ],
)
def test_bad_calls_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(random_ode())


# --- the solution -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eigenvalue", [-1.0, 0.0, 0.8, 1.0, 1.5])
def test_an_autapse_follows_its_closed_form(eigenvalue):
    tau, x, h0 = 0.7, 0.3, 0.2
    ode = RateODE(W=[[eigenvalue / tau]], W_in=[[1 / tau]], tau=tau, h0=[h0], activation="identity")
    s = ode.solve(np.full((40, 1), x), 0.1)
    if eigenvalue == 1.0:
        expected = h0 + x * s.t / tau
    else:
        rest = x / (1 - eigenvalue)
        expected = rest + (h0 - rest) * np.exp(-(1 - eigenvalue) * s.t / tau)
    np.testing.assert_allclose(s.h[:, 0], expected, rtol=1e-9, atol=1e-9)


def test_a_step_of_held_samples_is_a_function_with_jumps_and_batches_are_independent():
    ode = random_ode()
    x = np.random.default_rng(2).normal(size=(3, 12, 2))
    all_of_them = ode.solve(x, 0.2)
    for k in range(3):
        np.testing.assert_allclose(all_of_them.h[k], ode.solve(x[k], 0.2).h, atol=1e-8)
    np.testing.assert_allclose(all_of_them.z, all_of_them.h @ ode.W_out.T + ode.b_out)
    constant = ode.solve(lambda t: x[0, 0], 0.2, 12)
    np.testing.assert_allclose(constant.h, ode.solve(np.tile(x[0, 0], (12, 1)), 0.2).h, atol=1e-8)


def test_a_solution_beyond_all_bounds_is_an_error():
    ode = RateODE(W=[[2000.0]], W_in=[[1.0]], h0=[1.0], activation="identity")
    with pytest.raises(ToolFailedError, match="the solver stopped"):
        ode.solve(np.zeros((5, 1)), 1.0)


def test_scipy_is_named_when_it_is_missing(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(MissingToolError, match=r"pip install 'autapse\[theory\]'"):
        random_ode().solve(np.zeros((3, 2)), 0.1)


# --- steps ------------------------------------------------------------------------------------------------------------


def test_coefficients_of_the_steps():
    ode = random_ode()
    euler, exponential = ode.discretize(0.1), ode.discretize(0.1, "exponential")
    np.testing.assert_array_equal(euler.d, 1 - 0.1 / ode.tau)
    np.testing.assert_array_equal(euler.g, 0.1)
    np.testing.assert_allclose(exponential.d, np.exp(-0.1 / ode.tau), rtol=1e-15)
    np.testing.assert_allclose(exponential.g, ode.tau * (1 - np.exp(-0.1 / ode.tau)), rtol=1e-13)
    unit = RateODE(W=ode.W, W_in=ode.W_in).discretize(1.0)  # the lecture: dt = tau = 1
    assert not unit.leaky


@pytest.mark.parametrize("method", ["euler", "exponential"])
def test_the_error_of_a_run_is_of_first_order(method):
    ode = random_ode()
    exact = ode.solve(np.zeros((1, 2)), 1.0).h[-1]
    errors = [np.abs(ode.discretize(1 / n, method).run(np.zeros((n, 2))).h[-1] - exact).max() for n in (64, 128)]
    assert 1.9 < errors[0] / errors[1] < 2.1


def test_the_exact_step_of_a_linear_equation_is_its_solution_for_a_singular_matrix_too():
    for W in (random_ode().W, np.eye(4) / random_ode().tau[:, None]):  # the second: A = 0, an integrator
        ode = random_ode(W=W, activation="identity")
        x = np.random.default_rng(3).normal(size=(9, 2))
        np.testing.assert_allclose(ode.discretize(0.7, "exact").run(x).h, ode.solve(x, 0.7).h, atol=1e-9)


@pytest.mark.parametrize("method", ["euler", "exponential"])
def test_rests_are_those_of_the_equation_at_every_step(method):
    ode = random_ode()
    for point in find_fixed_points(ode):
        for dt in (0.01, 0.4):
            assert np.abs(step(ode.discretize(dt, method), point.h) - point.h).max() < 1e-9


def test_the_largest_stable_euler_step_is_sharp():
    # A rotation with decay: l = -1 +- 3i, so that dt < 2 / |l|**2 = 0.2
    ode = RateODE(W=[[0, 3], [-3, 0]], W_in=np.eye(2), activation="identity", h0=[1, 0])
    assert ode.stability(0.1).largest_dt == pytest.approx(0.2)
    with pytest.warns(RuntimeWarning, match=r"\|1 \+ dt\*l\| = 1\.\d+; the largest stable dt is 0\.2$"):
        growing = ode.discretize(0.21)
    shrinking = ode.discretize(0.19)
    assert np.abs(growing.run(np.zeros((400, 2))).h[-1]).max() > 1
    assert np.abs(shrinking.run(np.zeros((400, 2))).h[-1]).max() < 1


def test_the_largest_stable_exponential_step_is_sharp():
    ode = RateODE(W=[[-5.0]], W_in=[[1.0]], activation="identity")  # d - g * 5 = -1 at exp(-dt) = 2 / 3
    assert ode.stability(0.1, "exponential").largest_dt == pytest.approx(np.log(1.5), rel=1e-9)
    ode.discretize(0.40, "exponential")
    with pytest.warns(RuntimeWarning, match="the exponential step dt = 0.41 is not stable.*largest stable dt is 0.405"):
        ode.discretize(0.41, "exponential")


def test_a_mode_that_turns_without_decay_has_no_stable_euler_step():
    ode = RateODE(W=[[1, 2], [-2, 1]], W_in=np.eye(2))
    with pytest.warns(RuntimeWarning, match="turns without decaying.*no dt is stable"):
        ode.discretize(0.01)


def test_growth_of_the_equation_itself_is_not_blamed_on_the_step():
    found = RateODE(W=[[2.0, 0], [0, 0.5]], W_in=np.eye(2)).stability(0.1)
    assert found.growing == 1
    assert found.faithful
    assert not found.stable
    RateODE(W=[[2.0, 0], [0, 0.5]], W_in=np.eye(2)).discretize(0.1)  # no warning


def test_steps_that_no_network_holds():
    with pytest.raises(ValueError, match=r"dt = 2.1 is more than twice the smallest tau, 1.*largest stable dt is 2$"):
        RateODE(W=[[0.0]], W_in=[[1.0]]).discretize(2.1)
    with pytest.raises(ValueError, match=r"a gain of 5, and a Network holds at most 4.*rescale\(1 / dt\)"):
        RateODE(W=[[0.0]], W_in=[[1.0]], tau=10.0).discretize(5.0)
    slow = RateODE(W=[[0.0]], W_in=[[1.0]], tau=10.0)
    assert slow.rescale(1 / 5.0).discretize(1.0).g == pytest.approx(1.0)


def test_a_network_is_the_euler_step_of_its_equation():
    rng = np.random.default_rng(5)
    net = Network(
        W=rng.normal(size=(3, 3)),
        W_in=rng.normal(size=(3, 2)),
        d=rng.uniform(-0.5, 0.9, 3),
        g=rng.uniform(0.1, 0.5, 3),
        h0=rng.normal(size=3),
    )
    x = rng.normal(size=(20, 2))
    ode = RateODE.from_network(net, dt=0.25)
    again = Network(**{**ode_arrays(ode), "d": 1 - 0.25 / ode.tau, "g": 0.25})
    np.testing.assert_allclose(again.run(x).z, net.run(x).z, atol=1e-12)
    with pytest.raises(ValueError, match=r"d must be below 1.*d\[0\] is 1"):
        RateODE.from_network(Network(W=[[0.0]], W_in=[[1.0]], d=1.0))
    with pytest.raises(ValueError, match=r"g must not be 0.*g\[0\] is 0"):
        RateODE.from_network(Network(W=[[0.0]], W_in=[[1.0]], g=0.0))


def ode_arrays(ode: RateODE) -> dict[str, Any]:
    return {name: getattr(ode, name) for name in ("W", "W_in", "b", "W_out", "b_out", "h0")}


# --- tangents ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_slopes_are_those_of_the_activations(activation):
    a = np.random.default_rng(6).uniform(-3, 3, 100)
    s = ACTIVATIONS[activation]
    numeric = (s(a + 1e-6) - s(a - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope(activation, a), numeric, atol=1e-8)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_tangents_touch_and_have_the_slope(activation):
    ode = random_ode(activation=activation)
    h, x = np.array([0.4, -0.3, 0.2, 0.9]), np.array([0.5, -1.0])
    line = ode.linearize(h, x)
    np.testing.assert_allclose(line.derivative(h, x), ode.derivative(h, x), atol=1e-15)
    np.testing.assert_allclose(line.jacobian(h, x), ode.jacobian(h, x), atol=1e-15)
    errors = [np.abs(line.derivative(h + e, x + e) - ode.derivative(h + e, x + e)).max() for e in (1e-2, 1e-3)]
    assert 90 < errors[0] / errors[1] < 110  # second order, in state and input
    net = ode.discretize(0.1)
    flat = net.linearize(h, x)
    np.testing.assert_allclose(step(flat, h, x), step(net, h, x), atol=1e-15)
    np.testing.assert_allclose(network_jacobian(flat, h), network_jacobian(net, h, x), atol=1e-15)


def test_a_fixed_point_is_a_place_to_linearise_at():
    """Equation and network take it as it was found, and rest there still; the network's modes are the point's."""
    ode = random_ode()
    net = ode.discretize(0.1)
    for system in (ode, net):
        point = find_fixed_points(system)[0]
        line = system.linearize(at=point)
        assert line.activation == "identity"
        np.testing.assert_array_equal(line.W, system.linearize(point.h).W)
    np.testing.assert_allclose(step(line, point.h), point.h, atol=1e-8)
    values = np.linalg.eigvals(np.diag(line.d) + line.g[:, None] * line.W)
    np.testing.assert_allclose(np.sort_complex(values), np.sort_complex(point.eigenvalues), atol=1e-12)


def test_the_tangent_of_a_network_is_right_to_second_order():
    net = Network(W=[[0.7, -0.4], [0.3, 1.1]], W_in=np.eye(2), b=[0.1, -0.2], d=[0.5, 0.0], g=[0.3, 1.0])
    at = np.array([0.3, -0.5])
    line, e = net.linearize(at), np.array([1.0, -0.7])
    errors = [np.abs(step(line, at + s * e) - step(net, at + s * e)).max() for s in (1e-2, 1e-3)]
    assert 90 < errors[0] / errors[1] < 110
    origin = net.linearize()
    np.testing.assert_allclose(origin.W, (1 - np.tanh(net.b) ** 2)[:, None] * net.W)
    np.testing.assert_array_equal(origin.d, net.d)


def test_the_jacobian_is_the_numeric_one():
    ode, h, e = random_ode(), np.array([0.4, -0.3, 0.2, 0.9]), 1e-6
    numeric = np.stack([(ode.derivative(h + e * u) - ode.derivative(h - e * u)) / (2 * e) for u in np.eye(4)], axis=1)
    np.testing.assert_allclose(ode.jacobian(h), numeric, atol=1e-8)


def test_modes_gains_and_defective_matrices():
    m = modes([[0, 0.8], [0.8, 0]])
    np.testing.assert_allclose(m.values, [0.8, -0.8])
    np.testing.assert_allclose(m.gains(), [5, 1 / 1.8])
    assert m.condition == pytest.approx(1)
    np.testing.assert_allclose(np.abs(m.amplitudes([1.0, 1.0])), [np.sqrt(2), 0], atol=1e-12)
    assert np.isinf(modes([[1.0]]).gains()[0])
    assert modes(np.zeros((2, 2))).condition == pytest.approx(1)  # singular, and sound
    jordan = modes([[0.5, 1.0], [0.0, 0.5]])
    assert jordan.defective
    with pytest.raises(ValueError, match="defective"):
        jordan.amplitudes([1.0, 0.0])


# --- interchange ------------------------------------------------------------------------------------------------------

DTS = 2.0 ** -np.arange(3, 9)


@cache
def usual_table(activation: str) -> dict[tuple[str, str], Any]:
    return table(random_ode(activation=activation))


def table(ode: RateODE) -> dict[tuple[str, str], Any]:
    fixed = find_fixed_points(ode)[0].h
    point = np.random.default_rng(7).normal(size=ode.units) * 0.5
    return {(i.first, i.second): i for i in interchange(ode, fixed, point, list(DTS))}


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_rescaling_discretising_and_linearising_commute_at_every_point(activation):
    rows = usual_table(activation)
    plain = [r for (a, b), r in rows.items() if "kept" not in a and "exact" not in b and "leave" not in b]
    assert len(plain) == 2 + 3 + 6
    for row in plain:
        assert row.exact, row
        assert row.residuals.max() <= EXACT


def test_the_flow_and_its_tangent_commute_at_a_fixed_point_only():
    rows = usual_table("tanh")
    assert rows["solve over dt, then linearise at a fixed point", "linearise at a fixed point, then exact step"].exact
    away = rows["solve over dt, then linearise at another point", "linearise at another point, then exact step"]
    assert away.order == pytest.approx(2, abs=0.05)
    assert away.residuals[0] > 1e-4
    linear = usual_table("identity")
    for place in ("a fixed point", "another point"):
        assert linear[f"solve over dt, then linearise at {place}", f"linearise at {place}, then exact step"].exact


@pytest.mark.parametrize("method", ["euler", "exponential"])
def test_a_step_and_the_exact_step_differ_in_second_order(method):
    row = usual_table("tanh")[
        f"discretise ({method}), then linearise at a fixed point", "linearise there, then exact step"
    ]
    assert row.order == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(
    ("activation", "bias", "exact"),
    [("tanh", 0.0, True), ("tanh", 0.3, False), ("sigmoid", 0.0, False), ("identity", 0.3, True)],
)
def test_rescaling_with_the_state_kept_needs_s0_to_be_0(activation, bias, exact):
    ode = random_ode(activation=activation, b=np.full(4, bias))
    rows = table(ode)
    row = rows["rescale with the state kept, then linearise at the origin", "linearise at the origin, then rescale so"]
    assert row.exact == exact
    if activation == "sigmoid":  # c dt s(0) (1 - 1/c) with c = 2.5, per step
        np.testing.assert_allclose(row.residuals, DTS * 0.5 * 1.5, rtol=1e-9)
    if not exact:
        assert row.order == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("activation", "exact"), [("tanh", True), ("sigmoid", False), ("hardtanh", True)])
def test_leaving_the_activation_out_needs_slope_1_and_s0_0(activation, exact):
    row = table(random_ode(activation=activation, b=np.zeros(4)))[
        "linearise at the origin, then discretise (euler)", "leave s out, then discretise (euler)"
    ]
    assert row.exact == exact
    if not exact:
        assert row.order == pytest.approx(1, abs=1e-6)


def test_a_rescaled_equation_has_the_same_readout_in_the_other_time():
    ode = random_ode(W_out=[[1.0, 2.0, -1.0, 0.5]])
    x = np.random.default_rng(8).normal(size=(10, 2))
    fast = ode.rescale(0.25)
    np.testing.assert_allclose(fast.solve(x, 0.1 * 0.25).z, ode.solve(x, 0.1).z, atol=1e-8)
    np.testing.assert_allclose(fast.tau, ode.tau / 4)


def test_scaling_needs_two_steps():
    assert scaling([0.2, 0.1], [4.0, 1.0]) == pytest.approx(2)
    assert scaling([0.2, 0.1], [1e-16, 0.0]) is None
    with pytest.raises(ValueError, match="at least two steps, not 1"):
        interchange(random_ode(), np.zeros(4), np.zeros(4), [0.1])


# --- maps -------------------------------------------------------------------------------------------------------------


def test_running_from_states_is_running():
    net = random_ode().discretize(0.1)
    x = np.random.default_rng(9).normal(size=(2, 15, 2))
    np.testing.assert_allclose(run_from(net, np.tile(net.h0, (2, 1)), x), net.run(x).h, atol=1e-14)


@pytest.mark.parametrize("leaky", [False, True])
def test_the_network_inside_a_quantised_one_has_its_values(leaky):
    net = random_ode(h0=np.zeros(4)).discretize(0.1) if leaky else Network(W=random_ode().W, W_in=random_ode().W_in)
    q = quantize(net)
    inner = dequantized(q)
    assert np.abs(inner.W - net.W).max() <= 0.5 * q.formats.W.ulp
    again = quantize(inner)
    np.testing.assert_array_equal(again.W, q.W)
    np.testing.assert_array_equal(again.b, q.b)
