"""The table of a sweep: a row a design, as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from autapse.errors import MissingToolError
from autapse.files import write_beside


@dataclass(frozen=True)
class Row:
    """One design.

    Attributes
    ----------
    network, weight_bits, state_bits, input_bits, board, lanes, seed
        The point of the sweep; `seed` is None where nothing was placed.
    refused
        Why there is no such design; None if there is. Later columns then are None, as far as it did not come.
    task, metric, float_score, score
        What judged the network, and its figure in float and in the integer model; None without a task.
    error
        RMS difference of the readout from float, as a fraction of the RMS of the float readout.
    tiling, form, cycles_per_step
        Lanes, how they are built, and what a step takes.
    estimated
        Whether the following six are those of the estimate before synthesis.
    clock_hz, fmax_hz, steps_per_second, logic, dsps, rams
        Clock, the fastest that timing and data sheets allow (None if estimated), speed, and what is used of the device.
    front
        Whether no other design of the same network is as good in score, steps/s and logic, and better in one of them.
    model_hash, seconds
        The quantised network; time of the last piece of work.
    """

    network: str
    weight_bits: int
    state_bits: int
    input_bits: int
    board: str
    lanes: str
    seed: int | None
    refused: str | None = None
    task: str | None = None
    metric: str | None = None
    float_score: float | None = None
    score: float | None = None
    error: float | None = None
    tiling: str | None = None
    form: str | None = None
    cycles_per_step: int | None = None
    estimated: bool | None = None
    clock_hz: float | None = None
    fmax_hz: float | None = None
    steps_per_second: float | None = None
    logic: int | None = None
    dsps: int | None = None
    rams: int | None = None
    front: bool = False
    model_hash: str | None = None
    seconds: float | None = None

    @property
    def quality(self) -> float:
        """The score, or, where no task gives one, the error with its sign turned: larger is better."""
        return self.score if self.score is not None else -(self.error or 0.0)


COLUMNS = tuple(field.name for field in fields(Row))


def import_pyarrow() -> Any:
    """The library that writes Parquet; MissingToolError says how to install it."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingToolError("pyarrow is not installed: pip install 'autapse[sweep]'") from None
    return pyarrow


def write(rows: Sequence[Row], folder: Path) -> list[str]:
    """Write ``sweep.csv`` and ``sweep.parquet``, each whole or not at all; their names."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(row) for row in rows)
    with write_beside(folder / "sweep.csv") as file:
        file.write(text.getvalue().encode())
    pa = import_pyarrow()
    # Types from the dataclass: a column of which nothing is known yet has its own type all the same.
    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    schema = pa.schema([(field.name, kinds[str(field.type).split(" | ")[0]]) for field in fields(Row)])
    with write_beside(folder / "sweep.parquet") as file:
        pa.parquet.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema), file)
    return ["sweep.csv", "sweep.parquet"]
