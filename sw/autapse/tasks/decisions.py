"""Decisions on noisy evidence: perceptual, and context-dependent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autapse.fixed import FloatArray
from autapse.tasks._base import (
    Sided,
    Success,
    Trials,
    answered,
    check_fits,
    check_not_negative,
    check_positive,
    window,
)

_START = 20  # of the evidence


@dataclass(frozen=True)
class _Evidence(Sided):
    """Noisy evidence on [20, 20 + evidence), and an answer from `pause` steps after its end to the trial's end.

    Attributes
    ----------
    steps
        Length of a trial.
    evidence
        Length of the evidence.
    pause
        Steps between the evidence and the answer.
    coherences
        Magnitudes of the means, or of the difference of the means.
    noise
        Standard deviation of the input noise.
    """

    steps: int = 170
    evidence: int = 100
    pause: int = 20
    coherences: tuple[float, ...] = (0.1, 0.2, 0.4)
    noise: float = 0.2

    def __post_init__(self) -> None:
        check_positive(evidence=self.evidence)
        check_not_negative(pause=self.pause, noise=self.noise)
        if not self.coherences or not all(c > 0 for c in self.coherences):
            raise ValueError(f"coherences must be above zero, and at least one; they are {self.coherences}")
        check_fits(self.steps, self._answer + 1)

    @property
    def _answer(self) -> int:
        """First step of the answer."""
        return _START + self.evidence + self.pause


@dataclass(frozen=True)
class PerceptualDecision(_Evidence):
    """Which of two noisy channels has the larger mean: +1 for the first, -1 for the second.

    The evidence lies on [20, 20 + evidence): means of 0.5 + c/2 and 0.5 - c/2, c one of `coherences` with either sign.
    The answer goes from `pause` steps after its end to the trial's end; only the answer counts. Gaussian noise of
    standard deviation `noise` on every sample.
    """

    name: ClassVar[str] = "perceptual_decision"
    summary: ClassVar[str] = "perceptual decision: which of two noisy channels had the larger mean"
    inputs: ClassVar[int] = 2
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("decision", 0.97)

    @property
    def input_range(self) -> float:
        """The largest mean and five standard deviations of the noise: less than one sample in a million exceeds it."""
        return 0.5 + 0.5 * max(self.coherences) + 5.0 * self.noise

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; all coherences and signs are equally likely."""
        c = _signed(self.coherences, (batch, 1), rng)
        on = window(self.steps, _START, _START + self.evidence)
        means = 0.5 + 0.5 * c * (1.0, -1.0)
        x = on[None, :, None] * means[:, None, :] + self.noise * rng.standard_normal((batch, self.steps, 2))
        return answered(x, np.sign(c[:, 0]), self._answer)


@dataclass(frozen=True)
class ContextIntegration(_Evidence):
    """The sign of one of two streams of evidence, as a context says (Mante et al., Nature 503, 2013).

    Channels: two streams with means of either sign, whose magnitudes are drawn from `coherences` independently, on
    [20, 20 + evidence); and two context channels, of which one is 1 throughout the trial, the other 0. The answer, the
    sign of the stream chosen, +1 or -1, goes from `pause` steps after the evidence's end to the trial's end; only the
    answer counts. Gaussian noise of standard deviation `noise` on every sample.
    """

    name: ClassVar[str] = "context_integration"
    summary: ClassVar[str] = "context-dependent integration: the sign of the stream that the context names"
    inputs: ClassVar[int] = 4
    outputs: ClassVar[int] = 1
    success: ClassVar[Success] = Success("decision", 0.95)

    @property
    def input_range(self) -> float:
        """The context and five standard deviations of the noise: less than one sample in a million exceeds it."""
        return max(1.0, *self.coherences) + 5.0 * self.noise

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; all coherences, signs and contexts are equally likely."""
        c = _signed(self.coherences, (batch, 2), rng)
        chosen = rng.integers(0, 2, size=batch)
        on = window(self.steps, _START, _START + self.evidence)
        x = self.noise * rng.standard_normal((batch, self.steps, 4))
        x[..., :2] += on[None, :, None] * c[:, None, :]
        x[np.arange(batch), :, 2 + chosen] += 1.0
        return answered(x, np.sign(c[np.arange(batch), chosen]), self._answer)


def _signed(magnitudes: tuple[float, ...], shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    signed: FloatArray = rng.choice(magnitudes, size=shape) * rng.choice((-1.0, 1.0), size=shape)
    return signed
