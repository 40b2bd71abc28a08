"""From a float network to integers: formats, scales, the accumulator's proof, and the file."""

import json
import math
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from autapse.errors import FileFormatError
from autapse.fixed import Format, signed_bits
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork, load_quantized
from autapse.reference import operand, run, step

ARRAYS = ("W", "W_in", "b", "W_out", "b_out", "h0", "d", "g")


def random_network(seed: int, units: int = 5, inputs: int = 2, outputs: int = 3, **more: Any) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        rng.normal(size=(units, units)) / math.sqrt(units),
        rng.normal(size=(units, inputs)),
        0.3 * rng.normal(size=units),
        rng.normal(size=(outputs, units)),
        rng.normal(size=outputs),
        **more,
    )


def leaky(seed: int = 0, **more: Any) -> Network:
    return random_network(seed, **({"d": 0.75, "g": 0.25} | more))


# Formats


def test_formats_by_hand() -> None:
    """W up to 1.25 fits 8 bits with 6 fraction bits, W_in up to 3 with 5; x to 1.0 with 6 and h with 7."""
    net = Network([[0.5, -1.25], [0.0, 1.0]], [[3.0], [-0.5]], [0.25, 0.0], [[0.4, -0.1]], [2.0], h0=[1.0, -0.5])
    q = quantize(net)
    f = q.formats
    assert (f.x, f.h, f.state, f.leak) == (Format(8, 6), Format(8, 7), Format(8, 7), None)
    # W products have 13 fraction bits and W_in products 11: the input is shifted by 2.
    assert (f.W.frac, f.W_in.frac, f.x_shift, f.h_shift, f.acc.frac) == (6, 5, 2, 0, 13)
    assert (f.W_out, f.z.frac) == (Format(8, 8), 15)
    assert q.W.tolist() == [[32, -80], [0, 64]]
    assert q.W_in.tolist() == [[96], [-16]]
    assert q.b.tolist() == [2**11, 0]
    assert q.W_out.tolist() == [[102, -26]]  # 0.4 and 0.1 times 256
    assert q.b_out.tolist() == [2**16]
    assert q.h0.tolist() == [127, -64]  # one saturates by an ulp: the open range
    assert q.pre_shift == 6
    state = [2**11 + 112 * 127 + 96 * 127 * 4, 64 * 127 + 16 * 127 * 4]
    assert [b.tolist() for b in q.row_bounds()] == [state, [2**16 + 128 * 127]]
    assert (f.acc.bits, f.z.bits) == (17, 18)
    assert q.overflow_proof() == {
        "largest_state_row": 65040,
        "largest_readout_row": 81792,
        "bits_needed": 18,
        "accumulator_bits": 18,
        "accumulator_max": 2**17 - 1,
    }


def test_the_state_is_shifted_when_its_weights_are_coarser() -> None:
    q = quantize(Network([[8.0]], [[0.25]]), input_range=1.0)  # W: 3, h: 7 fraction bits; W_in: 8, x: 6
    f = q.formats
    assert (f.h_shift, f.x_shift, f.W.frac, f.W_in.frac, f.acc.frac) == (4, 0, 3, 8, 14)


def test_what_exceeds_the_operand_costs_fraction_bits() -> None:
    net = Network([[8.0]], [[0.25]])
    f = quantize(net, operand_bits=10).formats
    assert (f.h_shift, f.x_shift, f.W.frac, f.W_in.frac, f.acc.frac) == (2, 0, 3, 6, 12)
    f = quantize(net, operand_bits=8).formats
    assert (f.h_shift, f.x_shift, f.W.frac, f.W_in.frac, f.acc.frac) == (0, 0, 3, 4, 10)


