"""The sizes that every form of a network has, float, quantised or rate equation; and the check of a step or scale."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def check_positive(name: str, value: Any) -> float:
    """`value` as a float; ValueError, which names it, unless it is a positive and finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a positive number, not {value!r}") from None
    if not (np.isfinite(number) and number > 0.0):
        raise ValueError(f"{name} must be positive and finite, not {value}")
    return number
