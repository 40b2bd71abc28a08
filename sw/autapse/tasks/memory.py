"""Two stimuli and a delay between them: delayed match to sample, and parametric working memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from autapse.fixed import IntArray
from autapse.tasks._base import (
    Noisy,
    Sided,
    Success,
    Trials,
    answered,
    check_fits,
    check_not_negative,
    check_order,
    window,
)

_START, _WIDTH = 20, 20  # of the first stimulus, of both
_LESSONS = ((4, 10, 0), (10, 30, 0), (20, 40, 5), (30, 60, 10))  # shortest, longest, pause


@dataclass(frozen=True)
class DelayedMatch(Noisy, Sided):
    """Two stimuli, each a pulse in one of two channels: +1 if they were the same, -1 if not.

    The sample lies on [20, 40), the test of 20 steps follows after a random delay, and `pause` steps after its end the
    answer goes to the trial's end; only the answer counts. Gaussian noise on every sample.

    Attributes
    ----------
    steps
        Length of a trial.
    shortest, longest
        Limits of the delay between the stimuli.
    pause
        Steps from the second one's end to the answer.
    noise
        Standard deviation of the input noise.
    """

    steps: int = 200
    shortest: int = 30
    longest: int = 80
    pause: int = 20
    noise: float = 0.1

    name: ClassVar[str] = "delayed_match"
    summary: ClassVar[str] = "delayed match to sample: were two stimuli, some time apart, the same"
    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("hold", 0.98)

    def __post_init__(self) -> None:
        _check(self.steps, self.shortest, self.longest, self.pause, self.noise)

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; all pairs are equally likely."""
        sample, test = rng.integers(0, 2, size=(2, batch))
        second = _second(self.shortest, self.longest, batch, rng)
        early, late = window(self.steps, _START, _START + _WIDTH), window(self.steps, second, second + _WIDTH)
        x = (
            early[None, :, None] * (sample[:, None] == (0, 1))[:, None, :]
            + late[..., None] * (test[:, None] == (0, 1))[:, None, :]
        )
        x = x + self.noise * rng.standard_normal(x.shape)
        return answered(x, np.where(sample == test, 1.0, -1.0), second + _WIDTH + self.pause)

    def lessons(self) -> tuple[DelayedMatch, ...]:
        """Short delays and an early answer first, then longer ones."""
        return (*_lessons(self), self)


@dataclass(frozen=True)
class ParametricMemory(Noisy, Sided):
    """Two pulses of graded amplitude in one channel: +1 if the first was the larger, -1 if the second.

    The amplitudes are uniform in [0.2, 1], at least `difference` apart (Romo et al., Nature 399, 1999, for the task).
    The first pulse lies on [20, 40), the second one of 20 steps follows after a random delay, and `pause` steps after
    its end the answer goes to the trial's end; only the answer counts. Gaussian noise on every sample.

    Attributes
    ----------
    steps
        Length of a trial.
    shortest, longest
        Limits of the delay between the pulses.
    pause
        Steps from the second one's end to the answer.
    difference
        Smallest difference of the amplitudes.
    noise
        Standard deviation of the input noise.
    """

    steps: int = 180
    shortest: int = 30
    longest: int = 60
    pause: int = 20
    difference: float = 0.2
    noise: float = 0.1

    name: ClassVar[str] = "parametric_memory"
    summary: ClassVar[str] = "parametric working memory: which of two pulses, some time apart, was the larger"
    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("decision", 0.95)

    def __post_init__(self) -> None:
        _check(self.steps, self.shortest, self.longest, self.pause, self.noise)
        if not 0 < self.difference < 0.8:
            raise ValueError(f"difference must lie between 0 and 0.8, not {self.difference}")

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials: the difference is uniform in [`difference`, 0.8], the smaller one in what is left."""
        apart = rng.uniform(self.difference, 0.8, size=batch)
        low = 0.2 + rng.random(batch) * (0.8 - apart)
        first_larger = rng.random(batch) < 0.5
        first, other = np.where(first_larger, (low + apart, low), (low, low + apart))
        second = _second(self.shortest, self.longest, batch, rng)
        early, late = window(self.steps, _START, _START + _WIDTH), window(self.steps, second, second + _WIDTH)
        x = early * first[:, None] + late * other[:, None]
        x = x + self.noise * rng.standard_normal(x.shape)
        return answered(x[..., None], np.where(first_larger, 1.0, -1.0), second + _WIDTH + self.pause)

    def lessons(self) -> tuple[ParametricMemory, ...]:
        """Short delays and an early answer first, then longer ones."""
        return (*_lessons(self), self)


def _check(steps: int, shortest: int, longest: int, pause: int, noise: float) -> None:
    check_not_negative(shortest=shortest, pause=pause, noise=noise)
    check_order(shortest, longest)
    check_fits(steps, _START + 2 * _WIDTH + longest + pause + 1)


def _second(shortest: int, longest: int, batch: int, rng: np.random.Generator) -> IntArray:
    return _START + _WIDTH + rng.integers(shortest, longest, size=batch, endpoint=True)


_T = TypeVar("_T", DelayedMatch, ParametricMemory)


def _lessons(task: _T) -> tuple[_T, ...]:
    """Easier forms of `task`; answers of 20 steps at least."""
    easier = []
    for shortest, longest, pause in _LESSONS:
        if longest < task.longest:
            limits = {"shortest": min(shortest, task.shortest), "longest": longest, "pause": min(pause, task.pause)}
            steps = min(task.steps, _START + 2 * _WIDTH + longest + pause + 20)
            easier.append(replace(task, steps=steps, **limits))
    return tuple(easier)
