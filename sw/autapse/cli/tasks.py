"""The command on tasks: list them, draw and write sample trials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from autapse.cli._common import Json, emit, facts, write_array
from autapse.cli._fields import settings, with_fields

if TYPE_CHECKING:
    from autapse.tasks import Task


def complete_tasks(incomplete: str) -> list[str]:
    """Names of tasks that begin so, for the shell."""
    from autapse.tasks import TASKS

    return [name for name in TASKS if name.startswith(incomplete)]


TaskName = Annotated[
    str,
    typer.Argument(
        metavar="TASK", help="A task: 'autapse tasks' lists them.", show_default=False, autocompletion=complete_tasks
    ),
]
TaskOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="A parameter of the task: noise=0.05. Repeatable."),
]


def tasks(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[TASK]", help="A task; all when left out.", autocompletion=complete_tasks),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for a picture of sample trials.")
    ] = None,
    option: TaskOptions = None,
    trials: Annotated[
        int, typer.Option(help="Also write so many trials: x.npy, y.npy, mask.npy, (trials, time, channels).", min=0)
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the trials.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """List the tasks, or say what one asks for; with -o, draw sample trials.

    Example: autapse tasks xor -o pictures
    """
    from autapse.tasks import TASKS

    if name is None:
        emit(as_json, {"tasks": [describe(task) for task in TASKS.values()]}, _list)
        return
    task = task_of(name, option)
    data = describe(task)
    if trials and output is None:
        raise ValueError("trials are written into a folder: give -o")
    if output is not None:
        from autapse.tasks.pictures import draw

        output.mkdir(parents=True, exist_ok=True)
        data["picture"] = str(output / f"{file_name(task)}.png")
        draw(task, Path(data["picture"]), seed=seed)
        if trials:
            drawn = task.trials(trials, np.random.default_rng(seed))
            for part in ("x", "y", "mask"):
                write_array(output / f"{part}.npy", getattr(drawn, part))
            data["trials"] = [str(output / f"{part}.npy") for part in ("x", "y", "mask")]
    emit(
        as_json, data, lambda: facts({k: v if isinstance(v, str) else ", ".join(map(str, v)) for k, v in _shown(data)})
    )


def task_of(name: str, options: list[str] | None) -> Task:
    """The task of this name with the parameters of the command line."""
    from autapse.tasks import find

    return with_fields(find(name), options or [], f"the task {name}")


def file_name(task: Task) -> str:
    """The task's name without the signs that a file should not have."""
    return task.name.replace(":", "_").replace("/", "_")


def describe(task: Task) -> dict[str, Any]:
    """What a task is, as plain data."""
    shown = task.trials(1, np.random.default_rng(0))
    return {
        "task": task.name,
        "summary": task.summary,
        "inputs": task.inputs,
        "outputs": task.outputs,
        "steps": shown.x.shape[1],
        "input_range": task.input_range,
        "success": f"{task.success.metric} >= {task.success.threshold:g}",
        "parameters": settings(task),
    }


def _shown(data: dict[str, Any]) -> list[tuple[str, Any]]:
    rows = {k: str(v) for k, v in data.items() if k not in ("parameters", "trials")}
    rows["parameters"] = ", ".join(f"{k}={v}" for k, v in data["parameters"].items())
    return [*rows.items(), *([("trials", data["trials"])] if "trials" in data else [])]


def _list() -> Table:
    from autapse.tasks import TASKS

    table = Table("task", "in", "out", "steps", "success", "what to do")
    table.columns[0].no_wrap = table.columns[4].no_wrap = True
    for task in TASKS.values():
        d = describe(task)
        table.add_row(d["task"], str(d["inputs"]), str(d["outputs"]), str(d["steps"]), d["success"], d["summary"])
    return table
