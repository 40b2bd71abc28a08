"""The current form of the state: float model, formats, integer model, and who refuses it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autapse import reference
from autapse.bounds import error_bounds
from autapse.circuit.equation import from_network
from autapse.cli.model import describe, describe_quantized
from autapse.dynamics import RateODE, dequantized, network_jacobian, step
from autapse.fixedpoints import find_fixed_points
from autapse.network import ACTIVATIONS, Network, load_npz
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork, load_quantized
from autapse.tasks import find
from autapse.train.loop import train
from autapse.zoo.measures import error_bound

ALL = ("tanh", "sigmoid", "relu", "hardtanh", "identity")
BOUNDED = ("tanh", "sigmoid", "hardtanh")


def network(activation: str = "tanh", units: int = 7, alpha: float | None = None, seed: int = 0) -> Network:
    """A random one; with `alpha`, all units have d = 1 - alpha, g = alpha."""
    rng = np.random.default_rng(seed)
    return Network(
        W=0.8 * rng.normal(size=(units, units)) / np.sqrt(units),
        W_in=rng.normal(size=(units, 2)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(2, units)),
        b_out=rng.normal(size=2),
        d=rng.uniform(0.5, 0.95, units) if alpha is None else np.array(1.0 - alpha),
        g=rng.uniform(0.05, 0.4, units) if alpha is None else np.array(alpha),
        h0=rng.uniform(-2.0, 2.0, units),
        activation=activation,
        form="current",
    )


def inputs(batch: int = 3, steps: int = 60, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (batch, steps, 2))


def quantized(net: Network, bits: int = 8, **options: object) -> QuantizedNetwork:
    return quantize(net, weight_bits=bits, state_bits=bits, calibrate=inputs(), **options)


@pytest.mark.parametrize("activation", ALL)
def test_the_float_model_is_the_equation(activation: str) -> None:
    net, x, s = network(activation), inputs(), ACTIVATIONS[activation]
    ran = net.run(x)
    v = np.tile(net.h0, (3, 1))
    for t in range(x.shape[1]):
        v = net.d * v + net.g * (s(v) @ net.W.T + x[:, t] @ net.W_in.T + net.b)
        np.testing.assert_allclose(ran.h[:, t], v, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ran.z[:, t], s(v) @ net.W_out.T + net.b_out, rtol=1e-12, atol=1e-12)
    assert np.abs(replace(net, form="rate").run(x).z - ran.z).max() > 0.01 or activation == "identity"


def test_without_a_nonlinearity_both_forms_are_one() -> None:
    net = network("identity")
    for one, other in zip(net.run(inputs()), replace(net, form="rate").run(inputs()), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_a_step_that_forgets_is_the_rate_form_of_the_activation() -> None:
    net = network(alpha=1.0)
    rate = replace(net, form="rate", h0=np.tanh(net.h0))
    np.testing.assert_allclose(net.run(inputs()).z, rate.run(inputs()).z, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.tanh(net.run(inputs()).h), rate.run(inputs()).h, rtol=1e-12, atol=1e-12)


def test_files_keep_the_form(tmp_path: Path) -> None:
    net = network()
    net.save(tmp_path / "n.npz")
    assert load_npz(tmp_path / "n.npz").form == "current"
    q = quantized(net)
    q.save(tmp_path / "q.npz")
    again = load_quantized(tmp_path / "q.npz")
    assert again.form == "current"
    assert again.model_hash() == q.model_hash()
    np.testing.assert_array_equal(again.run(inputs()).z, q.run(inputs()).z)
    with pytest.raises(ValueError, match="form must be one of rate, current; not 'voltage'"):
        replace(net, form="voltage")


def test_the_form_is_part_of_the_hash() -> None:
    # Of the identity both forms can have the same integers and formats.
    rate = quantize(replace(network("identity", alpha=0.25), form="rate", h0=None), state_range=2.0, guard_bits=0)
    other = replace(rate, network=replace(rate.network, form="current"))
    assert rate.model_hash() != other.model_hash()


@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize("bits", [4, 8, 12, 16])
@pytest.mark.parametrize("alpha", [None, 0.1, 1.0])
def test_all_kernels_give_the_integers_of_the_contract(activation: str, bits: int, alpha: float | None) -> None:
    q = quantized(network(activation, alpha=alpha), bits)
    f, codes = q.formats, q.quantize_inputs(inputs())[0]
    state, h, z = np.tile(q.h0, (3, 1)), [], []
    for t in range(codes.shape[1]):
        state, out = reference.step(q, state, codes[:, t])
        h.append(state)
        z.append(out)
    for kernel in ("numpy", "compiled"):
        for repeats in (1, 8):  # a few sequences, and many
            got = reference.run(q, np.tile(codes, (repeats, 1, 1)), kernel=kernel)
            np.testing.assert_array_equal(got.h[-3:], np.stack(h, axis=1))
            np.testing.assert_array_equal(got.z[-3:], np.stack(z, axis=1))
    assert np.abs(np.stack(h)).max() <= f.state.max_code


def test_one_step_in_python_integers() -> None:
    """docs/numerics.md, sections 3 to 5, written out for one unit after another."""
    q = quantized(network())
    f, a = q.formats, q.activation

    def rounded(k: int, s: int) -> int:
        return k << -s if s <= 0 else (k + (1 << (s - 1)) - (k < 0)) >> s

    x = [int(k) for k in q.quantize_inputs(inputs()[0, 0])[0]]
    s = q.h0.tolist()
    for _ in range(5):
        h = [int(a.evaluate(rounded(k, f.guard))) for k in s]
        new = []
        for i in range(q.units):
            total = int(q.b[i]) + sum(int(w) * (k << f.h_shift) for w, k in zip(q.W[i], h, strict=True))
            total += sum(int(w) * (k << f.x_shift) for w, k in zip(q.W_in[i], x, strict=True))
            y = rounded(total, q.pre_shift)
            kept = rounded(int(q.d[i]) * s[i] + (int(q.g[i]) * y << q.gain_shift), f.leak.frac)
            new.append(max(-f.state.max_code, min(f.state.max_code, kept)))
        state, _ = reference.step(q, np.array([s]), np.array([x]))
        assert state[0].tolist() == new
        s = new


@pytest.mark.parametrize("activation", ALL)
def test_the_bound_of_the_state_holds_and_is_close(activation: str) -> None:
    """A unit that pulls itself and is pulled to the ends; then the state format has no bit to spare."""
    net = Network(
        W=np.diag([1.5, -0.75]), W_in=np.array([[2.0], [0.5]]), d=np.array([0.9, 0.75]), g=np.array([0.1, 0.25]),
        activation=activation, form="current",
    )  # fmt: skip
    q = quantize(net, state_range=None if activation in BOUNDED else 6.0)
    if activation in BOUNDED:
        bound = q.overflow_proof()["largest_kept_state"]
        assert bound <= q.formats.state.max_code
        assert 2 * bound > q.formats.state.max_code
    bound = q.state_bound()
    top = q.formats.x.max_code
    h = q.run_int(np.full((1, 400, 1), top)).h[0]
    assert np.abs(h).max() <= min(bound, q.formats.state.max_code)
    if activation in ("tanh", "hardtanh"):
        assert np.abs(h).max() > 0.98 * bound


def test_a_given_range_saturates_the_state() -> None:
    net = replace(network(alpha=0.2), W_in=8.0 * network().W_in)
    free, short = quantize(net), quantize(net, state_range=2.0)
    assert short.formats.state.bits < free.formats.state.bits
    assert short.formats.state.frac == free.formats.state.frac
    h = short.run(inputs()).h
    assert np.abs(h).max() == short.formats.state.max_value
    assert 2.0 <= short.formats.state.max_value < 4.0
    assert "never saturates" in describe_quantized(free)["kept state"]
    assert ": saturates" in describe_quantized(short)["kept state"]


def test_an_integrator_has_no_bound() -> None:
    net = replace(network(), d=np.ones(7))
    with pytest.raises(ValueError, match=r"no bound of its own \(largest decay 1\): give state_range, or calibrate"):
        quantize(net)
    q = quantized(net)
    assert "largest_kept_state" not in q.overflow_proof()
    assert "nothing bounds it" in describe_quantized(q)["kept state"]
    assert q.formats.state.max_value >= np.abs(net.run(inputs()).h).max() - q.formats.state.ulp
    with pytest.raises(ValueError, match=r"no bound of its own \(activation relu\)"):
        quantize(network("relu"))
    with pytest.raises(ValueError, match=r"h0 reaches 1.* outside .* the range of the state"):
        quantize(net, state_range=0.5)


def test_a_word_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the kept state needs .. bits, more than 34: give a smaller state_range"):
        quantize(replace(network(alpha=2.0**-12), b=np.full(7, 1e5)), state_bits=16)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_more_bits_come_closer(activation: str) -> None:
    net = network(activation, alpha=0.1)
    errors = [np.abs(quantized(net, bits).run(inputs()).z - net.run(inputs()).z).max() for bits in (6, 10, 14)]
    assert errors[1] < errors[0] / 8
    assert errors[2] < errors[1] / 8


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "identity"])
def test_jacobian_and_tangent(activation: str) -> None:
    net, v, x = network(activation), np.linspace(-1, 1, 7), np.array([0.4, -0.2])
    jacobian, e = network_jacobian(net, v, x), 1e-6
    moved = np.array([(step(net, v + e * u, x) - step(net, v - e * u, x)) / (2 * e) for u in np.eye(7)]).T
    np.testing.assert_allclose(jacobian, moved, atol=1e-8)
    tangent = net.linearize(v, x)
    assert tangent.activation == "identity"
    np.testing.assert_allclose(step(tangent, v, x), step(net, v, x), atol=1e-12)
    np.testing.assert_allclose(network_jacobian(tangent, v, x), jacobian, atol=1e-12)
    near = [
        replace(n, d=np.zeros(7), g=np.ones(7), W=np.zeros((7, 7)), W_in=np.zeros((7, 2)), b=v) for n in (net, tangent)
    ]
    np.testing.assert_allclose(near[1].run(np.zeros((1, 2))).z, near[0].run(np.zeros((1, 2))).z, atol=1e-12)


def test_fixed_points_are_those_of_the_rate_form() -> None:
    """v = W s(v) + b rests where h = s(v) does, and with one alpha for all units it is as stable."""
    net = replace(network(alpha=0.3, units=4, seed=3), W=3.0 * network(units=4, seed=3).W)
    current, rate = (find_fixed_points(n, slow=0) for n in (net, replace(net, form="rate", h0=None)))
    assert len(current) == len(rate) >= 3
    for point in current:
        twin = min(rate, key=lambda p: np.abs(p.h - np.tanh(point.h)).max())
        np.testing.assert_allclose(twin.h, np.tanh(point.h), atol=1e-7)
        assert twin.kind == point.kind
        np.testing.assert_allclose(np.sort_complex(point.eigenvalues), np.sort_complex(twin.eigenvalues), atol=1e-6)


def test_dequantized_keeps_the_form() -> None:
    assert dequantized(quantized(network())).form == "current"


def test_inspect_shows_the_form() -> None:
    assert "v <- d*v + g*(W s(v) + W_in x + b)" in describe(network())["update"]
    assert "(current form)" in describe(network(alpha=1.0))["update"]
    assert "(rate form)" in describe(replace(network(), form="rate"))["update"]


def test_who_refuses_it() -> None:
    net = network(alpha=0.5)
    for what, call in {
        "the rate equation": lambda: RateODE.from_network(net),
        "a circuit": lambda: from_network(net),
        "training": lambda: train(find("xor"), units=7, seed=0, start=net),
        "a bound of the rounding errors": lambda: error_bound(quantized(net), inputs()[0]),
    }.items():
        with pytest.raises(ValueError, match=f"^{what} needs a network of the rate form; this one is of the current"):
            call()


def test_no_bound_of_the_error_is_claimed() -> None:
    q = quantized(network())
    assert describe_quantized(q)["against float"] == "no bound is derived for this form"
    with pytest.raises(ValueError, match="a bound of the error needs a network of the rate form"):
        error_bounds(q)
