"""The integer model: what the hardware must compute, bit for bit. docs/numerics.md says the same in prose.

`step` is the contract, one update in plain int64 arithmetic. `run` gives the same integers at the speed of a float
matrix product: an integer sum of products is exact in float32 while no partial sum reaches 2**24, and in float64 below
2**53. Which of them holds is decided from the row bounds of the network, never assumed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autapse.fixed import Format, IntArray, shift_round
from autapse.quantized import QuantizedNetwork


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
    a = q.b + (operand(q, state) << f.h_shift) @ q.W.T + (x << f.x_shift) @ q.W_in.T
    y = q.activation.evaluate(shift_round(a, q.pre_shift))
    if f.leak is not None:
        y = _clip(shift_round(q.d * state + ((q.g * y) << q.gain_shift), f.leak.frac), f.state)
    z = q.b_out + (operand(q, y) << f.h_shift) @ q.W_out.T
    return y, z


def run(q: QuantizedNetwork, x: IntArray, *, state: IntArray | None = None, record: bool = True) -> IntTrajectory:
    """Run the model over input codes `x`, (batch, time, inputs), from `state` (batch, units) or h0.

    Raises ValueError for a wrong shape, codes outside the input format, or codes that are not integers.
    """
    _check_codes(q, x)
    batch, steps, inputs = x.shape
    n, m = q.units, inputs
    kernel = _Kernel(q)
    kept = np.tile(q.h0, (batch, 1)) if state is None else np.array(state, dtype=np.int64)
    # Column by column: [x; 1; h], so that one product gives the accumulator with its bias. Units run along the rows,
    # which keeps the new state contiguous.
    operands = np.empty((m + 1 + n, batch), kernel.dtype)
    operands[m] = 1
    operands[m + 1 :] = operand(q, kept).T
    wide = np.ascontiguousarray(kept.T, dtype=np.float64) if q.leaky else None
    h = np.empty((steps if record else 0, n, batch), np.int64)
    z = np.empty((steps, q.outputs, batch), kernel.dtype)
    drive = np.ascontiguousarray(x.transpose(1, 2, 0), dtype=kernel.dtype)
    kernel.allocate(batch)
    for t in range(steps):
        operands[:m] = drive[t]
        kernel.update(operands, operands[m + 1 :], wide)
        np.matmul(kernel.readout, operands[m:], out=z[t])
        if record:
            h[t] = operands[m + 1 :] if wide is None else wide
    last = operands[m + 1 :] if wide is None else wide
    return IntTrajectory(
        z.transpose(2, 0, 1).astype(np.int64),
        np.ascontiguousarray(h.transpose(2, 0, 1)),
        np.ascontiguousarray(last.T).astype(np.int64),
    )


class _Kernel:
    """Matrices, tables and buffers of the fast path."""

    def __init__(self, q: QuantizedNetwork) -> None:
        f = q.formats
        state_bound, readout_bound = (int(bounds.max()) for bounds in q.row_bounds())
        # Rounding ties away from zero costs one multiplication by a little more than 2**-shift: it moves a tie, and
        # only a tie, beyond the half. That holds while the sums that do not saturate stay below `ties`.
        relevant = min(state_bound, (q.activation.limit + 1) << max(q.pre_shift, 0))
        self.dtype: type[np.float32] | type[np.float64]
        if max(state_bound, readout_bound) < 2**24 and relevant < 2**21:
            self.dtype, epsilon = np.float32, 2.0**-22
        elif max(state_bound, readout_bound) < 2**53 and relevant < 2**50:
            self.dtype, epsilon = np.float64, 2.0**-51
        else:
            raise ValueError(f"sums up to {max(state_bound, readout_bound)} are not exact in float64")
        self.q = q
        self.weights = np.hstack([q.W_in << f.x_shift, q.b[:, None], q.W << f.h_shift]).astype(self.dtype)
        self.readout = np.hstack([q.b_out[:, None], q.W_out << f.h_shift]).astype(self.dtype)
        self.scale = self.dtype(2.0**-q.pre_shift * (1.0 + (epsilon if q.pre_shift > 0 else 0.0)))
        self.limit = q.activation.limit
        self.table: NDArray[Any] | None = None
        if q.activation.segments is not None:
            self.table = q.activation.table().astype(self.dtype)
        if f.leak is not None:
            self.d = q.d[:, None].astype(np.float64)
            self.g = (q.g[:, None].astype(np.float64)) * 2.0**q.gain_shift
            reach = np.abs(q.d) * f.state.max_code + (np.abs(q.g) << q.gain_shift) * q.activation.out.max_code
            if int(reach.max()) >= 2**50:
                raise ValueError(f"leaky sums up to {int(reach.max())} are not exact in float64")
            self.leak_scale = 2.0**-f.leak.frac * (1.0 + 2.0**-51)
            self.guard_scale = 2.0**-f.guard * (1.0 + (2.0**-51 if f.guard else 0.0))

    def allocate(self, batch: int) -> None:
        """Make the buffers for sequences side by side."""
        self.sums = np.empty((self.q.units, batch), self.dtype)
        self.index = np.empty((self.q.units, batch), np.intp)

    def update(self, operands: NDArray[Any], new: NDArray[Any], wide: NDArray[np.float64] | None) -> None:
        """Compute the new multiplied state into `new`, and the kept state of a leaky update into `wide`."""
        sums = np.matmul(self.weights, operands, out=self.sums)
        np.multiply(sums, self.scale, out=sums)
        np.rint(sums, out=sums)
        y = new if wide is None else sums
        if self.table is not None:
            np.add(sums, self.limit, out=self.index, casting="unsafe")
            np.take(self.table, self.index, out=y, mode="clip")
        else:
            low = 0 if self.q.activation.rectify else -self.q.activation.top
            np.clip(sums, low, self.q.activation.top, out=y)
        if wide is None:
            return
        f = self.q.formats
        np.multiply(wide, self.d, out=wide)
        wide += self.g * y
        np.rint(wide * self.leak_scale, out=wide)
        np.clip(wide, -f.state.max_code, f.state.max_code, out=wide)
        np.clip(np.rint(wide * self.guard_scale), -f.h.max_code, f.h.max_code, out=new)


def _clip(codes: IntArray, form: Format) -> IntArray:
    return np.clip(codes, -form.max_code, form.max_code)


def _check_codes(q: QuantizedNetwork, x: IntArray) -> None:
    if x.dtype.kind not in "iu":
        raise ValueError(f"input codes must be integers, not {x.dtype}; quantise real inputs with quantize_inputs")
    if x.ndim != 3 or x.shape[2] != q.inputs:
        raise ValueError(f"input codes must be (batch, time, {q.inputs}); their shape is {x.shape}")
    top = q.formats.x.max_code
    if x.size and (x.max() > top or x.min() < -top):
        worst = int(x.max()) if x.max() > top else int(x.min())
        raise ValueError(f"input code {worst} is outside ±{top}, the range of {q.formats.x.bits} bits")
