"""A network before and after quantisation, side by side: numbers, pictures, one page, and words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.analysis.changes import Change, changes
from autapse.analysis.numbers import Mode, Resting, Side
from autapse.dynamics import dequantized
from autapse.files import folder_beside
from autapse.fixed import FloatArray
from autapse.network import Network, check_inputs
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork

__all__ = ["Analysis", "Change", "Mode", "Resting", "Side", "analyze", "stimulus"]

#: The file that marks a folder as written by an analysis, and holds its numbers.
NUMBERS = "analysis.json"


@dataclass(frozen=True)
class Analysis:
    """The result of :func:`analyze`.

    Attributes
    ----------
    q
        The quantised network; ``q.network`` is the float one.
    x
        Stimulus, (batch, time, inputs).
    float_side, fixed_side
        Both networks.
    resting
        Where the integer model itself ends.
    changes
        What moved, most first.
    """

    q: QuantizedNetwork
    x: FloatArray
    float_side: Side
    fixed_side: Side
    resting: Resting
    changes: list[Change]

    @property
    def sides(self) -> tuple[Side, Side]:
        """Float, quantised."""
        return self.float_side, self.fixed_side

    def to_dict(self) -> dict[str, Any]:
        """All numbers as plain data, without infinities."""
        f = self.q.formats
        return {
            "units": self.q.units,
            "inputs": self.q.inputs,
            "outputs": self.q.outputs,
            "activation": self.q.network.activation,
            "weight_bits": f.W.bits,
            "state_bits": f.h.bits,
            "float": self.float_side.to_dict(),
            "quantised": self.fixed_side.to_dict(),
            "integer_model": vars(self.resting),
            "moved": [change.to_dict() for change in self.changes],
        }

    def write(self, folder: str | os.PathLike[str], progress: Callable[[str], None] | None = None) -> list[str]:
        """Write the pictures (PNG, SVG), one self-contained page ``index.html``, and the numbers; returns their names.

        The folder is replaced as a whole if it is empty or holds an earlier analysis; any other is refused.
        """
        from autapse.analysis.page import page
        from autapse.analysis.pictures import PICTURES, save

        say = progress or (lambda _: None)
        with folder_beside(folder, NUMBERS) as work:
            for name, draw in PICTURES.items():
                say(f"drawing {name}")
                save(draw(self), work, name)
            (work / "index.html").write_text(page(self, work), encoding="utf-8")
            (work / NUMBERS).write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")
            return sorted(path.name for path in work.iterdir())


def stimulus(inputs: int, size: float = 1.0, seed: int = 0, batch: int = 8, steps: int = 200) -> FloatArray:
    """Pulses of random height up to `size`, of 5 steps, with pauses: (batch, time, inputs)."""
    rng = np.random.default_rng(seed)
    x = np.zeros((batch, steps, inputs))
    for begin in range(5, steps, 20):
        on = rng.random((batch, inputs)) < 0.6
        x[:, begin : begin + 5] = (on * rng.uniform(-size, size, (batch, inputs)))[:, None]
    return x


def analyze(
    net: Network | QuantizedNetwork,
    *,
    weight_bits: int = 8,
    state_bits: int = 8,
    x: ArrayLike | None = None,
    starts: int | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Analysis:
    """Compare a network with its quantised self. A float network is quantised with the given word lengths first.

    Parameters
    ----------
    x : (batch, time, inputs) or (time, inputs)
        Stimulus; seeded pulses over the input range when left out. It also sets the ranges of a float network.
    starts
        Starts of the search for fixed points; 512, fewer for more than 50 units.
    seed
        Of stimulus and starts.
    """
    say = progress or (lambda _: None)
    size = net.formats.x.max_value if isinstance(net, QuantizedNetwork) else 1.0
    inputs = stimulus(net.inputs, size, seed) if x is None else check_inputs(x, net.inputs)[0]
    if inputs.size == 0:
        raise ValueError(f"the stimulus holds no sample; its shape is {inputs.shape}")
    say("quantising")
    q = net if isinstance(net, QuantizedNetwork) else _quantize(net, weight_bits, state_bits, inputs)
    count = starts if starts is not None else max(64, min(512, int(512 * (50 / q.units) ** 2)))
    say("running")
    with np.errstate(over="ignore", invalid="ignore"):
        one_run = q.network.run(inputs)
    if not np.isfinite(one_run.h).all():
        raise ValueError("the float network grows beyond all numbers on the stimulus: a shorter one is needed")
    two_run = q.run(inputs)
    say("searching fixed points, float")
    one = Side.of("float", q.network, one_run.h, one_run.z, count, seed)
    say("searching fixed points, quantised")
    two = Side.of("quantised", dequantized(q), two_run.h, two_run.z, count, seed)
    rng = np.random.default_rng(seed)
    top = q.formats.h.max_value if q.form == "rate" else float(np.abs(two_run.h).max())
    begin = [rng.uniform(-top, top, (64, q.units)), *(p.h[None] for p in two.points[:200])]
    resting = Resting.of(q, np.concatenate(begin))
    return Analysis(q, inputs, one, two, resting, changes(one, two, q))


def _quantize(net: Network, weight_bits: int, state_bits: int, x: FloatArray) -> QuantizedNetwork:
    return quantize(net, weight_bits=weight_bits, state_bits=state_bits, calibrate=x)
