"""ngspice against scipy: linear circuits within 1e-3 of full scale, nonlinear ones within 5e-3."""

import shutil

import numpy as np
import pytest

from autapse.circuit import Equation, Levels, Stimulus, compare, from_network, run_ngspice, synthesize
from autapse.circuit.compare import LINEAR_BOUND, NONLINEAR_BOUND
from autapse.circuit.levels import Form
from autapse.circuit.ngspice import MISSING
from autapse.errors import ToolFailedError
from autapse.network import Network

pytest.importorskip("scipy")


@pytest.fixture(autouse=True)
def ngspice() -> None:
    if shutil.which("ngspice") is None:
        pytest.skip(MISSING)


def equation(n: int, activation: str, symmetric: bool, seed: int = 1) -> Equation:
    rng = np.random.default_rng(seed)
    W = 0.8 * rng.normal(size=(n, n)) / np.sqrt(n)
    return Equation(
        W=(W + W.T) / 2.0 if symmetric else W,
        W_in=rng.normal(size=(n, 2)),
        tau=1.0 if symmetric else np.exp(rng.uniform(-0.7, 0.7, n)),  # type: ignore[arg-type]
        b=0.3 * rng.normal(size=n),
        h0=rng.uniform(-1.0, 1.0, n),
        activation=activation,
    )


@pytest.mark.parametrize("form", ["parallel", "series"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid", "relu", "hardtanh"])
@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_agreement(form: Form, symmetric: bool, activation: str, n: int) -> None:
    check(form, equation(n, activation, symmetric))


LARGE = [(25, form, symmetric) for form in ("parallel", "series") for symmetric in (True, False)]
LARGE += [(50, "parallel", True), (50, "parallel", False), (50, "series", True)]


@pytest.mark.parametrize("activation", ["identity", "tanh"])
@pytest.mark.parametrize(
    ("n", "form", "symmetric"),
    [*LARGE, pytest.param(50, "series", False, marks=pytest.mark.slow)],  # 1225 gyrators between loops: 10 to 30 s
)
def test_large(n: int, form: Form, symmetric: bool, activation: str) -> None:
    check(form, equation(n, activation, symmetric))


def check(form: Form, eq: Equation) -> None:
    found = compare(synthesize(eq, form), Stimulus.default(eq, seed=7))
    assert found.bound == (LINEAR_BOUND if eq.linear else NONLINEAR_BOUND)
    assert found.agrees, f"differs by {found.error:.2e} of full scale"
    assert len(found.times) >= 500
    assert found.full_scale > 0.1
    np.testing.assert_allclose(found.spice[0], eq.h0, atol=5e-3)  # the initial charges


@pytest.mark.parametrize("form", ["parallel", "series"])
def test_a_fault_is_seen(form: Form) -> None:
    """One resistor off by 3 % lies outside the bound."""
    c = synthesize(equation(3, "identity", False), form)
    c.nport.coupling[0, 1] *= 1.03
    assert not compare(c, Stimulus.default(c.equation)).agrees


@pytest.mark.parametrize("form", ["parallel", "series"])
@pytest.mark.parametrize("storage", ["equal", "reciprocal"])
def test_other_levels(form: Form, storage: str) -> None:
    W = np.array([[0.2, 1.0], [0.25, -0.4]])  # reciprocal with capacitors of 1 to 4
    eq = Equation(W=W, W_in=np.ones((2, 1)), tau=np.array([0.02, 0.03]), b=np.array([0.0, 0.1]))
    levels = Levels(impedance=330.0, time=1e-4, unit=0.05, storage=storage)  # type: ignore[arg-type]
    assert compare(synthesize(eq, form, levels), Stimulus.default(eq)).error < 1e-3


@pytest.mark.parametrize("form", ["parallel", "series"])
@pytest.mark.parametrize("w", [0.5, 1.0, 1.3])
def test_autapse(form: Form, w: float) -> None:
    """Relaxation, integration, and growth into saturation; the growth is unbounded without it."""
    for activation in ("identity", "tanh"):
        eq = Equation(W=np.array([[w]]), W_in=np.ones((1, 1)), activation=activation, h0=np.array([0.1]))
        assert compare(synthesize(eq, form), Stimulus.default(eq)).agrees


@pytest.mark.parametrize("form", ["parallel", "series"])
def test_nothing_reaches_the_unit(form: Form) -> None:
    eq = Equation(W=np.zeros((1, 1)), W_in=np.zeros((1, 1)), h0=np.array([1.0]))
    found = compare(synthesize(eq, form), Stimulus.default(eq))
    assert found.agrees
    np.testing.assert_allclose(found.spice[:, 0], np.exp(-found.times), atol=1e-3)


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_the_forms_are_dual(activation: str) -> None:
    """The same state in both, although one is of voltages and the other of currents."""
    eq = equation(4, activation, False)
    x = Stimulus.default(eq)
    one, two = (compare(synthesize(eq, form), x) for form in ("parallel", "series"))
    on_one = np.stack([np.interp(one.times, two.times, h) for h in two.spice.T], axis=1)
    assert np.max(np.abs(on_one - one.spice)) < 1e-3 * one.full_scale


def test_a_network_of_euler_steps() -> None:
    """From an .npz's network to the circuit; the network itself comes close as its step is short."""
    eq = equation(3, "tanh", False)
    dt = 0.01
    net = Network(W=eq.W, W_in=eq.W_in, b=eq.b, d=1.0 - dt / eq.tau, g=np.full(3, dt), h0=eq.h0)
    x = np.repeat(np.random.default_rng(0).uniform(-1, 1, (4, 2)), 100, axis=0)
    found = compare(synthesize(from_network(net)), Stimulus.held(x, dt))
    assert found.agrees
    ends = dt * np.arange(1, 401)
    circuit = np.stack([np.interp(ends, found.times, h) for h in found.spice.T], axis=1)
    np.testing.assert_allclose(net.run(x).h, circuit, atol=0.02)


def test_ngspice_says_what_is_wrong() -> None:
    with pytest.raises(ToolFailedError, match=r"ngspice failed.*unknown parameter \(foo\)"):
        run_ngspice("* a\nr1 a 0 foo\n.tran 1u 1m\n.end\n", 1e-3)
    with pytest.raises(ToolFailedError, match="singular matrix"):
        run_ngspice("* a\nv1 a 0 1\nv2 a 0 2\n.tran 1u 1m\n.save v(a)\n.end\n", 1e-3)
