"""A finished build against the integer model: what was built, simulated as a board, with the host's own library."""

from __future__ import annotations

import os
import time
from pathlib import Path

from autapse.link import Device, SerialTransport, check_device
from autapse_sim.verify import Progress, Verification, verify
from autapse_sim.virtual import VirtualBoard, build_report
from autapse_sim.virtual_build import device_family

_BAUD = 1_000_000  # any will do
_TIMEOUT = 5.0  # seconds; the first request may come while the board is still in reset, and be lost


def verify_build(
    folder: str | os.PathLike[str],
    level: str = "rtl",
    *,
    steps: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Compare the design of a build folder with the integer model of its network.

    Level ``rtl`` is :func:`autapse_sim.verify` with the build's lanes. Level ``gates`` is the netlist that was placed,
    and ``bitstream`` what the bitstream is decompiled to: the whole design between its pins. Inputs, outputs and states
    go over the simulated serial line in frames, as of a board on the desk (:func:`autapse.link.check_device`); so do
    pre-activations of a build with a trace. Weights that no bitstream holds, those in SPRAM, are uploaded before.

    Raises
    ------
    NotDecompilableError
        The bitstream of an ECP5, or of an UltraPlus with its multipliers in use.
    FileFormatError
        The folder holds no build; MissingToolError and ToolFailedError as of :func:`autapse_sim.verify`.
    """
    began = time.monotonic()
    q, report = build_report(Path(folder))
    if level == "rtl":
        return verify(q, lanes=report["tiling"], form=report["lane_form"], steps=steps, seed=seed, progress=progress)
    with (
        VirtualBoard.from_build(folder, level, progress=progress) as board,
        Device(SerialTransport(board.port, _BAUD), timeout=_TIMEOUT) as device,
    ):
        if device.identity.upload is not None and not device.identity.upload.loaded:
            if progress is not None:
                progress("uploading weights")
            device.upload(q)
        found = check_device(device, q, steps=steps, seed=seed, progress=progress)
    return Verification(
        level=level,
        family=device_family(report["device"]),
        steps=found.steps,
        states=found.states,
        sums=found.sums,
        outputs=found.outputs,
        mismatches=found.mismatches,
        first=() if found.first is None else (str(found.first),),
        cycles_per_step=None,
        seconds=time.monotonic() - began,
    )
