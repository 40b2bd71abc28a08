"""Time reproduction: a pulse is answered by one smooth peak, after a fixed time or after the pulse's own duration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import FloatArray, IntArray
from autapse.tasks._base import (
    Noisy,
    Success,
    Trials,
    check_fits,
    check_fraction,
    check_not_negative,
    check_order,
    check_positive,
    one_pulse,
    window,
)

_TOLERANCE = 6  # steps between the peak and the target's


@dataclass(frozen=True)
class TimeReproduction(Noisy):
    """A pulse of amplitude 1 on [onset, onset + width); a Gaussian peak of height 1, `delay` steps after its end.

    A fraction of the trials, `catch`, has no pulse and target 0. All samples count.

    Attributes
    ----------
    steps
        Length of a trial.
    onset, width
        First step and length of the pulse.
    jitter
        Largest random shift of pulse and peak, in steps.
    delay
        Steps from the first step after the pulse to the centre of the peak.
    sigma
        Standard deviation of the peak, in steps.
    noise
        Standard deviation of the input noise.
    catch
        Fraction of trials without a pulse, on average.
    """

    steps: int = 300
    onset: int = 50
    width: int = 20
    jitter: int = 0
    delay: int = 50
    sigma: float = 10.0
    noise: float = 0.1
    catch: float = 0.5

    name: ClassVar[str] = "time_reproduction"
    summary: ClassVar[str] = "time reproduction: answer a pulse by one smooth peak 50 steps after its end"
    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("success", 0.97)

    def __post_init__(self) -> None:
        check_positive(width=self.width, sigma=self.sigma, delay=self.delay)
        check_not_negative(onset=self.onset, noise=self.noise, jitter=self.jitter)
        check_fraction(catch=self.catch)
        check_fits(self.steps, self.onset + self.jitter + self.width + self.delay + round(3 * self.sigma))

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials."""
        start = self.onset + rng.integers(0, self.jitter, size=batch, endpoint=True)
        end = start + self.width
        pulse, peak = window(self.steps, start, end), _peak(self.steps, end + self.delay, self.sigma)
        return one_pulse(batch, pulse, peak, self.catch, self.noise, rng)

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge the peak; see :func:`judge_peak`."""
        return judge_peak(z, trials, self.sigma)


@dataclass(frozen=True)
class DurationReproduction(Noisy):
    """A pulse of random duration; a Gaussian peak of height 1 when the same time has passed again after its end.

    The duration w is drawn uniformly from `shortest`..`longest`; the pulse lies on [onset, onset + w), the peak's
    centre at onset + 2 w. A fraction of the trials, `catch`, has no pulse and target 0. All samples count.

    Attributes
    ----------
    steps
        Length of a trial.
    onset
        First step of the pulse.
    shortest, longest
        Limits of its duration.
    sigma
        Standard deviation of the peak, in steps.
    noise
        Standard deviation of the input noise.
    catch
        Fraction of trials without a pulse, on average.
    """

    steps: int = 240
    onset: int = 50
    shortest: int = 20
    longest: int = 60
    sigma: float = 10.0
    noise: float = 0.1
    catch: float = 0.2

    name: ClassVar[str] = "duration_reproduction"
    summary: ClassVar[str] = "time reproduction: measure a pulse's duration, and peak when it has passed again"
    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("success", 0.95)

    def __post_init__(self) -> None:
        check_positive(shortest=self.shortest, sigma=self.sigma)
        check_not_negative(onset=self.onset, noise=self.noise)
        check_fraction(catch=self.catch)
        check_order(self.shortest, self.longest)
        check_fits(self.steps, self.onset + 2 * self.longest + round(3 * self.sigma))

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials."""
        duration = rng.integers(self.shortest, self.longest, size=batch, endpoint=True)
        pulse = window(self.steps, self.onset, self.onset + duration)
        peak = _peak(self.steps, self.onset + 2 * duration, self.sigma)
        return one_pulse(batch, pulse, peak, self.catch, self.noise, rng)

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge the peak; see :func:`judge_peak`."""
        return judge_peak(z, trials, self.sigma)


def judge_peak(z: ArrayLike, trials: Trials, sigma: float) -> dict[str, float]:
    """Judge one peak a trial.

    ``success``: the fraction of trials that are right. A trial with a pulse is right if the readout's largest value
    lies within 6 steps of the target's peak, is 0.5 to 1.5, and the readout stays below 0.5 in magnitude more
    than 3 `sigma` away from the target's peak; one without a pulse, if it stays below 0.5 throughout.
    ``timing_error``: the distance in steps between the two peaks, averaged over the trials with a pulse.
    """
    readout, target = trials.check_readout(z)[..., 0], trials.y[..., 0]
    time = np.arange(target.shape[1])
    pulsed = target.max(axis=1) > 0.5
    centre, found = target.argmax(axis=1), readout.argmax(axis=1)
    error = np.abs(found - centre)
    height = readout.max(axis=1)
    far = (np.abs(time - centre[:, None]) > 3 * sigma) | ~pulsed[:, None]
    quiet = (np.where(far, np.abs(readout), 0.0) < 0.5).all(axis=1)
    peaked = (error <= _TOLERANCE) & (height > 0.5) & (height < 1.5)
    return {
        "success": float((quiet & (peaked | ~pulsed)).mean()),
        "timing_error": float(error[pulsed].mean()) if pulsed.any() else 0.0,
    }


def _peak(steps: int, centre: IntArray, sigma: float) -> FloatArray:
    """A Gaussian of height 1 around each centre, (batch, steps)."""
    peak: FloatArray = np.exp(-0.5 * ((np.arange(steps) - centre[:, None]) / sigma) ** 2)
    return peak
