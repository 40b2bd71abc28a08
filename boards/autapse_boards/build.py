"""From a quantised network to a bitstream: elaborate, synthesise, place and route, pack; and choose the clock."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from autapse.errors import AutapseError, ToolFailedError
from autapse.files import folder_beside
from autapse.protocol import ANSWER_OVERHEAD, REQUEST_OVERHEAD, wire_bytes
from autapse.quantized import QuantizedNetwork
from autapse_boards.board import Board, baud_rate, get_board
from autapse_boards.fit import Plan, fit
from autapse_boards.flow import Flow
from autapse_boards.limits import clock_limit
from autapse_boards.pll import Clocking, rates_up_to
from autapse_boards.report import REPORT_FILE, Attempt, Report
from autapse_boards.timing import Timing
from autapse_boards.tools import Progress
from autapse_hw.tiling import Tiling

_TRIES = 3
# A faster clock is worth another run only from this gain on.
_GAIN = 1.04
# Below a clock that was missed: first a little under what was achieved, on the last try surely under it.
_MARGINS = {2: 0.97, 3: 0.91}


@dataclass(frozen=True)
class _Best:
    clocking: Clocking
    timing: Timing
    folder: Path


def build(
    q: QuantizedNetwork,
    board: str | Board,
    out: str | os.PathLike[str],
    *,
    lanes: int | str | Tiling | None = None,
    form: str | None = None,
    sequences: int | None = None,
    frequency: float | None = None,
    seed: int = 1,
    upload: bool = False,
    trace: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Build `q` for `board` into the folder `out`, which appears only when everything succeeded.

    Parameters
    ----------
    board
        A name from :data:`BOARDS`, or a :class:`Board`.
    lanes
        Multiply-accumulators: how many rows, or a :class:`~autapse_hw.tiling.Tiling` or its text, like ``8x2``; those
        that make the fastest step and fit, unless given.
    form
        How the lanes are built, one of the board's `forms`; the first that takes the word lengths, unless given.
    sequences
        Independent states that take turns; those of `lanes`, or one, unless given.
    frequency
        Clock in Hz that the PLL must not exceed. Unless given, the fastest that meets timing, found in at most three
        runs of place-and-route.
    seed
        Of the placement. The same network, board, options and tool versions give the same bitstream.
    upload
        Whether a host can put other weights and biases into the running device; :meth:`autapse.link.Device.upload`.
    trace
        Whether a host can read from which pre-activations the states were made; :meth:`autapse.link.Device.read_trace`.
    progress
        Called with a line at each stage.

    Raises
    ------
    AutapseError
        Unknown board, a folder that is not ours, or a frequency that the board cannot make or the design not meet.
    ValueError
        Lanes, sequences or a form that the network or the board cannot have.
    DoesNotFitError
        Before synthesis, naming the resource; ToolFailedError and MissingToolError from the tools.
    """
    board = get_board(board)
    plan = fit(q, board, lanes, form, sequences, upload=upload, trace=trace)
    tell = progress or (lambda line: None)
    if plan.reason:
        tell(f"weights in SPRAM, to be uploaded after switching on: {plan.reason}")
    target = Path(out)
    with folder_beside(target, REPORT_FILE) as work:
        flow = Flow(q, board, plan.tiling, plan.form, tell, plan.storage, trace=trace)
        attempts: list[Attempt] = []
        best = _search(flow, work, plan, frequency, seed, attempts)
        bitstream = flow.pack(best.folder)
        files = {"bitstream": bitstream, "network": "q.npz", **flow.files}
        for name in [*files.values(), *flow.logs]:
            if (best.folder / name).is_file():
                (best.folder / name).rename(work / name)
        for tried in work.glob("try*"):
            shutil.rmtree(tried)
        q.save(work / "q.npz")
        report = _report(q, board, plan, best, attempts, flow, files)
        report.save(work)
    return report


def usable_rates(board: Board, limit_hz: float) -> list[Clocking]:
    """PLL settings up to `limit_hz`, fastest first, whose clock also makes a baud rate of the board's bridge."""
    fastest = clock_limit(board.part).hz or limit_hz
    rates = rates_up_to(board.family, board.clock_hz, min(limit_hz, fastest))
    return [r for r in rates if board.bridge.best_rate(float(r.frequency)) is not None]


