"""Pictures of runs, and the empty figure that others draw on. matplotlib is imported where it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autapse.errors import MissingToolError
from autapse.files import write_beside
from autapse.fixed import FloatArray

_FLOAT, _FIXED, _INPUT = "#8a8f98", "#c2410c", "#1d4ed8"


def import_figure() -> Any:
    """matplotlib's figure that needs no screen; MissingToolError says how to install it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingToolError("matplotlib is not installed: pip install 'autapse[plot]'") from None
    return Figure


def new_figure(width: float, height: float) -> Any:
    """An empty figure that needs no screen, in inches."""
    return import_figure()(figsize=(width, height), layout="constrained")


def float_against_fixed(path: Path, x: FloatArray, z_float: FloatArray, z_fixed: FloatArray, title: str) -> None:
    """Draw one trial: each input, and the readouts of the float network and of the circuit, to a PNG.

    `x` is (time, inputs), the readouts are (time, outputs). Where input k and output k both exist, they share a panel.
    """
    channels = max(x.shape[1], z_float.shape[1])
    figure = new_figure(9.0, 1.5 * channels + 1.9)
    axes = figure.subplots(channels + 1, 1, sharex=True, squeeze=False)[:, 0]
    steps = np.arange(len(x))
    for k, axis in enumerate(axes[:-1]):
        if k < x.shape[1]:
            axis.plot(steps, x[:, k], color=_INPUT, lw=0.8, alpha=0.55, label="input")
        if k < z_float.shape[1]:
            axis.plot(steps, z_float[:, k], color=_FLOAT, lw=3.2, label="output, float64")
            axis.plot(steps, z_fixed[:, k], color=_FIXED, lw=1.2, label="output, circuit")
        axis.set_ylabel(f"channel {k + 1}")
        axis.grid(alpha=0.25)
    axes[0].set_title(title, loc="left")
    axes[0].legend(ncols=3, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, borderaxespad=0.2)
    difference = np.abs(z_fixed - z_float)
    axes[-1].plot(steps, difference, lw=1.0)
    axes[-1].set_ylabel("|difference|")
    axes[-1].set_xlabel("step")
    axes[-1].set_ylim(bottom=0.0)
    axes[-1].grid(alpha=0.25)
    with write_beside(path) as file:
        figure.savefig(file, format="png", dpi=130)
