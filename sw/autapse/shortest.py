"""The shortest words that keep a network's score: every combination of weight, state and input words is tried.

Scores need not fall with the word length (a network may fail at 5 bits what it keeps at 4), so nothing is inferred from
neighbours: the whole grid runs on a few trials, and what survives is confirmed on many.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from autapse.fixed import FloatArray
from autapse.network import Network, check_inputs
from autapse.quantize import quantize
from autapse.quantized import MAX_BITS, MIN_BITS, QuantizedNetwork
from autapse.tasks import Task

_DRAWS = 5  # of trials in float: how much the score varies by itself


@dataclass(frozen=True)
class Judge:
    """Inputs, and the figure of the readout that they give; larger is better.

    Attributes
    ----------
    x
        Inputs, (batch, time, inputs).
    figure
        Maps a readout (batch, time, outputs) to a number.
    input_range
        Largest input that must not saturate; None: that of `x`.
    """

    x: FloatArray
    figure: Callable[[FloatArray], float]
    input_range: float | None

    def of(self, net: Network | QuantizedNetwork) -> float:
        """The figure of a network, float or quantised; inputs outside the range saturate."""
        if isinstance(net, Network):
            return self.figure(net.run(self.x).z)
        return self.figure(net.readout(self.x))


@dataclass(frozen=True)
class Choice:
    """Word lengths, and the figure of the integer model that they give."""

    weight_bits: int
    state_bits: int
    input_bits: int
    figure: float

    @property
    def words(self) -> tuple[int, int, int]:
        """Weight, state and input bits."""
        return (self.weight_bits, self.state_bits, self.input_bits)


@dataclass(frozen=True)
class Search:
    """What was found.

    Attributes
    ----------
    metric
        What the figure is.
    float_figure
        That of the float network on the confirming trials.
    spread
        Largest difference between float figures on separate draws of trials; 0 for given inputs.
    limit
        The smallest figure that was accepted.
    frontier
        The confirmed choices of which no word can be shortened, shortest sum first.
    gaps
        Frontier words at which one longer word fails: the score is not monotone there.
    tried
        Combinations that ran.
    fragile
        Why the network itself, not the word length, is at fault; empty if it is not.
    """

    metric: str
    float_figure: float
    spread: float
    limit: float
    frontier: tuple[Choice, ...]
    gaps: tuple[str, ...]
    tried: int
    fragile: str


def shortest_for_task(
    net: Network,
    task: Task,
    *,
    tolerance: float = 0.01,
    bits: tuple[int, int] = (MIN_BITS, 10),
    trials: int = 1000,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Search:
    """Search the words of `bits` (shortest, longest) with which the score stays within `tolerance` of float.

    A tenth of `trials` decides in the grid, all of them, fresh ones, on the frontier. Raises ValueError for a network
    that does not fit the task, or a bad tolerance or range.
    """
    if (net.inputs, net.outputs) != (task.inputs, task.outputs):
        raise ValueError(
            f"{task.name} has {task.inputs} inputs and {task.outputs} outputs; "
            f"the network has {net.inputs} and {net.outputs}"
        )
    rng = np.random.default_rng(seed)

    def judge(count: int) -> Judge:
        drawn = task.trials(count, rng)
        return Judge(drawn.x, lambda z: task.score(z, drawn)[task.success.metric], task.input_range)

    draws = [judge(trials).of(net) for _ in range(_DRAWS)]
    spread = max(draws) - min(draws)
    fragile = ""
    if min(draws) < task.success.threshold:
        fragile = (
            f"the float network itself fails: {task.success.metric} {min(draws):.4f} to {max(draws):.4f} in "
            f"{_DRAWS} draws of {trials} trials, and {task.name} asks for {task.success.threshold:g}; "
            "no word length repairs that"
        )
    elif spread > tolerance:
        fragile = (
            f"the float network's own score varies by {spread:.4f} from draw to draw, more than the tolerance "
            f"{tolerance:g}; the noise of the task decides, not the word length"
        )
    judges = judge(max(1, trials // 10)), judge(trials)
    return _search(net, judges, task.success.metric, tolerance, bits, spread, fragile, progress)


def shortest_for_data(
    net: Network,
    x: ArrayLike,
    targets: ArrayLike,
    *,
    tolerance: float = 0.01,
    bits: tuple[int, int] = (MIN_BITS, 10),
    progress: Callable[[str], None] | None = None,
) -> Search:
    """The same with given inputs (batch, time, inputs) and targets (batch, time, outputs).

    The figure is R^2, one minus the squared error relative to the variance of the targets.
    """
    inputs, single = check_inputs(x, net.inputs, "calibrate")
    wanted = np.asarray(targets, dtype=np.float64)
    wanted = wanted[None] if single and wanted.ndim == 2 else wanted
    if wanted.shape != (*inputs.shape[:2], net.outputs):
        raise ValueError(
            f"targets must be {(*inputs.shape[:2], net.outputs)} for these inputs; they are {wanted.shape}"
        )
    variance = float(np.mean((wanted - wanted.mean(axis=(0, 1))) ** 2))
    if not variance > 0:
        raise ValueError("the targets are constant: nothing can be judged by them")
    judge = Judge(inputs, lambda z: 1.0 - float(np.mean((z - wanted) ** 2)) / variance, None)
    figure = judge.of(net)
    fragile = "" if figure > 0 else f"the float network itself misses the targets: R^2 is {figure:.3f}"
    return _search(net, (judge, judge), "R^2", tolerance, bits, 0.0, fragile, progress)


def _search(
    net: Network,
    judges: tuple[Judge, Judge],
    metric: str,
    tolerance: float,
    bits: tuple[int, int],
    spread: float,
    fragile: str,
    progress: Callable[[str], None] | None,
) -> Search:
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, not {tolerance}")
    if not MIN_BITS <= bits[0] <= bits[1] <= MAX_BITS:
        raise ValueError(f"words must lie in {MIN_BITS} to {MAX_BITS}, not {bits[0]} to {bits[1]}")
    quick, sure = judges
    limit_quick, limit = quick.of(net) - tolerance, sure.of(net) - tolerance
    _with_words(net, (bits[1],) * 3, sure)  # what is wrong with the network, not with short words, is said here
    lengths = range(bits[0], bits[1] + 1)
    kept: set[tuple[int, int, int]] = set()
    grid = list(itertools.product(lengths, lengths, lengths))
    for k, words in enumerate(grid):
        if progress is not None and k % 25 == 0:
            progress(f"{k} of {len(grid)} combinations")
        if _figure(net, words, quick) >= limit_quick:
            kept.add(words)
    passed: dict[tuple[int, int, int], Choice] = {}
    candidates = set(kept)
    while candidates:  # a candidate that fails on the many trials makes room for longer words
        front = _minimal(candidates)
        if all(words in passed for words in front):
            break
        for words in front - set(passed):
            figure = _figure(net, words, sure)
            if figure >= limit:
                passed[words] = Choice(*words, figure)
            else:
                candidates.discard(words)
                kept.discard(words)
    frontier = sorted((passed[w] for w in _minimal(candidates)), key=lambda c: (sum(c.words), c.words))
    gaps = [gap for choice in frontier for gap in _gaps(choice, kept, bits[1])]
    return Search(metric, limit + tolerance, spread, limit, tuple(frontier), tuple(gaps), len(grid), fragile)


def _figure(net: Network, words: tuple[int, int, int], judge: Judge) -> float:
    """The figure with these words; below every limit where they cannot hold the network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a matrix that rounds to 0 shows in the figure
        try:
            return judge.of(_with_words(net, words, judge))
        except ValueError:
            return -np.inf


