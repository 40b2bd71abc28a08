"""The command stream: inputs to a board, outputs from it, as they come."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import numpy as np
import typer

from autapse.cli._common import Json, emit, err, facts, is_quiet, open_port, read_array, write_array
from autapse.cli._live import live_bars, progress_bar
from autapse.errors import AutapseError, FileFormatError
from autapse.files import write_beside
from autapse.fixed import FloatArray, IntArray

if TYPE_CHECKING:
    from autapse.link import Device


def stream(
    port: Annotated[str, typer.Option(help="Serial port, as /dev/ttyUSB1, or the path that 'autapse virtual' prints.")],
    inputs: Annotated[
        str, typer.Option(metavar="X", help="X.npy (time, inputs) or (batch, time, inputs), X.csv, or - for lines.")
    ] = "-",
    output: Annotated[str, typer.Option("-o", "--output", metavar="Z", help="Z.npy, Z.csv, or - for lines.")] = "-",
    baud: Annotated[int, typer.Option(help="Bits per second of the port.", min=1)] = 1_000_000,
    raw: Annotated[bool, typer.Option("--raw", help="Integer codes instead of values, in and out.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Go on from the present state instead of the initial one.")] = (
        False
    ),
    live: Annotated[bool, typer.Option("--live", help="Show inputs and outputs as they run.")] = False,
    as_json: Json = False,
) -> None:
    """Run a board: inputs to it and outputs from it, with the line kept full both ways.

    Lines hold the inputs of a step, separated by commas or blanks; each is answered at once, so this works in a pipe.

    Example: autapse stream --port /dev/ttyUSB1 --inputs x.npy -o z.npy
    """
    from autapse.link import Device

    if as_json and output == "-":
        raise AutapseError("--json prints the summary where the outputs go: name a file for them with -o")
    if Path(output).suffix not in ("", ".npy", ".csv") or (output != "-" and not Path(output).suffix):
        raise AutapseError(f"outputs go to a .npy or .csv file, or to -, not to {output}")
    if inputs != "-" and Path(inputs).suffix not in (".npy", ".csv"):
        raise AutapseError(f"inputs come from a .npy or .csv file, or from -, not from {inputs}")
    sequences = None if inputs == "-" else _read(Path(inputs))
    transport = open_port(port, baud)
    began = time.monotonic()
    with ExitStack() as stack:
        device = stack.enter_context(Device(transport))
        run = _Run(device, raw, stack, live, None if sequences is None else sequences.shape[0] * sequences.shape[1])
        sink = stack.enter_context(_Sink(output, sequences))
        if sequences is None:
            _reset(device, keep)
            run.lines(sys.stdin, sink.take)
        else:
            for x in sequences:
                _reset(device, keep)
                run.array(x, sink.take)
        counters = device.counters()
    seconds = time.monotonic() - began
    data = {
        "steps": run.steps,
        "seconds": seconds,
        "steps_per_second": run.steps / seconds,
        "recoveries": device.recoveries,
        "saturated_inputs": run.outside,
        "device": counters._asdict(),
    }
    if run.outside:
        err.print(f"[yellow]warning:[/] {run.outside} inputs lay outside the device's range and were saturated")
    if output != "-":
        rows = {"steps": f"{run.steps:,}", "time": f"{seconds:.2f} s", "speed": f"{run.steps / seconds:,.0f} steps/s"}
        emit(as_json, data, lambda: facts({**rows, "recoveries": device.recoveries, "written": output}))


def _reset(device: Device, keep: bool) -> None:
    if not keep:
        device.reset()


class _Run:
    """Steps of one device, between values and codes, and what is shown of them."""

    def __init__(self, device: Device, raw: bool, stack: ExitStack, live: bool, total: int | None) -> None:
        self.device, self.raw = device, raw
        self.steps = self.outside = 0
        self._sent: deque[FloatArray] = deque()
        self._show: Callable[[FloatArray, FloatArray], None] = lambda x, z: None
        if live:
            self._show = live_bars(stack)
        elif total is not None and err.is_terminal and not is_quiet():
            bar = progress_bar("steps", total, stack)
            self._show = lambda x, z: bar(self.steps)

    def array(self, x: FloatArray, take: Callable[[FloatArray], None]) -> None:
        """Run inputs (time, inputs)."""
        identity = self.device.identity
        if x.shape[1] != identity.step_inputs:
            raise AutapseError(f"the device has {identity.step_inputs} inputs, not {x.shape[1]}")
        codes = self._codes(x)
        self._sent.extend(x)
        self._take(self.device.stream(codes), take)

    def lines(self, source: IO[str], take: Callable[[FloatArray], None]) -> None:
        """Run a line at a time; a line that is waited for delays no output."""
        self._take(self.device.stream(self._rows(source)), take)

    def _rows(self, source: IO[str]) -> Iterator[IntArray | None]:
        identity = self.device.identity
        for row in _lines_as_they_come(source, identity.step_inputs):
            if row is not None:
                self._sent.append(row)
            yield None if row is None else self._codes(row)

    def _take(self, rows: Iterator[IntArray], take: Callable[[FloatArray], None]) -> None:
        z_format = self.device.identity.z_format
        for codes in rows:
            z = codes.astype(float) if self.raw else z_format.dequantize(codes)
            self.steps += 1
            take(z)
            self._show(self._sent.popleft(), z)

    def _codes(self, x: FloatArray) -> IntArray:
        form = self.device.identity.input_format
        if self.raw:
            codes = x.astype(np.int64)
            if (codes != x).any():
                raise AutapseError(f"codes are integers, not {x[codes != x].flat[0]:g}")
            return codes
        codes, outside = form.quantize(x)
        self.outside += outside
        return codes


class _Sink:
    """Where the outputs go."""

    def __init__(self, name: str, sequences: FloatArray | None) -> None:
        self._name, self._rows = name, list[FloatArray]()
        self._batch = 1 if sequences is None else len(sequences)

    def __enter__(self) -> _Sink:
        return self

    def take(self, z: FloatArray) -> None:
        """One step's outputs."""
        if self._name == "-":
            print(_text(z), flush=True)
        else:
            self._rows.append(z)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or self._name == "-":
            return
        if self._name.endswith(".npy"):
            z = np.array(self._rows)
            write_array(Path(self._name), z if self._batch == 1 else z.reshape(self._batch, -1, z.shape[-1]))
        else:
            with write_beside(Path(self._name)) as file:
                file.write("".join(f"{_text(z)}\n" for z in self._rows).encode())