def first_rate(board: Board, plan: Plan, wanted_hz: float | None) -> Clocking:
    """The fastest usable clock up to `wanted_hz`, or to what is expected of the plan; AutapseError if there is none."""
    rates = usable_rates(board, plan.expected_hz if wanted_hz is None else wanted_hz)
    if not rates:
        raise AutapseError(
            f"{board.name} cannot make a clock of at most {(wanted_hz or 0) / 1e6:g} MHz: "
            f"its own is {board.clock_hz / 1e6:g} MHz"
        )
    return rates[0]


def _search(flow: Flow, work: Path, plan: Plan, frequency: float | None, seed: int, attempts: list[Attempt]) -> _Best:
    """The fastest design that met timing. With a given frequency the seed is varied, else the frequency."""
    clocking, best, missed = first_rate(flow.board, plan, frequency), None, float("inf")
    for number in range(1, _TRIES + 1):
        tried = seed if frequency is None else seed + number - 1
        start = time.monotonic()
        if number == 1 or frequency is None:  # another seed places the same netlist
            folder = work / f"try{number}"
            folder.mkdir()
            flow.elaborate(clocking, folder)
            flow.synthesise(folder)
        timing = flow.place_route(folder, tried)
        clock = float(clocking.frequency)
        attempts.append(Attempt(clock, timing.allowed_hz, tried, round(time.monotonic() - start, 3)))
        flow.tell(f"{clock / 1e6:.2f} MHz tried, {timing.allowed_hz / 1e6:.2f} MHz achieved")
        if attempts[-1].met:
            if best is None or clocking.frequency > best.clocking.frequency:
                best = _Best(clocking, timing, folder)
            if frequency is not None:
                break
            following = usable_rates(flow.board, min(timing.allowed_hz, missed * 0.999))
            if not following or following[0].frequency < _GAIN * best.clocking.frequency:
                break
            clocking = following[0]
        else:
            missed = min(missed, clock)
            if best is not None:
                break
            if frequency is None:
                limit = timing.allowed_hz * _MARGINS.get(number + 1, 1.0)
                following = usable_rates(flow.board, min(limit, missed * 0.999))
                if not following:
                    break
                clocking = following[0]
    if best is None:
        reached = max(a.fmax_hz for a in attempts)
        raise ToolFailedError(
            f"timing is not met on {flow.board.name}: {attempts[-1].clock_hz / 1e6:.2f} MHz wanted, "
            f"{reached / 1e6:.2f} MHz achieved; ask for a lower frequency or fewer lanes"
        )
    return best


def _report(
    q: QuantizedNetwork,
    board: Board,
    plan: Plan,
    best: _Best,
    attempts: list[Attempt],
    flow: Flow,
    files: dict[str, str],
) -> Report:
    """The figures of a finished build."""
    from autapse_hw.system import identity_of
    from autapse_hw.uart import baud_error

    clock = float(best.clocking.frequency)
    schedule = plan.schedule
    identity = identity_of(q, plan.tiling, clock, plan.storage, trace=flow.trace)
    cycles = schedule.cycles_per_step
    frames = (identity.step_input_bytes + REQUEST_OVERHEAD, identity.step_output_bytes + ANSWER_OVERHEAD)
    bits = 10 * sum(wire_bytes(n) for n in frames)
    timing = best.timing
    baud = baud_rate(board, clock)
    return Report(
        board=board.name,
        device=board.device,
        model_hash=q.model_hash().hex(),
        units=q.units,
        inputs=q.inputs,
        outputs=q.outputs,
        lanes=plan.tiling.lanes,
        tiling=str(plan.tiling),
        lane_form=plan.form,
        formats=q.formats.to_dict(),
        activation=q.activation.describe(),
        overflow_proof=q.overflow_proof(),
        clock_hz=clock,
        fmax_hz=timing.allowed_hz,
        timing_hz=timing.fmax_hz,
        clamped_by=timing.clamped_by,
        limits=timing.limits,
        critical_path=timing.path,
        cycles_per_step=cycles,
        stall_cycles=schedule.stall,
        filling_sequences=schedule.filling_sequences,
        steps_per_second=clock / cycles,
        step_seconds=cycles / clock,
        baud=baud,
        baud_error=baud_error(clock, baud),
        round_trip_seconds=bits / baud + cycles / clock,
        estimated=asdict(plan.needed),
        resources=timing.resources,
        seconds={stage: round(seconds, 3) for stage, seconds in flow.seconds.items()},
        attempts=tuple(attempts),
        tools={tool.name: tool.version for tool in flow.tools.values()},
        files=files,
        storage=plan.storage,
        trace=flow.trace,
    )
