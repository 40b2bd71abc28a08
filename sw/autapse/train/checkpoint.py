"""Where training stands, as one object, and as a file from which it goes on as if it had never stopped."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import AutapseError
from autapse.files import write_beside
from autapse.network import read_npz
from autapse.tasks import Task
from autapse.train.config import TrainConfig
from autapse.train.weights import Weights

VERSION = 1


@dataclass
class State:
    """Where training stands.

    Attributes
    ----------
    weights
        Now.
    rng
        Source of all trials.
    moments
        Leaves of the optimiser's state; None at the start of a stage.
    stage, done
        The stage, and the updates done in it.
    total, streak
        All updates; validations in a row that succeeded.
    best, best_value, note
        Weights of the stage's best validation, its deciding figure, and what goes into the network's `info`.
    """

    weights: Weights
    rng: np.random.Generator
    moments: list[Any] | None = None
    stage: int = 0
    done: int = 0
    total: int = 0
    streak: int = 0
    best: Weights | None = None
    best_value: float = -np.inf
    note: dict[str, str] = field(default_factory=dict)

    def next_stage(self) -> None:
        """Begin the next stage."""
        self.moments, self.stage, self.done, self.streak = None, self.stage + 1, 0, 0
        self.best, self.best_value = None, -np.inf


def identity(task: Task, units: int, seed: int, config: TrainConfig) -> str:
    """What a checkpoint must agree in with the call that resumes it: all but the largest number of updates."""
    settings = asdict(replace(config, max_updates=1))
    return json.dumps({"task": repr(task), "units": units, "seed": seed, "config": settings}, sort_keys=True)


def save(path: Path, state: State, who: str) -> None:
    """Write a checkpoint. Atomic."""
    arrays = {f"now_{name}": np.asarray(array) for name, array in state.weights.items()}
    arrays |= {f"best_{name}": np.asarray(array) for name, array in (state.best or {}).items()}
    arrays |= {f"moment_{k}": np.asarray(leaf) for k, leaf in enumerate(state.moments or [])}
    numbers = {name: getattr(state, name) for name in ("stage", "done", "total", "streak", "note")}
    header = {
        "format": "autapse-checkpoint",
        "version": VERSION,
        "arrays": list(arrays),
        "who": who,
        "rng": state.rng.bit_generator.state,
        "best_value": float(state.best_value).hex(),
        "moments": None if state.moments is None else len(state.moments),
        **numbers,
    }
    with write_beside(path) as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]


def load(path: Path, who: str) -> State:
    """Read a checkpoint of the same task, units, seed and configuration.

    Raises AutapseError for one of another training, FileFormatError for any other file.
    """
    header, arrays = read_npz(path, "autapse-checkpoint", VERSION)
    if header["who"] != who:
        raise AutapseError(f"{path}: belongs to another training; {_difference(header['who'], who)}")
    rng = np.random.default_rng()
    rng.bit_generator.state = header["rng"]
    best = {name.removeprefix("best_"): a for name, a in arrays.items() if name.startswith("best_")}
    count = header["moments"]
    return State(
        weights={name.removeprefix("now_"): a for name, a in arrays.items() if name.startswith("now_")},
        rng=rng,
        moments=None if count is None else [arrays[f"moment_{k}"] for k in range(count)],
        best=best or None,
        best_value=float.fromhex(header["best_value"]),
        **{name: header[name] for name in ("stage", "done", "total", "streak", "note")},
    )


def _difference(found: str, asked: str) -> str:
    """The first setting that differs, in words."""
    a, b = (_flat(json.loads(text)) for text in (found, asked))
    name = next(k for k in b if a.get(k) != b[k])
    return f"{name} is {a.get(name)} there and {b[name]} here"


def _flat(who: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in who.items() if k != "config"}, **who["config"]}
