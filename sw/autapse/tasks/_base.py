"""What every task offers: trials to run, and a score of the readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autapse.fixed import FloatArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Trials:
    """A batch of trials.

    Attributes
    ----------
    x
        Inputs with their noise, (batch, time, inputs).
    y
        Targets, (batch, time, outputs).
    mask
        Which samples of the readout count, (batch, time, outputs): the loss and the score leave the others out.
    """

    x: FloatArray
    y: FloatArray
    mask: BoolArray

    def __post_init__(self) -> None:
        if self.x.ndim != 3 or self.y.ndim != 3 or self.x.shape[:2] != self.y.shape[:2]:
            raise ValueError(f"x and y must be (batch, time, channels) alike; they are {self.x.shape}, {self.y.shape}")
        if self.mask.shape != self.y.shape:
            raise ValueError(f"the mask must have the shape of y, {self.y.shape}; it is {self.mask.shape}")

    def check_readout(self, z: ArrayLike) -> FloatArray:
        """`z` as float64, after checking that it is a readout of these trials, of the shape of `y`."""
        array = np.asarray(z, dtype=np.float64)
        if array.shape != self.y.shape:
            raise ValueError(f"the readout must have the shape of the targets, {self.y.shape}; it is {array.shape}")
        return array


@dataclass(frozen=True)
class Success:
    """Which figure of a score decides, and from which value on the task is solved.

    Attributes
    ----------
    metric
        A key of the score; larger is better.
    threshold
        The smallest value that counts as success.
    """

    metric: str
    threshold: float

    def reached(self, score: dict[str, float]) -> bool:
        """Whether the score's figure reaches the threshold."""
        return score[self.metric] >= self.threshold


@runtime_checkable
class Task(Protocol):
    """A task: an immutable object whose parameters are its fields.

    Attributes
    ----------
    name
        The name in :data:`autapse.tasks.TASKS`, and the same in Python's identifiers and on the command line.
    summary
        One line that says what the network has to do.
    inputs, outputs
        Number of channels.
    input_range
        The amplitude that the inputs rarely exceed, noise included: what ``quantize`` takes as its input range. Each
        task states how rarely.
    success
        What counts as solved.
    """

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def input_range(self) -> float: ...
    @property
    def success(self) -> Success: ...

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; the same generator state gives the same trials. Inputs are not clipped."""
        ...

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge a readout z, (batch, time, outputs), of these trials. ValueError for a wrong shape."""
        ...


def check_positive(**values: float) -> None:
    """ValueError for the first value that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above zero, not {value}")
