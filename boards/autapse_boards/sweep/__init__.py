"""Sweeps: word lengths x lanes x boards x seeds x networks, to a table and its Pareto fronts, on Dask."""

from autapse_boards.sweep.judge import Judge
from autapse_boards.sweep.run import Progress, sweep
from autapse_boards.sweep.space import AUTO, Point, Space, Words
from autapse_boards.sweep.table import Row

__all__ = ["AUTO", "Judge", "Point", "Progress", "Row", "Space", "Words", "sweep"]
