"""The integer model: the fast run, the plain step, and a third model written from docs/numerics.md alone."""

import subprocess
import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autapse import reference
from autapse.activation import design
from autapse.errors import MissingToolError
from autapse.fixed import Format, IntArray
from autapse.kernel import Kernel
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import Formats, QuantizedNetwork
from autapse.reference import CHUNK, IntTrajectory, compiled_kernel, operand, run, step

# Random scales far apart make one of the matrices vanish now and then; the model must be exact all the same.
pytestmark = pytest.mark.filterwarnings("ignore:every element of W")

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"
ACTIVATIONS = ("tanh", "sigmoid", "relu", "hardtanh", "identity")
FEW = 16  # sequences up to which the compiled kernel takes one after the other
needs_numba = pytest.mark.skipif(compiled_kernel() is None, reason="no numba: pip install 'autapse[fast]'")
same = settings(derandomize=True, deadline=None, database=None, max_examples=300)


# A model from the page: Python integers only, sections 2 to 5.


def shifted(k: int, s: int) -> int:
    return (k + 2 ** (s - 1) - (1 if k < 0 else 0)) >> s if s > 0 else k << -s


def clipped(k: int, form: Format) -> int:
    top = 2 ** (form.bits - 1) - 1
    return max(-top, min(top, k))


@dataclass
class PageModel:
    """One network, its kept states in `s`."""

    q: QuantizedNetwork

    def __post_init__(self) -> None:
        q = self.q
        self.W, self.W_in, self.b = q.W.tolist(), q.W_in.tolist(), q.b.tolist()
        self.W_out, self.b_out, self.d, self.g = q.W_out.tolist(), q.b_out.tolist(), q.d.tolist(), q.g.tolist()
        self.s: list[int] = q.h0.tolist()
        self.a: list[int] = []
        self.r: list[int] = []

    def activation(self, r: int) -> int:
        act = self.q.activation
        m = abs(r)
        if m >= act.limit:
            y = act.top
        elif act.segments is None:
            y = min(m, act.top)
        else:
            t = act.segments
            p, dx = m >> t.shift, m % 2**t.shift
            slope = (t.c1[p] if t.c1 else 0) - ((t.c2[p] * dx) >> t.shift if t.c2 else 0)
            y = min((t.c0[p] + slope * dx) >> t.guard, act.top)
        if r < 0:
            y = 0 if act.rectify else -y
        return min(act.offset + y, 2 ** (act.out.bits - 1) - 1)

    def h(self) -> list[int]:
        f = self.q.formats
        if f.leak is None:
            return self.s
        return [clipped(shifted(s, f.state.frac - f.h.frac), f.h) for s in self.s]

    def step(self, x: list[int]) -> list[int]:
        f = self.q.formats
        acc_frac = f.W.frac + f.h.frac + f.h_shift
        operands = [h << f.h_shift for h in self.h()]
        inputs = [v << f.x_shift for v in x]
        self.a = [
            b
            + sum(w * h for w, h in zip(row, operands, strict=True))
            + sum(w * v for w, v in zip(new, inputs, strict=True))
            for row, new, b in zip(self.W, self.W_in, self.b, strict=True)
        ]
        self.r = [shifted(a, acc_frac - self.q.activation.in_frac) for a in self.a]
        y = [self.activation(r) for r in self.r]
        if f.leak is None:
            self.s = y
        else:
            up = f.state.frac - self.q.activation.out.frac
            sums = [d * s + ((g * v) << up) for d, s, g, v in zip(self.d, self.s, self.g, y, strict=True)]
            self.s = [clipped(shifted(k, f.leak.frac), f.state) for k in sums]
        operands = [h << f.h_shift for h in self.h()]
        return [
            b + sum(w * h for w, h in zip(row, operands, strict=True))
            for row, b in zip(self.W_out, self.b_out, strict=True)
        ]


