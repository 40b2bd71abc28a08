"""The pieces of work of a sweep, each known by the content of what it depends on.

Three kinds, in this order: a network is judged at word lengths; it is fitted to a board; a fitted design is placed with
a seed. Designs that come out the same, from whatever point of the sweep, are one piece.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import AutapseError, MissingToolError, ToolFailedError
from autapse.network import Network
from autapse_boards.board import get_board
from autapse_boards.build import build
from autapse_boards.fit import fit
from autapse_boards.sweep.judge import Judge
from autapse_boards.sweep.space import AUTO, Words
from autapse_boards.tools import find

#: Columns of the table that a piece found, or ``refused``: why it cannot be.
Found = dict[str, Any]
_CODE = ("autapse", "autapse_hw", "autapse_boards")


@dataclass(frozen=True, eq=False)
class Piece:
    """Work whose result depends on its fields and on the code alone.

    Attributes
    ----------
    net, judge, words
        What is quantised.
    board, lanes
        What it is fitted to; None where it is only judged.
    form, seed, frequency
        What is built; `seed` is None where it is only fitted. `frequency` is in Hz; None: the fastest.
    model_hash
        Of the quantised network, where it is known already: then it is the content, and not what led to it.
    """

    net: Network
    judge: Judge
    words: Words
    board: str | None = None
    lanes: str | None = None
    form: str | None = None
    seed: int | None = None
    frequency: float | None = None
    model_hash: str | None = None

    @property
    def kind(self) -> str:
        """``judge``, ``fit`` or ``build``."""
        return "judge" if self.board is None else "fit" if self.seed is None else "build"

    def content(self) -> dict[str, Any]:
        """All that the result depends on, as plain data."""
        found: dict[str, Any] = {"kind": self.kind, "code": code_hash()}
        if self.board is None:
            found |= {"network": network_hash(self.net), "words": str(self.words), "judge": asdict(self.judge)}
            return found | {"task": repr(self.judge.task_of(self.net))}
        found |= {"model": self.model_hash, "board": self.board, "lanes": self.lanes}
        if self.seed is None:
            return found
        tools = {name: find(name).version for name in ("yosys", f"nextpnr-{get_board(self.board).family}")}
        return found | {"form": self.form, "seed": self.seed, "frequency": self.frequency, "tools": tools}

    @cached_property
    def key(self) -> str:
        """Hash of the content, hexadecimal."""
        return _sha(json.dumps(self.content(), sort_keys=True).encode())

    def run(self, scratch: str | None = None) -> Found:
        """Do the work, and say how long it took; in a temporary folder below `scratch` where it needs one.

        What cannot be is told as ``refused``, with ``final`` where trying again would tell the same.
        """
        began = time.monotonic()
        try:
            found = self._work(scratch)
        except (AutapseError, ValueError) as error:
            final = not isinstance(error, MissingToolError | ToolFailedError)
            found = {"refused": str(error), "final": final}
        return {**found, "seconds": round(time.monotonic() - began, 3)}

    def _work(self, scratch: str | None) -> Found:
        if self.kind == "judge":
            return self.judge.measure(self.net, self.words)
        return self._fit() if self.kind == "fit" else self._build(scratch)

    def _fit(self) -> Found:
        assert self.board is not None
        lanes = None if self.lanes == AUTO else self.lanes
        plan = fit(self.judge.quantized(self.net, self.words), self.board, lanes)
        return {
            "tiling": str(plan.tiling),
            "form": plan.form,
            "cycles_per_step": plan.schedule.cycles_per_step,
            "clock_hz": plan.expected_hz,
            "steps_per_second": plan.expected_hz / plan.schedule.cycles_per_step,
            **asdict(plan.needed),
        }

    def _build(self, scratch: str | None) -> Found:
        assert self.board is not None
        assert self.seed is not None
        q = self.judge.quantized(self.net, self.words)
        with tempfile.TemporaryDirectory(prefix="autapse-sweep-", dir=scratch) as folder:
            report = build(
                q,
                self.board,
                Path(folder) / "build",
                lanes=self.lanes,
                form=self.form,
                frequency=self.frequency,
                seed=self.seed,
            )
        used = {name: use.used for name, use in report.resources.items() if name in ("logic", "dsps", "rams")}
        figures = ("cycles_per_step", "clock_hz", "fmax_hz", "steps_per_second")
        return {"estimated": False, **{name: getattr(report, name) for name in figures}, **used}


def network_hash(net: Network) -> str:
    """Hash of a float network's arrays and activation, and of the task that it names; hexadecimal."""
    digest = hashlib.sha256(f"{net.activation} {net.info.get('task')}".encode())
    for name, array in net.arrays().items():
        digest.update(f"{name}{list(array.shape)}".encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return digest.hexdigest()


@cache
def code_hash() -> str:
    """Hash of the sources that results depend on: a newer Autapse computes afresh."""
    texts = []
    for package in _CODE:
        root = Path(str(resources.files(package)))
        for file in sorted(root.rglob("*.py")):
            name = file.relative_to(root)
            if "cli" not in name.parts:
                texts.append(name.as_posix().encode() + file.read_bytes())
    return _sha(b"\0".join(texts))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
