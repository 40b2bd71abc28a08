"""Logic gates on pulses: AND, OR, XOR, NOT, and the three of them chosen by a context."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from autapse.fixed import FloatArray, IntArray
from autapse.tasks._base import (
    Noisy,
    Sided,
    Success,
    Trials,
    answered,
    check_fits,
    check_not_negative,
    check_positive,
    window,
)

#: Answers to the inputs (a, b) as a truth table, index 2 a + b; to the single input a for ``not``.
TRUTH = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0), "not": (1, 0)}


@dataclass(frozen=True)
class Gate(Noisy, Sided):
    """Simultaneous pulses of amplitude 0 or 1 in each channel; the gate's result, 0 or 1, from `answer` to the end.

    Gaussian noise on every sample. Only the answer counts: what the readout does before is free.

    Attributes
    ----------
    operation
        ``and``, ``or``, ``xor`` (two inputs) or ``not`` (one input).
    steps
        Length of a trial.
    start, width
        The pulses lie on [start, start + width).
    answer
        First step of the answer.
    noise
        Standard deviation of the input noise.
    """

    operation: str = "xor"
    steps: int = 200
    start: int = 30
    width: int = 20
    answer: int = 70
    noise: float = 0.1

    outputs: ClassVar[int] = 1
    middle: ClassVar[float] = 0.5
    success: ClassVar[Success] = Success("hold", 0.99)

    def __post_init__(self) -> None:
        if self.operation not in TRUTH:
            raise ValueError(f"operation must be one of {', '.join(TRUTH)}; not {self.operation!r}")
        check_positive(width=self.width)
        check_not_negative(start=self.start, noise=self.noise)
        if self.answer < self.start + self.width:
            raise ValueError(
                f"answer must not be before the pulse's end, {self.start + self.width}; it is {self.answer}"
            )
        check_fits(self.steps, self.answer + 1)

    @property
    def name(self) -> str:
        """The operation."""
        return self.operation

    @property
    def summary(self) -> str:
        """One line on the task."""
        what = "a pulse was absent" if self.operation == "not" else f"pulse one {self.operation.upper()} pulse two"
        return f"{self.operation.upper()}: after the pulses, hold 1 if {what}, else 0"

    @property
    def inputs(self) -> int:
        """Two, or one for ``not``."""
        return 1 if self.operation == "not" else 2

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; all combinations of inputs are equally likely."""
        bits = rng.integers(0, 2, size=(batch, self.inputs))
        on = window(self.steps, self.start, self.start + self.width)
        x = on[None, :, None] * bits[:, None, :] + self.noise * rng.standard_normal((batch, self.steps, self.inputs))
        return answered(x, _look_up(self.operation, bits), self.answer)

    def lessons(self) -> tuple[Gate, ...]:
        """An answer right after the pulses, and short; then the task itself."""
        end = self.start + self.width
        return (replace(self, answer=end, steps=min(self.steps, end + 20)), self)


@dataclass(frozen=True)
class ContextGates(Noisy, Sided):
    """AND, OR or XOR of two pulses, chosen by an earlier pulse in a third channel: +1, -1 or 0.

    With v drawn uniformly from 1..`jitter`: the context pulse lies on [20 + v, 40 + v), the two pulses on
    [60 + v, 80 + v), the answer, 0 or 1, goes from 100 + v to the end; only the answer counts. Gaussian noise on every
    sample.

    Attributes
    ----------
    steps
        Length of a trial.
    jitter
        Latest shift v.
    noise
        Standard deviation of the input noise.
    """

    steps: int = 290
    jitter: int = 50
    noise: float = 0.1

    name: ClassVar[str] = "context_gates"
    summary: ClassVar[str] = "multitask: AND, OR or XOR of two pulses, as an earlier pulse in a third channel says"
    inputs: ClassVar[int] = 3
    outputs: ClassVar[int] = 1
    middle: ClassVar[float] = 0.5
    success: ClassVar[Success] = Success("hold", 0.97)

    def __post_init__(self) -> None:
        check_positive(jitter=self.jitter)
        check_not_negative(noise=self.noise)
        check_fits(self.steps, 100 + self.jitter + 1)

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; all contexts and all combinations of inputs are equally likely."""
        v = rng.integers(1, self.jitter, size=batch, endpoint=True)
        bits = rng.integers(0, 2, size=(batch, 2))
        context = rng.integers(-1, 1, size=batch, endpoint=True)
        early = window(self.steps, 20 + v, 40 + v)
        late = window(self.steps, 60 + v, 80 + v)
        x = np.stack([late * bits[:, :1], late * bits[:, 1:], early * context[:, None]], axis=2)
        results = np.stack([_look_up(name, bits) for name in ("or", "xor", "and")])
        noise = self.noise * rng.standard_normal(x.shape)
        return answered(x + noise, results[context + 1, np.arange(batch)], 100 + v)

    def lessons(self) -> tuple[ContextGates, ...]:
        """Short answers first."""
        return (replace(self, steps=min(self.steps, 100 + self.jitter + 20)), self)


def _look_up(operation: str, bits: IntArray) -> FloatArray:
    table = np.array(TRUTH[operation], dtype=np.float64)
    rows: FloatArray = table[bits @ (1 << np.arange(bits.shape[1])[::-1])]
    return rows
