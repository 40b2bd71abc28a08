"""Preferred values, tolerances, and the list of components."""

import csv
import io

import numpy as np
import pytest

from autapse.circuit import (
    Equation,
    Stimulus,
    errors,
    monte_carlo,
    nearest,
    round_values,
    solve,
    synthesize,
)
from autapse.circuit.components import component_table, components
from autapse.circuit.eseries import SERIES_VALUES
from autapse.circuit.levels import Form
from autapse.circuit.text import engineering
from autapse.circuit.tolerance import eigenvalue_shift

FORMS: list[Form] = ["parallel", "series"]


def equation(n: int = 3, activation: str = "tanh") -> Equation:
    rng = np.random.default_rng(8)
    W, tau = 0.6 * rng.normal(size=(n, n)) / np.sqrt(n), np.exp(rng.uniform(-0.5, 0.5, n))
    return Equation(W=W, W_in=rng.normal(size=(n, 1)), tau=tau, b=0.1 * rng.normal(size=n), activation=activation)


def test_series() -> None:
    assert [len(v) for v in SERIES_VALUES.values()] == [6, 12, 24, 96]
    for values in SERIES_VALUES.values():
        assert list(values) == sorted(set(values))
    assert SERIES_VALUES["E96"][:4] == (1.0, 1.02, 1.05, 1.07)
    assert SERIES_VALUES["E96"][-1] == 9.76
    assert SERIES_VALUES["E6"] == (1.0, 1.5, 2.2, 3.3, 4.7, 6.8)


@pytest.mark.parametrize("series", ["E6", "E12", "E24", "E96"])
def test_nearest(series: str) -> None:
    for value in SERIES_VALUES[series]:  # what is in the series stays, and is the float that one would write
        for power in range(-12, 9):
            assert float(nearest(float(f"{value}e{power}"), series)) == float(f"{value}e{power}")
    v = np.exp(np.random.default_rng(0).uniform(-30, 20, 2000))
    got = nearest(v, series)
    ladder = np.array([[x * 10.0**e for x in SERIES_VALUES[series]] for e in range(-15, 11)]).ravel()
    best = np.min(np.abs(np.log(v[:, None] / ladder)), axis=1)
    np.testing.assert_allclose(np.abs(np.log(v / got)), best, atol=1e-12)


def test_nearest_refuses() -> None:
    with pytest.raises(ValueError, match="one of E6, E12, E24, E96; not 'E7'"):
        nearest(1.0, "E7")
    with pytest.raises(ValueError, match="positive and finite"):
        nearest([1.0, -1.0], "E24")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("series", "half_step"), [("E24", 0.05), ("E96", 0.0125)])
def test_rounding(form: Form, series: str, half_step: float) -> None:
    exact = synthesize(equation(6), form)
    rounded = round_values(exact, series)
    for c in components(rounded):
        assert float(nearest(abs(c.value), series)) == pytest.approx(abs(c.value), rel=1e-12)
    error = errors(rounded)
    assert 0.0 < error["tau"] <= 1.05 * half_step
    assert 0.0 < error["W_in"] <= 1.05 * half_step
    off_diagonal = ~np.eye(6, dtype=bool)
    W, wanted = rounded.realised().W, exact.equation.W
    bound = half_step * (np.abs(wanted + wanted.T) + np.abs(wanted - wanted.T)) / 2.0  # coupling and gyrator
    assert np.all(np.abs(W - wanted)[off_diagonal] <= 1.1 * bound[off_diagonal] + 1e-9)
    assert all(value < 1e-12 for value in errors(exact).values())


def test_shunts_make_up_for_the_others() -> None:
    """The diagonal of W is off by the rounding of the shunt alone, not by that of all that loads the port."""
    exact = synthesize(equation(12))
    rounded = round_values(exact, "E24")
    off = np.abs(np.diag(rounded.nport.alpha()) - np.diag(exact.nport.alpha()))
    assert np.all(off <= 0.053 * np.abs(rounded.nport.shunt))


def test_a_capacitor_off_its_value_in_both_cases() -> None:
    """C twice as large: tau doubles; linear W halves, and with an amplifier the gain halves instead."""
    for activation, w, gain in (("identity", 0.5, 1.0), ("tanh", 1.0, 0.5)):
        eq = equation(activation=activation)
        real = synthesize(eq).changed(lambda r: r, lambda c: 2.0 * c).realised()
        np.testing.assert_allclose(real.W, w * eq.W, atol=1e-15)
        np.testing.assert_allclose(real.gain, gain)
        np.testing.assert_allclose(real.tau, 2.0 * eq.tau)


@pytest.mark.parametrize("activation", ["tanh", "identity"])
def test_monte_carlo(activation: str) -> None:
    c = synthesize(equation(activation=activation))
    x = Stimulus.default(c.equation, seed=1)
    first, again = (monte_carlo(c, x, samples=30, seed=5) for _ in range(2))
    assert first == again
    assert monte_carlo(c, x, samples=30, seed=6) != first
    medians = [s.trajectory_median for s in first]
    assert [s.tolerance for s in first] == [0.01, 0.05, 0.10]
    assert 0.0 < medians[0] < medians[1] < medians[2]
    assert medians[1] / medians[0] == pytest.approx(5.0, rel=0.5)  # small deviations grow in proportion
    assert all(s.trajectory_median <= s.trajectory_95 for s in first)
    assert all(s.eigenvalues_median <= s.eigenvalues_95 for s in first)
    (none,) = monte_carlo(c, x, tolerances=[0.0], samples=2)
    assert none.trajectory_95 < 1e-12
    assert none.eigenvalues_95 < 1e-12


