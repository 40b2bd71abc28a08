"""The integer model in NumPy: integers as floats, so that the sums of products run at the speed of a BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.fixed import IntArray
from autapse.quantized import QuantizedNetwork


class Kernel:
    """Matrices and tables of the fast path for one network, which it does not refer to. Nothing here changes.

    Raises ValueError for sums that are not exact in float64.
    """

    def __init__(self, q: QuantizedNetwork) -> None:
        f = q.formats
        state_bound, readout_bound = (int(bounds.max()) for bounds in q.row_bounds())
        # Rounding ties away from zero costs one multiplication by a little more than 2**-shift: it moves a tie, and
        # only a tie, beyond the half. That holds while the sums that do not saturate stay below `ties`.
        ties = state_bound
        if q.form == "rate":  # sums beyond the activation's limit need no rounding
            ties = min(state_bound, (q.activation.limit + 1) << max(q.pre_shift, 0))
        self.dtype: type[np.float32] | type[np.float64]
        if max(state_bound, readout_bound) < 2**24 and ties < 2**21:
            self.dtype, epsilon = np.float32, 2.0**-22
        elif max(state_bound, readout_bound) < 2**53 and ties < 2**50:
            self.dtype, epsilon = np.float64, 2.0**-51
        else:
            raise ValueError(f"sums up to {max(state_bound, readout_bound)} are not exact in float64")
        self.formats = f
        self.units, self.outputs = q.units, q.outputs
        # Rows [W_out; W; 0], columns [x; 1; h]: one product gives the readout of the last step and the sums of a step,
        # or those of its first layer. A BLAS is fastest where the number of rows is a multiple of 4.
        state = np.hstack([q.W_in << f.x_shift, q.b[:, None], q.W << f.h_shift])
        readout = np.hstack([np.zeros((q.outputs, q.inputs), np.int64), q.b_out[:, None], q.W_out << f.h_shift])
        rest = np.zeros((-(q.units + q.outputs) % 4, state.shape[1]), np.int64)
        self.weights = np.vstack([readout, state, rest]).astype(self.dtype)
        self.parts = q.network.parts
        ends = [q.outputs + part.stop for part in self.parts[:-1]]
        self.rows = [slice(a, b) for a, b in zip([0, *ends], [*ends, len(self.weights)], strict=True)]
        self.scale = self.dtype(2.0**-q.pre_shift * (1.0 + (epsilon if q.pre_shift > 0 else 0.0)))
        self.limit = self.dtype(q.activation.limit)
        self.low = self.dtype(0 if q.activation.rectify else -q.activation.top)
        self.top = self.dtype(q.activation.top)
        self.table: NDArray[Any] | None = None
        if q.activation.segments is not None:
            self.table = q.activation.table().astype(self.dtype)
        # NumPy makes 32-bit integers of floats several times as fast as 64-bit ones.
        self.current = q.form == "current"
        largest = f.state.max_code * 2.0**-f.guard if self.current else state_bound * 2.0**-q.pre_shift
        small = largest + q.activation.limit < 2**30
        self.index: type[np.int32] | type[np.intp] = np.int32 if small else np.intp
        if f.leak is not None:
            self.d = q.d.astype(np.float64)
            self.g = q.g.astype(np.float64) * 2.0**q.gain_shift
            if (reach := q.leak_bound()) >= 2**50:
                raise ValueError(f"leaky sums up to {reach} are not exact in float64")
            self.leak_scale = 2.0**-f.leak.frac * (1.0 + 2.0**-51)
            self.guard_scale = 2.0**-f.guard * (1.0 + (2.0**-51 if f.guard else 0.0))

    def run(self, x: IntArray, kept: IntArray, z: IntArray, h: IntArray | None) -> None:
        """Run sequences side by side: writes the readouts `z`, the states `h` if asked for, and the new `kept`."""
        batch, steps, m = x.shape
        # Units run along the rows, which keeps the new state contiguous.
        operands = np.empty((self.weights.shape[1], batch), self.dtype)
        new = operands[m + 1 :]
        operands[m] = 1
        wide = None
        new[:] = kept.T
        if self.formats.leak is not None:
            wide = np.ascontiguousarray(kept.T, dtype=np.float64)
        drive = np.ascontiguousarray(x.transpose(1, 2, 0), dtype=self.dtype)
        readout_rows = slice(0, self.outputs)
        # Zeros, since some BLAS multiply what is in the result by 0, and memory that was never written may hold a NaN.
        readouts = np.zeros((steps, self.outputs, batch), self.dtype)
        sums = np.zeros((len(self.weights), batch), self.dtype)
        index = np.empty((self.units, batch), self.index)
        if wide is not None:
            self._multiplied(wide, new, index)
        for t in range(steps):
            operands[:m] = drive[t]
            for rows, part in zip(self.rows, self.parts, strict=True):
                np.matmul(self.weights[rows], operands, out=sums[rows])
                own = sums[self.outputs + part.start : self.outputs + part.stop]
                self._update(own, new[part], None if wide is None else wide[part], index[part], part)
            if t:
                readouts[t - 1] = sums[readout_rows]
            if h is not None:
                h[:, t] = new.T if wide is None else wide.T
        if steps:
            np.matmul(self.weights[readout_rows], operands, out=readouts[-1])
        z[:] = readouts.transpose(2, 0, 1)
        kept[:] = new.T if wide is None else wide.T

    def _update(
        self,
        sums: NDArray[Any],
        new: NDArray[Any],
        wide: NDArray[np.float64] | None,
        index: NDArray[Any],
        part: slice,
    ) -> None:
        """Compute the new multiplied state of a layer into `new`, and the kept state of a leaky update into `wide`.

        All arrays are (units of the layer, batch); `part` says which they are. `sums` is overwritten, and so is
        `index`, which is scratch.
        """
        np.multiply(sums, self.scale, out=sums)
        np.rint(sums, out=sums)
        if not self.current:
            self._activate(sums, new if wide is None else sums, index)
        if wide is None:
            return
        np.multiply(wide, self.d[part, None], out=wide)
        wide += self.g[part, None] * sums
        np.rint(wide * self.leak_scale, out=wide)
        top = self.formats.state.max_code
        np.clip(wide, -top, top, out=wide)
        self._multiplied(wide, new, index)

    def _activate(self, codes: NDArray[Any], y: NDArray[Any], index: NDArray[Any]) -> None:
        """The activation's results `y` of input codes, which may be `y` itself; `index` is overwritten."""
        if self.table is not None:
            np.add(codes, self.limit, out=codes)
            np.copyto(index, codes, casting="unsafe")
            np.take(self.table, index, out=y, mode="clip")
        else:
            np.clip(codes, self.low, self.top, out=y)

    def _multiplied(self, wide: NDArray[np.float64], new: NDArray[Any], index: NDArray[Any]) -> None:
        """The multiplied state of the kept one; `index` is scratch."""
        codes = np.rint(wide * self.guard_scale)
        if self.current:
            self._activate(codes, new, index)
        else:
            top = self.formats.h.max_code
            np.clip(codes, -top, top, out=new)
