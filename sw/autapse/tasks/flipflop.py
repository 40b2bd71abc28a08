"""The n-bit flip-flop: every output holds the sign of the last pulse at its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import FloatArray
from autapse.tasks._base import BoolArray, Noisy, Success, Trials, check_not_negative, check_positive


@dataclass(frozen=True)
class FlipFlop(Noisy):
    """The n-bit flip-flop task (Sussillo and Barak, Neural Computation 25, 2013), in steps.

    Each of n independent channels receives rectangular pulses of amplitude +1 or -1 at random times, and Gaussian
    noise on every sample. Its output is to hold the sign of the last pulse.

    The mask leaves out what no network can know or do: the samples of a channel before its first pulse (target 0),
    and the first `reaction` steps after the onset of a pulse that changes the target.

    Attributes
    ----------
    n_bits
        Number of channels n: inputs and outputs.
    steps
        Length of a trial.
    width
        Length of a pulse.
    gap
        Steps without a new pulse, at least, between the end of a pulse and the next one in the same channel.
    rate
        Probability of a pulse's onset per step and channel, outside the pulses and gaps.
    reaction
        Steps that the network has to settle after a change.
    noise
        Standard deviation of the input noise.
    """

    n_bits: int = 3
    steps: int = 200
    width: int = 4
    gap: int = 6
    rate: float = 0.04
    reaction: int = 8
    noise: float = 0.1

    def __post_init__(self) -> None:
        check_positive(n_bits=self.n_bits, steps=self.steps, width=self.width, rate=self.rate)
        check_not_negative(gap=self.gap, reaction=self.reaction, noise=self.noise)

    @property
    def name(self) -> str:
        """``flipflop``, whatever n is."""
        return "flipflop"

    @property
    def summary(self) -> str:
        """One line on the task."""
        return f"{self.n_bits}-bit flip-flop: hold the sign of the last pulse of each input"

    @property
    def inputs(self) -> int:
        """One a bit."""
        return self.n_bits

    @property
    def outputs(self) -> int:
        """One a bit."""
        return self.n_bits

    @property
    def success(self) -> Success:
        """99.9 % of the samples that count."""
        return Success("correct", 0.999)

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials."""
        shape = (batch, self.steps, self.n_bits)
        onset = self._onsets(rng.random(shape) < self.rate)
        sign = np.where(onset, rng.choice((-1.0, 1.0), size=shape), 0.0)
        pulses = sum_of_shifts(sign, self.width)
        y = np.zeros(shape)
        held = np.zeros((batch, self.n_bits))
        for t in range(self.steps):
            held = np.where(onset[:, t], sign[:, t], held)
            y[:, t] = held
        changed = np.diff(y, axis=1, prepend=0.0) != 0.0
        settling = sum_of_shifts(changed.astype(np.float64), self.reaction) > 0.0
        x = pulses + self.noise * rng.standard_normal(shape)
        return Trials(x, y, (y != 0.0) & ~settling)

    def _onsets(self, wanted: BoolArray) -> BoolArray:
        """Thin the wanted onsets, so that a channel's pulses keep their distance; one step in time at once."""
        onset = np.zeros_like(wanted)
        wait = np.zeros((wanted.shape[0], wanted.shape[2]), dtype=np.int64)
        for t in range(wanted.shape[1]):
            onset[:, t] = wanted[:, t] & (wait == 0)
            wait = np.where(onset[:, t], self.width + self.gap - 1, np.maximum(wait - 1, 0))
        return onset

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge the sign of the readout where the mask counts.

        ``correct``: the fraction of the samples with the right sign. ``hold``: the fraction of the channels, over all
        trials, that are right throughout; channels without a pulse do not count. A readout of 0 is wrong.
        """
        right = np.sign(trials.check_readout(z)) == trials.y
        counts = trials.mask
        if not counts.any():
            raise ValueError("no sample of these trials counts: no channel had a pulse and the time to settle")
        used = counts.any(axis=1)
        held = (right | ~counts).all(axis=1)
        return {"correct": float(right[counts].mean()), "hold": float(held[used].mean())}


def sum_of_shifts(values: FloatArray, length: int) -> FloatArray:
    """Each sample of `values`, (batch, time, channels), spread over itself and the following ``length - 1`` steps."""
    total = np.zeros_like(values)
    for shift in range(min(length, values.shape[1])):
        total[:, shift:] += values[:, : values.shape[1] - shift]
    return total
