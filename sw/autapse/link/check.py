"""Whether a device computes what the integer model does: every output and, after every step, every state element.

Of a device with a trace, every pre-activation and its saturation, too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autapse.errors import AutapseError
from autapse.fixed import IntArray
from autapse.link.device import Device
from autapse.link.difference import Difference
from autapse.protocol import STEP_MARKS, Features
from autapse.quantized import QuantizedNetwork
from autapse.reference import pre_activation, saturated

_SEQUENCE = 100  # steps; the last sequence is shorter


@dataclass(frozen=True)
class DeviceCheck:
    """What a comparison of a device found.

    Attributes
    ----------
    steps
        Steps that the device executed and that were compared.
    states, outputs
        Comparisons of state elements and of outputs.
    sums
        Comparisons of origins of states, each of its step, its pre-activation, and whether that saturated; 0 if the
        device has no trace.
    mismatches
        How many of them differed.
    first
        The first difference: the earliest step, and of that what is made first, and of that the first unit.
    seconds
        Duration.
    """

    steps: int
    states: int
    outputs: int
    sums: int
    mismatches: int
    first: Difference | None
    seconds: float


class _Run(NamedTuple):
    """Input codes (steps, all inputs) of a sequence, and what the model makes of them: outputs (steps, all outputs);
    states, the sums from which they are made, and whether these saturate, (steps, all units)."""

    x: IntArray
    z: IntArray
    h: IntArray
    sums: IntArray
    saturated: IntArray


def check_device(
    device: Device,
    q: QuantizedNetwork,
    *,
    steps: int = 200,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> DeviceCheck:
    """Run random inputs on a device, and compare it with the integer model of `q`.

    The steps come in sequences of up to 100, each from h0 and twice: step by step, the state read after each of them,
    and the trace where the device has one; and with the line kept full, when the device computes at its own pace. If
    only the second differs, prefixes of the sequence are run again, to halve the distance to the first step after which
    the state is wrong.

    Parameters
    ----------
    device
        An open one.
    steps
        Of random input codes.
    progress
        Told what is being done.

    Raises
    ------
    AutapseError
        The device holds another network. A mismatch is not an error: it is in the result.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    identity, began = device.identity, time.monotonic()
    if identity.model_hash != q.model_hash():
        raise AutapseError(f"the device holds network {identity.model_hash.hex()}, not {q.model_hash().hex()}")
    rng, checker, say = np.random.default_rng(seed), _Checker(device), progress or (lambda message: None)
    initial = np.tile(q.h0, identity.sequences)
    for number, at in enumerate(range(0, steps, _SEQUENCE)):
        say(f"step {at} of {steps}")
        x = random_inputs(q, min(_SEQUENCE, steps - at) * identity.sequences, rng)
        checker.stepwise(number, initial, run := _expected(q, x, identity.sequences))
        checker.streamed(number, run)
    return DeviceCheck(
        checker.steps,
        checker.compared["state"],
        checker.compared["output"],
        checker.compared["pre-activation"],
        checker.mismatches,
        min(checker.found, default=None, key=lambda d: d.order),
        time.monotonic() - began,
    )


def random_inputs(q: QuantizedNetwork, steps: int, rng: np.random.Generator) -> IntArray:
    """Input codes (steps, inputs): mostly uniform, with stretches of zeros and of both extremes."""
    top = q.formats.x.max_code
    x = rng.integers(-top, top, size=(steps, q.inputs), endpoint=True)
    kind = rng.integers(0, 8, size=(steps, 1))
    return np.where(kind == 0, 0, np.where(kind == 1, top * np.sign(x), x))


def _expected(q: QuantizedNetwork, x: IntArray, turns: int) -> _Run:
    """The model's run of `turns` states, of which each takes a row of `x` in turn."""
    x = x.reshape(-1, turns, q.inputs).swapaxes(0, 1)
    result = q.run_int(x)
    initial = np.broadcast_to(q.h0, (turns, 1, q.units))
    before = np.concatenate([initial, result.h[:, :-1]], axis=1)
    sums = np.stack([pre_activation(q, *each) for each in zip(before, x, strict=True)])
    found = (x, result.z, result.h, sums, saturated(q, sums).astype(np.int64))
    return _Run(*(values.swapaxes(0, 1).reshape(x.shape[1], -1) for values in found))


class _Checker:
    """Runs sequences on a device, and counts what differs."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._traced = bool(device.identity.features & Features.TRACE)
        self.steps = self.mismatches = 0
        self.compared: Counter[str] = Counter()
        self.found: list[Difference] = []

    def stepwise(self, number: int, initial: IntArray, run: _Run) -> None:
        """Step by step, and after each the trace and the state."""
        self._device.reset()
        self._compare_state(number, -1, initial)
        for k, x in enumerate(run.x):
            self._compare("output", number, k, self._device.step(x), run.z[k])
            self._compare_trace(number, k, run)
            self._compare_state(number, k, run.h[k])
        self.steps += len(run.x)

    def streamed(self, number: int, run: _Run) -> None:
        """All steps at once; trace and state only at the end, or where the state is looked for."""
        before, last = self.mismatches, len(run.x) - 1
        self._device.reset()
        for k, z in enumerate(self._device.run(run.x)):
            self._compare("output", number, k, z, run.z[k])
        self._compare_trace(number, last, run)
        self._compare_state(number, last, run.h[last])
        self.steps += len(run.x)
        if before == 0 < self.mismatches:
            self._search(number, run)

    def _search(self, number: int, run: _Run) -> None:
        """Note the first step after which the state is wrong, by runs of halved length; a state stays wrong."""
        right, wrong = -1, self.found[-1].step
        while wrong - right > 1:
            middle = (right + wrong) // 2
            if (self._state_after(run.x[: middle + 1]) == run.h[middle]).all():
                right = middle
            else:
                wrong = middle
        self._note("state", number, wrong, self._state_after(run.x[: wrong + 1]), run.h[wrong])

    def _state_after(self, x: IntArray) -> IntArray:
        self._device.reset()
        self._device.run(x)
        return self._device.read_state().ravel()

    def _compare_trace(self, number: int, step: int, run: _Run) -> None:
        """Of a device that has one."""
        if not self._traced:
            return
        trace, turns = self._device.read_trace(), self._device.identity.sequences
        marks = np.repeat((step * turns + np.arange(turns)) % STEP_MARKS, len(run.sums[step]) // turns)
        self._compare("step", number, step, trace.step.ravel(), marks)
        self._compare("pre-activation", number, step, trace.sums.ravel(), run.sums[step])
        self._compare("saturation", number, step, trace.saturated.ravel().astype(np.int64), run.saturated[step])

    def _compare_state(self, number: int, step: int, expected: IntArray) -> None:
        self._compare("state", number, step, self._device.read_state().ravel(), expected)

    def _compare(self, kind: str, number: int, step: int, got: IntArray, expected: IntArray) -> None:
        self.compared[kind] += len(expected)
        self.mismatches += self._note(kind, number, step, got, expected)

    def _note(self, kind: str, number: int, step: int, got: IntArray, expected: IntArray) -> int:
        """How many values differ; the first of them is kept."""
        differing = np.flatnonzero(got != expected)
        if len(differing):
            at = int(differing[0])
            self.found.append(Difference(number, step, kind, at, int(got[at]), int(expected[at])))
        return len(differing)
