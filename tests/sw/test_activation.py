"""The activation tables: every input code against the real function, computed another way."""

import decimal
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autapse.activation import FAITHFUL, Activation, Segments, design
from autapse.fixed import Format, IntArray

PAGE = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"
CURVES = ("tanh", "sigmoid")


def made(name: str, bits: int, kind: str = "auto") -> Activation:
    return design(name, bits - 1, Format(bits, bits - 1), kind)


def real(name: str, codes: IntArray, frac: int) -> Any:
    """The real function in ulps, from expm1 in the longest float there is, not from tanh."""
    v = np.ldexp(np.abs(codes).astype(np.longdouble), -frac)
    if name == "tanh":
        e = np.expm1(-2 * v)
        half = np.sign(codes) * -e / (2 + e)
        return np.ldexp(half, frac)
    e = np.exp(-v)
    return np.ldexp(np.where(codes >= 0, 1 / (1 + e), e / (1 + e)), frac)


def by_page(a: Activation, r: int) -> int:
    """docs/numerics.md, section 4, in plain integers."""
    m = -r if r < 0 else r
    y = a.top
    if m < a.limit:
        y = m
        if a.segments is not None:
            s = a.segments
            p, dx = m >> s.shift, m & ((1 << s.shift) - 1)
            y = s.c0[p]
            if s.c2:
                y += (s.c1[p] - ((s.c2[p] * dx) >> s.shift)) * dx
            elif s.c1:
                y += s.c1[p] * dx
            y >>= s.guard
        y = min(y, a.top)
    if r < 0:
        y = 0 if a.rectify else -y
    return int(min(a.offset + y, 2 ** (a.out.bits - 1) - 1))


def test_the_independent_function_is_right() -> None:
    """...to 1e-13 ulp, by the decimal module with 40 digits."""
    codes = np.array([-40000, -32768, -3, 0, 1, 5, 700, 12345, 65536, 200000])
    with decimal.localcontext(prec=40):
        for name in CURVES:
            for code, got in zip(codes.tolist(), real(name, codes, 15), strict=True):
                v = decimal.Decimal(code) / 2**15
                e = (2 * v if name == "tanh" else v).exp()
                exact = (e - 1) / (e + 1) if name == "tanh" else e / (e + 1)
                assert abs(float(exact * 2**15) - float(got)) < 1e-10


@pytest.mark.parametrize("bits", range(4, 17))
@pytest.mark.parametrize("name", CURVES)
def test_faithful_at_every_input_code(name: str, bits: int) -> None:
    a = made(name, bits)
    codes = np.arange(-2 * a.limit, 2 * a.limit + 1)
    y = a.evaluate(codes)
    error = np.abs(y - real(name, codes, bits - 1))
    assert float(error.max()) <= FAITHFUL + 1e-9
    inside = np.abs(codes) <= a.limit
    assert float(error[inside].max()) == pytest.approx(a.max_error(), abs=1e-9)
    assert np.abs(y).max() <= a.out.max_code
    constant = y[codes >= a.limit]
    assert constant.tolist() == [constant[0]] * len(constant)


@pytest.mark.parametrize("bits", range(4, 17))
@pytest.mark.parametrize("name", CURVES)
def test_odd_and_nearly_monotone(name: str, bits: int) -> None:
    a = made(name, bits)
    codes = np.arange(a.limit + 2)
    up, down = a.evaluate(codes) - a.offset, a.evaluate(-codes) - a.offset
    assert up[0] == 0
    # The sigmoid's one half plus one half saturates at the largest code; its negative side is exact.
    assert np.array_equal(up, np.minimum(-down, a.out.max_code - a.offset))
    steps = np.diff(a.table())
    assert steps.min() >= (0 if a.kind == "direct" else -1)


