"""The networks of the lecture, each by its formula. docs/theory.md shows what they do; :func:`draw` draws it.

Rate equations (RateODE, use ``.discretize(dt)``): autapse, amplifier, mutual, winner_take_all. Networks: the others.
"""

import os
from collections.abc import Callable

from autapse.files import folder_beside
from autapse.zoo.attractors import (
    flip_threshold,
    hadamard,
    hopfield,
    random_patterns,
    ring,
    ring_angles,
    ring_radius,
    two_attractors,
    winner_take_all,
)
from autapse.zoo.linear import amplifier, autapse, balanced, direction, integrator, mutual
from autapse.zoo.measures import (
    Drift,
    decision_margin,
    drift,
    lyapunov,
    period,
    recall,
    rest,
    rest_bound,
    separation,
)
from autapse.zoo.motion import chaos, sequence


def draw(folder: str | os.PathLike[str], progress: Callable[[str], None] | None = None) -> list[str]:
    """Draw every figure of docs/theory.md into `folder`, which is made or replaced; returns the names of the files."""
    from autapse.zoo.pictures import PICTURES

    with folder_beside(folder, f"{next(iter(PICTURES))}.png") as work:
        for name, picture in PICTURES.items():
            if progress is not None:
                progress(f"drawing {name}")
            picture().savefig(work / f"{name}.png", dpi=120)
    return [f"{name}.png" for name in PICTURES]


__all__ = [
    "Drift",
    "amplifier",
    "autapse",
    "balanced",
    "chaos",
    "decision_margin",
    "direction",
    "draw",
    "drift",
    "flip_threshold",
    "hadamard",
    "hopfield",
    "integrator",
    "lyapunov",
    "mutual",
    "period",
    "random_patterns",
    "recall",
    "rest",
    "rest_bound",
    "ring",
    "ring_angles",
    "ring_radius",
    "separation",
    "sequence",
    "two_attractors",
    "winner_take_all",
]
