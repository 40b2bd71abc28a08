"""The integer model: what the hardware must compute, bit for bit. docs/numerics.md says the same in prose.

`step` is the contract, one update in plain int64 arithmetic. `run` gives the same integers at the speed of a float
matrix product: an integer sum of products is exact in float32 while no partial sum reaches 2**24, and in float64 below
2**53. Which of them holds is decided from the row bounds of the network, never assumed.
"""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from autapse.fixed import Format, IntArray, shift_round
from autapse.quantized import QuantizedNetwork

#: Sequences that run side by side. Their buffers fit the cache, and products of this size keep a BLAS from handing half
#: of the work to a second thread, which costs far more than it gains where the other cores are busy.
CHUNK = 256


class IntTrajectory(NamedTuple):
    """Codes of a run.

    Attributes
    ----------
    z
        Readout, (batch, time, outputs).
    h
        Kept state after each step, (batch, time, units), or (batch, 0, units) if it was not recorded.
    last
        Kept state after the last step, (batch, units).
    """

    z: IntArray
    h: IntArray
    last: IntArray


def operand(q: QuantizedNetwork, state: IntArray) -> IntArray:
    """The multiplied state of the kept `state`: rounded by the guard bits and saturated."""
    return _clip(shift_round(state, q.formats.guard), q.formats.h) if q.leaky else state


def step(q: QuantizedNetwork, state: IntArray, x: IntArray) -> tuple[IntArray, IntArray]:
    """One step: kept state (batch, units) and input codes (batch, inputs) to the new kept state and the readout."""
    f = q.formats
    x = np.asarray(x, dtype=np.int64)  # a narrower type would wrap in the shift
    a = q.b + (operand(q, state) << f.h_shift) @ q.W.T + (x << f.x_shift) @ q.W_in.T
    y = q.activation.evaluate(shift_round(a, q.pre_shift))
    if f.leak is not None:
        y = _clip(shift_round(q.d * state + ((q.g * y) << q.gain_shift), f.leak.frac), f.state)
    z = q.b_out + (operand(q, y) << f.h_shift) @ q.W_out.T
    return y, z


def run(q: QuantizedNetwork, x: IntArray, *, state: IntArray | None = None, record: bool = True) -> IntTrajectory:
    """Run the model over input codes `x`, (batch, time, inputs), from `state` (batch, units) or h0.

    Raises ValueError for a wrong shape, codes outside the format of the inputs or of the kept state, or codes that are
    not integers.
    """
    x = np.asarray(x)
    _check_codes("input", x, (None, None, q.inputs), q.formats.x)
    batch, steps, _ = x.shape
    kept = np.tile(q.h0, (batch, 1))
    if state is not None:
        state = np.asarray(state)
        _check_codes("state", state, (batch, q.units), q.formats.state)
        kept[:] = state
    kernel = _KERNELS.get(q)
    if kernel is None:
        kernel = _KERNELS[q] = _Kernel(q)
    z = np.empty((batch, steps, q.outputs), np.int64)
    h = np.empty((batch, steps if record else 0, q.units), np.int64)
    for first in range(0, batch, CHUNK):
        some = slice(first, first + CHUNK)
        kernel.run(x[some], kept[some], z[some], h[some] if record else None)
    return IntTrajectory(z, h, kept)


