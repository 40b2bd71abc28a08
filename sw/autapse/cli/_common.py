"""What the commands share: reading their files, telling progress, and one line for an error."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console, RenderableType
from rich.table import Table

from autapse.errors import AutapseError, FileFormatError
from autapse.files import write_beside
from autapse.loading import load
from autapse.network import Network
from autapse.quantized import QuantizedNetwork, load_quantized

if TYPE_CHECKING:
    from autapse.link import SerialTransport
    from autapse_hw.tiling import Tiling

#: Results go to standard output, everything else to standard error, so that output can be piped.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
QuantizedFile = Annotated[
    Path, typer.Argument(metavar="Q.npz", help="A quantised network, from 'autapse quantize'.", show_default=False)
]
LANES_HELP = "Multiply-accumulate lanes of the core: rows, or rows x columns, drains and states in turn."
LANES_FORMS = "8|8x2|51x3/3*2"
Lanes = Annotated[str, typer.Option(help=LANES_HELP, metavar=LANES_FORMS)]


class Rung(StrEnum):
    """A rung of the ladder: as what the circuit is simulated."""

    RTL = "rtl"
    GATES = "gates"
    BITSTREAM = "bitstream"


def complete_boards(incomplete: str) -> list[str]:
    """Names of boards that begin so, for the shell."""
    from autapse_boards import BOARDS

    return [name for name in BOARDS if name.startswith(incomplete)]


BoardName = Annotated[
    str, typer.Option(help="Board to build for; see 'autapse boards'.", autocompletion=complete_boards)
]


#: Bits per second of a serial line, where no build says otherwise.
BAUD = 1_000_000


def network_and_baud(source: Path) -> tuple[QuantizedNetwork, int]:
    """The network of a build or file, and the baud rate that a board has with it."""
    if not source.is_dir():
        return read_quantized(source), BAUD
    from autapse_boards import Report

    report = Report.load(source)
    return read_quantized(source / report.files["network"]), report.baud


def open_port(port: str, baud: int) -> SerialTransport:
    """The serial port; a warning tells what would make it faster."""
    from autapse.link import SerialTransport

    transport = SerialTransport(port, baud)
    if transport.latency_hint:
        err.print(f"[yellow]warning:[/] {transport.latency_hint}", soft_wrap=True)
    return transport


def float_network(found: Network | QuantizedNetwork) -> Network:
    """The network itself, or the one that a quantised one was made from."""
    return found.network if isinstance(found, QuantizedNetwork) else found


def read_lanes(lanes: str, q: QuantizedNetwork) -> Tiling:
    """The tiling that `lanes` means; of a plain number of lanes no more than the network has rows."""
    from autapse_hw.tiling import Tiling

    return Tiling.of(lanes).within(q.units + q.outputs)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what a user can cause into one line on standard error and exit code 1; let our own bugs through."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        err.print(f"[yellow]warning:[/] {message}")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", RuntimeWarning)
            warnings.showwarning = show
            yield
    except (AutapseError, ValueError, TypeError, OSError) as error:
        if not _foreseen(error):
            raise
        err.print(f"[red]error:[/] {_escape(_text(error))}", soft_wrap=True)
        sys.exit(1)


def _foreseen(error: BaseException) -> bool:
    """Whether the error was raised on purpose: by a `raise` of ours, or by the operating system."""
    if isinstance(error, AutapseError | OSError):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return module.split(".")[0] in ("autapse", "autapse_hw", "autapse_sim", "autapse_boards")


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _escape(text: str) -> str:
    return text.replace("[", "\\[")


_quiet: ContextVar[bool] = ContextVar("quiet", default=False)


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Whether the block shows neither progress nor notes."""
    token = _quiet.set(quiet)
    try:
        yield
    finally:
        _quiet.reset(token)


def is_quiet() -> bool:
    """Whether --quiet was given."""
    return _quiet.get()


def note(text: str) -> None:
    """A line on standard error that a quiet command leaves out."""
    if not is_quiet():
        err.print(text, markup=False, soft_wrap=True)


@contextmanager
def working(what: str, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show that something is under way; the yielded function says what. On a terminal a spinner, else plain lines."""
    if quiet or is_quiet():
        yield lambda message: None
    elif err.is_terminal:
        with err.status(what) as status:
            yield lambda message: status.update(f"{what}: {_escape(message)}")
    else:
        yield lambda message: err.print(f"{what}: {message}", markup=False, soft_wrap=True)


def emit(
    as_json: bool, data: Mapping[str, Any], table: RenderableType | Callable[[], RenderableType] | None = None
) -> None:
    """Print `data` as JSON, or the table made for a person."""
    if as_json:
        print(json.dumps(data, indent=2))
    elif table is not None:
        out.print(table() if callable(table) else table)


def facts(rows: Mapping[str, Any], title: str | None = None) -> Table:
    """A table of names and values."""
    table = Table(show_header=False, box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, _escape(str(value)))
    return table


def read_quantized(path: Path) -> QuantizedNetwork:
    """A quantised network; where the file holds a float one, say what to do."""
    try:
        return load_quantized(path)
    except FileFormatError as error:
        try:
            load(path)
        except (AutapseError, OSError):
            raise error from None
        raise FileFormatError(f"{path}: not quantised yet: autapse quantize {path} -o Q.npz") from None


def read_any(path: Path, options: Mapping[str, Any] | None = None) -> Network | QuantizedNetwork:
    """A float or a quantised network; `options` are those of :func:`autapse.load`."""
    try:
        return load_quantized(path)
    except (FileFormatError, OSError):
        return load(path, **(options or {}))


def read_array(path: Path, what: str) -> NDArray[Any]:
    """An array of a .npy file."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FileFormatError(f"{path}: not a readable .npy file of {what}: {error}") from None
    if not isinstance(array, np.ndarray):
        raise FileFormatError(f"{path}: an archive; expected one array of {what} in a .npy file")
    return array


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file, whole or not at all."""
    with write_beside(path) as file:
        np.save(file, array)
