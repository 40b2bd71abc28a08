"""Properties of the integer model over random networks: what holds exactly, and where it does not."""

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from designs import random_codes, random_network
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autapse.fixed import IntArray
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.reference import run

pytestmark = pytest.mark.filterwarnings("ignore:every element of W")
same = settings(derandomize=True, deadline=None, database=None, max_examples=200)
ODD = ("tanh", "hardtanh", "identity")
STEPS = 8


@st.composite
def cases(draw: st.DrawFn) -> tuple[QuantizedNetwork, IntArray]:
    """A network and input codes (2, STEPS, inputs)."""
    random = draw(st.randoms(use_true_random=False))
    q = quantize(
        random_network(random, random.randint(1, 7)),
        weight_bits=random.randint(4, 18),
        state_bits=random.randint(4, 13),
        input_bits=random.randint(4, 18),
        state_range=random.choice([1.0, 3.0, 20.0]),
        operand_bits=random.choice([None, 26]),
        guard_bits=random.choice([None, 0, 5]),
    )
    return q, random_codes(q, (2, STEPS), np.random.default_rng(random.getrandbits(32)))


def unbiased(q: QuantizedNetwork) -> QuantizedNetwork:
    return replace(q, b=0 * q.b, b_out=0 * q.b_out)


@same
@given(cases())
def test_odd_symmetry(case: tuple[QuantizedNetwork, IntArray]) -> None:
    """Exact for odd activations without biases, saturated or not: run(-x) from -h0 is -run(x) from h0."""
    q, x = case
    assume(q.activation.name in ODD)
    q = unbiased(q)
    plus, minus = run(q, x), run(replace(q, h0=-q.h0), -x)
    assert np.array_equal(minus.h, -plus.h)
    assert np.array_equal(minus.z, -plus.z)


@same
@given(cases())
def test_biases_are_odd_with_the_rest(case: tuple[QuantizedNetwork, IntArray]) -> None:
    """With biases it holds if they change their signs, too."""
    q, x = case
    assume(q.activation.name in ODD)
    plus, minus = run(q, x), run(replace(q, h0=-q.h0, b=-q.b, b_out=-q.b_out), -x)
    assert np.array_equal(minus.h, -plus.h)
    assert np.array_equal(minus.z, -plus.z)


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh with a bias"])
def test_where_the_symmetry_does_not_hold(activation: str) -> None:
    name, _, bias = activation.partition(" ")
    net = Network([[0.5]], [[1.0]], b=[0.3 if bias else 0.0], activation=name)
    q = quantize(net, state_range=2.0)
    x = np.array([[[20], [-35], [60]]])
    assert not np.array_equal(run(q, -x).h, -run(q, x).h)


@same
@given(st.integers(4, 13), st.integers(0, 2**20))
def test_sigmoid_mirrors_at_one_half(bits: int, r: int) -> None:
    """s(-r) + s(r) = 1, but where 1 itself is no code: there one ulp less."""
    a = quantize(Network([[0.5]], [[1.0]], activation="sigmoid"), state_bits=bits).activation
    low, high = (int(v) for v in a.evaluate(np.array([-r, r])))
    assert low + high == min(2 * a.offset, a.out.max_code + low)
    assert low >= 0


@same
@given(cases(), st.randoms(use_true_random=False))
def test_units_may_be_permuted(case: tuple[QuantizedNetwork, IntArray], random: Random) -> None:
    q, x = case
    p = list(range(q.units))
    random.shuffle(p)
    d, g = (q.d[p], q.g[p]) if q.leaky else (q.d, q.g)
    moved = replace(q, W=q.W[np.ix_(p, p)], W_in=q.W_in[p], b=q.b[p], W_out=q.W_out[:, p], h0=q.h0[p], d=d, g=g)
    here, there = run(q, x), run(moved, x)
    assert np.array_equal(there.h, here.h[:, :, p])
    assert np.array_equal(there.z, here.z)


def block_diagonal(a: IntArray, b: IntArray) -> IntArray:
    both = np.zeros((len(a) + len(b), a.shape[1] + b.shape[1]), np.int64)
    both[: len(a), : a.shape[1]], both[len(a) :, a.shape[1] :] = a, b
    return both


