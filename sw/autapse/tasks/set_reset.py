"""The 1-bit flip-flop with a set and a reset channel, in slow trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from autapse.tasks._base import (
    Noisy,
    Success,
    Trials,
    check_fits,
    check_not_negative,
    check_positive,
    judge_sides,
    window,
)


@dataclass(frozen=True)
class SetReset(Noisy):
    """A pulse every `period` steps, in the set or in the reset channel; the output is 1 after set, 0 after reset.

    Pulses of amplitude 1 lie on [start + k period, start + k period + width); the channel of each is drawn with equal
    odds. The output begins at 0, switches `delay` steps after the pulse's end, and holds. Gaussian noise on every
    sample. From a pulse that changes the output to the switch the readout is free.

    Attributes
    ----------
    steps
        Length of a trial.
    start, period, width
        Onset of the first pulse, distance of the onsets, length of a pulse.
    delay
        Steps from a pulse's end to the output's change.
    noise
        Standard deviation of the input noise.
    """

    steps: int = 1010
    start: int = 50
    period: int = 120
    width: int = 20
    delay: int = 20
    noise: float = 0.1

    name: ClassVar[str] = "flipflop_1bit"
    summary: ClassVar[str] = (
        "1-bit flip-flop: hold 1 after a pulse in the set channel, 0 after one in the reset channel"
    )
    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("hold", 0.99)

    def __post_init__(self) -> None:
        check_positive(width=self.width)
        check_not_negative(start=self.start, delay=self.delay, noise=self.noise)
        if self.period <= self.width + self.delay:
            raise ValueError(f"period must be above width + delay = {self.width + self.delay}, not {self.period}")
        check_fits(self.steps, self.start + self.width + self.delay + 1)

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials."""
        onsets = range(self.start, self.steps, self.period)
        chosen = rng.integers(0, 2, size=(batch, len(onsets)))  # 0: set
        x = self.noise * rng.standard_normal((batch, self.steps, 2))
        y = np.zeros((batch, self.steps))
        mask = np.ones((batch, self.steps), dtype=np.bool_)
        held = np.zeros(batch, dtype=np.float64)
        for k, onset in enumerate(onsets):
            on = window(self.steps, onset, onset + self.width)
            x += on[:, None] * (chosen[:, k, None] == (0, 1))[:, None, :]
            new = np.array(1.0 - chosen[:, k], dtype=np.float64)
            switch = onset + self.width + self.delay
            y[:, switch:] = new[:, None]
            mask[:, onset:switch] = (new == held)[:, None]
            held = new
        return Trials(x, y[..., None], mask[..., None])

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge the readout against one half: see :func:`autapse.tasks.judge_sides`, and ``correct``, by samples."""
        right = (trials.check_readout(z) > 0.5) == (trials.y > 0.5)
        return judge_sides(z, trials, 0.5) | {"correct": float(right[trials.mask].mean())}

    def lessons(self) -> tuple[SetReset, ...]:
        """Two pulses, then the whole trial."""
        return (replace(self, steps=min(self.steps, self.start + 2 * self.period)), self)
