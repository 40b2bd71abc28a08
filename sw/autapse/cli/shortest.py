"""The search for the shortest words, as ``autapse quantize --auto`` shows it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from autapse.cli._common import err, out, read_array, working
from autapse.errors import AutapseError
from autapse.network import Network
from autapse.shortest import Search, shortest_for_data, shortest_for_task
from autapse.tasks import find

Found = tuple[tuple[int, int, int], float | None, NDArray[Any] | None, dict[str, Any]]


def search(
    net: Network,
    task: str | None,
    samples: NDArray[Any] | None,
    targets: Path | None,
    input_range: float | None,
    tolerance: float,
    quiet: bool,
) -> Found:
    """Words (weight, state, input), input range and calibration to quantise with, and the search as plain data.

    Prints the frontier, and a warning where the network itself is at fault. Raises AutapseError if no words hold.
    """
    if (task is None) == (targets is None) or (targets is not None and samples is None):
        raise ValueError("--auto needs a judge: --task NAME, or --calibrate X.npy with --targets Y.npy")
    if input_range is not None:
        raise ValueError("--auto takes the input range of the task or of --calibrate: leave out --input-range")
    with working("searching", quiet) as say:
        if task is not None:
            judge = find(task)
            result = shortest_for_task(net, judge, tolerance=tolerance, progress=say)
            input_range = judge.input_range
            samples = judge.trials(100, np.random.default_rng(0)).x if samples is None else samples
        else:
            assert targets is not None
            assert samples is not None
            wanted = read_array(targets, "targets (batch, time, outputs)")
            result = shortest_for_data(net, samples, wanted, tolerance=tolerance, progress=say)
    if result.fragile:
        err.print(f"[yellow]warning:[/] {result.fragile}", soft_wrap=True)
    if not result.frontier:
        raise AutapseError(
            f"no words up to 10 bits keep {result.metric} within {tolerance:g} of float, {result.float_figure:.4f}"
        )
    if not quiet:
        out.print(_table(result))
        for gap in result.gaps[:5]:
            out.print(f"not monotone: {gap}", markup=False)
    return result.frontier[0].words, input_range, samples, {"search": asdict(result)}


def _table(result: Search) -> Table:
    title = f"shortest words with {result.metric} >= {result.limit:.4f} (float {result.float_figure:.4f})"
    table = Table("weights", "states", "inputs", result.metric, title=title, title_justify="left")
    for k, choice in enumerate(result.frontier):
        note = "  <- taken" if k == 0 else ""
        table.add_row(*map(str, choice.words), f"{choice.figure:.4f}{note}")
    return table
