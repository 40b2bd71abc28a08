"""The command bench."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Group

from autapse.cli._common import Json, emit, working
from autapse.errors import AutapseError


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
    devices: Annotated[
        str | None,
        typer.Option(help="Build for these FPGAs too: all, or some like up5k,hx8k; minutes each.", metavar="NAMES"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds of the placement, for each device.", min=1)] = 2,
    clock: Annotated[float | None, typer.Option(help="Clock that place-and-route aims at.", metavar="MHZ")] = None,
    count: Annotated[bool, typer.Option(help="Count the cycles of a step in simulation.")] = True,
    as_json: Json = False,
) -> None:
    """Measure the integer model beside the same network in float32: a NumPy loop, and PyTorch's nn.RNN.

    With --devices, also what FPGAs reach: clocks of the whole design, and of the bare datapath with the same lanes.

    Ratios can be quoted; absolute figures belong to this machine at this moment. 'cores' is the processor time that a
    candidate got a second. The threads of NumPy's matrix products are set by OPENBLAS_NUM_THREADS; 1 is best on a busy
    machine.

    Example: autapse bench --threads 1
    """
    from autapse.benchmark import host_benchmark

    rows = None if devices is None else _devices(devices, seeds, clock, count)
    with working("measuring", as_json):
        result = host_benchmark(repetitions=repetitions, threads=threads, kernel=kernel.value)
    data: dict[str, Any] = {"host": result.to_dict()}
    tables = [_host_table(result)]
    if rows is not None:
        data["devices"] = [row.to_dict() for row in rows]
        tables += [_device_table(rows), _use_table(rows)]
    emit(as_json, data, lambda: Group(*tables))


def _devices(names: str, seeds: int, clock: float | None, count: bool) -> Any:
    """The rows of the devices. What takes long says so on standard error, for JSON too."""
    from autapse_boards.benchmark import choose_points, device_benchmark

    points = choose_points(names)
    with working("measuring") as tell:
        return device_benchmark(
            points,
            seeds=seeds,
            target_hz=None if clock is None else clock * 1e6,
            count=_counted if count else None,
            progress=tell,
        )


def _counted(q: Any, lanes: str, form: str) -> int | None:
    """Cycles of a step, counted in a simulation, which must also agree with the integer model."""
    from autapse_sim.verify import verify

    result = verify(q, lanes=lanes, form=form, steps=10, stalled=0)
    if not result.ok:
        raise AutapseError(f"the circuit differs from the integer model: {result.first[0]}")
    return result.cycles_per_step


def _device_table(rows: Any) -> Any:
    """Speeds of the devices that were measured."""
    from rich.table import Table

    table = Table(title="whole top, N = 50, M = 2, O = 1; MHz: median (best); * the data sheet's limit")
    table.add_column("device")
    for name in ("lanes", "bits w/v/sum"):
        table.add_column(name)
    for name in ("cycles/step", "efficiency", "MHz", "bare MHz", "ratio", "steps/s", "µs/step", "GMAC/s (useful)"):
        table.add_column(name, justify="right")
    for r in rows:
        if hasattr(r, "missing"):
            table.add_row(r.name, r.missing)
            continue
        counted = "" if r.counted_cycles is None else f" ({r.counted_cycles} counted)"
        table.add_row(
            r.name,
            f"{r.tiling} {r.form}",
            f"{r.weight_bits}/{r.operand_bits}/{r.acc_bits}",
            f"{r.cycles_per_step}{counted}",
            f"{r.lane_efficiency:.3f}",
            *(_clocks(clocks) for clocks in (r.top, r.bare)),
            f"{r.ratio:.2f}",
            f"{r.steps_per_second:,.0f}",
            f"{r.step_seconds * 1e6:.3f}",
            f"{r.peak_macs / 1e9:.2f} ({r.useful_macs / 1e9:.2f})",
        )
    return table


def _clocks(c: Any) -> str:
    return f"{c.median_hz / 1e6:.1f} ({c.best_hz / 1e6:.1f}){'*' if c.clamped_by else ''}"


def _use_table(rows: Any) -> Any:
    """What the devices' designs take: resources, and the time of the tools."""
    from rich.table import Table

    from autapse_boards.report import uses

    table = Table(title="resources of the whole top, seconds of the tools")
    for name in ("device", "uses", "seconds"):
        table.add_column(name)
    for r in rows:
        if not hasattr(r, "missing"):
            seconds = ", ".join(f"{stage} {s:.0f}" for stage, s in r.seconds.items())
            table.add_row(r.name, uses(r.top.resources), seconds)
    return table


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