def test_monte_carlo_sees_instability() -> None:
    """An integrator, held at eigenvalue 1 by a negative resistor, becomes unstable in about half of the circuits."""
    c = synthesize(Equation(W=np.array([[0.999]]), W_in=np.ones((1, 1)), activation="identity"))
    (spread,) = monte_carlo(c, Stimulus.default(c.equation), tolerances=[0.05], samples=200)
    assert 60 < spread.turned_unstable < 140


def test_monte_carlo_refuses() -> None:
    c = synthesize(equation())
    x = Stimulus.default(c.equation)
    with pytest.raises(ValueError, match="at least one sample, not 0"):
        monte_carlo(c, x, samples=0)
    with pytest.raises(ValueError, match="a tolerance is a fraction from 0 up to 1, not 5"):
        monte_carlo(c, x, tolerances=[5.0])


def test_eigenvalue_shift_pairs_up() -> None:
    assert eigenvalue_shift(np.diag([2.1, 1.0]), np.diag([1.0, 2.0])) == pytest.approx(0.05)
    rotation = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert eigenvalue_shift(1.5 * rotation, rotation) == pytest.approx(0.5)


def test_component_table() -> None:
    c = synthesize(equation())
    rows = list(csv.DictReader(io.StringIO(component_table(c))))
    assert len({row["name"] for row in rows}) == len(rows)
    kinds = [row["kind"] for row in rows]
    assert {k: kinds.count(k) for k in ("storage", "leak", "shunt", "input", "bias", "coupling", "gyrator")} == {
        "storage": 3,
        "leak": 3,
        "shunt": 3,
        "input": 3,
        "bias": 3,
        "coupling": 3,
        "gyrator": 3,
    }
    for row in rows:
        assert (row["active"] == "active") == (row["kind"] in ("coupling", "shunt") and float(row["exact"]) < 0.0)
    leaks = [float(row["exact"]) for row in rows if row["kind"] == "leak"]
    np.testing.assert_array_equal(leaks, 1.0 / c.leak)


@pytest.mark.parametrize(
    ("value", "text"),
    [(15763.2, "15.8 kΩ"), (999.9, "1 kΩ"), (1e-3, "1 mΩ"), (-4.7e6, "−4.7 MΩ"), (0.0, "0 Ω"), (68e-9, "68 nΩ")],
)
def test_engineering(value: float, text: str) -> None:
    assert engineering(value, "Ω") == text


def test_stimulus() -> None:
    x = Stimulus.held([[1.0], [1.0], [-1.0]], dt=0.5)
    np.testing.assert_allclose(x.times, [0.0, 1.0, 1.005, 1.5])  # no edge where a sample repeats
    np.testing.assert_array_equal(x.values, [[1.0], [1.0], [-1.0], [-1.0]])
    np.testing.assert_allclose(x.at([0.2, 1.0025, 1.4]), [[1.0], [0.0], [-1.0]], atol=1e-12)
    for times, values in (([0.0], [[1.0]]), ([0.0, 0.0], [[1.0], [1.0]]), ([1.0, 2.0], [[1.0], [1.0]])):
        with pytest.raises(ValueError, match="start at 0 and increase"):
            Stimulus(np.array(times), np.array(values))
    with pytest.raises(ValueError, match="finite values"):
        Stimulus(np.array([0.0, 1.0]), np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match="dt must be positive and finite, not 0"):
        Stimulus.held([[1.0]], 0.0)
    with pytest.raises(ValueError, match="at least one; their shape is"):
        Stimulus.held(np.zeros((0, 1)), 1.0)
    growing = Equation(W=np.array([[5.0]]), W_in=np.ones((1, 1)), activation="identity")
    assert Stimulus.default(growing).duration == pytest.approx(np.log(1000.0) / 4.0)


def test_reference_solution() -> None:
    """One unit on a step: closed form; a stimulus for another number of inputs is refused."""
    pytest.importorskip("scipy")
    eq = Equation(W=np.array([[0.5]]), W_in=np.ones((1, 1)), tau=np.array([2.0]), activation="identity", h0=[1.0])  # type: ignore[arg-type]
    x = Stimulus(np.array([0.0, 4.0]), np.array([[0.0], [0.0]]))
    eq2 = Equation(W=np.array([[0.25]]), W_in=np.ones((1, 1)), tau=np.array([2.0]), activation="identity", h0=[1.0])  # type: ignore[arg-type]
    times = np.array([0.0, 1.0, 1.0, 4.0])  # a time may come twice
    np.testing.assert_allclose(solve(eq, x, times)[:, 0], 1.0, rtol=1e-9)
    np.testing.assert_allclose(solve(eq2, x, times)[:, 0], np.exp(-0.25 * times), rtol=1e-8)
    with pytest.raises(ValueError, match="the stimulus has 2 inputs; the network has 1"):
        solve(eq, Stimulus(np.array([0.0, 1.0]), np.zeros((2, 2))), times)