@pytest.mark.filterwarnings("ignore:every element of W")
@pytest.mark.parametrize("seed", range(30))
def test_one_scale_and_no_saturated_weight(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_network(seed)
    net = replace(net, W=net.W * 10.0 ** rng.uniform(-4, 2), W_in=net.W_in * 10.0 ** rng.uniform(-4, 2), b=None)
    bits = [int(n) for n in rng.integers(4, 19, 3)]
    q = quantize(net, weight_bits=bits[0], state_bits=bits[1], input_bits=bits[2])
    f = q.formats
    assert f.W.frac + f.h.frac + f.h_shift == f.W_in.frac + f.x.frac + f.x_shift == f.acc.frac
    assert min(f.h_shift, f.x_shift) == 0 <= max(f.h_shift, f.x_shift)
    assert f.operand_bits <= max(16, *bits)
    for name in ("W", "W_in", "W_out"):
        form: Format = getattr(f, name)
        error = getattr(q, name) - np.ldexp(getattr(net, name), form.frac)
        assert np.abs(error).max() <= 0.5  # half a step, and so nothing saturated
    for name, frac in (("b", f.acc.frac), ("b_out", f.z.frac)):
        assert np.abs(getattr(q, name) - np.ldexp(getattr(net, name), frac)).max() <= 0.5
    # At least one of the two uses its whole word: one more fraction bit does not fit it.
    assert any(
        np.abs(2 * np.ldexp(w, form.frac)).max() >= form.max_code for w, form in ((net.W, f.W), (net.W_in, f.W_in))
    )


@pytest.mark.parametrize("zero", ["W", "W_in", "W_out", "all"])
def test_zero_weights(zero: str) -> None:
    net = random_network(3)
    names = ("W", "W_in", "W_out") if zero == "all" else (zero,)
    q = quantize(replace(net, **{name: 0.0 * getattr(net, name) for name in names}))
    for name in ("W", "W_in", "W_out"):
        assert np.any(getattr(q, name)) == (name not in names)
        if name not in names and name != "W_out":
            assert np.abs(getattr(q, name)).max() >= 63  # the other tensor keeps its whole word
    run(q, np.zeros((1, 2, 2), np.int64))


@pytest.mark.parametrize(("reach", "frac"), [(1.0, 7), (0.5, 8), (0.51, 7), (2.0, 6), (2.1, 5), (1.0000000001, 7)])
def test_open_range_of_a_leaky_state(reach: float, frac: int) -> None:
    net = Network([[0.5]], [[1.0]], d=0.5, g=0.5 * reach)
    assert quantize(net).formats.h == Format(8, frac)


@pytest.mark.parametrize(
    ("g", "guard"), [(1.0, 0), (0.5, 1), (0.25, 2), (0.2, 3), (0.01, 7), (-0.25, 2), (2.0, 0), (1e-4, 14)]
)
def test_guard_bits_follow_the_slowest_gain(g: float, guard: int) -> None:
    net = Network(np.eye(3) / 4, np.ones((3, 1)), d=0.3, g=[g, 0.0, 4.0])
    f = quantize(net, state_range=1.0, weight_bits=8).formats
    assert f.h == Format(8, 6)
    assert f.guard == max(guard, f.h.frac and 1)  # the result of tanh has 7 fraction bits, one more than h
    assert f.state.bits == 8 + f.guard
    assert quantize(net, state_range=1.0, guard_bits=5).formats.guard == 5


def test_guard_bits_let_a_slow_state_arrive() -> None:
    """A unit with gain 1/100 and a constant drive: without guard bits it stops far from its target."""
    net = Network([[0.0]], [[3.0]], d=0.99, g=0.01)
    x = np.ones((2000, 1))
    target = net.run(x).h[-1, 0]
    miss = {}
    for guard in (0, None):
        q = quantize(net, guard_bits=guard)
        h = operand(q, run(q, q.quantize_inputs(x[None])[0]).last)
        miss[guard] = abs(q.formats.h.dequantize(h)[0, 0] - target) / q.formats.h.ulp
    assert miss[None] <= 1.5
    assert 20 < miss[0] <= 1 / (2 * 0.01) + 2


def test_codes_of_decay_and_gain_make_one_where_both_are_ties() -> None:
    """Rounded one by one, both halves would go up."""
    half = 2.0**-18
    q = quantize(replace(leaky(), d=np.full(5, 0.5 + half), g=np.full(5, 0.5 - half)))
    assert q.formats.leak == Format(18, 17)
    assert (q.d + q.g == 2**17).all()


def test_codes_of_the_leak_rest_where_the_floats_rest() -> None:
    rng = np.random.default_rng(5)
    g = rng.uniform(0.001, 1.0, 50)
    q = quantize(random_network(5, units=50, d=1.0 - g, g=g))
    assert q.formats.leak is not None
    assert np.array_equal(q.d + q.g, np.full(50, 1 << q.formats.leak.frac))
    assert np.abs(q.g - np.ldexp(g, q.formats.leak.frac)).max() <= 0.5
    q = quantize(random_network(5, units=2, d=[0.3, -0.7], g=[0.2, 0.9]))
    assert q.formats.leak is not None
    assert np.abs(q.d - np.ldexp([0.3, -0.7], q.formats.leak.frac)).max() <= 0.5
    assert int(max(np.abs(q.d).max(), np.abs(q.g).max())) >= 2**16  # the whole word is used


@pytest.mark.parametrize(
    "more",
    [{"activation": "relu"}, {"activation": "identity"}, {"d": 1.0, "g": 0.1}, {"d": -1.0, "g": 0.1}],
    ids=["relu", "identity", "integrator", "alternating"],
)
def test_a_state_without_a_bound_needs_a_range(more: dict[str, Any]) -> None:
    net = random_network(7, **more)
    with pytest.raises(ValueError, match=r"the state of this network has no bound of its own .* give state_range"):
        quantize(net)
    assert quantize(net, state_range=3.0).formats.h == Format(8, 5)
    x = np.random.default_rng(8).uniform(-2, 2, (4, 9, 2))
    q = quantize(net, calibrate=x)
    assert q.formats.h.max_value >= np.abs(net.run(x).h).max() - q.formats.h.ulp / 2 > q.formats.h.max_value / 2 - 1e-9
    assert q.quantize_inputs(x)[1] == 0
    assert q.formats.x == quantize(net, state_range=3.0, input_range=float(np.abs(x).max())).formats.x


def test_a_unit_that_only_holds_its_state() -> None:
    net = Network([[0.5]], [[1.0]], d=-1.0, g=0.0, h0=[0.3])
    q = quantize(net)
    h = q.run(np.zeros((4, 1))).h[:, 0]
    assert h.tolist() == [-h[1], h[1], -h[1], h[1]]
    assert h[1] == pytest.approx(0.3, abs=q.formats.state.ulp / 2)


# Refusals


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weight_bits": 3}, ValueError, "weight_bits must lie in 4 to 18, not 3"),
        ({"state_bits": 19}, ValueError, "state_bits must lie in 4 to 18, not 19"),
        ({"input_bits": 0}, ValueError, "input_bits must lie in 4 to 18, not 0"),
        ({"weight_bits": 8.0}, TypeError, r"weight_bits must be an integer, not 8\.0"),
        ({"state_bits": True}, TypeError, "state_bits must be an integer, not True"),
        ({"guard_bits": 1.5}, TypeError, r"guard_bits must be an integer, not 1\.5"),
        ({"guard_bits": 17}, ValueError, "guard_bits must lie in 0 to 16, not 17"),
        ({"operand_bits": 7}, ValueError, "operand_bits must lie in 8 to 26, not 7"),
        ({"operand_bits": 27}, ValueError, "operand_bits must lie in 8 to 26, not 27"),
        ({"input_range": 0.0}, ValueError, r"input_range must be positive and finite, not 0\.0"),
        ({"input_range": math.nan}, ValueError, "input_range must be positive and finite, not nan"),
        ({"state_range": -1.0}, ValueError, r"state_range must be positive and finite, not -1\.0"),
        ({"state_range": math.inf}, ValueError, "state_range must be positive and finite, not inf"),
        ({"table": "cubic"}, ValueError, "table kind must be"),
        ({"calibrate": [[[math.nan, 0.0]]]}, ValueError, r"calibrate must be finite; calibrate\[0, 0, 0\] is nan"),
        ({"calibrate": np.zeros((0, 5, 2))}, ValueError, r"calibrate holds no sample; its shape is \(0, 5, 2\)"),
        ({"calibrate": np.zeros((5, 3))}, ValueError, "calibrate must be .* with 2 inputs"),
        ({"input_range": 1e300}, ValueError, "too far from the activation's steps"),
        ({"state_range": 1e13}, ValueError, "the kept state needs 52 bits, more than 34"),
        ({"state_range": 0.2}, ValueError, "h0 reaches 0.5, outside ±0.248"),
    ],
)
def test_refused_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quantize(leaky(h0=np.full(5, 0.5)), **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W": [[1e30]], "W_in": [[1e30]]}, "too far from the activation's steps"),
        ({"W": [[1e-30]], "W_in": [[1e-30]]}, "too far from the activation's steps"),
        ({"b": [1e12]}, "b is too large for its products' scale"),
        ({"b_out": [1e13]}, "b_out is too large for its products' scale"),
        ({"b": [1e11]}, r"sums up to \d+ are not below 2\*\*50"),
        ({"d": 0.0, "g": 1e-20}, "less range, fewer guard bits, or larger gains"),
    ],
)
def test_refused_networks(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantize(Network(**({"W": [[0.5]], "W_in": [[1.0]]} | changes)))


def test_a_diverging_calibration_is_named() -> None:
    with pytest.raises(ValueError, match="the float network diverges on calibrate"):
        quantize(Network([[5.0]], [[1.0]], activation="identity"), calibrate=np.ones((900, 1)))


def test_numpy_integers_are_word_lengths() -> None:
    q = quantize(leaky(), weight_bits=np.int64(6), state_bits=np.int8(9), guard_bits=np.uint8(3))  # type: ignore[arg-type]
    assert (q.formats.W.bits, q.formats.h.bits, q.formats.guard) == (6, 9, 3)
    json.dumps(q.formats.to_dict())


# The accumulator


def worst(row: NDArray[np.int64], top: int, sign: int) -> NDArray[np.int64]:
    return np.where(row * sign >= 0, top, -top)


@pytest.mark.parametrize("bits", range(4, 19))
@pytest.mark.parametrize("kind", ["plain", "leaky"])
def test_the_bound_is_reached_and_never_passed(bits: int, kind: str) -> None:
    """The worst operands of every row, put through the sums in exact Python integers."""
    net = random_network(bits, **({"d": 0.5, "g": 0.5} if kind == "leaky" else {}))
    q = quantize(net, weight_bits=bits, state_bits=22 - bits, input_bits=max(4, bits - 3))
    f = q.formats
    state, readout = q.row_bounds()
    rng = np.random.default_rng(bits)
    for i in range(q.units):
        sign = 1 if q.b[i] >= 0 else -1
        h, x = worst(q.W[i], f.h.max_code, sign), worst(q.W_in[i], f.x.max_code, sign)
        assert abs(exact_sum(q.b[i], (q.W[i], h, f.h_shift), (q.W_in[i], x, f.x_shift))) == state[i]
        h, x = rng.choice(f.h.max_code, q.units), rng.choice(f.x.max_code, q.inputs)
        assert abs(exact_sum(q.b[i], (q.W[i], -h, f.h_shift), (q.W_in[i], x, f.x_shift))) < state[i]
    for i in range(q.outputs):
        h = worst(q.W_out[i], f.h.max_code, 1 if q.b_out[i] >= 0 else -1)
        assert abs(exact_sum(q.b_out[i], (q.W_out[i], h, f.h_shift))) == readout[i]
    assert f.acc.bits == signed_bits(int(state.max()))
    assert f.z.bits == signed_bits(int(readout.max()))
    assert state.max() <= f.acc.max_code < 2 * state.max() + 2  # and not one bit more than needed
    assert f.acc_bits == max(f.acc.bits, f.z.bits) == q.overflow_proof()["accumulator_bits"]


def exact_sum(bias: Any, *products: tuple[NDArray[np.int64], NDArray[np.int64], int]) -> int:
    return int(bias) + sum(int(w) * (int(v) << s) for ws, vs, s in products for w, v in zip(ws, vs, strict=True))


def test_the_worst_states_occur() -> None:
    """A network that drives itself to its own bound: full scale weights, and inputs that saturate the state."""
    net = Network(np.array([[1.0, 1.0], [1.0, 1.0]]) * 127 / 64, [[127 / 64], [127 / 64]])
    q = quantize(net, weight_bits=8, state_bits=8, input_range=127 / 64)
    h, top = np.full((1, 2), 127), np.full((1, 1), 127)
    f = q.formats
    a = q.b + (h << f.h_shift) @ q.W.T + (top << f.x_shift) @ q.W_in.T
    assert a.max() == q.overflow_proof()["largest_state_row"] <= f.acc.max_code
    assert step(q, h, top)[0].tolist() == [[127, 127]]


# Errors of the model, all word lengths


@pytest.mark.parametrize("bits", range(4, 19))
def test_the_error_shrinks_with_the_word(bits: int) -> None:
    """Against float, one step from rest: half a step of every weight and input, rounding, and one ulp of the table."""
    net = random_network(40 + bits, units=6)
    q = quantize(net, weight_bits=bits, state_bits=bits)
    x = np.random.default_rng(bits).uniform(-1, 1, (50, 1, 2))
    f = q.formats
    pre = 0.5 * (f.W_in.ulp * np.abs(x).sum(2).max() + f.x.ulp * np.abs(net.W_in).sum(1).max()) + f.acc.ulp
    pre += f.W_in.ulp * f.x.ulp
    bound = pre + 1.5 * f.h.ulp
    assert np.abs(q.run(x).h - net.run(x).h).max() <= bound
    assert bound < 20 * 2.0**-bits * (1 + np.abs(net.W_in).sum(1).max())


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "hardtanh", "identity"])
@pytest.mark.parametrize("bits", [4, 8, 13, 18])
def test_run_gives_real_numbers_close_to_the_float_network(activation: str, bits: int) -> None:
    net = random_network(9, activation=activation)
    net = replace(net, W=0.5 * net.W)
    x = np.random.default_rng(1).uniform(-1, 1, (3, 12, 2))
    q = quantize(net, weight_bits=bits, state_bits=bits, calibrate=x)
    got, real = q.run(x), net.run(x)
    assert got.h.shape == real.h.shape
    assert np.abs(got.h - real.h).max() < 30 * q.formats.h.ulp
    assert np.array_equal(got.z, q.formats.z.dequantize(q.run_int(q.quantize_inputs(x)[0]).z))


