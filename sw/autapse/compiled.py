"""The integer model compiled by numba: the operations of `autapse.kernel` on the same floats, without its passes.

Every float here is an integer that its type holds exactly, or one of the products that are rounded at once. So neither
the order of a sum nor a fused multiply-add can change a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from autapse.fixed import IntArray
from autapse.kernel import Kernel
from autapse.quantized import QuantizedNetwork

#: Up to so many sequences run one after the other; more of them share a matrix product.
FEW = 16
_UNROLLED = 4  # columns that one pass over the sums adds
_ALIGNED = 8  # the sums are padded to a multiple of this

P = ParamSpec("P")
R = TypeVar("R")

Array = NDArray[Any]
#: Table of the codes from -top to top, or an empty one; scale of the rounding before it; low, top.
Activation = tuple[Array, Any, Any, Any]
#: d and g, empty for a plain update; for the kept and the multiplied state, scales of the rounding and largest codes;
#: for the current form, whose activation is of the kept state, the scale of the rounding of the sums, else 0.
Leak = tuple[Array, Array, float, float, float, float, float]


def _compile(function: Callable[P, R]) -> Callable[P, R]:
    try:
        return njit(cache=True, nogil=True, fastmath={"contract"})(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return njit(nogil=True, fastmath={"contract"})(function)


class CompiledKernel(Kernel):
    """The kernel of one network. Its first run compiles, or loads what was compiled before."""

    def __init__(self, q: QuantizedNetwork) -> None:
        super().__init__(q)
        rows, columns = self.weights.shape
        self.columns = np.zeros((-(-columns // _UNROLLED) * _UNROLLED, -(-rows // _ALIGNED) * _ALIGNED), self.dtype)
        self.columns[:columns, :rows] = self.weights.T
        self.ends = np.array([part.stop for part in self.parts])
        self.index = np.int32
        low, top = (self.low, self.top) if self.table is None else (-self.limit, self.limit)
        # Results in 16 bits keep more of a large table in the cache; those of a small one are read faster in 32.
        code = np.int16 if self.dtype is np.float64 and q.activation.out.bits <= 16 else np.int32
        table = np.zeros(0, code) if self.table is None else self.table.astype(code)
        scale = np.float64(self.guard_scale) if self.current else self.scale
        self.activation = (table, scale, low, top)
        none = np.zeros(0)
        self.leak = (none, none, 1.0, 1.0, 0.0, 0.0, 0.0)
        if self.formats.leak is not None:
            tops = float(self.formats.state.max_code), float(self.formats.h.max_code)
            sums = float(self.scale) if self.current else 0.0
            self.leak = (self.d, self.g, self.leak_scale, self.guard_scale, *tops, sums)

    def run(self, x: IntArray, kept: IntArray, z: IntArray, h: IntArray | None) -> None:
        """See :meth:`autapse.kernel.Kernel.run`."""
        if len(x) > FEW:
            super().run(x, kept, z, h)
            return
        # One type for each argument, read-only or not, narrow or not: or numba would compile again.
        codes = np.array(x, dtype=np.int64, order="C")
        states = np.empty((len(x), 0, self.units), np.int64) if h is None else h
        _sequences(codes, kept, z, states, self.columns, self.ends, self.activation, self.leak)

    def _update(
        self,
        sums: NDArray[Any],
        new: NDArray[Any],
        wide: NDArray[np.float64] | None,
        index: NDArray[Any],
        part: slice,
    ) -> None:
        leak = self.leak if wide is None else (self.d[part], self.g[part], *self.leak[2:])
        if wide is not None and self.current:
            _drive_rows(sums, wide, leak)
            _activate_rows(wide, new, index, self.activation)
            return
        _activate_rows(sums, new if wide is None else sums, index, self.activation)
        if wide is not None:
            _leak_rows(sums, wide, new, leak)


@_compile
def _activate(sums: Array, y: Array, index: Array, activation: Activation) -> None:
    """Results `y` of the sums, all of one length. Two passes, because the second is not a vector operation."""
    table, scale, low, top = activation
    if table.size == 0:
        for i in range(sums.size):
            y[i] = min(max(np.rint(sums[i] * scale), low), top)
        return
    for i in range(sums.size):
        index[i] = np.int32(min(max(np.rint(sums[i] * scale), low), top) + top)
    for i in range(sums.size):
        y[i] = table[np.uint32(index[i])]


@_compile
def _multiplied(wide: Any, scale: float, top: float) -> Any:
    """The multiplied state of a kept one."""
    return min(max(np.rint(wide * scale), -top), top)


@_compile
def _leaked(wide: Any, y: Any, d: Any, g: Any, scale: float, top: float) -> Any:
    """The new kept state of a leaky unit."""
    return min(max(np.rint((d * wide + g * y) * scale), -top), top)


@_compile
def _activate_rows(sums: Array, y: Array, index: Array, activation: Activation) -> None:
    _activate(sums.ravel(), y.ravel(), index.ravel(), activation)  # views, because all are contiguous


@_compile
def _leak_rows(y: Array, wide: Array, new: Array, leak: Leak) -> None:
    d, g, leak_scale, guard_scale, state_top, h_top, _ = leak
    for i in range(y.shape[0]):
        for s in range(y.shape[1]):
            wide[i, s] = _leaked(wide[i, s], y[i, s], d[i], g[i], leak_scale, state_top)
            new[i, s] = _multiplied(wide[i, s], guard_scale, h_top)


@_compile
def _drive_rows(sums: Array, wide: Array, leak: Leak) -> None:
    """The new kept states of the current form."""
    d, g, leak_scale, _, state_top, _, sums_scale = leak
    for i in range(sums.shape[0]):
        for s in range(sums.shape[1]):
            wide[i, s] = _leaked(wide[i, s], np.rint(sums[i, s] * sums_scale), d[i], g[i], leak_scale, state_top)


@_compile
def _start(wide: Array, new: Array, index: Array, activation: Activation, leak: Leak) -> None:
    """The multiplied states of one sequence's kept ones."""
    d, _, _, guard_scale, _, h_top, sums_scale = leak
    if sums_scale > 0.0:
        _activate(wide, new, index, activation)
    else:
        for i in range(wide.size):
            new[i] = _multiplied(wide[i], guard_scale, h_top) if d.size else wide[i]


