"""What the board is fed with: trials of a task one after the other, or what a person does by hand."""

from __future__ import annotations

import numpy as np

from autapse.fixed import FloatArray
from autapse.tasks import TASKS, Task

PULSE_STEPS = 5


class Hand:
    """Inputs that stay where they are put, and pulses on top of them.

    Parameters
    ----------
    inputs
        Number of channels.
    limit
        The largest magnitude that is kept; beyond it values are clipped.
    """

    def __init__(self, inputs: int, limit: float) -> None:
        self._limit = limit
        self.values: FloatArray = np.zeros(inputs)
        self._heights: FloatArray = np.zeros(inputs)
        self._left = np.zeros(inputs, dtype=np.int64)  # steps of the pulses

    def put(self, channel: int, value: float) -> None:
        """Hold an input at a value."""
        self.values[channel] = np.clip(value, -self._limit, self._limit)

    def pulse(self, channel: int, height: float) -> None:
        """A pulse in the next :data:`PULSE_STEPS` steps."""
        self._heights[channel], self._left[channel] = height, PULSE_STEPS

    def clear(self) -> None:
        """All inputs zero, and no pulse."""
        self.values[:] = self._left[:] = 0

    def take(self, most: int) -> FloatArray:
        """The inputs of the next `most` steps, (most, inputs)."""
        pulsed = np.arange(most)[:, None] < self._left
        self._left = np.maximum(self._left - most, 0)
        return np.clip(self.values + pulsed * self._heights, -self._limit, self._limit)


class Trial:
    """One trial of a task, as far as it has been run."""

    def __init__(self, task: Task, rng: np.random.Generator) -> None:
        self._task, self._trials = task, task.trials(1, rng)
        self._z: list[FloatArray] = []
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether all steps were taken."""
        return self._at == len(self._trials.x[0])

    def take(self, most: int) -> tuple[FloatArray, FloatArray]:
        """The next steps, at most so many: inputs, and targets, nan where they do not count."""
        span = slice(self._at, min(self._at + most, self._trials.x.shape[1]))
        self._at = span.stop
        y = np.where(self._trials.mask[0, span], self._trials.y[0, span], np.nan)
        return self._trials.x[0, span], y

    def keep(self, z: FloatArray) -> None:
        """Remember the outputs of the steps that were taken."""
        self._z.append(z)

    def score(self) -> dict[str, float]:
        """The task's score of this trial alone; empty where nothing in it can be judged."""
        try:
            found = self._task.score(np.concatenate(self._z)[None], self._trials)
        except ValueError:  # of a task that has no sample to judge in this trial
            return {}
        return {name: value for name, value in found.items() if np.isfinite(value)}


def tasks_for(inputs: int, outputs: int, trained_on: str | None) -> dict[str, Task]:
    """The tasks with so many channels by name, first the one that the network was trained on."""
    fitting = [task for task in TASKS.values() if (task.inputs, task.outputs) == (inputs, outputs)]
    return {task.name: task for task in sorted(fitting, key=lambda task: task.name != trained_on)}
