"""Plant the faults of `faults.toml`, one at a time, in a copy of the tree, and see which test fails: `make faults`.

The tests that a fault names run first; if all pass, the fast tests of the root that the file belongs to; then the slow
ones. In the end, all tests that have caught something must pass without a fault. A fault that nothing catches is a
defect of the tests. `docs/faults.md` is written by `--table`.
"""

import argparse
import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import pytest
from faults import Fault, read_faults

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("sw", "hw", "sim", "boards")
LIMIT = 600  # seconds of a run of pytest; who needs more hangs
#: After the tests that a fault names, by the root of its file: the fast tests, then the slow ones.
WIDER = {
    "hw": (("tests/hw", "tests/sim", "-m", "not slow"), ("tests/hw", "tests/sim", "-m", "slow")),
    "sw": (("tests/sw", "-m", "not slow"), ("tests/hw", "tests/sim", "-m", "slow")),
}
COMPILED = ".numba"  # the folder in which numba keeps what it has compiled
HANGS = "does not come to an end"
#: Loaded once, before the forks.
HEAVY = ("numpy", "amaranth.hdl", "amaranth.sim", "amaranth.lib.crc", "amaranth.lib.fifo")


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: the test that caught it, or None; after how many seconds."""

    fault: Fault
    caught: str | None
    seconds: float


def copy_tree(to: Path) -> None:
    """The files that git knows, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if (source := ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to / name)


def first_failure(tree: Path, tests: tuple[str, ...]) -> str | None:
    """Run tests of the tree up to the first one that fails, and name it.

    In a fork of this process, which has loaded the heavy packages, and nothing of the tree: half of the time is saved.
    """
    log = tree / "pytest.log"
    if (child := os.fork()) == 0:
        try:
            code = _run_tests(tree, tests, log)
        except BaseException:
            traceback.print_exc()
            code = 3  # pytest's for an internal error
        finally:
            os._exit(code)  # whatever happens: this process must not go on with what the parent does
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return f"{tests[0]}: {HANGS}"
    if (code := os.waitstatus_to_exitcode(status)) == 0:
        return None
    said = log.read_text(encoding="utf-8")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    if failed is None:
        raise SystemExit(f"pytest {' '.join(tests)} ended with {code}:\n{said[-2000:]}")
    return failed[1]


def _run_tests(tree: Path, tests: tuple[str, ...], log: Path) -> int:
    """What the forked process does: pytest's code, or its end by the alarm."""
    with log.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        os.chdir(tree)
        roots = [str(tree / root) for root in ROOTS]
        left = {str(ROOT / root) for root in ROOTS}  # the environment may be below ROOT, too
        sys.path[:] = [*roots, *(entry for entry in sys.path if entry not in left)]
        os.environ["PYTHONPATH"] = os.pathsep.join(roots)
        os.environ["NUMBA_CACHE_DIR"] = str(tree / COMPILED)
        # A file of the same size and second would be taken for the one that was compiled before.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        signal.alarm(LIMIT)
        code = pytest.main(["-x", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *tests])
        signal.alarm(0)
        sys.stdout.flush()
    return int(code)


def plant(tree: Path, fault: Fault, quick: bool) -> Outcome:
    """Run the tests against one fault in the tree, which is as before afterwards."""
    began = time.monotonic()
    file = tree / fault.file
    right = file.read_text(encoding="utf-8")
    if fault.file.endswith("compiled.py"):
        shutil.rmtree(tree / COMPILED, ignore_errors=True)  # or the code of the right one would run
    file.write_text(fault.apply(right), encoding="utf-8")
    try:
        stages = (fault.tests, *(() if quick else WIDER[fault.file.partition("/")[0]]))
        caught = next(filter(None, (first_failure(tree, stage) for stage in stages)), None)
    finally:
        file.write_text(right, encoding="utf-8")
        if fault.file.endswith("compiled.py"):
            shutil.rmtree(tree / COMPILED, ignore_errors=True)
    return Outcome(fault, caught, time.monotonic() - began)


def table(outcomes: list[Outcome]) -> str:
    """The page of the documentation."""
    caught = sum(o.caught is not None for o in outcomes)
    rows = [f"| `{_short(o.fault.file)}` | {o.fault.what} | `{_named(o)}` |" for o in outcomes]
    head = (ROOT / "tests/faults/head.md").read_text(encoding="utf-8")
    summary = f"**{caught} of {len(outcomes)} planted faults are caught.**"
    return "\n".join((head, summary, "", "| file | fault | caught by |", "|---|---|---|", *rows, ""))


def _short(file: str) -> str:
    return file.partition("/")[2]


def _named(outcome: Outcome) -> str:
    return "nothing" if outcome.caught is None else outcome.caught.removeprefix("tests/").replace("|", "\\|")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="TEXT", default="", help="faults whose words or file contain this")
    parser.add_argument("--quick", action="store_true", help="run only the tests that each fault names")
    parser.add_argument("--table", metavar="FILE", type=Path, help="write the page of the documentation")
    options = parser.parse_args()
    faults = [f for f in read_faults() if options.only in f.what or options.only in f.file]
    if not faults:
        parser.error(f"no fault has {options.only!r} in its words or file")
    for package in HEAVY:
        importlib.import_module(package)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="autapse-faults-") as name:
        tree = Path(name)
        copy_tree(tree)
        for fault in faults:
            fault.apply((tree / fault.file).read_text(encoding="utf-8"))  # all are sound, or none is run
        for fault in faults:
            outcomes.append(outcome := plant(tree, fault, options.quick))
            verdict = outcome.caught or "SURVIVES"
            print(f"{outcome.seconds:5.1f} s  {_short(fault.file)}: {fault.what}: {verdict}", flush=True)
        used = tuple(sorted({o.caught for o in outcomes if o.caught is not None and HANGS not in o.caught}))
        if used and (failed := first_failure(tree, used)) is not None:
            print(f"{failed} fails without a fault, too", file=sys.stderr)
            return 2
    survivors = [o for o in outcomes if o.caught is None]
    seconds = sum(o.seconds for o in outcomes)
    print(f"{len(outcomes) - len(survivors)} of {len(outcomes)} planted faults caught in {seconds:.0f} s")
    if options.table is not None:
        options.table.write_text(table(outcomes), encoding="utf-8")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