@_compile
def _advance(sums: Array, wide: Array, new: Array, index: Array, activation: Activation, leak: Leak) -> None:
    """One sequence's kept and multiplied states after a step with these sums, which are overwritten."""
    d, g, leak_scale, guard_scale, state_top, h_top, sums_scale = leak
    if sums_scale > 0.0:
        for i in range(wide.size):
            wide[i] = _leaked(wide[i], np.rint(sums[i] * sums_scale), d[i], g[i], leak_scale, state_top)
        _activate(wide, new, index, activation)
        return
    _activate(sums, sums if d.size else new, index, activation)
    if d.size:
        for i in range(wide.size):
            wide[i] = _leaked(wide[i], sums[i], d[i], g[i], leak_scale, state_top)
            new[i] = _multiplied(wide[i], guard_scale, h_top)


@_compile
def _product(columns: Array, operands: Array, sums: Array, first: int, last: int) -> None:
    """The sums columns.T @ operands of the rows from `first` to before `last`."""
    sums[first:last] = 0
    for k in range(0, len(columns), _UNROLLED):
        a, b, c, d = operands[k], operands[k + 1], operands[k + 2], operands[k + 3]
        for i in range(first, last):
            sums[i] += (a * columns[k, i] + b * columns[k + 1, i]) + (c * columns[k + 2, i] + d * columns[k + 3, i])


@_compile
def _walk(
    columns: Array,
    operands: Array,
    sums: Array,
    outputs: int,
    wide: Array,
    new: Array,
    index: Array,
    ends: IntArray,
    activation: Activation,
    leak: Leak,
) -> None:
    """The layers of a stack one after another, for one sequence. The sums of the first layer are right already."""
    start = 0
    for end in ends:
        part = slice(start, end)
        if start > 0:
            _product(columns, operands, sums, outputs + start, outputs + end)
        own_leak = (leak[0][part], leak[1][part], leak[2], leak[3], leak[4], leak[5], leak[6])
        _advance(sums[outputs + start : outputs + end], wide[part], new[part], index[part], activation, own_leak)
        start = end


@_compile
def _sequences(
    x: IntArray,
    kept: IntArray,
    z: IntArray,
    h: IntArray,
    columns: Array,
    ends: IntArray,
    activation: Activation,
    leak: Leak,
) -> None:
    """Run sequences one after the other; `ends` are the layers' ends among the units."""
    batch, steps, m = x.shape
    n, outputs = kept.shape[1], z.shape[2]
    leaky = leak[0].size > 0
    operands = np.zeros(len(columns), columns.dtype)
    sums = np.empty(columns.shape[1], columns.dtype)
    new = operands[m + 1 : m + 1 + n]
    wide = np.empty(n)
    own = sums[outputs : outputs + n]
    index = np.empty(n, np.int32)
    operands[m] = 1
    for s in range(batch):
        for i in range(n):
            wide[i] = kept[s, i]
        _start(wide, new, index, activation, leak)
        for t in range(steps + 1):  # the last pass has the readout of the last step only
            if t < steps:
                for k in range(m):
                    operands[k] = x[s, t, k]
            _product(columns, operands, sums, 0, sums.size)
            if t > 0:
                for o in range(outputs):
                    z[s, t - 1, o] = np.int64(sums[o])
            if t == steps:
                break
            if ends.size == 1:  # views are made outside the loop: they cost as much as a step
                _advance(own, wide, new, index, activation, leak)
            else:
                _walk(columns, operands, sums, outputs, wide, new, index, ends, activation, leak)
            if h.shape[1] > 0:
                for i in range(n):
                    h[s, t, i] = np.int64(wide[i] if leaky else new[i])
        for i in range(n):
            kept[s, i] = np.int64(wide[i] if leaky else new[i])
