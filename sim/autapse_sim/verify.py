"""The circuit against the integer model, exactly, for one network: the RTL, or the cells that it is synthesised to.

And the same as files for a user's own CI.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.errors import AutapseError, ToolFailedError
from autapse.files import folder_beside
from autapse.link import random_inputs
from autapse.quantized import QuantizedNetwork
from autapse_hw.core import Core
from autapse_hw.tiling import Tiling
from autapse_sim.gates import family_of, gates_source
from autapse_sim.simulator import bench_file, check_tools, run_bench
from autapse_sim.vectors import make_vectors
from autapse_sim.verilog import design_source

TOP = "autapse_core"
BENCH = "test_core"
LEVELS = ("rtl", "gates")
MARKER = "vectors.json"
Progress = Callable[[str], None]
_SEQUENCE = 100  # steps; the last sequence is shorter


@dataclass(frozen=True)
class Verification:
    """What a comparison found.

    Attributes
    ----------
    level
        ``rtl``, ``gates`` or ``bitstream``.
    family
        Whose cells were simulated, ``ice40`` or ``ecp5``; None at level ``rtl``.
    steps
        Steps of the network that were run.
    states, outputs
        Comparisons of state elements and of outputs.
    sums
        Comparisons at the core's retire port: each of a new state's step, unit, pre-activation, and whether that
        saturated. 0 where neither the port is simulated, nor a build with a trace.
    mismatches
        How many of them differed.
    first
        The first mismatches in words.
    cycles_per_step
        As counted in the simulation, with inputs waiting; None if no two steps followed each other, or over a serial
        line, which is slower.
    seconds
        Duration, compilation included.
    """

    level: str
    family: str | None
    steps: int
    states: int
    sums: int
    outputs: int
    mismatches: int
    first: tuple[str, ...]
    cycles_per_step: int | None
    seconds: float

    @property
    def comparisons(self) -> int:
        """All comparisons."""
        return self.states + self.sums + self.outputs

    @property
    def ok(self) -> bool:
        """Nothing differed, and something was compared."""
        return self.mismatches == 0 and self.comparisons > 0


def verify(
    q: QuantizedNetwork,
    *,
    lanes: int | str | Tiling,
    form: str = "generic",
    steps: int = 200,
    inputs: list[NDArray[np.int64]] | None = None,
    seed: int = 0,
    stalled: int = 2,
    level: str = "rtl",
    family: str | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Simulate the core of `q` on Verilator, and compare it with the integer model.

    Each state element after each step and each output is compared: with inputs always waiting, and again, for the
    first `stalled` sequences, with random pauses on both streams and a clear in the middle of a step.

    Parameters
    ----------
    lanes, form
        The core: how many lanes, or which tiling (:class:`autapse_hw.tiling.Tiling`), and of which form
        (:data:`autapse_hw.lanes.FORMS`); vendor cells are simulated.
    steps
        Steps of random input codes, in sequences of up to 100, each from h0.
    inputs
        Input codes to run instead, a list of (steps, inputs). With several sequences, step k is one of sequence
        ``k % sequences``.
    level
        ``rtl``, or ``gates``: what yosys makes of the core, of vendor cells only.
    family
        Of the cells, ``ice40`` or ``ecp5``; unless given, the one of the lane form, or ``ice40`` for the generic one.

    Raises
    ------
    MissingToolError, ToolFailedError
        A tool is missing, or the simulation did not run to its end. A mismatch is not an error: it is in the result.
    """
    began = time.monotonic()
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}; not {level!r}")
    if level == "rtl" and family is not None:
        raise ValueError(f"the RTL is of no family, and {family!r} was given; it is for level gates")
    cells = family_of(form, family) if level == "gates" else None
    check_tools()  # before the core is made: one that nobody elaborates is warned about
    sequences = inputs or random_sequences(q, steps, seed)
    result, _ = _simulate(Core(q, lanes, form), sequences, stalled, seed, progress, cells)
    cycles = result.pop("cycles_per_step")
    first = tuple(result.pop("first"))
    return Verification(
        level,
        cells,
        **result,
        first=first,
        cycles_per_step=max(cycles, default=None),
        seconds=time.monotonic() - began,
    )


def simulate(
    q: QuantizedNetwork,
    x: NDArray[np.int64],
    *,
    lanes: int | str | Tiling,
    form: str = "generic",
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """The output codes (batch, time, outputs) that the simulated core gives for input codes (batch, time, inputs).

    Raises AutapseError when they, or a state on the way, differ from the integer model's.
    """
    check_tools()
    result, outputs = _simulate(Core(q, lanes, form), list(x), 0, 0, progress)
    if result["mismatches"]:
        raise AutapseError(f"the circuit differs from the integer model: {result['first'][0]}")
    return np.array(outputs, dtype=np.int64).reshape(x.shape[0], x.shape[1], q.outputs)


def export(
    q: QuantizedNetwork, out: str | os.PathLike[str], *, lanes: int | str | Tiling, steps: int = 200, seed: int = 0
) -> None:
    """Write the core as plain Verilog, golden vectors, and a cocotb test of them that needs no Autapse.

    The folder `out` appears whole or not at all; one that an earlier export wrote is replaced.
    """
    with folder_beside(out, MARKER) as folder:
        sequences = random_sequences(q, steps, seed)
        write_bench(folder, Core(q, lanes), sequences, 2, seed)
        (folder / "run.py").write_text(bench_file("run.py"), encoding="utf-8")
        (folder / "README.md").write_text(bench_file("README.md"), encoding="utf-8")


def _simulate(
    core: Core,
    inputs: list[NDArray[np.int64]],
    stalled: int,
    seed: int,
    progress: Progress | None,
    family: str | None = None,
) -> tuple[dict[str, Any], list[list[int]]]:
    """Run the bench in a temporary folder, on cells if a `family` is given; its counts, and each sequence's outputs."""
    say = progress or (lambda message: None)
    with tempfile.TemporaryDirectory(prefix="autapse-") as name:
        folder = Path(name)
        say("writing Verilog and vectors" if family is None else f"synthesis for {family}")
        write_bench(folder, core, inputs, stalled, seed, family)
        say("compiling and simulating")
        try:
            run_bench(folder, top=TOP, module=BENCH)
        except ToolFailedError:
            if not (folder / "result.json").is_file() or not _read(folder)["mismatches"]:
                raise  # it failed for another reason than a mismatch
        return _read(folder), json.loads((folder / "outputs.json").read_text())


def write_bench(
    folder: Path, core: Core, inputs: list[NDArray[np.int64]], stalled: int, seed: int, family: str | None = None
) -> None:
    """Write the bench of `core` with its vectors into `folder`, ready to be run."""
    source = design_source(core, TOP) if family is None else gates_source(folder, core, TOP, family)
    (folder / f"{TOP}.v").write_text(source, encoding="utf-8")
    vectors = make_vectors(core.q, core.schedule, inputs, stalled, seed)
    (folder / MARKER).write_text(json.dumps(vectors), encoding="utf-8")
    (folder / f"{BENCH}.py").write_text(bench_file(f"{BENCH}.py"), encoding="utf-8")


def random_sequences(q: QuantizedNetwork, steps: int, seed: int) -> list[NDArray[np.int64]]:
    """So many steps of random input codes, in sequences of up to 100; ValueError unless it is at least one."""
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps!r}")
    rng = np.random.default_rng(seed)
    return [random_inputs(q, min(_SEQUENCE, steps - at), rng) for at in range(0, steps, _SEQUENCE)]


def _read(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result