def _with_words(net: Network, words: tuple[int, int, int], judge: Judge) -> QuantizedNetwork:
    weight, state, inputs = words
    return quantize(
        net,
        weight_bits=weight,
        state_bits=state,
        input_bits=inputs,
        input_range=judge.input_range,
        calibrate=judge.x,
    )


def _minimal(choices: set[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Those of which no other one is as short in every word."""
    array = np.array(sorted(choices))
    return {
        tuple(int(b) for b in words)  # type: ignore[misc]
        for words in array
        if np.count_nonzero((array <= words).all(axis=1)) == 1
    }


def _gaps(choice: Choice, kept: set[tuple[int, int, int]], longest: int) -> list[str]:
    """Longer words, one at a time, at which the network fails although it keeps its score at the choice's own."""
    found = []
    for axis, name in enumerate(("weights", "states", "inputs")):
        for length in range(choice.words[axis] + 1, longest + 1):
            words = tuple(length if k == axis else b for k, b in enumerate(choice.words))
            if words not in kept:
                found.append(
                    f"{name} of {choice.words[axis]} bits hold where {length} fail (others {_others(choice, axis)})"
                )
    return found


def _others(choice: Choice, axis: int) -> str:
    names = ("weights", "states", "inputs")
    return ", ".join(f"{names[k]} {b}" for k, b in enumerate(choice.words) if k != axis)
