"""Golden vectors: input codes and what the integer model makes of them, as the bench reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.quantized import QuantizedNetwork
from autapse_hw.schedule import Schedule


def random_inputs(q: QuantizedNetwork, steps: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Input codes (steps, inputs): mostly uniform, with stretches of zeros and of both extremes."""
    top = q.formats.x.max_code
    x = rng.integers(-top, top, size=(steps, q.inputs), endpoint=True)
    kind = rng.integers(0, 8, size=(steps, 1))
    return np.where(kind == 0, 0, np.where(kind == 1, top * np.sign(x), x))


def make_vectors(
    q: QuantizedNetwork, schedule: Schedule, inputs: list[NDArray[np.int64]], stalled: int, seed: int
) -> dict[str, Any]:
    """Vectors for `inputs`, a list of (steps, inputs) codes. The first `stalled` of them are also run with pauses."""
    sequences = []
    for x in inputs:
        result = q.run_int(x[None])
        sequences.append({"x": x.tolist(), "h": result.h[0].tolist(), "z": result.z[0].tolist()})
    return {
        "units": q.units,
        "inputs": q.inputs,
        "outputs": q.outputs,
        "model_hash": q.model_hash().hex(),
        "cycles_per_step": schedule.cycles_per_step,
        "seed": seed,
        "sequences": sequences,
        "stalled": [{k: v[:40] for k, v in s.items()} for s in sequences[:stalled]],
    }
