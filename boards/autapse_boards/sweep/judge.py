"""How good a network is at given word lengths: the score of its task, and the difference from float."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.tasks import TASKS, Task, find
from autapse_boards.sweep.space import Words

_SEQUENCE = 100  # steps of a sequence of random inputs


@dataclass(frozen=True)
class Judge:
    """On what networks are judged.

    Attributes
    ----------
    task
        Name of the task, for :func:`autapse.tasks.find`. None: the one that a network says it was trained on; a network
        that names none runs on random inputs, and has no score.
    trials, seed
        How many trials, or random sequences, and the seed of their generator.
    input_range
        Largest input that must not saturate, and amplitude of random inputs, where no task says it.
    """

    task: str | None = None
    trials: int = 200
    seed: int = 0
    input_range: float = 1.0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, not {self.trials}")
        if not self.input_range > 0:
            raise ValueError(f"input_range must be positive, not {self.input_range}")
        if self.task is not None:
            find(self.task)

    def task_of(self, net: Network) -> Task | None:
        """The task that judges `net`; None if there is none."""
        return find(self.task) if self.task is not None else TASKS.get(net.info.get("task", ""))

    def quantized(self, net: Network, words: Words) -> QuantizedNetwork:
        """`net` at these word lengths, with the ranges of its task. ValueError if the task has other channels."""
        task = self.task_of(net)
        if task is not None and (task.inputs, task.outputs) != (net.inputs, net.outputs):
            raise ValueError(
                f"{task.name} has {task.inputs} inputs and {task.outputs} outputs; the network has {net.inputs} and "
                f"{net.outputs}"
            )
        return quantize(
            net,
            weight_bits=words.weight_bits,
            state_bits=words.state_bits,
            input_bits=words.input_bits,
            input_range=self.input_range if task is None else task.input_range,
            calibrate=self._inputs(net, task),
        )

    def measure(self, net: Network, words: Words) -> dict[str, float | str | None]:
        """Columns of the table: task, metric, float_score, score, error; and the model hash.

        ``error`` is the RMS difference of the readouts as a fraction of the RMS of the float readout.
        """
        task = self.task_of(net)
        q = self.quantized(net, words)
        x = self._inputs(net, task)
        exact, fixed = net.run(x).z, q.readout(x)
        size = float(np.sqrt(np.mean(exact**2))) or 1.0
        error = float(np.sqrt(np.mean((fixed - exact) ** 2))) / size
        found: dict[str, float | str | None] = {"model_hash": q.model_hash().hex(), "error": error}
        if task is None:
            return found
        trials = task.trials(self.trials, np.random.default_rng(self.seed))
        metric = task.success.metric
        scores = {"float_score": task.score(exact, trials)[metric], "score": task.score(fixed, trials)[metric]}
        return {**found, "task": task.name, "metric": metric, **scores}

    def _inputs(self, net: Network, task: Task | None) -> FloatArray:
        """Trials of the task, or random levels, (batch, time, inputs)."""
        rng = np.random.default_rng(self.seed)
        if task is not None:
            return task.trials(self.trials, rng).x
        return rng.uniform(-self.input_range, self.input_range, (self.trials, _SEQUENCE, net.inputs))
