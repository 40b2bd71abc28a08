"""Running ngspice in batch mode, in a temporary folder, and reading what it wrote."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from autapse.errors import MissingToolError, ToolFailedError
from autapse.fixed import FloatArray

#: What is said where ngspice is missing.
MISSING = "ngspice is not installed: apt-get install ngspice"


def find_ngspice() -> str:
    """The path of ngspice. Raises MissingToolError with the line that installs it."""
    path = shutil.which("ngspice")
    if path is None:
        raise MissingToolError(MISSING)
    return path


def run_ngspice(netlist: str, stop: float, timeout: float = 600.0) -> tuple[FloatArray, FloatArray]:
    """Run a netlist with one transient analysis up to `stop` seconds; the times, and what it saves, in that order.

    Returns (points,) and (points, saved). Raises MissingToolError, or ToolFailedError with ngspice's own message.
    """
    program = find_ngspice()
    with tempfile.TemporaryDirectory(prefix="autapse-ngspice-") as folder:
        Path(folder, "circuit.cir").write_text(netlist)
        # -n: the user's .spiceinit must not change the result.
        command = [program, "-n", "-b", "-r", "circuit.raw", "circuit.cir"]
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise ToolFailedError(f"ngspice did not finish within {timeout:g} s") from None
        raw = Path(folder, "circuit.raw")
        said = _message(done.stdout + "\n" + done.stderr)
        if done.returncode != 0 or not raw.is_file():
            raise ToolFailedError(f"ngspice failed (exit code {done.returncode}): {said}")
        times, values = read_raw(raw.read_bytes())
    if times[-1] < stop * (1.0 - 1e-6):
        raise ToolFailedError(f"ngspice stopped at {times[-1]:g} s of {stop:g} s: {said}")
    return times, values


def read_raw(data: bytes) -> tuple[FloatArray, FloatArray]:
    """Read a binary raw file of real values: the first variable, and the others."""
    mark = b"Binary:\n"
    at = data.find(mark)
    header = data[: max(at, 0)].decode("latin-1")
    sizes = [re.search(rf"^No\. {what}:\s*(\d+)", header, re.MULTILINE) for what in ("Variables", "Points")]
    if at < 0 or sizes[0] is None or sizes[1] is None:
        raise ToolFailedError("ngspice wrote a raw file that cannot be read: it has no header of a binary one")
    variables, points = int(sizes[0][1]), int(sizes[1][1])
    table = np.frombuffer(data[at + len(mark) :])
    if points == 0 or table.size != points * variables:
        raise ToolFailedError(f"ngspice wrote a damaged raw file: {table.size} numbers for {points} x {variables}")
    table = table.reshape(points, variables)
    return table[:, 0].copy(), table[:, 1:].copy()


def _message(output: str) -> str:
    """The lines of ngspice's output that say what went wrong, or its last lines."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [k for k, s in enumerate(lines) if re.search(r"error|fatal|singular|too small|unknown|cannot", s, re.I)]
    if telling:  # ngspice often names the place on the line after
        kept = sorted({k for t in telling[:4] for k in (t, t + 1) if k < len(lines)})
        return "; ".join(lines[k] for k in kept)
    return "; ".join(lines[-3:]) or "no message"
