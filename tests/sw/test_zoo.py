"""The networks of the lecture: against their closed forms in float, and as integers."""

from dataclasses import replace

import numpy as np
import pytest

from autapse.dynamics import dequantized, modes, network_jacobian
from autapse.fixedpoints import find_fixed_points
from autapse.network import Network
from autapse.quantize import quantize
from autapse.zoo import (
    CATALOGUE,
    amplifier,
    autapse,
    balanced,
    chaos,
    decision_margin,
    direction,
    drift,
    error_bound,
    exhibit,
    flip_threshold,
    hadamard,
    hopfield,
    integrator,
    lyapunov,
    mutual,
    period,
    random_patterns,
    recall,
    rest,
    rest_bound,
    ring,
    ring_angles,
    ring_radius,
    separation,
    sequence,
    two_attractors,
    winner_take_all,
)


def held(value, steps: int) -> np.ndarray:
    return np.tile(np.asarray(value, float), (steps, 1))


# --- linear -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [1.0, 3.0])
@pytest.mark.parametrize("eigenvalue", [-0.5, 0.5, 0.8])
def test_relaxation_has_gain_and_time_constant_of_the_lecture(eigenvalue, tau):
    ode, dt, x = autapse(eigenvalue, tau), 0.05 * tau, 0.2
    gain, slow = 1 / (1 - eigenvalue), tau / (1 - eigenvalue)
    exact = ode.discretize(dt, "exact").run(held([x], 300)).h[:, 0]
    t = dt * np.arange(1, 301)
    np.testing.assert_allclose(exact, gain * x * (1 - np.exp(-t / slow)), atol=1e-9)
    euler = ode.discretize(dt).run(held([x], 300)).h[:, 0]
    np.testing.assert_allclose(euler, gain * x * (1 - (1 - dt / slow) ** np.arange(1, 301)), atol=1e-9)


def test_an_autapse_at_1_integrates_and_above_1_saturates():
    line = autapse(1.0, 2.0).discretize(0.1).run(held([0.3], 100)).h[:, 0]
    np.testing.assert_allclose(line, 0.3 * 0.1 / 2.0 * np.arange(1, 101), atol=1e-9)
    growth = autapse(1.5).discretize(0.01).run(held([1e-6], 200)).h[:, 0]
    np.testing.assert_allclose(growth, 2e-6 * (1.005 ** np.arange(1, 201) - 1), atol=1e-12)
    end = autapse(1.5, activation="tanh").discretize(0.1).run(held([0.1], 1000)).h[-1, 0]
    assert end == pytest.approx(np.tanh(1.5 * end + 0.1), abs=1e-9)
    q = quantize(autapse(1.5, activation="tanh").discretize(0.1))
    h, _ = rest(q, [0.1])
    assert abs(h[0] - end) <= 4 * q.formats.h.ulp


def test_an_amplifier_has_its_gain_and_pays_for_it_with_speed():
    for gain in (2.0, 5.0, 20.0):
        s = amplifier(gain).solve(held([0.1], 2), gain)  # after one and two time constants
        np.testing.assert_allclose(s.h[:, 0], 0.1 * gain * (1 - np.exp([-1, -2])), atol=1e-9)


@pytest.mark.parametrize("weight", [0.8, -0.8])
def test_mutual_excitation_and_inhibition_have_gains_5_and_1_over_1_8(weight):
    ode = mutual(weight)
    m = modes(ode.W)
    np.testing.assert_allclose(m.values, [0.8, -0.8], atol=1e-12)
    common, contrast = (5, 1 / 1.8) if weight > 0 else (1 / 1.8, 5)
    np.testing.assert_allclose(np.abs(m.vectors[0, 0] + np.sign(weight) * m.vectors[1, 0]), np.sqrt(2))
    x = np.array([0.10, 0.04])
    h = ode.discretize(0.1).run(held(x, 3000)).h[-1]
    np.testing.assert_allclose(h.sum(), common * x.sum(), atol=1e-9)
    np.testing.assert_allclose(h[0] - h[1], contrast * (x[0] - x[1]), atol=1e-9)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("net", ["autapse", "excitation", "inhibition"])
