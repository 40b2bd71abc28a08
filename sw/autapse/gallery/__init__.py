"""Trained networks that ship with the package, and what each of them scores.

``index.json`` lists them with the command that made each, its licence and its scores; ``autapse gallery`` prints it,
and ``autapse gallery --check`` computes the scores again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from autapse.files import write_beside
from autapse.network import Network, load_npz
from autapse.tasks import TASKS

__all__ = ["LEVELS", "Entry", "index", "measure", "names", "path", "update", "wanted"]

#: Word lengths at which every network is scored, float first.
LEVELS: Mapping[str, int] = {"float": 0, "8 bits": 8, "6 bits": 6, "5 bits": 5, "4 bits": 4}
_TRIALS, _SEED = 1000, 2026


@dataclass(frozen=True)
class Entry:
    """One network of the gallery.

    Attributes
    ----------
    name, task
        The file's name without suffix, and the task that it was trained on.
    units
        Number of units.
    alpha
        Share of the new value in an update; 1: not leaky.
    command, licence
        How it was made, and under what it is given.
    trials, seed
        How it was judged: fresh trials, and the seed of their generator.
    scores
        By level of :data:`LEVELS`.
    tuned_bits
        Word length that it was fine-tuned for; 0: none.
    """

    name: str
    task: str
    units: int
    alpha: float
    command: str
    licence: str
    trials: int
    seed: int
    scores: dict[str, dict[str, float]]
    tuned_bits: int = 0

    def figure(self, level: str) -> float:
        """The deciding figure of the score at a level."""
        return self.scores[level][TASKS[self.task].success.metric]

    def succeeds(self, level: str) -> bool:
        """Whether the score at a level reaches the task's threshold."""
        return TASKS[self.task].success.reached(self.scores[level])


def names() -> list[str]:
    """The names of the shipped networks, sorted."""
    return sorted(entry.name.removesuffix(".npz") for entry in _folder().iterdir() if entry.name.endswith(".npz"))


def path(name: str) -> Path:
    """The file of the shipped network `name`, for :func:`autapse.loading.load`. ValueError for an unknown name."""
    if name not in names():
        raise ValueError(f"no network {name!r} in the gallery; it has: {', '.join(names())}")
    return _folder() / f"{name}.npz"


def index() -> list[Entry]:
    """All networks with their scores, as last written by :func:`update`."""
    return [Entry(**entry) for entry in json.loads((_folder() / "index.json").read_text())]


def wanted(entry: Entry) -> list[str]:
    """The levels at which a network has to succeed: float and 8 bits, and the one that it was fine-tuned for."""
    return [level for level, bits in LEVELS.items() if bits in (0, 8, entry.tuned_bits)]


def measure(name: str, trials: int = _TRIALS, seed: int = _SEED) -> Entry:
    """Judge a network of the gallery on fresh trials at every level."""
    from autapse.train import score_on  # training is not needed to list and to load

    net = load_npz(path(name))
    task = TASKS[net.info["task"]]
    drawn = task.trials(trials, np.random.default_rng(seed))
    scores = {level: score_on(net, task, drawn, bits) for level, bits in LEVELS.items()}
    return Entry(
        name=name,
        task=task.name,
        units=net.units,
        alpha=_alpha(net),
        command=net.info["command"],
        licence=net.info["licence"],
        trials=trials,
        seed=seed,
        scores=scores,
        tuned_bits=int(net.info.get("bits", 0)),
    )


def update(entries: list[Entry]) -> None:
    """Write the index."""
    with write_beside(_folder() / "index.json") as file:
        file.write((json.dumps([asdict(entry) for entry in entries], indent=1) + "\n").encode())


def _alpha(net: Network) -> float:
    return round(float(net.g[0]), 6)


def _folder() -> Path:
    # Installed packages are folders here: neither pip nor an editable install leaves them zipped.
    return Path(str(files(__name__)))
