"""Golden vectors: input codes and what the integer model makes of them, as the bench reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.quantized import QuantizedNetwork
from autapse.reference import pre_activation, saturated
from autapse_hw.schedule import Schedule

_STALLED = 40  # steps that are run with pauses


def make_vectors(
    q: QuantizedNetwork, schedule: Schedule, inputs: list[NDArray[np.int64]], stalled: int, seed: int
) -> dict[str, Any]:
    """Vectors for `inputs`, a list of (steps, inputs) codes. The first `stalled` of them are also run with pauses.

    With several states in turn, step k of a list is one of state ``k % sequences``.
    """
    turns = schedule.tiling.sequences
    return {
        "units": q.units,
        "inputs": q.inputs,
        "outputs": q.outputs,
        "drains": schedule.tiling.drains,
        "states_in_turn": turns,
        "model_hash": q.model_hash().hex(),
        "cycles_per_step": schedule.cycles_per_step,
        "seed": seed,
        "sequences": [_expected(q, x, turns) for x in inputs],
        "stalled": [_expected(q, x[:_STALLED], turns) for x in inputs[:stalled]],
    }


def _expected(q: QuantizedNetwork, x: NDArray[np.int64], turns: int) -> dict[str, Any]:
    """What the model makes of one list of codes, step after step; and the states as they are read in the end."""
    h, z = np.empty((len(x), q.units), np.int64), np.empty((len(x), q.outputs), np.int64)
    last = [q.h0] * turns
    for k in range(min(turns, len(x))):
        result = q.run_int(x[None, k::turns])
        h[k::turns], z[k::turns], last[k] = result.h[0], result.z[0], result.last[0]
    before = np.concatenate([[q.h0] * turns, h])[: len(x)]
    sums = pre_activation(q, before, x)
    following = len(x) % turns  # the one that would step next is read first
    state = np.array(last[following:] + last[:following])
    arrays = {"x": x, "h": h, "z": z, "state": state, "sums": sums, "saturated": saturated(q, sums).astype(int)}
    return {name: array.tolist() for name, array in arrays.items()}