def test_linear_rests_in_fixed_point_lie_within_the_derived_bound(net, bits):
    ode = {"autapse": autapse(0.8), "excitation": mutual(0.8), "inhibition": mutual(-0.8)}[net]
    rng = np.random.default_rng(bits)
    for x in rng.uniform(-0.2, 0.2, (5, ode.inputs)):
        step = ode.discretize(0.1)
        q = quantize(step, weight_bits=bits, state_bits=bits, state_range=1.0, input_range=0.25)
        h, still = rest(q, x)
        assert still
        exact = np.linalg.solve(np.eye(ode.units) - ode.W, x)
        bound = rest_bound(q, x, h)
        assert np.all(np.abs(h - exact) <= bound)
        assert bound.max() < 60 * q.formats.h.ulp  # gain 5, and a gain of 0.1 in front of every rounding


@pytest.mark.parametrize("weight", [0.3, 0.83, -0.4])
def test_the_bound_is_no_larger_than_a_rounded_weight_makes_it(weight):
    net = Network(W=[[weight]], W_in=[[1.0]], activation="identity")
    q = quantize(net, weight_bits=4, state_bits=18, state_range=8.0)
    h, still = rest(q, [0.5])
    assert still
    error, bound = np.abs(h - 0.5 / (1 - weight)), rest_bound(q, [0.5], h)
    assert error <= bound <= 1.02 * error  # all of it from the one weight


def test_the_bound_is_for_linear_networks_with_a_rest():
    with pytest.raises(ValueError, match="linear networks, not for tanh"):
        rest_bound(quantize(two_attractors()), [0.0], [0.0])
    q = quantize(autapse(1.0).discretize(0.1), state_range=1.0)
    with pytest.raises(ValueError, match="an eigenvalue of 1, to rounding, and no rest of its own"):
        rest_bound(q, [0.0], [0.0])


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("ode", [autapse(0.8), autapse(1.0), mutual(0.8), mutual(-0.8), winner_take_all(3)])
def test_every_step_in_fixed_point_lies_within_the_derived_bound(ode, bits):
    x = np.repeat(np.random.default_rng(bits).uniform(-0.2, 0.2, (10, ode.inputs)), 20, axis=0)
    net = ode.discretize(0.1)
    q = quantize(net, weight_bits=bits, state_bits=bits, state_range=2.0, input_range=0.25)
    bound = error_bound(q, x)
    off = np.abs(q.run(x).h - net.run(x).h)
    assert np.all(off <= bound)
    assert off.max() > 0.0
    if ode.activation == "identity":
        assert bound.max() < 1.0 * 2.0 ** (8 - bits)  # 16 bits: 4e-3, for the integrator, after 200 steps


def test_a_bound_in_time_ends_where_that_of_the_rest_is():
    """One unit: the sum of |J|**k is the inverse of 1 - J."""
    net = autapse(0.8).discretize(0.1)
    q = quantize(net, weight_bits=10, state_bits=10, state_range=1.0, input_range=0.25)
    x = held([0.1], 1500)
    h, still = rest(q, [0.1], 1500)
    assert still
    assert error_bound(q, x)[-1] == pytest.approx(rest_bound(q, [0.1], h), rel=1e-6)


def test_an_integrator_holds_in_float_and_drifts_where_its_eigenvalue_was_rounded():
    net = integrator(16, 1)
    v = direction(16, 1)
    assert np.linalg.norm(v) == pytest.approx(1)
    np.testing.assert_allclose(net.run(np.r_[held([0.5], 1), held([0.0], 999)]).z[-1], 0.5, atol=1e-9)
    per_1000 = {}
    for name, weight_bits, state_bits in (("8/8", 8, 8), ("8/12", 8, 12), ("16/12", 16, 12)):
        q = quantize(net, weight_bits=weight_bits, state_bits=state_bits, state_range=1.0)
        per_1000[name] = drift(q, 0.8).per_1000
    assert abs(per_1000["8/8"]) <= 2  # the rounding of the state holds the value
    assert per_1000["8/12"] < -200  # a finer state follows the wrong eigenvalue
    assert abs(per_1000["16/12"]) <= 2
    q = quantize(net, weight_bits=8, state_bits=12, state_range=1.0)
    better = quantize(balanced(net, v, q.formats.W), weight_bits=8, state_bits=12, state_range=1.0)
    assert abs(drift(better, 0.8).per_1000) <= 2
    assert np.abs(dequantized(better).W - net.W).max() <= 1.5 * q.formats.W.ulp
    top = [np.abs(modes(dequantized(each).W).values).max() for each in (q, better)]
    assert abs(top[1] - 1) < 0.02 * abs(top[0] - 1)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_an_integrator_of_dyadic_weights_does_not_drift_at_all(bits):
    q = quantize(integrator(16, None), weight_bits=bits, state_bits=bits, state_range=1.0)
    for value in (0.1, -0.5, 0.9):
        assert drift(q, value).per_1000 == 0


