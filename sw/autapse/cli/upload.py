"""The command upload: other weights into a running board."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Annotated

import typer

from autapse.cli._common import Json, QuantizedFile, emit, err, facts, is_quiet, open_port, read_quantized
from autapse.cli._live import progress_bar


def upload(
    file: QuantizedFile,
    port: Annotated[str, typer.Option(help="Serial port, as /dev/ttyUSB1, or the path that 'autapse virtual' prints.")],
    baud: Annotated[int, typer.Option(help="Bits per second of the port.", min=1)] = 1_000_000,
    as_json: Json = False,
) -> None:
    """Put other weights and biases into a running board that was built with --upload.

    The network must have the shape, formats, activation, leak and initial state of the one that was built; 'autapse
    quantize --like' gives retrained weights its formats. The board makes no steps until all weights have arrived and
    their CRC is right; then its state is the initial one.

    Example: autapse upload q2.npz --port /dev/ttyUSB1
    """
    from autapse.link import Device

    q = read_quantized(file)
    began = time.monotonic()
    with ExitStack() as stack:
        device = stack.enter_context(Device(open_port(port, baud)))
        shows = err.is_terminal and not (as_json or is_quiet())
        show = progress_bar("bytes", device.identity.memory_bytes, stack) if shows else None
        device.upload(q, progress=show)
        identity = device.identity
    seconds = time.monotonic() - began
    data = {"model_hash": identity.model_hash.hex(), "bytes": identity.memory_bytes, "seconds": seconds}
    data["recoveries"] = device.recoveries
    rows = {"network": data["model_hash"], "uploaded": f"{identity.memory_bytes:,} bytes in {seconds:.2f} s"}
    emit(as_json, data, lambda: facts(rows))
