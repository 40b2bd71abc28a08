"""The networks of the lecture, each by its formula. docs/theory.md shows what they do; :func:`draw` draws it.

Rate equations (RateODE, use ``.discretize(dt)``): autapse, amplifier, mutual, winner_take_all. Networks: the others.
:func:`exhibit` gives one of them ready to be run, with its stimulus and with what must be seen at every level.
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
from autapse.zoo.catalogue import CATALOGUE, exhibit
from autapse.zoo.exhibits import Claim, Exhibit, Finding
from autapse.zoo.linear import amplifier, autapse, balanced, direction, integrator, mutual
from autapse.zoo.measures import (
    Drift,
    decision_margin,
    drift,
    error_bound,
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
    from autapse.analysis.pictures import save
    from autapse.zoo.pictures import PICTURES

    files = []
    with folder_beside(folder, f"{next(iter(PICTURES))}.png") as work:
        for name, picture in PICTURES.items():
            if progress is not None:
                progress(f"drawing {name}")
            files += save(picture(), work, name)
    return files


__all__ = [
    "CATALOGUE",
    "Claim",
    "Drift",
    "Exhibit",
    "Finding",
    "amplifier",
    "autapse",
    "balanced",
    "chaos",
    "decision_margin",
    "direction",
    "draw",
    "drift",
    "error_bound",
    "exhibit",
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
