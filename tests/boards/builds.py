"""Build folders without tools: what a page or a command reads of a build, and nothing that was placed."""

from pathlib import Path

from autapse.quantized import QuantizedNetwork
from autapse_boards import BOARDS, Report
from autapse_boards.limits import Limit
from autapse_boards.report import Attempt, Hop, Use
from autapse_hw.schedule import Schedule

PATH = (
    Hop("clk-to-q", 1.39, "system.core.engine.drain.left"),
    Hop("routing", 1.76, "system.core.engine.drain.turning"),
    Hop("logic", 1.23, "system.core.engine.drain.turning"),
    Hop("routing", 0.0, ""),
    Hop("logic", 0.28, ""),
    Hop("routing", 4.25, "system.link.frames.server.awaiting"),
    Hop("setup", 0.82, "system.link.frames.server.awaiting"),
)


def make_build(
    folder: Path, q: QuantizedNetwork, *, board: str = "icebreaker", tiling: str = "8x2", form: str = "mac8x8"
) -> Report:
    """Write ``report.json`` and ``q.npz`` into the new `folder`; see :func:`make_report`."""
    folder.mkdir()
    q.save(folder / "q.npz")
    report = make_report(q, board=board, tiling=tiling, form=form)
    report.save(folder)
    return report


def make_report(q: QuantizedNetwork, *, board: str = "icebreaker", tiling: str = "8x2", form: str = "mac8x8") -> Report:
    """A report whose figures of the tools are made up; those of the core are its own."""
    clock, schedule = 60e6, Schedule.of(q, tiling, form)
    return Report(
        board=board,
        device=BOARDS[board].device,
        model_hash=q.model_hash().hex(),
        units=q.units,
        inputs=q.inputs,
        outputs=q.outputs,
        lanes=schedule.tiling.lanes,
        tiling=tiling,
        lane_form=form,
        formats=q.formats.to_dict(),
        activation=q.activation.describe(),
        overflow_proof=q.overflow_proof(),
        clock_hz=clock,
        fmax_hz=67.9e6,
        timing_hz=67.9e6,
        clamped_by=None,
        limits=(Limit("block RAM", 150e6, "a data sheet"),),
        critical_path=PATH,
        cycles_per_step=schedule.cycles_per_step,
        steps_per_second=clock / schedule.cycles_per_step,
        step_seconds=schedule.cycles_per_step / clock,
        stall_cycles=schedule.stall,
        filling_sequences=schedule.filling_sequences,
        baud=12_000_000,
        baud_error=0.0,
        round_trip_seconds=24e-6,
        estimated={"logic": 2313, "dsps": 8, "rams": 16},
        resources={"logic": Use(2351, 5280), "dsps": Use(8, 8), "rams": Use(16, 30)},
        seconds={"elaborate": 2.2, "synthesis": 17.3, "place_route": 57.8},
        attempts=(Attempt(60e6, 67.9e6, 1, 38.0), Attempt(67.5e6, 67.2e6, 1, 40.3)),
        tools={"yosys": "Yosys 0.70 (git sha1 28ba3cb92)"},
        files={"bitstream": "top.bin", "network": "q.npz"},
    )