def _text(z: FloatArray) -> str:
    return ",".join(f"{value:.10g}" for value in z)


def _read(path: Path) -> FloatArray:
    """Inputs of a file, (batch, time, inputs)."""
    if path.suffix == ".npy":
        x = np.asarray(read_array(path, "inputs"), dtype=float)
        if x.ndim not in (2, 3):
            raise FileFormatError(f"{path}: inputs are (time, inputs) or (batch, time, inputs), not {x.shape}")
        return x[None] if x.ndim == 2 else x
    parsed = (_parse(line, number) for number, line in enumerate(path.read_text().splitlines(), 1))
    rows = [row for row in parsed if row is not None]
    if not rows:
        raise FileFormatError(f"{path}: no line with numbers")
    if len(lengths := sorted({len(row) for row in rows})) > 1:
        raise FileFormatError(f"{path}: all lines have as many numbers, not {lengths[0]} and {lengths[-1]}")
    return np.array(rows)[None]


def _parse(line: str, number: int) -> FloatArray | None:
    """The numbers of a line; None for an empty one, a comment, or names in the first line."""
    fields = line.split("#")[0].replace(",", " ").split()
    try:
        return np.array([float(field) for field in fields]) if fields else None
    except ValueError:
        if number == 1:
            return None
        raise FileFormatError(f"line {number}: expected numbers, not {line.strip()!r}") from None


def _lines_as_they_come(source: IO[str], count: int) -> Iterator[FloatArray | None]:
    """Rows of the lines that have come; None before one is waited for."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in source:
            lines.put(line if line.endswith("\n") else line + "\n")
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    number = 0
    while True:
        if lines.empty():
            yield None
        line = lines.get()
        number += 1
        if not line:
            return
        row = _parse(line, number)
        if row is None:
            continue
        if len(row) != count:
            raise FileFormatError(f"line {number}: expected {count} numbers, not {len(row)}")
        yield row
