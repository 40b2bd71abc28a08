"""Fixed points: found, counted, classified."""

import time

import numpy as np
import pytest

from autapse.dynamics import RateODE, step
from autapse.fixedpoints import find_fixed_points
from autapse.gallery import path
from autapse.loading import load
from autapse.network import Network
from autapse.zoo import two_attractors


def rolled(n: int) -> Network:
    return Network(W=np.array([-np.roll(np.linspace(-1, 1, n), -i) for i in range(n)]), W_in=np.zeros((n, 1)))


@pytest.mark.parametrize(("units", "count"), [(2, 3), (3, 3), (4, 9)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_known_counts_in_time(units, count, seed):
    began = time.monotonic()
    points = find_fixed_points(rolled(units), seed=seed)
    assert time.monotonic() - began < 10
    fixed = [p for p in points if not p.slow]
    assert len(fixed) == count
    for p in fixed:
        moved = np.tanh(rolled(units).W @ p.h) - p.h  # not by the code under test
        assert np.abs(moved).max() <= 1e-7
        assert p.residual == pytest.approx(np.abs(moved).max(), abs=1e-15)
        assert any(np.abs(p.h + q.h).max() < 1e-6 for q in fixed)  # the map is odd


def test_two_attractors_and_the_point_between():
    points = find_fixed_points(two_attractors(2.0))
    assert [p.kind for p in points] == ["unstable", "stable", "stable"]
    assert points[0].h == pytest.approx(0, abs=1e-12)
    assert points[0].eigenvalues[0] == pytest.approx(2)
    assert np.tanh(2 * points[1].h) == pytest.approx(points[1].h)
    assert [p.growing for p in points] == [1, 0, 0]


def test_a_saddle_has_both_kinds_of_modes():
    points = find_fixed_points(Network(W=np.diag([2.0, 0.5]), W_in=np.zeros((2, 1))))
    assert [p.kind for p in points] == ["saddle", "stable", "stable"]


def test_the_equation_has_the_rests_of_its_steps_and_its_own_stability():
    ode = RateODE(W=[[0, -1.5], [1.5, 0]], W_in=np.eye(2))  # l = -1 +- 1.5i: stable, while the map at dt = 1 is not
    point = find_fixed_points(ode)[0]
    assert point.kind == "stable"
    with pytest.warns(RuntimeWarning, match="not stable"):
        net = ode.discretize(1.0)
    assert find_fixed_points(net)[0].kind == "unstable"


def test_a_constant_input_moves_the_points():
    net = two_attractors(2.0)
    points = find_fixed_points(net, x=[0.6])  # above the threshold 0.533: one attractor is gone
    fixed = [p for p in points if not p.slow]
    assert len(fixed) == 1
    assert step(net, fixed[0].h, np.array([0.6])) == pytest.approx(fixed[0].h)
    assert len(find_fixed_points(net, x=[0.5])) == 3


def test_a_vanished_pair_leaves_a_slow_point():
    points = find_fixed_points(two_attractors(2.0), x=[0.536])
    assert [p.slow for p in points] == [False, True]
    assert 1e-9 < points[1].residual < 1e-2
    assert [p.slow for p in find_fixed_points(two_attractors(2.0), x=[0.536], slow=0.0)] == [False]


def test_a_line_of_fixed_points_is_marginal():
    points = find_fixed_points(Network(W=np.array([[0.5, 0.5], [0.5, 0.5]]), W_in=np.eye(2), activation="identity"))
    assert len(points) > 50
    assert {p.kind for p in points} == {"marginal"}
    for p in points:
        assert p.h[0] == pytest.approx(p.h[1], abs=1e-8)


def test_the_flip_flop_has_its_27_points():
    points = find_fixed_points(load(path("flipflop_3bit")), starts=300)
    assert sorted(p.kind for p in points) == ["saddle"] * 19 + ["stable"] * 8  # 3**3, of which 2**3 are memories


def test_bad_calls():
    with pytest.raises(ValueError, match="at least one start, not 0"):
        find_fixed_points(rolled(2), starts=0)
    with pytest.raises(ValueError, match=r"x must have the shape \(1,\), not \(2,\)"):
        find_fixed_points(rolled(2), x=[1.0, 2.0])