# Inputs


def test_saturation_is_counted_and_told_once() -> None:
    q = quantize(random_network(2), input_range=1.0)
    x = np.zeros((2, 3, 2))
    x[0, 0, 0], x[1, 2, 1], x[1, 1, 0] = 5.0, -100.0, q.formats.x.max_value
    codes, outside = q.quantize_inputs(x)
    assert outside == 2
    assert (codes[0, 0, 0], codes[1, 2, 1], codes[1, 1, 0]) == (127, -127, 127)
    with pytest.warns(RuntimeWarning, match=r"2 of 12 input values lie outside ±1\.98438 and were saturated") as told:
        saturated = q.run(x)
    assert len(told) == 1
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(q.run(np.clip(x, -127 / 64, 127 / 64)).z, saturated.z)
    with pytest.raises(ValueError, match="x must be finite"):
        q.run([[np.nan, 0.0]])
    with pytest.raises(ValueError, match="not nan"):
        q.quantize_inputs([np.nan, 0.0])


# Files and hash


@pytest.mark.parametrize("kind", ["plain", "leaky", "quadratic", "relu"])
def test_file_round_trip(tmp_path: Path, kind: str) -> None:
    q = {
        "plain": lambda: quantize(random_network(1, info={"a": "b"})),
        "leaky": lambda: quantize(leaky(1, h0=np.full(5, 0.1))),
        "quadratic": lambda: quantize(random_network(1), state_bits=14, table="quadratic"),
        "relu": lambda: quantize(random_network(1, activation="relu"), state_range=8.0),
    }[kind]()
    q.save(tmp_path / "q.npz")
    back = load_quantized(tmp_path / "q.npz")
    assert (back.formats, back.activation) == (q.formats, q.activation)
    assert all(np.array_equal(getattr(back, name), getattr(q, name)) for name in ARRAYS)
    assert all(np.array_equal(a, q.network.arrays()[name]) for name, a in back.network.arrays().items())
    assert back.network.info == q.network.info
    assert back.model_hash() == q.model_hash()
    x = np.random.default_rng(2).integers(-100, 101, (2, 6, 2))
    assert np.array_equal(back.run_int(x).z, q.run_int(x).z)
    with pytest.raises(ValueError, match="read-only"):
        back.W[0, 0] = 1


