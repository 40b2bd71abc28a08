"""Tasks that networks are trained on and judged by: seeded trials, and a score in the task's own terms."""

from collections.abc import Mapping

from autapse.tasks._base import BoolArray, Success, Task, Trials
from autapse.tasks.delayed_decision import DelayedDecision
from autapse.tasks.flipflop import FlipFlop

__all__ = ["TASKS", "BoolArray", "DelayedDecision", "FlipFlop", "Success", "Task", "Trials"]

#: Every task under its name, with its default parameters.
TASKS: Mapping[str, Task] = {task.name: task for task in (FlipFlop(), DelayedDecision())}
