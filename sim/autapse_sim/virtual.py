"""A board for those who have none: the design that was built, simulated, behind a pseudo-terminal.

The host's programs see a serial port. What they send reaches the design's receive pin bit by bit, and what its transmit
pin does comes back; only time is another one, since the clock is as fast as the simulation.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autapse.errors import AutapseError, FileFormatError, MissingToolError, ToolFailedError
from autapse.quantized import QuantizedNetwork, load_quantized
from autapse_hw.schedule import Schedule
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage
from autapse_sim.virtual_build import built_source, compile_board, rtl_source

Progress = Callable[[str], None]

#: Cycles per bit that the receiver can still follow: the fewer, the faster the board.
DIVISOR = 4
_STOP_SECONDS = 5.0
# Cycles without a byte after which the clock slows down, beside those of a few steps.
_PATIENCE = 1000


@dataclass(frozen=True)
class BoardCounters:
    """What went over the wires of a virtual board since it was started.

    Attributes
    ----------
    cycles
        Clock cycles of the design.
    processor_seconds
        What their simulation has used of a processor.
    received, sent
        Bytes that the board received and sent.
    dropped
        Bytes that nobody read in time.
    framing_errors
        Bytes of the board whose stop bit was missing.
    turnarounds, turnaround_cycles
        How often the board answered, and the cycles from the end of the host's last byte to the answer's start bit, in
        all: what the device takes for itself, without the bytes on the line.
    """

    cycles: int
    processor_seconds: float
    received: int
    sent: int
    dropped: int
    framing_errors: int
    turnarounds: int
    turnaround_cycles: int


class VirtualBoard:
    """A simulated board as a serial port; a context manager. Linux and macOS.

    Entering compiles the design (some ten seconds) and starts it. The port is :attr:`port`; any baud rate will do.
    Clients may come and go, one at a time; the board keeps its state meanwhile.

    Parameters
    ----------
    q, lanes, form
        The network, and the multiply-accumulators that compute it; see :class:`autapse_hw.core.Core`.
    clock_hz
        The clock that the device claims to have.
    divisor
        Clock cycles per bit of its UART.
    storage
        Whether weights and biases can be uploaded.
    trace
        Whether the host can read pre-activations.
    progress
        Told what is being done.
    """

    def __init__(
        self,
        q: QuantizedNetwork,
        *,
        lanes: int | str | Tiling = 8,
        form: str = "generic",
        clock_hz: float = 12e6,
        divisor: int = DIVISOR,
        storage: Storage = Storage.FIXED,
        trace: bool = False,
        progress: Progress | None = None,
    ) -> None:
        tiling = Tiling.of(lanes).within(q.units + q.outputs)
        self.q = q
        self.divisor: float = divisor
        self._tell = progress or (lambda message: None)
        self._make: Callable[[Path], str] = lambda folder: rtl_source(
            q, tiling, form, clock_hz, divisor, storage, trace=trace
        )
        self._patience = _PATIENCE + 4 * Schedule.of(q, tiling, form).cycles_per_step
        self._closing = contextlib.ExitStack()
        self._process: subprocess.Popen[str] | None = None
        self._port = ""

    @classmethod
    def from_build(
        cls,
        folder: str | os.PathLike[str],
        level: str = "rtl",
        *,
        divisor: int = DIVISOR,
        progress: Progress | None = None,
    ) -> Self:
        """The board of a build folder.

        At level ``rtl`` the same circuit with `divisor` cycles per bit; at level ``gates`` the netlist that was placed,
        and at level ``bitstream`` what the bitstream is decompiled to, both with the built one's divisor.

        NotDecompilableError where no tool can do that: for ECP5, and for an UltraPlus with its multipliers in use.
        """
        q, report = build_report(Path(folder))
        board = cls(
            q,
            lanes=report["tiling"],
            form=report["lane_form"],
            clock_hz=report["clock_hz"],
            divisor=divisor,
            storage=Storage(report.get("storage", Storage.FIXED)),
            trace=bool(report.get("trace", False)),
            progress=progress,
        )
        if level != "rtl":
            board._make = built_source(Path(folder), report, level)
            board.divisor = report["clock_hz"] / report["baud"]
        return board

    @property
    def port(self) -> str:
        """Path of the serial port, while the board runs."""
        if not self._port:
            raise AutapseError("the virtual board is not running: use it in a 'with' statement")
        return self._port

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the board, and give the port back."""
        self._port = ""
        self._closing.close()
        self._process = None

    def wait(self) -> None:
        """Until the board has stopped by itself, as it does after SIGINT and SIGTERM; AutapseError if it failed."""
        if self._process is not None and (code := self._process.wait()) != 0:
            raise ToolFailedError(f"the virtual board stopped with exit code {code}")

    def counters(self) -> BoardCounters:
        """What went over the wires."""
        return self._command("stats")

    def send_break(self) -> BoardCounters:
        """Hold the board's receive line low for the time of two bytes; pseudo-terminals cannot carry a break."""
        return self._command("break")

    def reset(self) -> BoardCounters:
        """What the board's reset button does."""
        return self._command("reset")

    def _command(self, word: str) -> BoardCounters:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise AutapseError("the virtual board is not running: use it in a 'with' statement")
        try:
            process.stdin.write(word + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise AutapseError(f"the virtual board has stopped, exit code {process.wait(_STOP_SECONDS)}")
        return BoardCounters(**json.loads(line))

    def _start(self) -> None:
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="autapse-virtual-")))
        self._tell("writing Verilog")
        source = self._make(folder)
        self._tell("compiling")
        program = compile_board(folder, source)
        master, slave = _terminal()
        self._port = os.ttyname(slave)
        try:
            process = subprocess.Popen(
                [str(program), str(master), str(slave), str(self.divisor), str(self._patience)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(master, slave),
                text=True,
            )
        finally:
            os.close(master)
            os.close(slave)
        self._closing.callback(_stop, process)
        self._process = process


def _terminal() -> tuple[int, int]:
    """A pseudo-terminal that passes every byte as it is: master and slave."""
    try:
        import tty
    except ImportError as error:
        raise MissingToolError("a virtual board needs pseudo-terminals, which this system does not have") from error
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, slave


def _stop(process: subprocess.Popen[str]) -> None:
    """The end of its standard input stops the program; if not, a signal does."""
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def build_report(folder: Path) -> tuple[QuantizedNetwork, dict[str, Any]]:
    """The network of a build, and the figures that a simulation needs; FileFormatError if the folder holds no build."""
    path = folder / "report.json"
    try:
        report = json.loads(path.read_text())
        for name in ("device", "tiling", "lane_form", "clock_hz", "baud", "files"):
            report[name]
    except FileNotFoundError:
        raise FileFormatError(f"{folder}: no report.json in it, so not a build") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"{path}: not the report of a build: {error!r}") from None
    return load_quantized(folder / report["files"]["network"]), dict(report)
