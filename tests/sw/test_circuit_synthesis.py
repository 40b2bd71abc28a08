"""The synthesis of circuits: what the component values say must be the equation again."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autapse.circuit import (
    Equation,
    Levels,
    NPort,
    counts,
    dale,
    from_network,
    symmetrizing_scale,
    synthesize,
)
from autapse.circuit.levels import Form
from autapse.errors import AutapseError
from autapse.network import Network

FORMS: list[Form] = ["parallel", "series"]


def equation(n: int = 4, symmetric: bool = False, seed: int = 3, **changes: Any) -> Equation:
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(n, n)) / np.sqrt(n)
    given: dict[str, Any] = {
        "W": (W + W.T) / 2.0 if symmetric else W,
        "W_in": rng.normal(size=(n, 2)),
        "b": rng.normal(size=n),
        "tau": np.ones(n) if symmetric else np.exp(rng.uniform(-1.0, 1.0, n)),
        "h0": rng.uniform(-2.0, 2.0, n),
    }
    return Equation(**(given | changes))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ["tanh", "identity"])
@pytest.mark.parametrize("n", [1, 2, 7, 50])
@pytest.mark.parametrize("symmetric", [True, False])
def test_values_give_the_equation_back(form: Form, activation: str, n: int, symmetric: bool) -> None:
    eq = equation(n, symmetric, activation=activation)
    real = synthesize(eq, form).realised()
    for found, wanted in ((real.W, eq.W), (real.W_in, eq.W_in), (real.b, eq.b), (real.tau, eq.tau)):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12 * np.max(np.abs(wanted)))
    np.testing.assert_allclose(real.gain, 1.0, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_formulas_of_the_form(form: Form) -> None:
    """By hand: W = T C^-1 alpha, tau = R C / T (parallel), L / (R T) (series), and the amplifier's limit."""
    eq = equation(3)
    c = synthesize(eq, form, Levels(impedance=470.0, time=2e-4, unit=0.25))
    alpha = c.storage[:, None] * eq.W / c.seconds
    np.testing.assert_allclose(c.nport.alpha(), alpha, rtol=1e-12, atol=1e-15 * np.max(np.abs(alpha)))
    resistance = 1.0 / c.leak if form == "parallel" else c.leak
    product = resistance * c.storage if form == "parallel" else c.storage / resistance
    np.testing.assert_allclose(product, eq.tau * c.seconds, rtol=1e-12)
    np.testing.assert_allclose(c.limit, c.storage * 0.25 / c.seconds, rtol=1e-12)
    np.testing.assert_allclose(c.initial, 0.25 * eq.h0, rtol=1e-12)


def test_practical_values_by_default() -> None:
    parallel, series = (synthesize(equation(3, True), form) for form in FORMS)
    np.testing.assert_array_equal(parallel.storage, 100e-9)
    np.testing.assert_allclose(1.0 / parallel.leak, 10e3)
    np.testing.assert_array_equal(series.storage, 10e-3)
    np.testing.assert_allclose(series.leak, 1e3)
    slow = synthesize(equation(3, True, tau=0.02), "parallel")  # tau in seconds: 20 ms become 2 ms
    assert slow.seconds == pytest.approx(0.1)
    np.testing.assert_allclose(slow.storage, 220e-9)


def test_dual() -> None:
    """Both forms are one n-port, up to the factor between siemens and ohms."""
    eq = equation(5)
    parallel, series = synthesize(eq, "parallel"), synthesize(eq, "series")
    assert parallel.dual().form == "series"
    np.testing.assert_allclose(parallel.dual().nport.alpha(), series.nport.alpha())
    factor = (series.storage / series.seconds) / (parallel.storage / parallel.seconds)
    for name, values in vars(parallel.nport).items():
        np.testing.assert_allclose(getattr(series.nport, name), factor[0] * values, rtol=1e-9, atol=1e-9, err_msg=name)
    assert counts(parallel) == counts(series)
    assert series.dual().form == "parallel"