@pytest.mark.parametrize("bits", [4, 5, 8, 11, 12])
@pytest.mark.parametrize("kind", ["auto", "direct", "linear", "quadratic"])
@pytest.mark.parametrize("name", CURVES)
def test_evaluate_is_the_page(name: str, kind: str, bits: int) -> None:
    a = made(name, bits, kind)
    assert kind in ("auto", a.kind)
    codes = np.unique(np.r_[np.arange(-a.limit - 3, a.limit + 4, max(1, a.limit // 500)), -(2**50), 2**50, a.limit])
    assert a.evaluate(codes).tolist() == [by_page(a, r) for r in codes.tolist()]
    assert a.max_error() <= FAITHFUL
    assert a.table().tolist() == a.evaluate(np.arange(-a.limit, a.limit + 1)).tolist()


def test_the_sizes_that_the_design_quotes() -> None:
    a = made("tanh", 8)
    assert a.segments is not None
    assert (a.kind, len(a.segments.c0), a.segments.widths, a.segments.bits) == ("direct", 329, (7,), 2303)
    assert a.segments.blocks == 1
    assert a.describe() == "tanh: 329 entries of 7 bits, max error 0.50 ulp"
    assert made("relu", 8).describe() == "relu: clamp, no table"


def test_the_page_has_the_sizes_of_every_word_length() -> None:
    rows = []
    for bits in range(4, 19):
        cells = [str(bits)]
        for name in CURVES:
            a = made(name, bits)
            s = a.segments
            assert s is not None
            cells += [a.kind, str(len(s.c0)), "+".join(map(str, s.widths)), str(s.bits), f"{a.max_error():.2f}"]
        rows.append(f"| {' | '.join(cells)} |")
    on_page = [
        line for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \| (direct|linear|quadratic) \|", line)
    ]
    assert on_page == rows


def test_auto_is_the_cheapest() -> None:
    for name in CURVES:
        for bits in (6, 8, 10, 12):
            costs = []
            for kind in ("direct", "linear", "quadratic"):
                a = made(name, bits, kind)
                assert a.segments is not None
                costs.append(a.segments.cost)
            best = made(name, bits).segments
            assert best is not None
            assert best.cost == min(costs)


@pytest.mark.parametrize("bits", [4, 8, 18])
def test_functions_without_a_table(bits: int) -> None:
    form = Format(bits, bits - 1)
    top = form.max_code
    codes = np.r_[np.arange(-3 * min(top, 2000), 3 * min(top, 2000) + 1), -(2**50), 2**50, -top - 1, -top, top, top + 1]
    clip = np.clip(codes, -top, top)
    for name, expected in (("identity", clip), ("hardtanh", clip), ("relu", np.maximum(clip, 0))):
        a = design(name, bits - 1, form)
        assert a.evaluate(codes).tolist() == expected.tolist()
        assert [by_page(a, r) for r in codes.tolist()] == expected.tolist()
        assert a.max_error() == 0.0 if name != "hardtanh" else a.max_error() <= 1.0
        assert a.kind == "clamp"


def test_hardtanh_stops_at_one_where_the_format_goes_on() -> None:
    a = design("hardtanh", 4, Format(8, 4))
    assert a.evaluate([-100, -17, -16, -15, 0, 15, 16, 17, 100]).tolist() == [-16, -16, -16, -15, 0, 15, 16, 16, 16]
    assert a.max_error() == 0.0


def test_large_formats_of_unbounded_functions() -> None:
    assert design("relu", -3, Format(4, -3)).evaluate([-9, 5, 9]).tolist() == [0, 5, 7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tanh", 7, Format(8, 7), "cubic"), "table kind must be auto, direct, linear, quadratic; not 'cubic'"),
        (("softplus", 7, Format(8, 7)), "no activation 'softplus'"),
        (("relu", 6, Format(8, 7)), "relu needs equal input and output fractions, not 6 and 7"),
        (("tanh", 7, Format(8, 6)), "the output of tanh spans -1 to 1: 8 bits need 7 fraction bits"),
        (("hardtanh", -1, Format(8, -1)), "hardtanh needs fraction bits, not -1"),
        (("tanh", 7, Format(8, 7), "direct", 0.25), "no direct table of tanh at 7 fraction bits keeps its error"),
    ],
)
def test_no_design(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        design(*arguments)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"limit": 0}, ValueError),
        ({"limit": 9}, ValueError),
        ({"top": 128}, ValueError),
        ({"top": 1.5}, TypeError),
        ({"offset": -1}, ValueError),
        ({"segments": Segments(1, 1, (0, 2, 4, 6), (1, 1, 1))}, ValueError),
        ({"segments": Segments(1, 1, (0, 2, 4, -6), (1, 1, 1, 1))}, ValueError),
        ({"segments": Segments(1, -1, (0, 2, 4, 6), (1, 1, 1, 1))}, ValueError),
        ({"segments": Segments(1, 1, (0, 2, 4, 6.5), (1, 1, 1, 1))}, TypeError),  # type: ignore[arg-type]
    ],
)
def test_unsound_activations_are_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    sound = {"name": "tanh", "in_frac": 7, "out": Format(8, 7), "limit": 8, "top": 7}
    sound["segments"] = Segments(1, 1, (0, 2, 4, 6), (1, 1, 1, 1))
    Activation(**sound)  # type: ignore[arg-type]
    with pytest.raises(error, match="activation"):
        Activation(**(sound | changes))
