"""The command bench."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from autapse.cli._common import Json, emit, working


class KernelName(StrEnum):
    """What runs the integer model."""

    AUTO = "auto"
    NUMPY = "numpy"
    COMPILED = "compiled"


def bench(
    repetitions: Annotated[int, typer.Option(help="Repetitions of each measurement.", min=1)] = 7,
    threads: Annotated[int | None, typer.Option(help="Threads of model and PyTorch; one for each core.", min=1)] = None,
    kernel: Annotated[KernelName, typer.Option(help="Compiled needs numba; auto takes it where installed.")] = (
        KernelName.AUTO
    ),
    as_json: Json = False,
) -> None:
    """Measure the integer model beside the same network in float32: a NumPy loop, and PyTorch's nn.RNN.

    Ratios can be quoted; absolute figures belong to this machine at this moment. 'cores' is the processor time that a
    candidate got a second. The threads of NumPy's matrix products are set by OPENBLAS_NUM_THREADS; 1 is best on a busy
    machine.

    Example: autapse bench --threads 1
    """
    from autapse.benchmark import host_benchmark

    with working("measuring", as_json):
        result = host_benchmark(repetitions=repetitions, threads=threads, kernel=kernel.value)
    emit(as_json, {"host": result.to_dict()}, lambda: _host_table(result))


def _host_table(result: Any) -> Any:
    from rich.table import Table

    many = "threads" if result.threads > 1 else "thread"
    title = f"steps/s, N = {result.units}, M = {result.inputs}, O = {result.outputs}, {result.threads} {many}"
    table = Table(title=f"{title}, median of {result.repetitions}")
    for name in ("batch", "steps", "", "kernel"):
        table.add_column(name)
    for name in ("steps/s", "cores", "x loop", "x nn.RNN", "first call"):
        table.add_column(name, justify="right")
    for s in result.speeds:
        if s.batch != result.speeds[0].batch and s.bits == result.speeds[0].bits:
            table.add_section()
        start = (str(s.batch), str(s.steps), s.what, s.kernel or "")
        if s.missing:
            table.add_row(*start, s.missing)
            continue
        ratios = (f"{v:.2f}" if v is not None else "" for v in (s.over_loop, s.over_rnn))
        table.add_row(*start, f"{s.steps_per_second:,.0f}", f"{s.cores:.2f}", *ratios, f"{s.first_seconds:.2f} s")
    return table