class _Kernel:
    """Matrices and tables of the fast path for one network, which it does not refer to. Nothing here changes."""

    def __init__(self, q: QuantizedNetwork) -> None:
        f = q.formats
        state_bound, readout_bound = (int(bounds.max()) for bounds in q.row_bounds())
        # Rounding ties away from zero costs one multiplication by a little more than 2**-shift: it moves a tie, and
        # only a tie, beyond the half. That holds while the sums that do not saturate stay below `ties`.
        ties = min(state_bound, (q.activation.limit + 1) << max(q.pre_shift, 0))
        self.dtype: type[np.float32] | type[np.float64]
        if max(state_bound, readout_bound) < 2**24 and ties < 2**21:
            self.dtype, epsilon = np.float32, 2.0**-22
        elif max(state_bound, readout_bound) < 2**53 and ties < 2**50:
            self.dtype, epsilon = np.float64, 2.0**-51
        else:
            raise ValueError(f"sums up to {max(state_bound, readout_bound)} are not exact in float64")
        self.formats = f
        self.inputs = q.inputs
        self.weights = np.hstack([q.W_in << f.x_shift, q.b[:, None], q.W << f.h_shift]).astype(self.dtype)
        self.readout = np.hstack([q.b_out[:, None], q.W_out << f.h_shift]).astype(self.dtype)
        self.scale = self.dtype(2.0**-q.pre_shift * (1.0 + (epsilon if q.pre_shift > 0 else 0.0)))
        self.limit = self.dtype(q.activation.limit)
        self.low = 0 if q.activation.rectify else -q.activation.top
        self.top = q.activation.top
        self.table: NDArray[Any] | None = None
        if q.activation.segments is not None:
            self.table = q.activation.table().astype(self.dtype)
        # NumPy makes 32-bit integers of floats several times as fast as 64-bit ones.
        small = state_bound * 2.0**-q.pre_shift + q.activation.limit < 2**30
        self.index: type[np.int32] | type[np.intp] = np.int32 if small else np.intp
        if f.leak is not None:
            self.d = q.d[:, None].astype(np.float64)
            self.g = (q.g[:, None].astype(np.float64)) * 2.0**q.gain_shift
            reach = np.abs(q.d) * f.state.max_code + (np.abs(q.g) << q.gain_shift) * q.activation.out.max_code
            if int(reach.max()) >= 2**50:
                raise ValueError(f"leaky sums up to {int(reach.max())} are not exact in float64")
            self.leak_scale = 2.0**-f.leak.frac * (1.0 + 2.0**-51)
            self.guard_scale = 2.0**-f.guard * (1.0 + (2.0**-51 if f.guard else 0.0))

    def run(self, x: IntArray, kept: IntArray, z: IntArray, h: IntArray | None) -> None:
        """Run a chunk of sequences: writes the readouts `z`, the states `h` if asked for, and the new `kept`."""
        batch, steps, m = x.shape
        # Column by column: [x; 1; h], so that one product gives the accumulator with its bias. Units run along the
        # rows, which keeps the new state contiguous.
        operands = np.empty((self.weights.shape[1], batch), self.dtype)
        new, readout_operands = operands[m + 1 :], operands[m:]
        operands[m] = 1
        wide = None
        new[:] = kept.T
        if self.formats.leak is not None:
            wide = np.ascontiguousarray(kept.T, dtype=np.float64)
            self._multiplied(wide, new)
        drive = np.ascontiguousarray(x.transpose(1, 2, 0), dtype=self.dtype)
        readouts = np.empty((steps, len(self.readout), batch), self.dtype)
        sums = np.empty((len(self.weights), batch), self.dtype)
        index = np.empty(sums.shape, self.index)
        for t in range(steps):
            operands[:m] = drive[t]
            self._update(operands, new, wide, sums, index)
            np.matmul(self.readout, readout_operands, out=readouts[t])
            if h is not None:
                h[:, t] = new.T if wide is None else wide.T
        z[:] = readouts.transpose(2, 0, 1)
        kept[:] = new.T if wide is None else wide.T

    def _update(
        self,
        operands: NDArray[Any],
        new: NDArray[Any],
        wide: NDArray[np.float64] | None,
        sums: NDArray[Any],
        index: NDArray[Any],
    ) -> None:
        """Compute the new multiplied state into `new`, and the kept state of a leaky update into `wide`."""
        np.matmul(self.weights, operands, out=sums)
        np.multiply(sums, self.scale, out=sums)
        np.rint(sums, out=sums)
        y = new if wide is None else sums
        if self.table is not None:
            np.add(sums, self.limit, out=sums)
            np.copyto(index, sums, casting="unsafe")
            np.take(self.table, index, out=y, mode="clip")
        else:
            np.clip(sums, self.low, self.top, out=y)
        if wide is None or self.formats.leak is None:
            return
        np.multiply(wide, self.d, out=wide)
        wide += self.g * y
        np.rint(wide * self.leak_scale, out=wide)
        top = self.formats.state.max_code
        np.clip(wide, -top, top, out=wide)
        self._multiplied(wide, new)

    def _multiplied(self, wide: NDArray[np.float64], new: NDArray[Any]) -> None:
        """The multiplied state of the kept one."""
        top = self.formats.h.max_code
        np.clip(np.rint(wide * self.guard_scale), -top, top, out=new)


#: The kernels of the networks that are alive; making one costs more than a short run.
_KERNELS: WeakKeyDictionary[QuantizedNetwork, _Kernel] = WeakKeyDictionary()


def _clip(codes: IntArray, form: Format) -> IntArray:
    return np.clip(codes, -form.max_code, form.max_code)


def _check_codes(what: str, codes: NDArray[Any], shape: tuple[int | None, ...], form: Format) -> None:
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{what} codes must be integers, not {codes.dtype}; quantise real numbers first")
    if codes.ndim != len(shape) or any(e is not None and e != n for e, n in zip(shape, codes.shape, strict=True)):
        expected = ", ".join(["batch", "time"][i] if e is None else str(e) for i, e in enumerate(shape))
        raise ValueError(f"{what} codes must be ({expected}); their shape is {codes.shape}")
    top = form.max_code
    if codes.size and (codes.max() > top or codes.min() < -top):
        worst = int(codes.max()) if codes.max() > top else int(codes.min())
        raise ValueError(f"{what} code {worst} is outside ±{top}, the range of {form.bits} bits")