@same
@given(cases(), st.integers(0, 2**32 - 1))
def test_networks_side_by_side(case: tuple[QuantizedNetwork, IntArray], seed: int) -> None:
    """Two networks of one format as one with block-diagonal weights: each computes what it computes alone."""
    q, x = case
    rng = np.random.default_rng(seed)
    other = replace(q, W=rng.permuted(q.W, axis=1), W_in=-q.W_in, b=q.b[::-1].copy(), h0=-q.h0)
    y = rng.permuted(x, axis=1)
    blocks: dict[str, Any] = {n: block_diagonal(getattr(q, n), getattr(other, n)) for n in ("W", "W_in", "W_out")}
    blocks |= {n: np.concatenate([getattr(q, n), getattr(other, n)]) for n in ("b", "b_out", "h0", "d", "g")}
    both = run(replace(q, **blocks), np.concatenate([x, y], axis=2))
    one, two = run(q, x), run(other, y)
    assert np.array_equal(both.h, np.concatenate([one.h, two.h], axis=2))
    assert np.array_equal(both.z, np.concatenate([one.z, two.z], axis=2))


@same
@given(cases())
def test_zero_input_is_no_input(case: tuple[QuantizedNetwork, IntArray]) -> None:
    q, x = case
    silent, deaf = run(q, 0 * x), run(replace(q, W_in=0 * q.W_in), x)
    assert np.array_equal(silent.h, deaf.h)
    assert np.array_equal(silent.z, deaf.z)


@same
@given(cases())
def test_nothing_comes_of_nothing(case: tuple[QuantizedNetwork, IntArray]) -> None:
    """Without inputs, biases and initial state the state stays 0, exactly; a sigmoid gives one half of 0."""
    q, x = case
    q = replace(unbiased(q), h0=0 * q.h0)
    made = run(q, 0 * x)
    assert bool(np.any(made.h)) == (q.activation.name == "sigmoid" and bool(np.any(q.g) or not q.leaky))
    assert q.activation.name == "sigmoid" or not made.z.any()


@same
@given(cases())
def test_states_and_outputs_stay_in_their_formats(case: tuple[QuantizedNetwork, IntArray]) -> None:
    """Also from states and for inputs at the ends of the range: the most negative word never occurs."""
    q, x = case
    top = q.formats.state.max_code
    for inputs, start in ((x, None), (np.sign(x) * q.formats.x.max_code, np.full((2, q.units), -top))):
        made = run(q, inputs, state=start)
        assert np.abs(made.h).max() <= top
        assert np.abs(made.z).max() <= q.formats.z.max_code


@same
@given(cases(), st.floats(1.0, 1e6))
def test_inputs_saturate_at_the_largest_code(case: tuple[QuantizedNetwork, IntArray], factor: float) -> None:
    q, x = case
    real = factor * q.formats.x.dequantize(x)
    largest = q.formats.x.max_value
    codes, outside = q.quantize_inputs(real)
    assert outside == np.count_nonzero(np.abs(np.round(real / q.formats.x.ulp)) > q.formats.x.max_code)
    clipped, inside = q.quantize_inputs(np.clip(real, -largest, largest))
    assert inside == 0
    assert np.array_equal(codes, clipped)


@same
@given(cases(), st.sampled_from([-1, 1]))
def test_units_saturate_and_stay_there(case: tuple[QuantizedNetwork, IntArray], sign: int) -> None:
    """A bias that no input or state can outweigh drives every plain unit to the end of the activation."""
    q, x = case
    assume(not q.leaky)
    a = q.activation
    rows, _ = q.row_bounds()
    beyond = int(rows.max()) + ((a.limit + 1) << max(q.pre_shift, 0))
    assume(2 * beyond < 2**49)
    made = run(replace(q, b=np.full(q.units, sign * beyond)), x)
    end = min(a.offset + a.top, a.out.max_code) if sign > 0 else (0 if a.rectify else a.offset - a.top)
    assert np.array_equal(made.h, np.full_like(made.h, end))
