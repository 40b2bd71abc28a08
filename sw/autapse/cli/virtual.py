"""The virtual board: virtual."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from autapse.cli._common import Json, Lanes, Rung, emit, facts, note, out, read_lanes, read_quantized, working
from autapse.cli._stopping import until_stopped

if TYPE_CHECKING:
    from autapse_sim.virtual import VirtualBoard

_BAUD = 1_000_000  # any will do
_SECONDS = 2.0  # of each measurement


def virtual(
    source: Annotated[
        Path, typer.Argument(metavar="DIR|Q.npz", help="A build folder, or a quantised network.", show_default=False)
    ],
    level: Annotated[
        Rung, typer.Option(help="The circuit, the netlist that was placed, or the bitstream, decompiled (iCE40).")
    ] = Rung.RTL,
    lanes: Lanes = "8",
    form: Annotated[str, typer.Option(help="Form of the lanes, for a network.", metavar="FORM")] = "generic",
    divisor: Annotated[int, typer.Option(help="Clock cycles per bit; fewer are faster.", min=4)] = 4,
    upload: Annotated[
        bool, typer.Option("--upload", help="Weights that 'autapse upload' can change, for a network.")
    ] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Pre-activations that can be read, for a network.")] = False,
    measure: Annotated[bool, typer.Option(help="Measure its speed, print it, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Run a design as a board that everybody has: simulated, behind a pseudo-terminal, whose path is printed.

    Clients come and go like on a serial port. Ctrl-C or SIGTERM stops it.

    Example: autapse virtual build
    """
    from autapse_hw.weights import Storage
    from autapse_sim.virtual import VirtualBoard

    with working("virtual board", as_json) as say:
        if source.is_dir():
            board = VirtualBoard.from_build(source, level.value, divisor=divisor, progress=say)
        elif level is not Rung.RTL:
            raise ValueError(f"{source}: level {level.value} is simulated from a build folder; see 'autapse build'")
        else:
            q = read_quantized(source)
            storage = Storage.UPLOAD if upload else Storage.FIXED
            board = VirtualBoard(
                q, lanes=read_lanes(lanes, q), form=form, divisor=divisor, storage=storage, trace=trace, progress=say
            )
        with until_stopped(), board:
            if measure:
                figures = _measure(board, say)
            else:
                _tell(board, as_json)
                board.wait()
                note("stopped")
    if measure:
        emit(as_json, figures, lambda: facts(figures))


def _tell(board: VirtualBoard, as_json: bool) -> None:
    data = {"port": board.port, "model_hash": board.q.model_hash().hex()}
    emit(as_json, data)
    if not as_json:
        out.print(board.port)
        note("a board like any other until Ctrl-C; every baud rate will do")
    out.file.flush()


def _measure(board: VirtualBoard, say: Any) -> dict[str, Any]:
    """Steps and payload bytes a second, in windows; bytes are those of codes, without the frames."""
    from autapse.link import Device, SerialTransport
    from autapse.protocol import Command

    q = board.q
    codes = q.quantize_inputs(np.random.default_rng(0).uniform(-0.5, 0.5, (1, 100, q.inputs)))[0][0]
    with Device(SerialTransport(board.port, _BAUD), timeout=10.0) as device:
        identity = device.identity
        payload = identity.request_bytes(Command.STEP) + identity.answer_bytes(Command.STEP)
        say("measuring")
        before = board.counters()
        steps, seconds = _repeat(lambda: device.run(codes))
        after = board.counters()
        reads, reading = _repeat(device.read_state)
    busy = after.processor_seconds - before.processor_seconds
    answers = after.turnarounds - before.turnarounds
    return {
        "steps/s": round(100 * steps / seconds),
        "payload of a step in bytes": payload,
        "payload bytes/s, streaming": round(100 * steps * payload / seconds),
        "payload bytes/s, reading the state": round(reads * identity.answer_bytes(Command.READ_STATE) / reading),
        "bytes/s on the wire, both ways": round(
            (after.received + after.sent - before.received - before.sent) / seconds
        ),
        "cycles/s": round((after.cycles - before.cycles) / seconds),
        "cycles/s of processor time": round((after.cycles - before.cycles) / busy),
        "cycles from request to answer": round((after.turnaround_cycles - before.turnaround_cycles) / answers, 1),
        "counters": asdict(after),
    }


def _repeat(what: Any) -> tuple[int, float]:
    """How often it ran in some seconds, and how long that took."""
    count, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < _SECONDS:
        what()
        count += 1
    return count, seconds