# --- attractors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [1.2, 2.0, 4.0])
def test_two_attractors_flip_at_the_threshold(weight):
    net, q = two_attractors(weight), quantize(two_attractors(weight), state_bits=12)
    h = find_fixed_points(net)[-1].h
    assert np.abs(h) == pytest.approx(np.tanh(weight * np.abs(h)))
    threshold = flip_threshold(weight)
    limit = q.formats.x.max_value
    for system, room in ((net, 1e-3), (q, 0.02)):
        for size, flips in ((threshold - room, False), (threshold + room, True)):
            if size > limit:
                continue
            x = np.zeros((1200, 1))
            x[:50], x[100:1100] = limit, -size
            assert (system.run(x).h[-1, 0] < 0) == flips


@pytest.mark.parametrize("units", [2, 3, 6])
def test_the_winner_takes_all(units):
    ode = winner_take_all(units)
    x = np.full(units, 0.5)
    x[1] = 0.52
    h = ode.discretize(0.05).run(held(x, 3000)).h[-1]
    expected = np.zeros(units)
    expected[1] = 0.52 / (1 - 0.5)
    np.testing.assert_allclose(h, expected, atol=1e-9)
    for rates in ode.stability(0.05).rates.real:
        assert rates == pytest.approx(0.5) or rates < 0  # differences have the eigenvalue 1.5


@pytest.mark.parametrize("bits", [8, 12])
def test_one_code_of_lead_decides(bits):
    x = held([1, 0.5, 0.5], 600)
    q = quantize(winner_take_all(3).discretize(0.1), weight_bits=bits, state_bits=bits, calibrate=x, input_range=1.5)
    levels = np.linspace(0.1, 0.6, 6) * 2 ** (bits - 1)
    assert decision_margin(q, levels.astype(int), steps=600) == 1


def test_a_handicap_costs_its_size_in_margin():
    biased = replace(winner_take_all(2), b=np.array([0.1, 0.0]))
    q = quantize(biased.discretize(0.1), state_range=2.0, input_range=1.0)
    handicap = 0.1 / q.formats.x.ulp  # 6.4 codes
    assert handicap - 1 <= decision_margin(q, [40], steps=600) <= handicap + 2


def test_hopfield_recalls_below_and_forgets_above_the_limit_and_8_bits_change_nothing():
    for count, low, high in ((5, 0.99, 1.0), (30, 0.0, 0.7)):
        p = random_patterns(count, 100, 1)
        net = hopfield(p)
        found = [recall(system, p, 0.1, 3).mean() for system in (net, quantize(net))]
        assert low <= found[0] <= high
        assert abs(found[1] - found[0]) < 0.02
    np.testing.assert_array_equal(np.diag(net.W), 0)


def test_a_stored_pattern_is_a_stable_fixed_point():
    p = hadamard(16)[1:4]
    net = hopfield(p)
    h = net.run(np.r_[p[:1], np.zeros((200, 16))]).h[-1]
    m = h[0] * p[0, 0]
    np.testing.assert_allclose(h, m * p[0], atol=1e-12)
    assert m == pytest.approx(np.tanh(4 * (1 - 3 / 16) * m))  # orthogonal patterns; the diagonal is missing
    assert np.abs(np.linalg.eigvals(network_jacobian(net, h))).max() < 1


def test_a_ring_holds_every_angle_in_float_and_its_bump_has_the_predicted_height():
    net, a, r = ring(32, 2.0), ring_angles(32), ring_radius(32, 2.0)
    psi = np.deg2rad([0.0, 33.0, 170.0])
    x = np.zeros((3, 1000, 2))
    x[:, 0] = 0.99 * np.stack([np.cos(psi), np.sin(psi)], axis=1)
    run = net.run(x)
    np.testing.assert_allclose(run.h[:, -1], np.tanh(r * np.cos(a - psi[:, None])), atol=1e-5)
    # The circle in fixed point: 12 bits move by less than a twentieth of a degree, 8 bits by less than one.
    for bits, degrees in ((8, 1.0), (12, 0.05)):
        z = quantize(net, weight_bits=bits, state_bits=bits).run(x).z[:, -1]
        assert np.abs(np.rad2deg(np.arctan2(z[:, 1], z[:, 0]) - psi)).max() < degrees


