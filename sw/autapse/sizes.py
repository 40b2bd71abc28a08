"""The sizes that every form of a network has: float, quantised, rate equation."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class Sized:
    """Anything with the weights W (units, units), W_in (units, inputs) and W_out (outputs, units)."""

    W: NDArray[Any]
    W_in: NDArray[Any]
    W_out: NDArray[Any]

    @property
    def units(self) -> int:
        """Number of units N."""
        return int(self.W.shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs M."""
        return int(self.W_in.shape[1])

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return int(self.W_out.shape[0])
