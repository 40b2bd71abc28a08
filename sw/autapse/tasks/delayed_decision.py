"""The delayed decision: report a pulse's sign, and start doing so a fixed time after the pulse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from autapse.tasks._base import Noisy, Success, Trials, check_fits, check_fraction, check_not_negative

_FIRST = 50  # the pulse is on [50 + v, 70 + v), the target starts at 120 + v
_WIDTH = 20
_LATEST = 70  # v is drawn uniformly from 1..70


@dataclass(frozen=True)
class DelayedDecision(Noisy):
    """One pulse of amplitude +1 or -1 at a random time; its sign, `delay` steps after it has ended, to the trial's end.

    With v drawn uniformly from 1..70, the pulse lies on [50 + v, 70 + v), smoothed by a symmetric Hann window
    normalised to sum 1 (numpy's convolution, mode "same"), with Gaussian noise on every sample. The target is 0 until
    70 + delay + v, and from there the sign of the pulse. All samples count.

    Attributes
    ----------
    steps
        Length of a trial; at least 141 + delay, so that the last possible response is inside.
    noise
        Standard deviation of the input noise.
    delay
        Steps from the pulse's end to the response.
    smoothing
        Points of the Hann window that smooths the pulse; 0 leaves it rectangular. The timing depends on it.
    catch
        Fraction of the trials, on average, without a pulse and with target 0. 0 for judging, 0.5 is usual for
        training.
    """

    steps: int = 370
    delay: int = 50
    noise: float = 0.05
    smoothing: int = 10
    catch: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(delay=self.delay, noise=self.noise)
        check_fits(self.steps, self._response + _LATEST + 1)
        if self.smoothing != 0 and not 3 <= self.smoothing <= _WIDTH:
            raise ValueError(f"smoothing must be 0 (none) or 3 to {_WIDTH} points, not {self.smoothing}")
        check_fraction(catch=self.catch)

    @property
    def _response(self) -> int:
        return _FIRST + _WIDTH + self.delay

    @property
    def name(self) -> str:
        """``delayed_decision``."""
        return "delayed_decision"

    @property
    def summary(self) -> str:
        """One line on the task."""
        return f"delayed decision: report the sign of a pulse, {self.delay} steps after it has ended"

    @property
    def inputs(self) -> int:
        """One."""
        return 1

    @property
    def outputs(self) -> int:
        """One."""
        return 1

    @property
    def success(self) -> Success:
        """Every decision right."""
        return Success("success", 1.0)

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials."""
        v = rng.integers(1, _LATEST, size=batch, endpoint=True)
        sign = rng.choice((-1.0, 1.0), size=batch) * (rng.random(batch) >= self.catch)
        time = np.arange(self.steps)
        start = (_FIRST + v)[:, None]
        pulse = sign[:, None] * ((time >= start) & (time < start + _WIDTH))
        if self.smoothing:
            window = np.hanning(self.smoothing)
            window /= window.sum()
            pulse = np.apply_along_axis(np.convolve, 1, pulse, window, mode="same")
        x = pulse + self.noise * rng.standard_normal(pulse.shape)
        y = sign[:, None] * (time >= (self._response + v)[:, None])
        return Trials(x[..., None], y[..., None], np.ones((batch, self.steps, 1), dtype=np.bool_))

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge decision and timing, over the trials with a pulse.

        ``success``: the fraction of trials in which the mean readout, from the target's onset to the end, has the sign
        of the pulse. ``timing_error``: the absolute difference, in steps, between the first crossing of |z| > 0.5
        anywhere in the trial and the target's onset, averaged; a trial that never crosses counts as the steps that
        remain from the onset to the end.
        """
        readout = trials.check_readout(z)[..., 0]
        target = trials.y[..., 0]
        pulsed = (target != 0.0).any(axis=1)
        if not pulsed.any():
            raise ValueError("no trial has a pulse, so there is no decision to judge")
        readout, target = readout[pulsed], target[pulsed]
        steps = target.shape[1]
        active = target != 0.0
        onset = active.argmax(axis=1)
        mean = (readout * active).sum(axis=1) / active.sum(axis=1)
        crossed = np.abs(readout) > 0.5
        first = np.where(crossed.any(axis=1), crossed.argmax(axis=1), steps)  # never: the distance to the end
        return {
            "success": float((np.sign(mean) == target[:, -1]).mean()),
            "timing_error": float(np.abs(first - onset).mean()),
        }

    def lessons(self) -> tuple[DelayedDecision, ...]:
        """Short delays first, with half of the trials silent; the task itself last, so too."""
        delays = (d for d in (5, 20, 35) if d < self.delay)
        short = (replace(self, delay=d, steps=_FIRST + _WIDTH + d + _LATEST + 40, catch=0.5) for d in delays)
        return (*short, replace(self, catch=0.5))