def test_split() -> None:
    alpha = np.array([[0.5, 2.0, 0.0], [1.0, -1.0, -3.0], [0.0, 3.0, 0.0]])
    beta, bias = np.array([[1.0], [0.0], [-2.0]]), np.array([0.0, -0.5, 0.0])
    p = NPort.of(alpha, beta, bias)
    np.testing.assert_array_equal(p.coupling, [[0, 1.5, 0], [0, 0, 0], [0, 0, 0]])
    # To unit 2 from unit 1: 1.5 - 0.5; between 2 and 3 there is nothing but a gyrator.
    np.testing.assert_array_equal(p.gyrator, [[0, -0.5, 0], [0, 0, 3.0], [0, 0, 0]])
    np.testing.assert_array_equal(p.shunt, [-0.5 - 1.5 - 1.0, 1.0 - 1.5 - 0.5, -2.0])
    np.testing.assert_array_equal(p.symmetric(), (alpha + alpha.T) / 2)
    np.testing.assert_array_equal(p.antisymmetric(), (alpha - alpha.T) / 2)
    np.testing.assert_array_equal(p.alpha(), alpha)


@pytest.mark.parametrize("form", FORMS)
def test_counts(form: Form) -> None:
    n = counts(synthesize(equation(6, symmetric=True), form))
    assert n["gyrators"] == 0
    assert n["reciprocal"]
    assert n["couplings"] == 15
    assert n["amplifiers"] == 6
    assert n["active_after_merging"] is None
    assert counts(synthesize(equation(6), form))["gyrators"] == 15
    # Mutual excitation is a passive circuit: two RC one-ports joined by one resistor.
    eq = Equation(W=[[0, 0.8], [0.8, 0]], W_in=[[0.0], [0.0]], activation="identity")  # type: ignore[arg-type]
    excitation = counts(synthesize(eq, form))
    assert excitation["active"] == 2  # the shunts that free W[k, k] of the load
    assert excitation["active_after_merging"] == 0
    inhibition = counts(synthesize(replace(eq, W=-eq.W), form))
    assert inhibition["couplings_active"] == inhibition["active_after_merging"] == 1


