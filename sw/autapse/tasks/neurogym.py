"""Tasks of neurogym, and of its collections such as ``yang19``, as tasks of this package.

neurogym is imported when a task is made. What is used of an environment: ``new_trial()``, and afterwards its ``ob``,
(time, observations), and ``gt``, the right action at each step: an integer, or a vector where the action is continuous.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.errors import MissingToolError
from autapse.fixed import FloatArray
from autapse.tasks._base import Success, Trials, check_positive


@dataclass(frozen=True)
class NeuroGym:
    """A supervised task out of a neurogym environment.

    Every trial of the environment is one trial here; shorter ones are padded with zeros, longer ones cut, and the mask
    counts the samples of the trial itself. An action out of n choices becomes n outputs, of which the right one is 1
    and the others 0; a continuous action is the target itself.

    Attributes
    ----------
    environment
        Name, with or without version: ``PerceptualDecisionMaking-v0``, ``yang19.dms-v0``.
    steps
        Length of a trial here. 0: the longest of `probe` trials of the environment.
    probe
        Trials drawn to find the longest one and the range of the inputs, with seed 0.
    threshold
        Fraction of right decisions that counts as success.
    env
        The environment itself; found by its name when left out.
    """

    environment: str
    steps: int = 0
    probe: int = 100
    threshold: float = 0.9
    env: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_positive(probe=self.probe)
        if self.env is None:
            object.__setattr__(self, "env", _make(self.environment))
        base = getattr(self.env, "unwrapped", self.env)
        object.__setattr__(self, "_base", base)
        seen = [self._trial() for _ in self._seeded(np.random.default_rng(0), self.probe)]
        longest = max(len(ob) for ob, _ in seen)
        object.__setattr__(self, "steps", self.steps or longest)
        object.__setattr__(self, "_inputs", int(seen[0][0].shape[1]))
        object.__setattr__(self, "_range", float(max(np.abs(ob).max() for ob, _ in seen)) or 1.0)
        choices = getattr(base.action_space, "n", None)
        object.__setattr__(self, "_choices", None if choices is None else int(choices))
        object.__setattr__(self, "_outputs", int(choices or np.atleast_2d(seen[0][1].T).shape[0]))

    @property
    def name(self) -> str:
        """``neurogym:`` and the environment's name."""
        return f"neurogym:{self.environment}"

    @property
    def summary(self) -> str:
        """One line on the task."""
        return f"the environment {self.environment} of neurogym"

    @property
    def inputs(self) -> int:
        """Observations of the environment."""
        return self._inputs  # type: ignore[attr-defined,no-any-return]

    @property
    def outputs(self) -> int:
        """Choices of the action, or components of a continuous one."""
        return self._outputs  # type: ignore[attr-defined,no-any-return]

    @property
    def input_range(self) -> float:
        """The largest observation of the probe, and a quarter more."""
        return 1.25 * self._range  # type: ignore[attr-defined,no-any-return]

    @property
    def success(self) -> Success:
        """The fraction of right decisions."""
        return Success("decision", self.threshold)

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw `batch` trials; each is seeded from `rng`."""
        x = np.zeros((batch, self.steps, self.inputs))
        y = np.zeros((batch, self.steps, self.outputs))
        mask = np.zeros(y.shape, dtype=np.bool_)
        for k in self._seeded(rng, batch):
            ob, gt = self._trial()
            n = min(len(ob), len(gt), self.steps)
            x[k, :n] = ob[:n]
            y[k, :n] = self._target(gt[:n])
            mask[k, :n] = True
        return Trials(x, y, mask)

    def _seeded(self, rng: np.random.Generator, count: int) -> Iterator[int]:
        """Count to `count`, with the environment seeded once: its trials then follow each other."""
        seed = int(rng.integers(2**31))
        self._base.seed(seed)  # type: ignore[attr-defined]
        yield from range(count)

    def _trial(self) -> tuple[FloatArray, Any]:
        base = self._base  # type: ignore[attr-defined]
        base.new_trial()
        ob = np.asarray(base.ob, dtype=np.float64)
        return ob.reshape(len(ob), -1), np.asarray(base.gt)

    def _target(self, gt: Any) -> FloatArray:
        if self._choices is None:  # type: ignore[attr-defined]
            return np.asarray(gt, dtype=np.float64).reshape(len(gt), -1)
        return np.asarray(np.eye(self.outputs)[gt.astype(np.int64)], dtype=np.float64)

    def score(self, z: ArrayLike, trials: Trials) -> dict[str, float]:
        """Judge the actions.

        ``correct``: the fraction of the samples with the right action, the largest output; or, for a continuous action,
        with every component within 0.2 of the target. ``decision``: the fraction of the trials in which more than half
        of the samples that ask for an action other than the first (or other than 0) are right; trials that never do are
        judged by all their samples.
        """
        readout = trials.check_readout(z)
        counts = trials.mask[..., 0]
        if self._choices is None:  # type: ignore[attr-defined]
            right = np.all(np.abs(readout - trials.y) < 0.2, axis=2)
            acting = np.any(trials.y != 0.0, axis=2) & counts
        else:
            right = readout.argmax(axis=2) == trials.y.argmax(axis=2)
            acting = (trials.y.argmax(axis=2) != 0) & counts
        judged = acting | (counts & ~acting.any(axis=1, keepdims=True))
        share = (right & judged).sum(axis=1) / judged.sum(axis=1)
        return {"correct": float(right[counts].mean()), "decision": float((share > 0.5).mean())}


def _make(name: str) -> Any:
    try:
        ngym = importlib.import_module("neurogym")
    except ImportError as error:
        missing = (error.name or "neurogym").split(".")[0]  # some versions import torch without asking pip for it
        who = "neurogym" if missing == "neurogym" else f"neurogym is there, but {missing}, which it imports,"
        raise MissingToolError(f"{who} is not installed: pip install {missing}") from None
    versioned = name if re.search(r"-v\d+$", name) else f"{name}-v0"
    try:
        return ngym.make(versioned)
    except Exception as error:  # its registry raises errors of gymnasium, which may have any type
        raise ValueError(f"neurogym cannot make {versioned!r}: {error}") from None
