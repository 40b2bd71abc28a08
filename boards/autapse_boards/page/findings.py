"""What the page of a build tells besides the build's own report: measured here, on the network in the folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autapse.analysis import stimulus
from autapse.dynamics import dequantized, modes
from autapse.dynamics.linear import ComplexArray
from autapse.errors import AutapseError
from autapse.fixed import FloatArray
from autapse.network import Network
from autapse.quantized import QuantizedNetwork
from autapse.tasks import BoolArray, Task, find

_TRIALS, _SEED = 500, 2026


@dataclass(frozen=True)
class Comparison:
    """The float network and the integer model on the same inputs.

    Attributes
    ----------
    inputs
        What the inputs are, in words.
    x : (batch, time, inputs)
        The inputs.
    z_float, z_fixed : (batch, time, outputs)
        Readouts.
    counts : (batch, time, outputs)
        Which samples the task judges; all of them without a task.
    saturated
        Share of the input samples that the integer model had to saturate.
    scores
        By name of the score: float, fixed. Empty without a task.
    """

    inputs: str
    x: FloatArray
    z_float: FloatArray
    z_fixed: FloatArray
    counts: BoolArray
    saturated: float
    scores: dict[str, tuple[float, float]]

    @cached_property
    def difference(self) -> FloatArray:
        """Integer model less float, (batch, time, outputs)."""
        return np.asarray(self.z_fixed - self.z_float)

    def rms(self, output: int | None = None) -> float:
        """Root of the mean square of the difference where it counts, of one output or of all."""
        return float(np.sqrt(np.mean(self._counted(output) ** 2)))

    def largest(self, output: int | None = None) -> float:
        """Largest magnitude of the difference where it counts, of one output or of all."""
        return float(np.abs(self._counted(output)).max())

    def _counted(self, output: int | None) -> FloatArray:
        some = slice(None) if output is None else slice(output, output + 1)
        found = self.difference[..., some][self.counts[..., some]]
        return found if found.size else np.zeros(1)


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of diag(d) + diag(g) W: of a step at slope 1; (units,) each, complex, the largest modulus first."""

    exact: ComplexArray
    quantised: ComplexArray

    @classmethod
    def of(cls, q: QuantizedNetwork) -> Spectrum:
        """Of the float network, and of the one with the values of the quantised weights."""
        return cls(_eigenvalues(q.network), _eigenvalues(dequantized(q)))


def compare(q: QuantizedNetwork) -> Comparison:
    """Run both on fresh trials of the task that the network was trained on, or on pulses if it names none."""
    task, reason = _task(q.network)
    if task is None:
        x = stimulus(q.inputs, q.formats.x.max_value, _SEED)
        words = f"{x.shape[0]} sequences of random pulses over the input range ({reason})"
        trials, counts = None, np.ones((*x.shape[:2], q.outputs), np.bool_)
    else:
        trials = task.trials(_TRIALS, np.random.default_rng(_SEED))
        x, counts = trials.x, trials.mask
        words = f"{_TRIALS:,} fresh trials of {x.shape[1]} steps of the task {task.name}, with their noise"
    with np.errstate(over="ignore", invalid="ignore"):
        exact = q.network.run(x).z
    finite = np.isfinite(exact).all(axis=(0, 2))
    if not finite.all():
        steps = int(finite.argmin())
        x, exact, counts, trials = x[:, :steps], exact[:, :steps], counts[:, :steps], None
        words += f"; the float network grows beyond all numbers after step {steps}, where both end"
    fixed = q.readout(x)
    scores = {}
    if task is not None and trials is not None:
        one, two = task.score(exact, trials), task.score(fixed, trials)
        scores = {name: (one[name], two[name]) for name in one}
    outside = q.quantize_inputs(x)[1] / max(x.size, 1)
    return Comparison(words, x, exact, fixed, counts, outside, scores)


def task_of(net: Network) -> Task | None:
    """The task that the network says it was trained on, if it is at hand and of the network's shape."""
    return _task(net)[0]


def _task(net: Network) -> tuple[Task | None, str]:
    """The task, or why there is none."""
    if (name := net.info.get("task")) is None:
        return None, "the network names no task"
    try:
        task = find(name)
    except (AutapseError, ValueError) as error:
        return None, str(error)
    if (task.inputs, task.outputs) != (net.inputs, net.outputs):
        return None, f"{name} has {task.inputs} inputs and {task.outputs} outputs by default"
    return task, ""


def _eigenvalues(net: Network) -> ComplexArray:
    values = modes(np.diag(net.d) + net.g[:, None] * net.W).values
    return values[np.argsort(-np.abs(values), kind="stable")]
