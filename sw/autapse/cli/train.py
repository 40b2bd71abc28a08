"""The command that trains a network on a task."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from autapse.cli._common import Json, emit, err, facts, is_quiet
from autapse.cli._fields import with_fields
from autapse.cli.tasks import TaskName, TaskOptions, task_of
from autapse.errors import AutapseError
from autapse.loading import load
from autapse.network import Network

if TYPE_CHECKING:
    from autapse.tasks import Task
    from autapse.train import Progress, TrainConfig


def train(
    name: TaskName,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="NET.npz", help="File to write.")],
    units: Annotated[int, typer.Option(help="Number of units.", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="Seed of weights, trials and noise.", min=0)] = 1,
    initial: Annotated[str | None, typer.Option(help="Initial weights: orthogonal or normal.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Leaky update, h <- (1-alpha) h + alpha s(...).")] = None,
    dale: Annotated[float | None, typer.Option(help="Fraction of inhibitory units, with signs by column of W.")] = None,
    sparsity: Annotated[float | None, typer.Option(help="Fraction of recurrent connections that are absent.")] = None,
    input_noise: Annotated[float | None, typer.Option(help="Noise on the inputs besides the task's own.")] = None,
    l2: Annotated[float | None, typer.Option(help="Penalty on the squared weights.")] = None,
    bits: Annotated[int | None, typer.Option(help="Fine-tune in fixed point with words of so many bits.")] = None,
    updates: Annotated[int | None, typer.Option(help="Most updates of a stage.", min=1)] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="NET", help="A trained network to go on from; with --bits, only fine-tuned.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted training stopped; the result is the same.")
    ] = False,
    option: TaskOptions = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any setting of training: learning_rate=1e-3. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a network on a task, until it succeeds on fresh trials in float and as integers of 8 bits.

    Needs pip install 'autapse[train]'. A checkpoint beside the output lets --resume continue an interrupted training.

    Example: autapse train xor -o xor.npz
    """
    from autapse.train import recommended

    task = task_of(name, option)
    chosen: dict[str, Any] = {
        "initial": initial,
        "alpha": alpha,
        "inhibitory": dale,
        "sparsity": sparsity,
        "input_noise": input_noise,
        "l2": l2,
        "bits": bits,
        "max_updates": updates,
    }
    config = with_fields(recommended(task), setting or [], "training")
    config = replace(config, **{k: v for k, v in chosen.items() if v is not None})
    first = None if start is None else load(start)
    if not output.parent.is_dir():  # said now, not after the training
        raise AutapseError(f"{output.parent}: no such folder to write {output.name} into")
    net, data = _train(task, units, seed, config, first, output, resume, as_json)
    net.with_info(command=_command(), licence="BSD-2-Clause").save(output)
    emit(as_json, {"file": str(output), **data}, lambda: facts({"file": output, **_flat(data)}))
    if net.info["converged"] == "no":
        raise AutapseError(
            f"not learnt: {net.info['score']}, and {task.success.metric} must reach {task.success.threshold:g}; "
            "more --updates, another --seed or --set"
        )


def _train(
    task: Task,
    units: int,
    seed: int,
    config: TrainConfig,
    start: Network | None,
    output: Path,
    resume: bool,
    quiet: bool,
) -> tuple[Network, dict[str, Any]]:
    from autapse.train import score_on, train

    checkpoint = output.with_name(f"{output.name}.checkpoint")
    began = time.monotonic()
    try:
        with _shown(quiet or is_quiet()) as show:
            net = train(
                task,
                units=units,
                seed=seed,
                config=config,
                start=start,
                progress=show,
                checkpoint=checkpoint,
                resume=resume,
            )
    except KeyboardInterrupt:
        if not checkpoint.exists():
            raise KeyboardInterrupt("interrupted before the first checkpoint") from None
        raise KeyboardInterrupt(f"interrupted; the same command with --resume goes on from {checkpoint}") from None
    seconds = time.monotonic() - began
    checkpoint.unlink(missing_ok=True)
    fresh = task.trials(1000, np.random.default_rng(seed + 1_000_000))
    levels = sorted({8, config.bits} - {0}, reverse=True)
    data = {
        "converged": net.info["converged"] == "yes",
        "updates": int(net.info["updates"]),
        "seconds": round(seconds, 1),
        "score on 1000 fresh trials": {
            "float": score_on(net, task, fresh),
            **{f"{level} bits": score_on(net, task, fresh, level) for level in levels},
        },
    }
    return net, data


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    from autapse.train import format_score

    rows = {k: v for k, v in data.items() if not isinstance(v, dict)}
    return rows | {k: format_score(v) for k, v in data["score on 1000 fresh trials"].items()}


@contextmanager
def _shown(quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A bar with loss and score on a terminal, a line a validation elsewhere."""
    from autapse.train import format_score

    def words(now: Progress) -> str:
        other = "" if now.other is None else f"; at other words {format_score(now.other)}"
        return f"loss {now.loss:.5f}, {format_score(now.score)}{other}"

    if quiet:
        yield None
    elif not err.is_terminal:
        yield lambda now: err.print(f"{now.stage} {now.update}/{now.max_updates}: {words(now)}", soft_wrap=True)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, TextColumn("{task.fields[score]}"), console=err) as bar:
            row = bar.add_task("compiling", total=None, score="")
            yield lambda now: bar.update(
                row, description=now.stage, total=now.max_updates, completed=now.update, score=words(now)
            )


def _command() -> str:
    """The command line as it was typed, for the file."""
    import shlex
    import sys

    return shlex.join(["autapse", *sys.argv[1:]])