def rewrite(path: Path, header: dict[str, Any] | None = None, **arrays: Any) -> None:
    """Change header entries (by dotted path) and arrays of a saved network."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    data = json.loads(str(content["header"]))
    for where, value in (header or {}).items():
        *outer, last = where.split(".")
        inner = data
        for key in outer:
            inner = inner[key]
        inner[last] = value
    content |= arrays
    content["header"] = np.array(json.dumps(data))
    np.savez(path, **{name: a for name, a in content.items() if a is not None})


BIG = np.iinfo(np.int64).min


@pytest.mark.parametrize(
    ("header", "arrays", "message"),
    [
        ({}, {"W": np.full((5, 5), 128)}, "W has a code outside its format of 8 bits"),
        ({}, {"W": np.full((5, 5), BIG)}, "W has a code outside its format"),
        ({}, {"h0": np.full(5, -1000)}, "h0 has a code outside"),
        ({}, {"b": np.full(5, BIG)}, "b has a code outside its format of 52 bits"),
        ({}, {"b": np.full(5, 2**40)}, "the accumulator needs 42 bits and has 1"),
        ({}, {"d": np.full(5, 2**17)}, "d has a code outside its format of 18 bits"),
        ({}, {"W": np.full((5, 5), 0.5)}, "W must hold integer codes, not float64"),
        ({}, {"W": np.zeros((5, 4), int)}, r"W must have the shape \(5, 5\), not \(5, 4\)"),
        ({}, {"d": np.zeros(0, int)}, r"d must have the shape \(5,\), not \(0,\)"),
        ({}, {"b": None}, "b is missing"),
        ({}, {"float_W": None}, "float_W is missing"),
        ({"formats.acc.bits": 12}, {}, "the accumulator needs"),
        ({"formats.z.bits": 12}, {}, "the readout needs"),
        ({"formats.acc.frac": 2}, {}, "accumulator have different scales"),
        ({"formats.W.frac": 1}, {}, "have different scales"),
        ({"formats.z.frac": 1}, {}, "readout products and readout have different scales"),
        ({"formats.x_shift": -1}, {}, "operand shifts of -1 and"),
        ({"formats.x_shift": 60}, {}, "operand shifts of 60 and"),
        ({"formats.W.bits": 8.5}, {}, r"bits of a format must be an integer, not 8\.5"),
        ({"formats.W.bits": "8"}, {}, "bits of a format must be an integer"),
        ({"formats.state.frac": 3}, {}, "the kept state must have the range of the multiplied one"),
        ({"formats.leak": None}, {}, r"d must have the shape \(0,\)"),
        ({"formats.color": "red"}, {}, "color"),
        ({"activation.name": "sigmoid"}, {}, "an activation table of sigmoid for a network with tanh"),
        ({"activation.limit": 10**6}, {}, "reach its limit 1000000"),
        ({"activation.top": 200}, {}, "top 200"),
        ({"activation.segments.c0": ["a"] * 329}, {}, "the numbers of an activation must be integers"),
        ({"activation.segments": 3}, {}, "not a sound quantised network"),
        ({"network.activation": "softplus"}, {}, "activation must be one of"),
        ({"network.info": []}, {}, "info must map text to text"),
        ({"version": 2}, {}, "version 2"),
        ({"format": "autapse-network"}, {}, "holds autapse-network; expected autapse-quantized"),
    ],
)
def test_tampered_files_are_refused(
    tmp_path: Path, header: dict[str, Any], arrays: dict[str, Any], message: str
) -> None:
    path = tmp_path / "q.npz"
    quantize(leaky(1)).save(path)
    rewrite(path)
    load_quantized(path)  # so that the refusal is not one of `rewrite`
    rewrite(path, header, **arrays)
    with pytest.raises(FileFormatError, match=message):
        load_quantized(path)


def test_a_plain_network_has_one_state_format(tmp_path: Path) -> None:
    path = tmp_path / "q.npz"
    quantize(random_network(1)).save(path)
    rewrite(path, {"formats.state.bits": 9, "formats.state.frac": 8})
    with pytest.raises(FileFormatError, match="have one format"):
        load_quantized(path)


def test_truncated_files_and_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.npz"
    quantize(leaky(1)).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 131):
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match=r"q\.npz"):
            load_quantized(path)
    leaky(1).save(path)
    with pytest.raises(FileFormatError, match="holds autapse-network; expected autapse-quantized"):
        load_quantized(path)
    with pytest.raises(FileNotFoundError, match=r"none\.npz: no such file"):
        load_quantized(tmp_path / "none.npz")
    assert zipfile.is_zipfile(path)


def with_code(q: QuantizedNetwork, name: str, index: tuple[int, ...]) -> QuantizedNetwork:
    array = getattr(q, name).copy()
    array[index] += 1 if array[index] <= 0 else -1
    return replace(q, **{name: array})


def test_the_hash_changes_with_every_integer() -> None:
    q = quantize(leaky(1))
    hashes = {q.model_hash()}
    count = 1
    for name in ARRAYS:
        for index in np.ndindex(getattr(q, name).shape):
            hashes.add(with_code(q, name, index).model_hash())
            count += 1
    assert len(hashes) == count
    assert len(q.model_hash()) == 8
    assert quantize(leaky(1, info={"name": "another"})).model_hash() == q.model_hash()


def test_the_hash_changes_with_formats_tables_and_shapes() -> None:
    q = quantize(leaky(1))
    other = [
        replace(q, formats=replace(q.formats, acc=Format(40, q.formats.acc.frac))),
        replace(q, activation=replace(q.activation, top=q.activation.top - 1)),
        quantize(leaky(1), table="linear"),
        quantize(Network([[0.0]], [[0.0, 0.0, 0.0]], W_out=[[0.0]])),
        quantize(Network([[0.0]], [[0.0]], W_out=[[0.0], [0.0]])),  # as many zeros
    ]
    assert len({q.model_hash(), *(o.model_hash() for o in other)}) == 6


def test_a_gain_that_would_be_zero_is_refused() -> None:
    net = Network(W=np.eye(2), W_in=np.ones((2, 1)), d=[0.9, 1 - 1e-7], g=[0.1, 1e-7])
    with pytest.raises(ValueError, match=r"g\[1\] = 1e-07 is less than half a step of the gain's format"):
        quantize(net)


def test_a_matrix_that_rounds_to_zero_is_warned_about() -> None:
    net = Network(W=1e-6 * np.eye(2), W_in=np.ones((2, 1)))
    with pytest.warns(RuntimeWarning, match="every element of W rounds to 0"):
        quantize(net)


def test_calibration_makes_room_for_the_activation_of_a_leaky_network() -> None:
    """s(a) = 2 x reaches 2 at once, the state only 0.2 after one step; both share a format."""
    net = Network(W=np.zeros((1, 1)), W_in=[[2.0]], d=[0.9], g=[0.1], activation="identity")
    q = quantize(net, calibrate=np.ones((1, 1, 1)))
    assert q.activation.out.max_value >= 2.0