def test_capacitors_that_make_it_reciprocal() -> None:
    rng = np.random.default_rng(0)
    S, d = rng.normal(size=(5, 5)), np.exp(rng.uniform(-1, 1, 5))
    W = (S + S.T) / d[:, None]
    found = symmetrizing_scale(W)
    assert found is not None
    np.testing.assert_allclose(found, d / np.exp(np.mean(np.log(d))))
    eq = equation(5, W=W)
    assert counts(synthesize(eq))["gyrators"] == 10
    c = synthesize(eq, levels=Levels(storage="reciprocal"))
    assert counts(c)["gyrators"] == 0
    np.testing.assert_allclose(c.realised().W, W, rtol=1e-12)
    two_parts = np.array([[0, 2.0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(symmetrizing_scale(two_parts), [np.sqrt(0.5), np.sqrt(2.0), 1.0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "W",
    [
        [[0, 1.0], [0, 0]],  # one way
        [[0, 1.0], [-1.0, 0]],  # opposite signs
        [[0, 1.0, 1.0], [1.0, 0, 1.0], [2.0, 1.0, 0]],  # the loop is stronger one way round
    ],
)
def test_no_capacitors_make_it_reciprocal(W: list[list[float]]) -> None:
    assert symmetrizing_scale(np.array(W)) is None
    with pytest.raises(AutapseError, match="no choice of capacitors makes this network reciprocal"):
        synthesize(Equation(W=np.array(W), W_in=np.ones((len(W), 1))), levels=Levels(storage="reciprocal"))


def test_dale() -> None:
    law = dale(np.array([[1.0, -1.0, 0.0], [2.0, -1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert (law["excitatory"], law["inhibitory"], law["silent"], law["mixed"]) == ([1], [2], [3], [])
    assert law["obeyed"]
    assert "the 1 coupled pairs of opposite kind cannot be reciprocal" in law["meaning"]
    assert "columns have both signs" in dale(np.array([[1.0, 0.0], [-1.0, 0.0]]))["meaning"]
    assert "all units are of one kind" in dale(np.ones((2, 2)))["meaning"]
    assert "a reciprocal n-port is possible" in dale(np.diag([1.0, -1.0]))["meaning"]


def test_euler_step_of_a_network() -> None:
    rng = np.random.default_rng(0)
    W, W_in, tau = rng.normal(size=(3, 3)), rng.normal(size=(3, 1)), np.array([0.5, 1.0, 4.0])
    eq = from_network(Network(W=W, W_in=W_in, d=1.0 - 0.1 / tau, g=np.full(3, 0.1), activation="relu"))
    np.testing.assert_allclose(eq.tau, tau)
    np.testing.assert_array_equal(eq.W, W)
    assert eq.activation == "relu"
    np.testing.assert_array_equal(from_network(Network(W=W, W_in=W_in)).tau, 1.0)


@pytest.mark.parametrize(
    ("changes", "dt", "message"),
    [
        ({"g": [0.1, 0.1, 0.2]}, None, r"not an Euler step of dt = 0.1: g must equal dt .* g\[2\] is 0.2"),
        ({}, 0.5, r"not an Euler step of dt = 0.5: .*g\[0\] is 1"),
        ({}, 0.0, "dt must be positive, not 0"),
        ({"g": [-1.0, -1.0, -1.0]}, None, r"dt must be positive, not -1 \(it is read from g\[0\]\)"),
        ({"d": [0.0, 1.0, 0.0]}, None, r"unit 1 has no leak \(d\[1\] = 1, tau infinite\)"),
    ],
)
def test_networks_that_are_no_euler_step(changes: dict[str, Any], dt: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_network(Network(W=np.zeros((3, 3)), W_in=np.ones((3, 1)), **changes), dt)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": [1.0, 0.0, 1.0, 1.0]}, r"tau must be positive and finite; tau\[1\] is 0"),
        ({"tau": [1.0, 1.0, 1.0, -2.0]}, r"tau\[3\] is -2"),
        ({"tau": np.nan}, r"tau\[0\] is nan"),
        ({"tau": np.inf}, r"tau\[0\] is inf"),
        ({"tau": [1.0, 1.0]}, r"tau must be \(units\) = \(4,\); its shape is \(2,\)"),
        ({"W": np.ones((4, 3))}, r"W must be square.*\(4, 3\)"),
        ({"W_in": np.ones((3, 1))}, r"W_in must be \(units, inputs\)"),
        ({"h0": [np.inf, 0.0, 0.0, 0.0]}, "h0 must be finite"),
        ({"activation": "softplus"}, "activation must be one of"),
    ],
)
def test_bad_equations(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        equation(**changes)


def test_other_bad_input() -> None:
    with pytest.raises(ValueError, match="form must be parallel or series, not 'star'"):
        synthesize(equation(), "star")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="int lacks W"):
        synthesize(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="impedance of the levels must be positive and finite, not 0"):
        Levels(impedance=0.0)
    with pytest.raises(ValueError, match="storage of the levels must be equal or reciprocal, not 'some'"):
        Levels(storage="some")  # type: ignore[arg-type]


def test_anything_with_the_attributes_is_taken() -> None:
    from types import SimpleNamespace

    eq = equation()
    other: Any = SimpleNamespace(**vars(eq))
    np.testing.assert_array_equal(synthesize(other).nport.alpha(), synthesize(eq).nport.alpha())
    other.tau = -eq.tau
    with pytest.raises(ValueError, match="tau must be positive"):
        synthesize(other)
