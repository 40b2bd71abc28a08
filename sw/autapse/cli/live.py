"""The command live: a board in the browser."""

from __future__ import annotations

import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autapse.cli._common import (
    BAUD,
    Json,
    Lanes,
    emit,
    network_and_baud,
    note,
    open_port,
    out,
    read_lanes,
    read_quantized,
    working,
)
from autapse.cli._stopping import until_stopped
from autapse.errors import AutapseError

if TYPE_CHECKING:
    from autapse.link import Device
    from autapse.quantized import QuantizedNetwork

# A virtual board loses nothing, but a busy machine may let it wait.
_VIRTUAL_SECONDS = 30.0


def live(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR|Q.npz]", help="A build folder, or a quantised network.", show_default=False),
    ] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="Serial port of a board; without it, DIR runs as a virtual one.")
    ] = None,
    baud: Annotated[
        int | None, typer.Option(help="Bits per second of the port; that of the build, or 1000000.", min=1)
    ] = None,
    lanes: Lanes = "8",
    form: Annotated[str, typer.Option(help="Form of the lanes, for a network.", metavar="FORM")] = "generic",
    listen: Annotated[int, typer.Option(help="Port of the page on 127.0.0.1; 0 is any.", min=0, max=65535)] = 0,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: Json = False,
) -> None:
    """Show a board at work on a local page: pick a task or drag inputs, and watch state and outputs move.

    The page's address, which holds a secret, is printed. Ctrl-C or SIGTERM stops it.

    Example: autapse live build --open

    Example: autapse live --port /dev/ttyUSB1
    """
    from autapse.live import Board, Player, new_token, page_url, serve
    from autapse.live import listen as listen_on

    if source is None and port is None:
        raise AutapseError("name a build folder or network, a board's --port, or both")
    with until_stopped(), ExitStack() as stack:
        bound, token = stack.enter_context(listen_on(listen)), new_token()
        with working("live", as_json) as say:
            device, q = _connect(source, port, baud, lanes, form, stack, say)
            player = Player(Board(device, q))
        url = page_url(bound, token)
        emit(as_json, {"url": url, "model_hash": device.identity.model_hash.hex()})
        if not as_json:
            out.print(url, markup=False)
            note("Ctrl-C stops it")
        out.file.flush()
        if show:
            webbrowser.open(url)
        serve(player, bound, token)
    note("stopped")


def _connect(
    source: Path | None, port: str | None, baud: int | None, lanes: str, form: str, stack: ExitStack, say: Any
) -> tuple[Device, QuantizedNetwork | None]:
    """The board on a port, or a virtual one that is started; and the network, if it is known."""
    from autapse.link import Device, SerialTransport

    if port is None:
        assert source is not None
        board = stack.enter_context(_virtual(source, lanes, form, say))
        transport = SerialTransport(board.port, BAUD)
        return stack.enter_context(Device(transport, timeout=_VIRTUAL_SECONDS, reconnect=0.0)), board.q
    q, built = (None, BAUD) if source is None else network_and_baud(source)
    return stack.enter_context(Device(open_port(port, baud or built))), q


def _virtual(source: Path, lanes: str, form: str, say: Any) -> Any:
    from autapse_sim.virtual import VirtualBoard

    if source.is_dir():
        return VirtualBoard.from_build(source, progress=say)
    q = read_quantized(source)
    return VirtualBoard(q, lanes=read_lanes(lanes, q), form=form, progress=say)
