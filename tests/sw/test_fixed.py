"""Formats, rounding and saturation, against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autapse.fixed import Format, largest_frac, round_half_away, shift_round, signed_bits

exact = settings(derandomize=True, deadline=None, database=None, max_examples=300)


def nearest(value: Fraction) -> int:
    """Nearest integer, ties away from zero, in exact arithmetic."""
    whole = math.floor(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


@pytest.mark.parametrize("bits", [2, 4, 8, 18, 53, 54, 55, 62])
def test_range_is_symmetric_and_saturation_is_counted(bits: int) -> None:
    form = Format(bits, 0)
    assert form.max_code == 2 ** (bits - 1) - 1
    codes, outside = form.quantize([1e300, -1e300, np.inf, -np.inf, 0.0])
    assert codes.tolist() == [form.max_code, -form.max_code, form.max_code, -form.max_code, 0]
    assert outside == 4


def test_values_of_codes() -> None:
    form = Format(8, 6)
    assert (form.ulp, form.max_value) == (2**-6, 127 / 64)
    assert form.dequantize([-127, 0, 32]).tolist() == [-127 / 64, 0.0, 0.5]
    assert Format(4, -3).dequantize(7) == 56.0
    assert str(form) == "8 bits, 6 fraction bits"
    assert form.to_dict() == {"bits": 8, "frac": 6}


def test_codes_survive_a_round_trip() -> None:
    for form in (Format(4, -5), Format(8, 7), Format(12, 30)):
        every = np.arange(-form.max_code, form.max_code + 1)
        codes, outside = form.quantize(form.dequantize(every))
        assert np.array_equal(codes, every)
        assert outside == 0


def test_one_ulp_outside_counts_and_the_last_half_does_not() -> None:
    form = Format(4, 2)
    codes, outside = form.quantize([7.49 / 4, 7.5 / 4, -7.49 / 4, -7.5 / 4])
    assert codes.tolist() == [7, 7, -7, -7]
    assert outside == 2


@pytest.mark.parametrize(
    ("bits", "frac", "error", "message"),
    [
        (1, 0, ValueError, "2 to 62 bits, not 1"),
        (63, 0, ValueError, "2 to 62 bits, not 63"),
        (8.0, 0, TypeError, r"bits of a format must be an integer, not 8\.0"),
        (8, 0.5, TypeError, r"frac of a format must be an integer, not 0\.5"),
        ("8", 0, TypeError, "bits of a format must be an integer, not '8'"),
    ],
)
def test_refused_formats(bits: int, frac: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Format(bits, frac)


def test_numpy_integers_are_fine_and_become_plain() -> None:
    form = Format(np.int64(8), np.int8(7))  # type: ignore[arg-type]
    assert form == Format(8, 7)
    assert type(form.bits) is int
    assert type(form.frac) is int


def test_a_nan_has_no_code() -> None:
    with pytest.raises(ValueError, match="not nan"):
        Format(8, 7).quantize([0.0, np.nan])


@exact
@given(st.integers(-(2**49), 2**49), st.integers(-8, 50))
def test_shift_round_is_division(code: int, shift: int) -> None:
    expected = nearest(Fraction(code) / Fraction(2) ** shift)
    assert shift_round(code, shift) == expected
    assert shift_round(np.array([code]), shift).tolist() == [expected]
    assert shift_round(-code, shift) == -expected


@pytest.mark.parametrize("shift", [1, 2, 3, 7])
def test_shift_round_at_every_tie_and_its_neighbours(shift: int) -> None:
    codes = np.arange(-(2 ** (shift + 3)), 2 ** (shift + 3) + 1)
    expected = [nearest(Fraction(int(k), 2**shift)) for k in codes]
    assert shift_round(codes, shift).tolist() == expected
    assert shift_round(1, 1) == 1
    assert shift_round(-1, 1) == -1


@exact
@given(st.floats(-1e18, 1e18))
def test_round_half_away_is_exact(value: float) -> None:
    assert int(round_half_away(value)) == nearest(Fraction(value))


def test_round_half_away_where_adding_a_half_fails() -> None:
    below = math.nextafter(0.5, 0.0)
    assert math.floor(below + 0.5) == 1  # the trap
    assert round_half_away([below, -below, 0.5, -0.5, 1.5, 2.5]).tolist() == [0.0, 0.0, 1.0, -1.0, 2.0, 3.0]
    odd = 2.0**52 + 1.0
    assert round_half_away([odd, -odd]).tolist() == [odd, -odd]


@exact
@given(st.floats(1e-30, 1e30), st.integers(4, 18))
def test_largest_frac_is_the_largest(magnitude: float, bits: int) -> None:
    frac, top = largest_frac(magnitude, bits), 2 ** (bits - 1) - 1
    assert nearest(Fraction(magnitude) * Fraction(2) ** frac) <= top
    assert nearest(Fraction(magnitude) * Fraction(2) ** (frac + 1)) > top


@pytest.mark.parametrize(
    ("magnitude", "bits", "frac"),
    [(0, 8, 7), (1, 8, 6), (127 / 128, 8, 7), (127.49 / 128, 8, 7), (127.5 / 128, 8, 6), (127, 8, 0), (1000, 8, -3)],
)
def test_largest_frac_by_hand(magnitude: float, bits: int, frac: int) -> None:
    assert largest_frac(magnitude, bits) == frac


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_largest_frac_refuses(bad: float) -> None:
    with pytest.raises(ValueError, match=f"not {bad}"):
        largest_frac(bad, 8)


@pytest.mark.parametrize(("bound", "bits"), [(0, 2), (1, 2), (2, 3), (127, 8), (128, 9), (2**40 - 1, 41), (2**40, 42)])
def test_signed_bits(bound: int, bits: int) -> None:
    assert signed_bits(bound) == bits
    with pytest.raises(ValueError, match="not -1"):
        signed_bits(-1)
