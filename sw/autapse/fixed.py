"""Fixed-point formats, and the one rounding and saturation rule of the project.

Every number in the integer model and in the hardware is a signed integer with a stated :class:`Format`. The range is
symmetric: the most negative two's complement code is never used, so that negation never overflows. Rounding is to
nearest, ties away from zero, so that ``round(-v) == -round(v)``.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Format:
    """A signed fixed-point format with a symmetric range.

    Attributes
    ----------
    bits
        Word length including the sign, 2 to 62.
    frac
        Fraction bits: a code ``k`` stands for ``k * 2**-frac``. May be negative, or larger than `bits`.
    """

    bits: int
    frac: int

    def __post_init__(self) -> None:
        for name in ("bits", "frac"):
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, operator.index(value))
            except TypeError:
                raise TypeError(f"{name} of a format must be an integer, not {value!r}") from None
        if not 2 <= self.bits <= 62:
            raise ValueError(f"a format has 2 to 62 bits, not {self.bits}")

    @property
    def max_code(self) -> int:
        """The largest code; the smallest is its negative."""
        return int(2 ** (self.bits - 1)) - 1

    @property
    def ulp(self) -> float:
        """The value of one code step."""
        return math.ldexp(1.0, -self.frac)

    @property
    def max_value(self) -> float:
        """The largest value that the format holds."""
        return math.ldexp(self.max_code, -self.frac)

    def quantize(self, values: ArrayLike) -> tuple[IntArray, int]:
        """Round `values` to codes, saturate, and count what saturated.

        Returns the codes (int64, same shape) and the number of elements whose rounded code lay outside the range.
        Infinities saturate. Raises ValueError for a NaN, which has no code.
        """
        array = np.asarray(values, dtype=np.float64)
        if np.isnan(array).any():
            raise ValueError("a value to quantise must be a number, not nan")
        with np.errstate(over="ignore"):  # what overflows here saturates below
            scaled = np.ldexp(array, self.frac)
        # Any bound between the largest code and that of int64 will do here; the exact one may not be a float.
        codes = round_half_away(np.clip(scaled, -(2.0**62), 2.0**62)).astype(np.int64)
        outside = int(np.count_nonzero(np.abs(codes) > self.max_code))
        return np.clip(codes, -self.max_code, self.max_code), outside

    def dequantize(self, codes: ArrayLike) -> FloatArray:
        """The float64 values of integer codes; exact while ``|code| < 2**53``."""
        return np.ldexp(np.asarray(codes, dtype=np.float64), -self.frac)

    def to_dict(self) -> dict[str, int]:
        """The format as plain data, for reports."""
        return {"bits": self.bits, "frac": self.frac}

    def __str__(self) -> str:
        return f"{self.bits} bits, {self.frac} fraction bits"


def largest_frac(magnitude: float, bits: int) -> int:
    """The most fraction bits at which ``magnitude`` fits a symmetric format of `bits` bits without saturating.

    Zero fits any format; it gets ``bits - 1`` fraction bits.
    """
    if not math.isfinite(magnitude) or magnitude < 0:
        raise ValueError(f"a magnitude is finite and not negative, not {magnitude}")
    max_code = 2 ** (bits - 1) - 1
    if magnitude == 0:
        return bits - 1
    frac = bits - 1 - math.frexp(magnitude)[1]  # magnitude < 2**exponent, so this always fits before rounding
    while math.floor(math.ldexp(magnitude, frac) + 0.5) > max_code:
        frac -= 1
    while math.floor(math.ldexp(magnitude, frac + 1) + 0.5) <= max_code:
        frac += 1
    return frac


def round_half_away(values: ArrayLike) -> FloatArray:
    """Round floats to the nearest integer, ties away from zero; exact for every finite float64.

    Adding one half and truncating would round the largest float below 0.5 up; comparing the exact remainder does not.
    """
    v = np.asarray(values, dtype=np.float64)
    whole = np.trunc(v)
    return whole + np.where(np.abs(v - whole) >= 0.5, np.sign(v), 0.0)


def shift_round(codes: Any, shift: int) -> Any:
    """Divide integer codes by ``2**shift``, round to nearest, ties away from zero; a negative shift multiplies.

    Works on Python integers and on integer arrays. The hardware computes the same with one adder and an arithmetic
    shift: ``(k + 2**(shift - 1) - (k < 0)) >> shift``.
    """
    if shift <= 0:
        return codes << -shift
    half = 1 << (shift - 1)
    return (codes + half - (codes < 0)) >> shift


def signed_bits(bound: int) -> int:
    """Bits of the two's complement word that holds every integer of magnitude up to `bound`."""
    if bound < 0:
        raise ValueError(f"a bound is not negative, not {bound}")
    return max(2, bound.bit_length() + 1)
