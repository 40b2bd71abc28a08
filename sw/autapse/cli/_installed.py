"""What of the packages and programs that Autapse can use is installed: the findings of ``autapse doctor``."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from autapse.errors import MissingToolError

_START_SECONDS = 10.0

#: What each extra of the package is for, and the group of programs that load a board, which is no extra.
PURPOSES = {
    "fast": "the integer model compiled: many times as fast for few sequences",
    "keras": "Keras files",
    "nir": "NIR files",
    "onnx": "ONNX files",
    "plot": "pictures: demo, tasks -o, analyze, zoo, compare",
    "sim": "the simulated circuit: verify, export, virtual, prove, run --level rtl, demo",
    "boards": "bitstreams: build, reweight, sweep, demo",
    "link": "boards on a serial line: stream, upload, verify --port, flash --port, virtual --measure, demo",
    "theory": "reference solutions: compare, zoo",
    "circuit": "electrical networks: circuit, compare",
    "train": "training: train",
    "sweep": "sweeps over words, lanes and boards: sweep",
    "report": "the page of a build: report, demo",
    "live": "a board in the browser: live",
    "flash": "loading a board: flash; one that the board takes is enough",
}
_ANY_OF = frozenset({"flash"})


@dataclass(frozen=True)
class Item:
    """A package or program.

    Attributes
    ----------
    name, kind
        What it is called; ``package`` or ``program``.
    version
        Version, or path where it does not say one; None if it is missing.
    install
        The command that installs it.
    wanted
        The versions that will do, where that of an installed package will not.
    """

    name: str
    kind: str
    version: str | None
    install: str
    wanted: str | None = None

    @property
    def problem(self) -> str | None:
        """What is wrong with it, and how to mend that; None if nothing is."""
        if self.version is None:
            return f"missing: {self.install}"
        return None if self.wanted is None else f"{self.version}, but {self.wanted} is wanted: {self.install}"


@dataclass(frozen=True)
class Group:
    """What one purpose needs."""

    name: str
    purpose: str
    items: tuple[Item, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing; of the programs for boards one is enough."""
        found = [item.problem is None for item in self.items]
        return any(found) if self.name in _ANY_OF else all(found)


def groups(names: list[str] | None = None) -> list[Group]:
    """The groups of these names, or all; ValueError lists those that there are."""
    for name in names or ():
        if name not in PURPOSES:
            raise ValueError(f"no group {name!r}; there are {', '.join(PURPOSES)}")
    return [
        Group(name, PURPOSES[name], (*_packages(name), *_PROGRAMS.get(name, lambda: iter(()))()))
        for name in names or PURPOSES
    ]


def _packages(extra: str) -> Iterator[Item]:
    """What pip installs for an extra, as the metadata of the installed Autapse say it."""
    from packaging.requirements import Requirement

    install = f"pip install 'autapse[{extra}]'"
    if extra not in (importlib.metadata.metadata("autapse").get_all("Provides-Extra") or ()) and extra not in _ANY_OF:
        yield Item(f"autapse[{extra}]", "package", None, install)  # installed before there was such an extra
    for text in importlib.metadata.requires("autapse") or ():
        wanted = Requirement(text)
        if wanted.marker is None or not wanted.marker.evaluate({"extra": extra}):
            continue
        if wanted.marker.evaluate({"extra": ""}):
            continue  # needed by all
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            yield Item(wanted.name, "package", None, install)
            continue
        enough = wanted.specifier.contains(version, prereleases=True)
        yield Item(wanted.name, "package", version, install, None if enough else str(wanted.specifier))


def _tools() -> Iterator[Item]:
    from autapse_boards.tools import INSTALL, TOOLS, find

    for name in TOOLS:
        try:
            tool = find(name)
        except MissingToolError:
            yield Item(name, "program", None, INSTALL)
            continue
        note = "; compiles its WebAssembly at the first use, up to two minutes" if tool.cold else ""
        version = tool.version if tool.version != "unknown" else tool.command[0]
        yield Item(name, "program", f"{version}{note}", INSTALL)


def _compilers() -> Iterator[Item]:
    from autapse_sim.simulator import PROGRAMS

    for name, install in PROGRAMS.items():
        yield _program(name, install)


def _ngspice() -> Iterator[Item]:
    from autapse.circuit.ngspice import MISSING

    yield _program("ngspice", MISSING.partition(": ")[2])


def _programmers() -> Iterator[Item]:
    from autapse_boards.programmers import COMMANDS, locate

    for name, command in COMMANDS.items():
        yield Item(name, "program", locate(name), command.install)  # not started: some look for a board at once


_PROGRAMS: dict[str, Callable[[], Iterator[Item]]] = {
    "boards": _tools,
    "sim": _compilers,
    "circuit": _ngspice,
    "flash": _programmers,
}


def _program(name: str, install: str) -> Item:
    """A program on PATH, with the version that it prints."""
    path = shutil.which(name)
    if path is None:
        return Item(name, "program", None, install)
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_START_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return Item(name, "program", None, install)
    numbers = re.search(rf"\d+\.\d+(?:\.\d+)*|(?<={re.escape(name)}-)\d+", done.stdout)
    return Item(name, "program", f"{numbers[0]} ({path})" if numbers else path, install)
