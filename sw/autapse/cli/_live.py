"""What a running stream shows on standard error: a progress bar, or inputs and outputs as they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from rich.table import Table

from autapse.cli._common import err
from autapse.fixed import FloatArray

_REFRESH_HZ = 15
_BAR = 40  # characters


def progress_bar(what: str, total: int, stack: ExitStack) -> Callable[[int], None]:
    """A progress bar on standard error; the function takes how much is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = stack.enter_context(
        Progress(what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err, transient=True)
    )
    task = bar.add_task(what, total=total)
    return lambda done: bar.update(task, completed=done)


def live_bars(stack: ExitStack) -> Callable[[FloatArray, FloatArray], None]:
    """Bars of the present inputs and outputs on standard error, and steps per second."""
    from rich.live import Live

    shown = stack.enter_context(Live(console=err, auto_refresh=False, transient=False))
    largest = np.zeros(2)
    began = last = time.monotonic()
    steps = 0

    def show(x: FloatArray, z: FloatArray) -> None:
        nonlocal last, steps
        steps += 1
        largest[:] = np.maximum(largest, [np.abs(x).max(), np.abs(z).max()])
        now = time.monotonic()
        if now - last >= 1 / _REFRESH_HZ:
            last = now
            shown.update(_bars(x, z, largest, steps, steps / (now - began)), refresh=True)

    stack.callback(lambda: shown.refresh())
    return show


def _bars(x: FloatArray, z: FloatArray, largest: FloatArray, steps: int, speed: float) -> Table:
    table = Table(title=f"step {steps:,}, {speed:,.0f} steps/s", box=None, title_justify="left")
    for letter, values, scale in (("x", x, largest[0]), ("z", z, largest[1])):
        for k, value in enumerate(values):
            table.add_row(f"{letter}{k}", f"{value: .4f}", _bar(float(value), float(scale) or 1.0))
    return table


def _bar(value: float, scale: float) -> str:
    """A bar from the middle to one side."""
    half = _BAR // 2
    length = min(half, round(abs(value) / scale * half))
    left, right = (length, 0) if value < 0 else (0, length)
    return f"{'█' * left:>{half}}│{'█' * right:<{half}}"
