"""Activation functions on integers: what the hardware computes between the accumulator and the state.

An :class:`Activation` maps a signed input code (``in_frac`` fraction bits, any magnitude) to an output code of the
format ``out``, by steps that cost little hardware::

    m = |r|
    y = min(f(m), top) if m < limit else top    f >= 0: a table, segments of a line or a parabola, or m itself
    y = -y, or 0, where r < 0                   odd functions; rectifiers
    result = min(offset + y, max code)          offset: one half for the sigmoid, whose odd part is tabulated, else 0

`design` picks f: the smallest of a direct table, linear and quadratic segments whose error, checked at every input
code, is at most one ulp of the output against the real function (a *faithful* result).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from autapse.fixed import FloatArray, Format, IntArray
from autapse.network import ACTIVATIONS

#: The largest error of a table, in ulps of its output, unless the caller asks for another.
FAITHFUL = 1.0
KINDS = ("direct", "linear", "quadratic")

_CURVED = ("tanh", "sigmoid")
_BLOCK_SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))  # the aspect ratios of a 4 kbit block RAM


@dataclass(frozen=True)
class Segments:
    """The function f on magnitudes: ``2**shift`` codes a segment, a constant, line or parabola in each.

    With ``s = m >> shift`` and ``dx = m & (2**shift - 1)``, all integers, not negative, and ``>>`` rounding down::

        f(m) = (c0[s] + (c1[s] - ((c2[s] * dx) >> shift)) * dx) >> guard

    Attributes
    ----------
    shift
        log2 of the codes in a segment; 0 for a direct table.
    guard
        Fraction bits of the coefficients below the ulp of the output.
    c0, c1, c2
        Coefficients by segment; c1 and c2 are empty where the degree is lower. c0 includes the half for rounding.
    """

    shift: int
    guard: int
    c0: tuple[int, ...]
    c1: tuple[int, ...] = ()
    c2: tuple[int, ...] = ()

    @property
    def degree(self) -> int:
        """0, 1 or 2; as many multipliers."""
        return 2 if self.c2 else 1 if self.c1 else 0

    @property
    def widths(self) -> tuple[int, ...]:
        """Unsigned bits of each coefficient."""
        return tuple(max(1, max(c).bit_length()) for c in (self.c0, self.c1, self.c2) if c)

    @property
    def bits(self) -> int:
        """Storage of the table."""
        return len(self.c0) * sum(self.widths)

    @property
    def blocks(self) -> int:
        """4 kbit block RAMs that the table fills."""
        width = sum(self.widths)
        return min(math.ceil(len(self.c0) / depth) * math.ceil(width / w) for depth, w in _BLOCK_SHAPES)

    @property
    def cost(self) -> tuple[int, int]:
        """What is compared: block RAMs plus multipliers (both are scarce), then bits of storage."""
        return self.blocks + self.degree, self.bits

    def evaluate(self, m: Any) -> Any:
        """f at the magnitudes `m`, an integer array."""
        s, dx = m >> self.shift, m & ((1 << self.shift) - 1)
        y = np.asarray(self.c0)[s]
        if self.c1:
            slope = np.asarray(self.c1)[s]
            if self.c2:
                slope = slope - ((np.asarray(self.c2)[s] * dx) >> self.shift)
            y = y + slope * dx
        return y >> self.guard


@dataclass(frozen=True)
class Activation:
    """An activation on integers; see the module's head for the four steps.

    Attributes
    ----------
    name
        The real function: ``tanh``, ``sigmoid``, ``relu``, ``hardtanh`` or ``identity``.
    in_frac
        Fraction bits of the input code.
    out
        Format of the result.
    limit
        Magnitude from which on f is constant.
    top
        That constant, the largest value of f.
    segments
        f, or None where f(m) = m.
    rectify
        Negative inputs give 0 instead of the odd continuation.
    offset
        Added to the odd part.
    """

    name: str
    in_frac: int
    out: Format
    limit: int
    top: int
    segments: Segments | None = None
    rectify: bool = False
    offset: int = 0

    def __post_init__(self) -> None:
        numbers = [self.in_frac, self.limit, self.top, self.offset]
        coefficients: list[tuple[int, ...]] = []
        if self.segments is not None:
            s = self.segments
            numbers += [s.shift, s.guard]
            coefficients = [s.c0, *(c for c in (s.c1, s.c2) if c)]
        if not all(isinstance(v, int) for v in (*numbers, *(v for c in coefficients for v in c))):
            raise TypeError("the numbers of an activation must be integers")
        if self.limit < 1 or not 0 <= self.top <= self.out.max_code or not 0 <= self.offset <= self.out.max_code:
            raise ValueError(
                f"limit {self.limit}, top {self.top} or offset {self.offset} of an activation out of range"
            )
        if self.segments is not None and (
            not (0 <= s.shift < 32 and 0 <= s.guard < 32)
            or any(len(c) != len(s.c0) or min(c) < 0 or max(c) >= 2**40 for c in coefficients)
            or len(s.c0) << s.shift < self.limit
        ):
            raise ValueError(f"the segments of an activation must be of one length and reach its limit {self.limit}")

    @property
    def kind(self) -> str:
        """``clamp``, ``direct``, ``linear`` or ``quadratic``."""
        return "clamp" if self.segments is None else KINDS[self.segments.degree]

    def evaluate(self, r: Any) -> Any:
        """Output codes of the input codes `r`, an integer array of any shape."""
        r = np.asarray(r, dtype=np.int64)
        m = np.abs(r)
        inside = np.minimum(m, self.limit - 1)
        y = inside if self.segments is None else self.segments.evaluate(inside)
        y = np.where(m < self.limit, np.minimum(y, self.top), self.top)
        y = np.where(r < 0, 0 if self.rectify else -y, y)
        return np.minimum(self.offset + y, self.out.max_code)

    def saturated(self, r: Any) -> Any:
        """Whether the input codes `r` are at or beyond the limit, where f is constant; rectified, only above zero."""
        r = np.asarray(r, dtype=np.int64)
        return (r if self.rectify else np.abs(r)) >= self.limit

    def table(self) -> IntArray:
        """Output codes of every input code from ``-limit`` to ``limit``; beyond them nothing changes."""
        return np.asarray(self.evaluate(np.arange(-self.limit, self.limit + 1)), dtype=np.int64)

    def max_error(self) -> float:
        """Largest error in ulps of the output over every input code.

        That is from ``-limit`` to ``limit``. Beyond them the result is constant and can be off by no more than at
        ``limit``, or by the distance of the largest code from the asymptote: below one ulp.
        """
        return float(np.max(np.abs(self.errors())))

    def errors(self) -> FloatArray:
        """Result less the real function, in ulps of the output, at every input code from ``-limit`` to ``limit``."""
        r = np.arange(-self.limit, self.limit + 1)
        real = np.ldexp(ACTIVATIONS[self.name](np.ldexp(r.astype(np.float64), -self.in_frac)), self.out.frac)
        if self.name not in _CURVED:  # saturation of the format is not an error of the function
            real = np.clip(real, -self.out.max_code, self.out.max_code)
        return np.asarray(self.evaluate(r) - real, dtype=np.float64)

    def describe(self) -> str:
        """One line for a report."""
        if self.segments is None:
            return f"{self.name}: clamp, no table"
        s = self.segments
        what = {"direct": "entries", "linear": "linear segments", "quadratic": "quadratic segments"}[self.kind]
        return f"{self.name}: {len(s.c0)} {what} of {sum(s.widths)} bits, max error {self.max_error():.2f} ulp"


@lru_cache(maxsize=256)
def design(name: str, in_frac: int, out: Format, kind: str = "auto", bound: float = FAITHFUL) -> Activation:
    """Design the activation `name` from input codes of `in_frac` fraction bits to the format `out`.

    `kind` is ``auto`` (the cheapest by :attr:`Segments.cost`) or forces ``direct``, ``linear`` or ``quadratic``; it
    does not matter to the functions without a curve. The error is at most `bound` ulps at every input code, and
    f(0) = 0, so that an odd function stays odd.

    Raises ValueError for an unknown name or kind, for a curved function whose output range is not 1, and when no
    design of the forced kind meets the bound.
    """
    if kind not in ("auto", *KINDS):
        raise ValueError(f"table kind must be auto, {', '.join(KINDS)}; not {kind!r}")
    if name in ("relu", "identity", "hardtanh"):
        if in_frac != out.frac:
            raise ValueError(f"{name} needs equal input and output fractions, not {in_frac} and {out.frac}")
        top = out.max_code
        if name == "hardtanh":
            if out.frac < 0:
                raise ValueError(f"hardtanh needs fraction bits, not {out.frac}")
            top = min(top, 1 << out.frac)
        return Activation(name, in_frac, out, limit=top, top=top, rectify=name == "relu")
    if name not in _CURVED:
        raise ValueError(f"no activation {name!r}")
    if out.frac != out.bits - 1:
        raise ValueError(f"the output of {name} spans -1 to 1: {out.bits} bits need {out.bits - 1} fraction bits")
    half = 1 << (out.frac - 1) if name == "sigmoid" else 0  # the odd part of the sigmoid reaches one half
    curve = _Curve(name, in_frac, out, half or out.max_code)
    candidates = [
        found
        for label, search in (("direct", _direct), ("linear", _linear), ("quadratic", _quadratic))
        if kind in ("auto", label) and (found := search(curve, bound, kind == "auto")) is not None
    ]
    if not candidates:
        raise ValueError(f"no {kind} table of {name} at {out.frac} fraction bits keeps its error within {bound} ulp")
    best = min(candidates, key=lambda s: s.cost)
    return Activation(name, in_frac, out, len(best.c0) << best.shift, curve.top, best, offset=half)


@dataclass(frozen=True)
class _Curve:
    """The odd part of a real function in ulps of the output, and its saturation."""

    name: str
    in_frac: int
    out: Format
    top: int

    def __call__(self, m: Any) -> FloatArray:
        a = np.ldexp(np.asarray(m, dtype=np.float64), -self.in_frac)
        return np.ldexp(np.tanh(a) if self.name == "tanh" else 0.5 * np.tanh(0.5 * a), self.out.frac)

    def first(self, level: float) -> int:
        """The first magnitude at which the function is at least `level` ulps."""
        low, high = 0, 1
        while self(high) < level:
            high *= 2
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self(middle) >= level else (middle + 1, high)
        return low


def _direct(curve: _Curve, bound: float, auto: bool) -> Segments | None:
    """A table of rounded values up to where they no longer change."""
    if auto and curve.out.frac > 11:
        return None  # hundreds of kilobits; segments win long before
    count = curve.first(curve.top - 0.5)
    values = np.floor(curve(np.arange(count)) + 0.5).astype(np.int64)
    return Segments(0, 0, tuple(values.tolist())) if bound >= 0.5 else None


def _linear(curve: _Curve, bound: float, auto: bool) -> Segments | None:
    # A chord of width w is off by w^2/8 times its second derivative, half of that when centred.
    return _widest(curve, 1, bound, 0.5 * (2 * curve.in_frac - curve.out.frac + 5))


def _quadratic(curve: _Curve, bound: float, auto: bool) -> Segments | None:
    # The best parabola over a width w is off by w^3/192 times the third derivative, at most 2.
    return _widest(curve, 2, bound, (3 * curve.in_frac - curve.out.frac + 8) / 3)


def _widest(curve: _Curve, degree: int, bound: float, log2_width: float) -> Segments | None:
    """The widest segments of this degree that keep the bound, with the fewest guard bits, from a guessed width down."""
    flat = curve.first(curve.top - min(bound, 1.0))  # from here on the constant is good enough
    for shift in range(max(2, min(round(log2_width) + 2, flat.bit_length())), 1, -1):
        size = max(1, -(-flat >> shift)) << shift
        m = np.arange(size)
        target = curve(m)
        for guard in range(1, shift + 3 * degree):
            segments = _fit(target, curve, shift, guard, degree)
            y = segments.evaluate(m)
            if y[0] == 0 and y.min() >= 0 and np.max(np.abs(np.minimum(y, curve.top) - target)) <= bound:
                return segments
    return None


def _fit(target: FloatArray, curve: _Curve, shift: int, guard: int, degree: int) -> Segments:
    """Near-minimax segments: bend from Chebyshev nodes, then the slope and the centre of what is left."""
    width = 1 << shift
    y = np.ldexp(target.reshape(-1, width), guard)
    dx = np.arange(width)
    c2 = np.zeros(len(y), dtype=np.int64)
    if degree == 2:
        nodes = 0.5 * (width - 1) * (1 - np.cos((np.arange(3) + 0.5) * math.pi / 3))
        at = curve(nodes + (np.arange(len(y)) << shift)[:, None])
        second = ((at[:, 2] - at[:, 1]) / (nodes[2] - nodes[1]) - (at[:, 1] - at[:, 0]) / (nodes[1] - nodes[0])) / (
            nodes[2] - nodes[0]
        )
        c2 = np.maximum(np.floor(np.ldexp(-second, guard + shift) + 0.5), 0).astype(np.int64)
    bend = (c2[:, None] * dx) >> shift
    rest = y + bend * dx
    # The chord has the slope of the minimax line of a convex curve.
    c1 = np.floor((rest[:, -1] - rest[:, 0]) / (width - 1) + 0.5).astype(np.int64)
    c1 = np.maximum(c1, bend[:, -1])  # so that the slope never turns negative in the hardware
    rest = y - (c1[:, None] - bend) * dx
    middle = 0.5 * (rest.max(axis=1) + rest.min(axis=1))
    c0 = np.maximum(np.floor(middle + 0.5 + (1 << (guard - 1))), 0).astype(np.int64)
    c0[0] = min(c0[0], (1 << guard) - 1)  # f(0) = 0
    return Segments(shift, guard, *(tuple(c.tolist()) for c in (c0, c1, c2)[: degree + 1]))
