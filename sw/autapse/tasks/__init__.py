"""Tasks that networks are trained on and judged by: seeded trials, and a score in the task's own terms."""

from collections.abc import Mapping

from autapse.tasks._base import BoolArray, Success, Task, Trials, judge_sides
from autapse.tasks.decisions import ContextIntegration, PerceptualDecision
from autapse.tasks.delayed_decision import DelayedDecision
from autapse.tasks.flipflop import FlipFlop
from autapse.tasks.gates import ContextGates, Gate
from autapse.tasks.memory import DelayedMatch, ParametricMemory
from autapse.tasks.oscillation import Oscillation
from autapse.tasks.set_reset import SetReset
from autapse.tasks.timing import DurationReproduction, TimeReproduction

__all__ = [
    "TASKS",
    "BoolArray",
    "ContextGates",
    "ContextIntegration",
    "DelayedDecision",
    "DelayedMatch",
    "DurationReproduction",
    "FlipFlop",
    "Gate",
    "Oscillation",
    "ParametricMemory",
    "PerceptualDecision",
    "SetReset",
    "Success",
    "Task",
    "TimeReproduction",
    "Trials",
    "find",
    "judge_sides",
]

_ALL: tuple[Task, ...] = (
    *(Gate(operation) for operation in ("and", "or", "xor", "not")),
    ContextGates(),
    SetReset(),
    FlipFlop(),
    TimeReproduction(),
    DurationReproduction(),
    Oscillation(),
    PerceptualDecision(),
    ContextIntegration(),
    DelayedMatch(),
    ParametricMemory(),
    DelayedDecision(),
)

#: Every task under its name, with its default parameters.
TASKS: Mapping[str, Task] = {task.name: task for task in _ALL}


def find(name: str) -> Task:
    """The task of this name with its default parameters; ``neurogym:NAME`` is one of neurogym, if it is installed.

    Raises ValueError for an unknown name.
    """
    if name.startswith("neurogym:"):
        from autapse.tasks.neurogym import NeuroGym

        return NeuroGym(name.removeprefix("neurogym:"))
    if name not in TASKS:
        raise ValueError(f"no task {name!r}; there are {', '.join(TASKS)}, and neurogym:NAME")
    return TASKS[name]
