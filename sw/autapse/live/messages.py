"""What the page is told, and what it may ask for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.live.board import Board, Moved
from autapse.live.pace import RATES
from autapse.tasks import Task

if TYPE_CHECKING:
    from autapse.live.player import Order, Player

_ROWS = 8  # steps of an update that are drawn


def greeting(board: Board, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """What does not change: the network, its formats, and the tasks that fit it."""
    identity, q = board.identity, board.q
    return {
        "is": "board",
        "name": ("" if q is None else str(q.network.info.get("name") or "")),
        "trained_on": None if q is None else q.network.info.get("task"),
        "hash": identity.model_hash.hex(),
        "units": identity.units,
        "inputs": identity.inputs,
        "outputs": identity.outputs,
        "sequences": identity.sequences,
        "lanes": identity.lanes,
        "clock_hz": identity.clock_hz,
        "input_limit": identity.input_format.max_value,
        "input_step": identity.input_format.ulp,
        "state_limit": identity.state_format.max_value,
        "state_bits": identity.state_format.bits,
        "tasks": [{"name": name, "summary": task.summary} for name, task in tasks.items()],
    }


def moved(steps: int, x: FloatArray, y: FloatArray | None, there: Moved, begins: bool) -> dict[str, Any]:
    """An update: the state after it, and inputs, targets and outputs of at most :data:`_ROWS` of its steps."""
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), _ROWS)).round().astype(int))
    return {
        "is": "moved",
        "steps": steps,
        "begins": begins,
        "x": _short(x[rows]),
        "y": None if y is None else _short(y[rows]),
        "z": _short(there.z[rows]),
        "h": _short(there.h),
    }


def figures(board: Board, more: Mapping[str, Any]) -> dict[str, Any]:
    """Rates and counts; asks the board for its counters."""
    link = board.device.counters()._asdict()
    return {
        "is": "figures",
        **more,
        "link": {**link, "recoveries": board.device.recoveries, "inputs_saturated": board.saturated},
        "compared": None if board.q is None else board.compared,
        "mismatches": board.mismatches,
    }


def _short(values: FloatArray) -> list[Any]:
    """With five digits after the point, and None for nan."""
    if np.isnan(values).any():
        return [[None if math.isnan(value) else round(value, 5) for value in row] for row in values.tolist()]
    short: list[Any] = np.round(values, 5).tolist()
    return short


def read_order(text: str, player: Player) -> Order:
    """The order in a page's message; ValueError says what is wrong with it."""
    inputs = player.board.identity.inputs
    try:
        order = json.loads(text)
    except ValueError:
        raise ValueError("an order is JSON") from None
    match order:
        case {"do": "pause" | "resume" | "step" | "reset" | "clear" as name}:
            return lambda p: getattr(p, name)()
        case {"do": "choose", "task": None}:
            return lambda p: p.choose(None)
        case {"do": "choose", "task": str(task)} if task in player.tasks:
            return lambda p: p.choose(task)
        case {"do": "put", "input": int(k), "value": int(v) | float(v)} if 0 <= k < inputs and math.isfinite(v):
            return lambda p: p.put(k, float(v))
        case {"do": "pulse", "input": int(k), "sign": 1 | -1 as sign} if 0 <= k < inputs:
            return lambda p: p.pulse(k, sign)
        case {"do": "rate", "steps": rate} if rate in RATES:
            return lambda p: p.set_rate(rate)
    raise ValueError(f"no such order: {text[:100]}")