# --- motion -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cyclic", [True, False])
def test_a_sequence_follows_its_overlap(cyclic):
    net = sequence(hadamard(8)[1:5], cyclic=cyclic)
    x = np.zeros((12, 4))
    x[0, 0] = 1.0
    z = net.run(x).z
    m = np.tanh(2.0)
    for t in range(12):
        expected = np.zeros(4)
        expected[t % 4] = m if cyclic or t < 4 else 0.0
        np.testing.assert_allclose(z[t], expected, atol=1e-12)
        m = np.tanh(2.0 * m)
    fixed = quantize(net).run(x).z
    np.testing.assert_allclose(fixed, z, atol=0.02)
    np.testing.assert_array_equal(fixed.argmax(axis=1)[:4], [0, 1, 2, 3])


def test_the_exponent_is_that_of_a_known_map():
    # At rest in 0 the exponent is the logarithm of the largest modulus.
    net = chaos(16, 0.7, seed=3)
    silent = type(net)(W=net.W, W_in=net.W_in)
    expected = np.log(np.abs(np.linalg.eigvals(net.W)).max())
    assert lyapunov(silent, steps=4000) == pytest.approx(expected, abs=2e-3)


def test_the_exponent_follows_the_path():
    net = replace(two_attractors(2.0), h0=np.array([0.3]))
    h = find_fixed_points(net)[-1].h[0]
    assert lyapunov(net) == pytest.approx(np.log(2 * (1 - h**2)), abs=1e-9)


def test_chaos_above_gain_1_and_silence_below():
    assert lyapunov(chaos(64, 0.8)) < -0.1
    assert np.abs(chaos(64, 0.8).run(np.zeros((500, 1))).h[-1]).max() < 1e-9
    net = chaos(64, 2.0)
    assert lyapunov(net) > 0.08
    times = [separation(net, quantize(net, weight_bits=b, state_bits=b)) for b in (8, 12, 16)]
    assert times[0] < times[1] < times[2] < 200  # more bits buy time, by the logarithm
    x = np.zeros((2000, 1))
    spread = [system.run(x).h[500:].std() for system in (net, quantize(net))]
    assert spread[1] == pytest.approx(spread[0], rel=0.02)


def test_a_small_fixed_point_network_is_periodic():
    q = quantize(chaos(6, 3.0, seed=1))
    transient, length = period(q)
    h = q.run_int(np.zeros((1, transient + 2 * length, 1), int)).h[0]
    np.testing.assert_array_equal(h[transient : transient + length], h[transient + length :])
    assert period(q, steps=5) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: amplifier(0.0), "gain must be positive and finite, not 0"),
        (lambda: two_attractors(1.0), "weight above 1, not 1"),
        (lambda: winner_take_all(1), "winner-take-all needs 2 units"),
        (lambda: winner_take_all(3, own=0.2, others=0.5), "own < 1 < own"),
        (lambda: hadamard(6), "powers of two, not 6"),
        (lambda: hopfield([[1, 0.5]]), r"patterns must be \(patterns, units\) of 1 and -1"),
        (lambda: sequence([[1.0, -1.0]]), "at least 2"),
        (lambda: ring(2), "3 units"),
    ],
)
def test_bad_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- exhibits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_what_is_claimed_holds_in_float_and_in_fixed_point(name):
    """In RTL too: tests/hw/test_zoo_rtl.py."""
    shown = exhibit(name)
    assert shown.name == name
    findings = shown.findings(shown.runs())
    assert {f.level for f in findings} == {"float", "fixed point"}
    for found in findings:
        assert found.holds, found
    for claim in shown.claims:
        assert claim.fixed_room < 0.05 * max(abs(claim.target), 1.0) or name in ("ring", "chaos"), claim


@pytest.mark.parametrize(("name", "broken"), [("autapse", 0), ("two_attractors", 1), ("sequence", 0), ("ring", 1)])
def test_a_claim_can_fail(name, broken):
    """Another network than the one that the claims are of, at the same inputs."""
    shown = exhibit(name)
    other = replace(shown.net, W=-0.45 * shown.net.W)
    findings = shown.findings({"float": other.run(shown.x).z})
    assert not findings[broken].holds


def test_the_names_are_said():
    with pytest.raises(ValueError, match="'bat' is not in the zoo; there are autapse, autapse_at_1"):
        exhibit("bat")
