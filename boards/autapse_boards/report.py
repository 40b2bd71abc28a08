"""What a build made, in figures: ``report.json``, which also marks the folder as ours."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autapse.errors import FileFormatError, one_line
from autapse.records import record_of
from autapse_boards.limits import Limit
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage

REPORT_FORMAT = "autapse-build"
REPORT_VERSION = 3
REPORT_FILE = "report.json"


@dataclass(frozen=True)
class Use:
    """How many of a resource a design uses, and how many there are."""

    used: int
    available: int


def uses(resources: Mapping[str, Use]) -> str:
    """What is used of each of the resources that there are, in words."""
    return ", ".join(f"{use.used} of {use.available} {name}" for name, use in resources.items() if use.available)


@dataclass(frozen=True)
class Hop:
    """One piece of a critical path: ``logic``, ``routing``, ``clk-to-q`` or ``setup``; its delay; where it ends."""

    kind: str
    nanoseconds: float
    to: str


@dataclass(frozen=True)
class Attempt:
    """One place-and-route run: the clock that was tried, what nextpnr achieved, and how long it took."""

    clock_hz: float
    fmax_hz: float
    seed: int
    seconds: float

    @property
    def met(self) -> bool:
        """Whether the design is fast enough for its clock."""
        return self.fmax_hz >= self.clock_hz


@dataclass(frozen=True)
class Report:
    """A finished build.

    Attributes
    ----------
    board, device
        Board name, and its FPGA.
    model_hash
        Hash of the quantised network, hexadecimal; the device answers with the same.
    units, inputs, outputs, lanes, tiling, lane_form, formats, activation
        The network, and the core made for it.
    overflow_proof
        The figures that show that the accumulator cannot overflow.
    clock_hz, fmax_hz, timing_hz
        Clock of the core; the fastest that is allowed; the fastest that nextpnr's timing alone would allow.
    clamped_by, limits
        The data sheet's limit that keeps `fmax_hz` below `timing_hz`, if one does; all limits of the blocks in it.
    critical_path
        The slowest path, where nextpnr names one.
    cycles_per_step, steps_per_second, step_seconds
        While inputs wait.
    stall_cycles, filling_sequences
        Of the cycles, those in which a step only waits; and how many states would have to take turns so that none
        waits for its own.
    baud, baud_error, round_trip_seconds
        The serial line: its rate, the relative error of the device's, and the least time from the first byte of a
        step's request to the last of its answer.
    estimated, resources
        Logic, DSPs and block RAMs: what the estimate said, and what was used.
    seconds
        Time of each stage, all attempts together.
    attempts
        The place-and-route runs; the bitstream is that of the one with `clock_hz`.
    tools
        Versions.
    files
        Names in the folder, by what they are.
    storage
        Where weights and biases are: one of :class:`autapse_hw.weights.Storage`.
    trace
        Whether it is a debug build, whose pre-activations a host can read.
    """

    board: str
    device: str
    model_hash: str
    units: int
    inputs: int
    outputs: int
    lanes: int
    tiling: str
    lane_form: str
    formats: Mapping[str, Any]
    activation: str
    overflow_proof: Mapping[str, int]
    clock_hz: float
    fmax_hz: float
    timing_hz: float
    clamped_by: Limit | None
    limits: tuple[Limit, ...]
    critical_path: tuple[Hop, ...]
    cycles_per_step: int
    steps_per_second: float
    step_seconds: float
    stall_cycles: int
    filling_sequences: int
    baud: int
    baud_error: float
    round_trip_seconds: float
    estimated: Mapping[str, int]
    resources: Mapping[str, Use]
    seconds: Mapping[str, float]
    attempts: tuple[Attempt, ...]
    tools: Mapping[str, str]
    files: Mapping[str, str]
    storage: Storage = Storage.FIXED
    trace: bool = False

    @property
    def allowed(self) -> str:
        """The fastest clock in words: who allows it, and for which blocks no limit is known."""
        if self.clamped_by is None:
            text = f"timing allows {self.fmax_hz / 1e6:.1f} MHz"
        else:
            text = (
                f"the data sheet allows {self.fmax_hz / 1e6:.1f} MHz "
                f"({self.clamped_by.block}: {self.clamped_by.source}), timing alone {self.timing_hz / 1e6:.1f} MHz"
            )
        unknown = [limit.block for limit in self.limits if limit.hz is None]
        return text + (f"; no figure for {', '.join(unknown)}" if unknown else "")

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, with its format and version."""
        return {"format": REPORT_FORMAT, "version": REPORT_VERSION, **asdict(self)}

    def save(self, folder: Path) -> None:
        """Write ``report.json`` into `folder`."""
        (folder / REPORT_FILE).write_text(json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Report:
        """The report of a build folder; FileFormatError if there is none, or not of this version."""
        path = Path(folder) / REPORT_FILE
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise FileFormatError(f"{folder}: no {REPORT_FILE} in it, so not a build") from None
        except (OSError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{path}: cannot be read: {one_line(error)}") from None
        if not isinstance(data, dict) or data.pop("format", None) != REPORT_FORMAT:
            raise FileFormatError(f"{path}: not the report of a build")
        if (version := data.pop("version", None)) != REPORT_VERSION:
            text = f"{path}: version {one_line(version)}, and this program reads {REPORT_VERSION}"
            raise FileFormatError(text)
        try:
            report = record_of(cls, data)
            report._check()
        except (TypeError, ValueError, RecursionError) as error:
            raise FileFormatError(f"{path}: not a sound report: {one_line(error)}") from None
        return report

    def _check(self) -> None:
        """Raise ValueError unless what everything else relies on is there."""
        Tiling.of(self.tiling)
        for name, found, wanted in (
            ("files", self.files, ("bitstream", "network")),
            ("overflow_proof", self.overflow_proof, ("bits_needed", "accumulator_bits")),
        ):
            if missing := set(wanted) - found.keys():
                raise ValueError(f"{name} lacks {min(missing)!r}")
        for file in self.files.values():
            if Path(file).name != file:
                raise ValueError(f"{file!r} is not the name of a file in the folder")


def table(report: Report) -> Any:
    """The report as a :class:`rich.table.Table` of two columns."""
    from rich.table import Table

    result = Table(show_header=False, box=None, pad_edge=False)
    result.add_column(style="bold")
    result.add_column()
    for name, value in _lines(report):
        result.add_row(name, value)
    return result


_STORED = {
    Storage.UPLOAD: "in block RAM; others can be uploaded while it runs",
    Storage.SPRAM: "in SPRAM: to be uploaded whenever it has been switched on",
}


def _lines(r: Report) -> list[tuple[str, str]]:
    """Names and values for a reader."""
    longest = sum(hop.nanoseconds for hop in r.critical_path)
    times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in r.seconds.items())
    lines = [
        ("board", f"{r.board} ({r.device})"),
        ("model", f"{r.model_hash}: {r.units} units, {r.inputs} inputs, {r.outputs} outputs, {r.activation}"),
        ("clock", f"{r.clock_hz / 1e6:.3f} MHz; {r.allowed}"),
        ("core", _core(r)),
        ("speed", f"{r.steps_per_second:,.0f} steps/s, {r.step_seconds * 1e6:.2f} µs a step"),
        ("serial line", f"{r.baud:,} baud ({r.baud_error:+.2%}), {r.round_trip_seconds * 1e6:.0f} µs a round trip"),
        ("accumulator", f"needs {r.overflow_proof['bits_needed']}, has {r.overflow_proof['accumulator_bits']} bits"),
        ("resources", uses(r.resources)),
        ("time", times),
        ("bitstream", r.files["bitstream"]),
    ]
    if r.storage != Storage.FIXED:
        lines.insert(4, ("weights", _STORED[r.storage]))
    if r.trace:
        lines.insert(4, ("trace", "a debug build: 'autapse verify --port' reads its pre-activations"))
    if r.critical_path:
        lines.insert(3, ("slowest path", f"{longest:.1f} ns, to {r.critical_path[-1].to}"))
    return lines


def _core(r: Report) -> str:
    """Lanes, how they are laid, the cycles of a step, and what would fill those in which the lanes wait."""
    lanes = f"{r.lanes} lanes" if r.tiling == str(r.lanes) else f"{r.lanes} lanes ({r.tiling})"
    text = f"{lanes}, {r.lane_form}, {r.cycles_per_step} cycles a step"
    if not r.stall_cycles:
        return text
    text += f", {r.stall_cycles} of them waiting"
    if r.filling_sequences <= Tiling.of(r.tiling).sequences:
        return f"{text} for inputs"
    return f"{text}; with {r.filling_sequences} states in turn (--sequences) none would wait for a state"