def agree(q: QuantizedNetwork, x: IntArray, page: bool = True) -> IntArray:
    """Compare the models on input codes (batch, time, inputs), at every unit and step; gives the kept states."""
    fast = run(q, x, kernel="numpy")
    state = np.tile(q.h0, (len(x), 1))
    pages = [PageModel(q) for _ in x] if page else []
    for t in range(x.shape[1]):
        state, z = step(q, state, x[:, t])
        assert np.array_equal(fast.h[:, t], state)
        assert np.array_equal(fast.z[:, t], z)
        if page:
            assert [p.step(row) for p, row in zip(pages, x[:, t].tolist(), strict=True)] == z.tolist()
            assert [p.s for p in pages] == state.tolist()
    assert np.array_equal(fast.last, state)
    assert fast.h.dtype == fast.z.dtype == fast.last.dtype == np.int64
    blind = run(q, x, record=False, kernel="numpy")
    assert np.array_equal(blind.z, fast.z)
    assert np.array_equal(blind.last, fast.last)
    assert blind.h.shape == (len(x), 0, q.units)
    if compiled_kernel() is not None:
        compiled_agrees(q, x, fast)
    return fast.h


def compiled_agrees(q: QuantizedNetwork, x: IntArray, fast: IntTrajectory) -> None:
    """Compare the compiled kernel, for few and for many sequences, with what NumPy made of `x`."""
    few, many = x[:FEW], np.tile(x, (FEW // len(x) + 1, 1, 1))
    assert len(many) > FEW
    for codes in (few, many):
        for record in (False, True):
            got = run(q, codes, record=record, kernel="compiled")
            assert got.h.dtype == got.z.dtype == got.last.dtype == np.int64
            assert np.array_equal(got.z, np.resize(fast.z, got.z.shape))
            assert np.array_equal(got.last, np.resize(fast.last, got.last.shape))
            assert np.array_equal(got.h, np.resize(fast.h, got.h.shape))


# All networks


@st.composite
def cases(draw: st.DrawFn) -> tuple[QuantizedNetwork, IntArray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    units, inputs, outputs = draw(st.integers(1, 7)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    scale = draw(st.sampled_from([0.01, 0.5, 1.0, 4.0]))
    extreme = draw(st.booleans())

    def weights(*shape: int) -> Any:
        values = rng.normal(size=shape)
        return scale * (np.sign(values) if extreme else values)

    activation = draw(st.sampled_from(ACTIVATIONS))
    leak: dict[str, Any] = {}
    if draw(st.booleans()):
        g = rng.choice([0.0, 1.0, 0.01, -0.5, 2.5, rng.uniform(0.001, 1)], units)
        d = np.where(np.abs(1 - g) <= 1, 1 - g, rng.uniform(-1, 1, units))
        leak = {"d": rng.choice([1.0, 0.0], units) * d, "g": g}
    net = Network(
        weights(units, units),
        draw(st.sampled_from([0.1, 1.0, 30.0])) * weights(units, inputs),
        draw(st.sampled_from([0.0, 1.0])) * weights(units),
        weights(outputs, units),
        weights(outputs),
        h0=rng.choice([-1.0, 0.0, 1.0, rng.uniform(-1, 1)], units),
        activation=activation,
        **leak,
    )
    bits = st.integers(4, 14)  # beyond, the tables cost seconds; test_every_word_length has one of each
    q = quantize(
        net,
        weight_bits=draw(st.integers(4, 18)),
        state_bits=draw(bits),
        input_bits=draw(st.integers(4, 18)),
        state_range=draw(st.sampled_from([1.0, 3.0, 20.0])),
        input_range=draw(st.sampled_from([0.01, 1.0, 50.0])),
        operand_bits=draw(st.sampled_from([None, 18, 26])),
        guard_bits=draw(st.sampled_from([None, 0, 5])),
        table=draw(st.sampled_from(["auto", "linear", "quadratic"])),
    )
    top = q.formats.x.max_code
    x = rng.integers(-top, top + 1, (draw(st.integers(1, 3)), 6, inputs))
    x[:, draw(st.integers(0, 5)) :] = draw(st.sampled_from([-top, top, 0]))
    return q, x


@same
@given(cases())
def test_three_models_agree(case: tuple[QuantizedNetwork, IntArray]) -> None:
    agree(*case)


@needs_numba
@same
@given(cases(), st.integers(1, 3 * FEW))
def test_compiled_and_numpy_agree(case: tuple[QuantizedNetwork, IntArray], batch: int) -> None:
    """From any state, for any number of sequences."""
    q, x = case
    top, rng = q.formats.state.max_code, np.random.default_rng(batch)
    x = np.resize(x, (batch, *x.shape[1:]))
    state = rng.integers(-top, top + 1, (batch, q.units))
    numpy, compiled = (run(q, x, state=state, kernel=kernel) for kernel in ("numpy", "compiled"))
    for a, b in zip(numpy, compiled, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("bits", range(4, 19))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_word_length(activation: str, bits: int) -> None:
    """At full scale: weights of both signs at the ends of their range, inputs that sweep it."""
    rng = np.random.default_rng(bits)
    net = Network(
        rng.choice([-1.0, 1.0], (9, 9)), rng.choice([-1.0, 1.0], (9, 2)), rng.normal(size=9), activation=activation
    )
    q = quantize(net, weight_bits=bits, state_bits=bits, state_range=2.0)
    top = q.formats.x.max_code
    h = agree(q, rng.integers(-top, top + 1, (3, 20, 2)))
    assert len(np.unique(h)) > 4  # it moves


# Where the fast path could go wrong: the limits of exactness, and ties


def scalar(
    weight: int, bias: int, pre_shift: int, bits: int = 16, activation: str = "identity", units: int = 2
) -> QuantizedNetwork:
    """Units without recurrence that see weight * x + bias and shift it by `pre_shift`; weight and x of 18 bits."""
    h = Format(bits, bits - 1)
    w = Format(18, pre_shift)
    x = Format(18, bits - 1)
    acc_frac = pre_shift + bits - 1
    zeros = np.zeros((units, units), np.int64)
    column = np.full((units, 1), weight)
    net = Network(zeros, column, activation=activation)
    z_frac = w.frac + h.frac
    f = Formats(x, h, w, w, w, Format(62, acc_frac), Format(62, z_frac), 0, 0, h, None)
    b = np.array([bias, -bias] * (units // 2))
    none = np.zeros(0, np.int64)
    return QuantizedNetwork(f, design(activation, bits - 1, h), zeros, column, b, zeros, 0 * b, 0 * b, none, none, net)


@pytest.mark.parametrize(
    ("below_2_24", "dtype"), [(1, np.float32), (0, np.float64), (-1, np.float64), (-(2**20), np.float64)]
)
def test_float32_up_to_the_last_integer(below_2_24: int, dtype: Any) -> None:
    """The bound of a row just below and at 2**24; an activation whose limit keeps relevant sums below 2**21."""
    weight = 100
    bias = 2**24 - below_2_24 - weight * (2**17 - 1)
    q = scalar(weight, bias, 5, bits=12)
    assert int(q.row_bounds()[0].max()) == 2**24 - below_2_24
    assert Kernel(q).dtype is dtype
    edge = np.arange(2**17 - 3000, 2**17)
    x = np.r_[np.arange(-3000, 3000), edge, -edge][:, None, None]
    agree(q, x, page=False)


@pytest.mark.parametrize(("relevant", "dtype"), [(2**21 - 2**9, np.float32), (2**21, np.float64)])
def test_float32_only_while_ties_can_be_told(relevant: int, dtype: Any) -> None:
    """limit + 1 = 2**bits-1 codes of 2**pre_shift: relevant sums just below and at 2**21."""
    q = scalar(20, 3, 21 - 15, bits=16)
    q = replace(q, activation=replace(q.activation, limit=(relevant >> 6) - 1, top=(relevant >> 6) - 1))
    assert (q.activation.limit + 1) << q.pre_shift == relevant // 64 * 64
    assert Kernel(q).dtype is dtype
    x = np.arange(-(2**17) + 1, 2**17)[:, None, None]
    agree(q, x, page=False)


@pytest.mark.parametrize(
    ("pre_shift", "bits"), [(1, 12), (2, 12), (5, 12), (5, 16), (9, 12), (9, 13), (14, 16), (17, 18)]
)
@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_ties_and_their_neighbours(pre_shift: int, bits: int, offset: int) -> None:
    """Sums that lie on a tie, and one to each side: all of them up to the range of the state, and beyond."""
    half = 1 << (pre_shift - 1)
    weight = 2 * half if pre_shift < 17 else 2**16  # x counts whole results; at 17, halves
    q = scalar(weight, half + offset, pre_shift, bits)
    top = 2**17 - 1
    reach = min(top, 2**bits + 5)
    x = np.r_[np.arange(-reach, reach + 1, max(1, reach // 5000)), np.arange(reach - 2000, reach + 1)]
    expected = [shifted(weight * v + half + offset, pre_shift) for v in x.tolist()]
    h = agree(q, x[:, None, None], page=False)
    assert h[:, 0, 0].tolist() == [clipped(v, q.formats.h) for v in expected]


def test_the_largest_sums_that_float64_may_hold() -> None:
    weight, top = 2**17 - 1, 2**17 - 1
    for below, exact in ((1, True), (0, False)):
        q = scalar(weight, 2**53 - below - weight * top, 31, 18)
        q = replace(q, activation=replace(q.activation, limit=2**18, top=2**17 - 1))
        assert int(q.row_bounds()[0].max()) == 2**53 - below
        if exact:
            assert Kernel(q).dtype is np.float64
            agree(q, np.r_[np.arange(-50, 50), top - np.arange(50), np.arange(50) - top][:, None, None], page=False)
        else:
            with pytest.raises(ValueError, match="sums up to 9007199254740992 are not exact in float64"):
                run(q, np.zeros((1, 1, 1), np.int64))


def test_ties_of_the_leaky_update() -> None:
    """d = g = 1/2 and odd sums: every second new state is a tie; then ties of the guard bits."""
    net = Network(np.zeros((2, 2)), [[1.0], [-1.0]], d=0.5, g=0.5)
    for guard in (0, 1, 4):
        q = quantize(net, guard_bits=guard, operand_bits=8)
        assert q.formats.leak is not None
        x = np.random.default_rng(guard).integers(-127, 128, (20, 50, 1))
        h = agree(q, x)
        y = q.activation.evaluate(np.stack([2 * x[..., 0]] * 2, axis=-1) * [1, -1])
        before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
        sums = before * q.d + ((q.g * y) << q.gain_shift)
        half = 1 << (q.formats.leak.frac - 1)
        assert np.count_nonzero(sums % (2 * half) == half) > 100
        assert guard < 2 or np.count_nonzero(h % (1 << guard) == 1 << (guard - 1)) > 20


# The page's examples


def page_blocks() -> list[list[str]]:
    parts = PAGE.read_text().split("```text\n")[1:]
    return [part.split("\n```")[0].splitlines() for part in parts]


def tuple_text(values: list[int]) -> str:
    return f"({', '.join(map(str, values))})"


def test_plain_example_of_the_page() -> None:
    net = Network([[0.5, -1.25], [1.0, 0.25]], [[2.0], [-0.5]], [0.25, -0.125], [[1.5, -0.5]], [0.125])
    q = quantize(net, weight_bits=4, state_bits=4, input_range=1.0)
    f = q.formats
    assert (f.x.frac, f.h.frac, f.W.frac, f.W_in.frac, f.W_out.frac, f.acc.frac, f.z.frac) == (2, 3, 2, 1, 2, 5, 5)
    assert (f.x_shift, f.h_shift, q.pre_shift, f.acc.bits, f.z.bits) == (2, 0, 2, 9, 7)
    assert (q.W.tolist(), q.W_in.tolist(), q.b.tolist()) == ([[2, -5], [4, 1]], [[4], [-1]], [8, -4])
    assert (q.W_out.tolist(), q.b_out.tolist()) == ([[6, -2]], [4])
    assert [bound.tolist() for bound in q.row_bounds()] == [[169, 67], [60]]
    assert q.activation.segments is not None
    assert (q.activation.limit, q.activation.top) == (10, 7)
    assert q.activation.segments.c0 == (0, 1, 2, 3, 4, 4, 5, 6, 6, 6)
    x, _ = q.quantize_inputs([[[1.0], [-0.3], [0.6]]])
    agree(q, x)
    model, lines = PageModel(q), []
    for row in x[0].tolist():
        z = model.step(row)
        a, r, h = (tuple_text(v) for v in (model.a, model.r, model.s))
        lines.append(f"x = {row[0]}  a = {a}  r = {r}  h = {h}  z = {z[0]}")
    assert page_blocks()[0] == lines


def test_leaky_example_of_the_page() -> None:
    q = quantize(Network([[0.5]], [[1.0]], d=0.75, g=0.25), weight_bits=4, state_bits=4, input_range=1.0)
    f = q.formats
    assert f.leak is not None
    assert (f.guard, f.state, f.leak.frac, q.gain_shift) == (2, Format(6, 5), 17, 2)
    assert (q.d.tolist(), q.g.tolist(), q.W.tolist(), q.W_in.tolist()) == ([98304], [32768], [[4]], [[4]])
    assert (f.x_shift, q.pre_shift) == (2, 3)
    x, _ = q.quantize_inputs(np.ones((1, 4, 1)))
    agree(q, x)
    model, lines = PageModel(q), []
    for row in x[0].tolist():
        old = model.s[0]
        model.step(row)
        y = model.activation(model.r[0])
        total = 98304 * old + ((32768 * y) << 2)
        line = f"x = {row[0]}  a = {model.a[0]}  r = {model.r[0]}  y = {y}  sum = {total}"
        lines.append(f"{line}  s = {model.s[0]}  h = {model.h()[0]}")
    assert page_blocks()[1] == lines


# What run accepts


def some(**more: Any) -> QuantizedNetwork:
    rng = np.random.default_rng(0)
    net = Network(rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), h0=[0.5, -0.5, 0.25], **more)
    return quantize(net)


@pytest.mark.parametrize("leak", [{}, {"d": 0.9, "g": 0.1}])
def test_a_run_can_be_continued(leak: dict[str, Any]) -> None:
    q = some(**leak)
    x = np.random.default_rng(1).integers(-127, 128, (4, 10, 2))
    whole = run(q, x)
    first = run(q, x[:, :6])
    second = run(q, x[:, 6:], state=first.last)
    assert np.array_equal(np.concatenate([first.z, second.z], axis=1), whole.z)
    assert np.array_equal(second.last, whole.last)


def test_a_batch_is_its_sequences() -> None:
    q = some()
    x = np.random.default_rng(1).integers(-127, 128, (300, 5, 2))
    together = run(q, x)
    for k in (0, 1, 150, 299):
        assert np.array_equal(run(q, x[k : k + 1]).z[0], together.z[k])


def test_empty_runs() -> None:
    q = some()
    nothing = run(q, np.zeros((2, 0, 2), np.int64))
    assert (nothing.z.shape, nothing.h.shape) == ((2, 0, 3), (2, 0, 3))
    assert np.array_equal(nothing.last, np.tile(q.h0, (2, 1)))
    assert run(q, np.zeros((0, 4, 2), np.int64)).z.shape == (0, 4, 3)


def test_narrow_integers_do_not_wrap() -> None:
    q = quantize(Network(np.full((2, 2), 0.1), [[50.0], [1.0]]))
    assert q.formats.x_shift == 8
    x = np.array([[[127], [-127]]])
    narrow = x.astype(np.int8)
    assert np.array_equal(run(q, narrow).z, run(q, x).z)
    assert np.array_equal(step(q, np.zeros((1, 2), np.int64), narrow[:, 0])[0], run(q, x).h[:, 0])


# Which kernel runs


@needs_numba
@pytest.mark.parametrize("threads", [1, 3, None])
def test_threads_change_nothing(threads: int | None) -> None:
    q = some(d=0.9, g=0.1)
    x = np.random.default_rng(1).integers(-127, 128, (2 * CHUNK + 50, 7, 2))
    for a, b in zip(run(q, x, kernel="numpy"), run(q, x, kernel="compiled", threads=threads), strict=True):
        assert np.array_equal(a, b)


@needs_numba
@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int64])
def test_one_compilation_for_any_input(kind: Any) -> None:
    from autapse.compiled import FEW as few
    from autapse.compiled import _sequences

    assert few == FEW
    q = some()
    x = np.random.default_rng(1).integers(0, 128, (3, 8, 2)).astype(kind)
    before = run(q, x, kernel="compiled")
    compiled = len(_sequences.signatures)
    strided, frozen = np.repeat(x, 2, axis=1)[:, ::2], x.copy()
    frozen.setflags(write=False)
    for codes in (strided, frozen, np.asfortranarray(x), x.astype(np.int32)):
        assert np.array_equal(run(q, codes, kernel="compiled").z, before.z)
    assert len(_sequences.signatures) == compiled


@needs_numba
def test_compiles_where_nothing_can_be_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    from autapse import compiled

    def njit(cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: (function, options)

    monkeypatch.setattr(compiled, "njit", njit)
    assert compiled._compile(test_empty_runs) == (test_empty_runs, {"nogil": True, "fastmath": {"contract"}})


def test_automatic_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy for half a second's worth of steps, then the compiled kernel, where there is one."""
    monkeypatch.setattr(reference, "_asked", 0.0)
    assert reference._choose("auto", 50_000, 1, 50) is Kernel
    assert reference._choose("numpy", 10**9, 1, 50) is Kernel
    assert reference._choose("auto", 30_000, 1, 50) is (compiled_kernel() or Kernel)
    assert reference._choose("auto", 1, 1, 50) is (compiled_kernel() or Kernel)
    monkeypatch.setattr(reference, "_asked", 0.0)
    assert reference._choose("auto", 1000, 10_000, 50) is (compiled_kernel() or Kernel)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "autapse.compiled", raising=False)
    monkeypatch.delattr("autapse.compiled", raising=False)
    compiled_kernel.cache_clear()
    try:
        with pytest.raises(MissingToolError, match=r"the compiled kernel needs numba: pip install 'autapse\[fast\]'"):
            run(some(), np.zeros((1, 1, 2), int), kernel="compiled")
        assert reference._choose("auto", 10**9, 1, 50) is Kernel
    finally:
        compiled_kernel.cache_clear()


def test_numba_is_not_imported_for_a_short_run() -> None:
    code = (
        "import sys, numpy as np, autapse, autapse.cli\n"
        "q = autapse.quantize(autapse.Network([[0.5]], [[1.0]]))\n"
        "q.run(np.ones((1000, 1)))\n"
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "fast"}, "kernel must be auto, numpy or compiled, not 'fast'"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(some(), np.zeros((1, 1, 2), int), **options)


@pytest.mark.parametrize(
    ("x", "state", "message"),
    [
        (np.zeros((1, 2, 2)), None, "input codes must be integers, not float64"),
        (np.zeros((2, 2), int), None, r"input codes must be \(batch, time, 2\); their shape is \(2, 2\)"),
        (np.zeros((1, 2, 3), int), None, r"input codes must be \(batch, time, 2\); their shape is \(1, 2, 3\)"),
        (np.full((1, 2, 2), 128), None, "input code 128 is outside ±127, the range of 8 bits"),
        (np.full((1, 2, 2), -128), None, "input code -128 is outside ±127"),
        (np.zeros((3, 2, 2), int), np.zeros(3, int), r"state codes must be \(3, 3\); their shape is \(3,\)"),
        (np.zeros((1, 2, 2), int), np.full((1, 3), 0.5), "state codes must be integers, not float64"),
        (np.zeros((1, 2, 2), int), np.full((1, 3), -128), "state code -128 is outside ±127"),
    ],
)
def test_refused(x: Any, state: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(some(), x, state=state)


def test_the_operand_is_rounded_and_saturated() -> None:
    q = some(d=0.75, g=0.25)
    assert (q.formats.guard, q.formats.state.max_code, q.formats.h.max_code) == (2, 511, 127)
    assert operand(q, np.array([0, 1, 2, -1, -2, 5, 6, 511, -511])).tolist() == [0, 0, 1, 0, -1, 1, 2, 127, -127]


def test_saturated_inputs_run_as_the_largest_code() -> None:
    q = some()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        z = q.run([[9.0, 0.0]]).z
    assert [str(w.message) for w in told] == ["1 of 2 input values lie outside ±1.98438 and were saturated"]
    assert np.array_equal(z, q.formats.z.dequantize(run(q, np.array([[[127, 0]]])).z[0]))
