"""The plane in which the state is watched: its first two principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autapse.analysis import stimulus
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.tasks import Task

_POINTS = 600
_SAMPLE_TRIALS = 16  # of the float network
_FIRST, _LAST = 25, 1600  # states from which axes are taken where no network is at hand


@dataclass(frozen=True)
class Axes:
    """Two principal axes of a set of states.

    Attributes
    ----------
    source
        What the states were, in words.
    mean : (units,)
        Where the axes cross.
    axes : (2, units)
        Orthonormal rows; zeros where the states have no second direction.
    share : (2,)
        The fraction of the variance along each.
    points : (points, 2)
        Some of the states, in these axes.
    """

    source: str
    mean: FloatArray
    axes: FloatArray
    share: FloatArray
    points: FloatArray

    @classmethod
    def of(cls, states: FloatArray, source: str, like: Axes | None = None) -> Axes:
        """Of states (samples, units), by the SVD of their differences from the mean; signs as those of `like`."""
        mean = states.mean(axis=0)
        _, sizes, directions = np.linalg.svd(states - mean, full_matrices=False)
        axes, share = np.zeros((2, states.shape[1])), np.zeros(2)
        found = min(2, int((sizes > 1e-9 * max(1.0, sizes[0])).sum()))
        axes[:found] = directions[:found]
        share[:found] = sizes[:found] ** 2 / (sizes**2).sum() if found else 0.0
        if like is not None:
            axes *= np.where((axes * like.axes).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        some = states[np.linspace(0, len(states) - 1, min(len(states), _POINTS)).astype(int)]
        return cls(source, mean, axes, share, (some - mean) @ axes.T)

    @classmethod
    def of_network(cls, net: Network, task: Task | None, limit: float) -> Axes:
        """Of the states of a float network on some trials of a task, or on pulses of heights up to `limit`."""
        if task is None:
            x, what = stimulus(net.inputs, limit), "random pulses"
        else:
            x = task.trials(_SAMPLE_TRIALS, np.random.default_rng(0)).x
            what = f"{_SAMPLE_TRIALS} trials of {task.name}"
        with np.errstate(over="ignore", invalid="ignore"):
            states = net.run(x).h.reshape(-1, net.units)
        return cls.of(states[np.isfinite(states).all(axis=1)], f"the float network on {what}")

    def message(self) -> dict[str, Any]:
        """For the page, which projects the states that it keeps."""
        return {
            "is": "axes",
            "source": self.source,
            "mean": self.mean.tolist(),
            "axes": self.axes.tolist(),
            "share": self.share.tolist(),
            "points": np.round(self.points, 4).tolist(),
        }


class SeenStates:
    """Axes of the states that were seen: anew each time that there are twice as many, until there are enough."""

    def __init__(self) -> None:
        self._states: list[FloatArray] = []
        self._axes: Axes | None = None

    def add(self, h: FloatArray) -> Axes | None:
        """One more state, (units,); the axes, if it is time for others."""
        if len(self._states) == _LAST:
            return None
        self._states.append(h)
        doublings, rest = divmod(len(self._states), _FIRST)
        if rest or doublings.bit_count() != 1:
            return None
        self._axes = Axes.of(np.array(self._states), f"the first {len(self._states)} states", self._axes)
        return self._axes
