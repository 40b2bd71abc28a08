"""What every task offers: trials to run, and a score of the readout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

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

    A task may also have ``lessons() -> tuple[Task, ...]``: easier forms of itself, easiest first, that training goes
    through before the task itself.
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


class Noisy:
    """A task of inputs with magnitudes up to 1 and Gaussian noise of standard deviation `noise` on every sample."""

    noise: float

    @property
    def input_range(self) -> float:
        """A pulse and five standard deviations of the noise: less than one sample in a million exceeds it."""
        return 1.0 + 5.0 * self.noise


class Sided:
    """A task whose answer is the side of `middle` on which the readout lies."""

    middle: ClassVar[float] = 0.0

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge the answer's side: see :func:`autapse.tasks.judge_sides`."""
        return judge_sides(z, trials, self.middle)


def check_positive(**values: float) -> None:
    """ValueError for the first value that is not above zero."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above zero, not {value}")


def check_not_negative(**values: float) -> None:
    """ValueError for the first value that is below zero, or not a number."""
    for name, value in values.items():
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, not {value}")


def check_fraction(**values: float) -> None:
    """ValueError for the first value outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], not {value}")


def check_order(shortest: int, longest: int) -> None:
    """ValueError where `longest` is below `shortest`."""
    if longest < shortest:
        raise ValueError(f"longest must not be below shortest, {shortest}; it is {longest}")


def check_fits(steps: int, needed: int) -> None:
    """ValueError where a trial of `steps` steps ends before the last thing in it can happen."""
    if steps < needed:
        raise ValueError(f"steps must be at least {needed}, not {steps}")


def window(steps: int, start: ArrayLike, stop: ArrayLike) -> BoolArray:
    """Which of `steps` steps lie in [start, stop), (batch, steps), for bounds of shape (batch,) or scalars."""
    time = np.arange(steps)
    return (time >= np.asarray(start)[..., None]) & (time < np.asarray(stop)[..., None])


def answered(x: FloatArray, result: FloatArray, start: ArrayLike) -> Trials:
    """Trials that ask for an answer from step `start` to the end; only the answer counts.

    `x` is (batch, time, inputs), with its noise; `result` is (batch,), `start` too, or one step for all.
    """
    counts = np.empty(x.shape[:2], dtype=np.bool_)
    counts[:] = window(x.shape[1], start, x.shape[1])
    return Trials(x, (result[:, None] * counts)[..., None], counts[..., None])


def one_pulse(
    batch: int, pulse: BoolArray, target: FloatArray, catch: float, noise: float, rng: np.random.Generator
) -> Trials:
    """Trials with a pulse of amplitude 1 and a target, of which a fraction `catch` on average has neither.

    `pulse` and `target` are (batch, time), or (time,) for all; `noise` is that of the inputs. All samples count.
    """
    there = rng.random(batch)[:, None] >= catch
    x = (pulse & there) + noise * rng.standard_normal((batch, target.shape[-1]))
    y = np.where(there, target, 0.0)
    return Trials(x[..., None], y[..., None], np.ones((*y.shape, 1), dtype=np.bool_))


def judge_sides(z: ArrayLike, trials: Trials, middle: float = 0.0) -> dict[str, float]:
    """Judge on which side of `middle` the readout lies where the mask counts.

    ``decision``: the fraction of the channels, over all trials, whose mean readout lies on the side of the target's
    mean. ``hold``: the fraction that are on the target's side at every step. A readout of `middle` is wrong.
    """
    readout, target, counts = trials.check_readout(z) - middle, trials.y - middle, trials.mask
    used = counts.any(axis=1)
    if not used.any():
        raise ValueError("no sample of these trials counts")
    decided = np.sign((readout * counts).sum(axis=1)) == np.sign((target * counts).sum(axis=1))
    held = ((np.sign(readout) == np.sign(target)) | ~counts).all(axis=1)
    return {"decision": float(decided[used].mean()), "hold": float(held[used].mean())}
