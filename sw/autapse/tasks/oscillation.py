"""Finite-duration oscillation: a pulse starts a sine that stops by itself."""

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
    check_fraction,
    check_not_negative,
    check_positive,
    one_pulse,
    window,
)


@dataclass(frozen=True)
class Oscillation(Noisy):
    """A pulse of amplitude 1 on [onset, onset + width); a sine from `begin` to ``steps - rest``, else 0.

    A fraction of the trials, `catch`, has no pulse and target 0. All samples count.

    Attributes
    ----------
    steps
        Length of a trial.
    onset, width
        First step and length of the pulse.
    begin
        First step of the sine, with phase 0.
    rest
        Steps after the sine.
    period, amplitude
        Of the sine, in steps and units of the readout.
    noise
        Standard deviation of the input noise.
    catch
        Fraction of trials without a pulse, on average.
    """

    steps: int = 420
    onset: int = 100
    width: int = 40
    begin: int = 160
    rest: int = 40
    period: float = 35.0
    amplitude: float = 1.74
    noise: float = 0.1
    catch: float = 0.5

    name: ClassVar[str] = "oscillation"
    summary: ClassVar[str] = "finite-duration oscillation: a pulse starts a sine of a given period that stops by itself"
    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("success", 0.95)

    def __post_init__(self) -> None:
        check_positive(width=self.width, rest=self.rest, period=self.period, amplitude=self.amplitude)
        check_not_negative(onset=self.onset, noise=self.noise)
        check_fraction(catch=self.catch)
        if self.begin < self.onset + self.width:
            raise ValueError(f"begin must not be before the pulse's end, {self.onset + self.width}; it is {self.begin}")
        check_fits(self.steps, self.begin + self.rest + round(2 * self.period))

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials."""
        pulse = window(self.steps, self.onset, self.onset + self.width)
        sine = self.amplitude * np.sin(2 * np.pi / self.period * (np.arange(self.steps) - self.begin))
        target = sine * window(self.steps, self.begin, self.steps - self.rest)
        return one_pulse(batch, pulse, target, self.catch, self.noise, rng)

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge phase, period, amplitude and silence.

        Over the sine's whole periods, the readout is multiplied by exp(-i w t), w the target's frequency: the sum's
        angle is the phase, and the change of the angle from the first half to the second gives the period.
        ``phase_error`` and ``period_error`` are mean magnitudes in steps, over the trials with a pulse. ``success``:
        the fraction of trials that are right. With a pulse: phase within an eighth of the period, period within 3 %,
        amplitude within 30 %, and an rms below a quarter of the sine's before the pulse and in the second half of the
        rest. Without: an rms below that throughout.
        """
        readout, target = trials.check_readout(z)[..., 0], trials.y[..., 0]
        pulsed = (target != 0.0).any(axis=1)
        half = int((self.steps - self.rest - self.begin) // self.period / 2 * self.period)
        omega = 2 * np.pi / self.period
        wave = np.exp(-1j * omega * np.arange(2 * half))
        mixed = readout[:, self.begin : self.begin + 2 * half] * wave
        # A pure sine in phase gives -i/2 per step; so the phase is the angle beyond that.
        first, second = mixed[:, :half].sum(axis=1) * 2j, mixed[:, half:].sum(axis=1) * 2j
        amplitude = np.abs(first + second) / (2 * half)
        phase = np.abs(np.angle(first + second)) / omega
        turn = np.angle(second * np.conj(first)) / half  # radians a step
        period = np.abs(2 * np.pi / (omega + turn) - self.period)
        limit = 0.25 * self.amplitude / np.sqrt(2)
        idle = np.concatenate([readout[:, : self.onset], readout[:, self.steps - self.rest // 2 :]], axis=1)
        silent = np.sqrt((idle**2).mean(axis=1)) < limit
        right = (
            (phase <= self.period / 8)
            & (period <= 0.03 * self.period)
            & (np.abs(amplitude / self.amplitude - 1) <= 0.3)
            & silent
        )
        still = np.sqrt((readout**2).mean(axis=1)) < limit
        return {
            "success": float(np.where(pulsed, right, still).mean()),
            "phase_error": float(phase[pulsed].mean()) if pulsed.any() else 0.0,
            "period_error": float(period[pulsed].mean()) if pulsed.any() else 0.0,
        }

    def lessons(self) -> tuple[Oscillation, ...]:
        """Two periods, four periods, then all."""
        shorter = (self.begin + round(n * self.period) + self.rest for n in (2, 4))
        return (*(replace(self, steps=steps) for steps in shorter if steps < self.steps), self)
