"""Pictures of sample trials. matplotlib is imported where it is used, and draws without a screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autapse.files import write_beside
from autapse.fixed import FloatArray
from autapse.plots import new_figure
from autapse.tasks._base import Task

_COLOURS = ("#1d4ed8", "#c2410c", "#047857", "#7c3aed")
_COUNT = 4  # of the trials drawn
_TARGET, _READOUT, _FREE = "#111827", "#c2410c", "#e5e7eb"


def draw(task: Task, path: Path, *, seed: int = 0, readout: FloatArray | None = None) -> None:
    """Draw four trials of a task to a PNG: inputs above, targets below, and grey where the readout is free.

    The trials are ``task.trials(4, default_rng(seed))``; `readout`, (4, time, outputs), of those trials is drawn over
    the targets.
    """
    trials = task.trials(_COUNT, np.random.default_rng(seed))
    z = None if readout is None else trials.check_readout(readout)
    rows = 1 + task.outputs
    figure = new_figure(3.2 * _COUNT, 1.1 + 1.3 * rows)
    axes = figure.subplots(rows, _COUNT, sharex=True, sharey="row", squeeze=False)
    steps = np.arange(trials.x.shape[1])
    for k in range(_COUNT):
        for channel in range(task.inputs):
            axes[0, k].plot(steps, trials.x[k, :, channel], color=_COLOURS[channel % 4], lw=0.7, alpha=0.8)
        axes[0, k].set_title(f"trial {k + 1}", fontsize=9)
        for channel in range(task.outputs):
            axis = axes[1 + channel, k]
            free = ~trials.mask[k, :, channel]
            axis.fill_between(steps, 0, 1, where=free, color=_FREE, lw=0, transform=axis.get_xaxis_transform())
            axis.plot(steps, np.where(free, np.nan, trials.y[k, :, channel]), color=_TARGET, lw=1.6)
            if z is not None:
                axis.plot(steps, z[k, :, channel], color=_READOUT, lw=1.0)
        axes[-1, k].set_xlabel("step")
    axes[0, 0].set_ylabel("inputs")
    for channel in range(task.outputs):
        axes[1 + channel, 0].set_ylabel("target" if task.outputs == 1 else f"target {channel + 1}")
    for axis in axes.flat:
        axis.grid(alpha=0.25)
    figure.suptitle(task.summary, fontsize=10)
    with write_beside(path) as file:
        figure.savefig(file, format="png", dpi=110)
