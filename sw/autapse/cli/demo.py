"""The main job in one command: weights, fixed point, bitstream, circuit, picture, and a (virtual) board."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from autapse.cli._common import BoardName, Json, emit, err, facts, is_quiet, out, working
from autapse.cli._evidence import Circuit
from autapse.cli.model import describe_quantized
from autapse.errors import AutapseError
from autapse.fixed import IntArray
from autapse.network import Network
from autapse.quantized import QuantizedNetwork

if TYPE_CHECKING:
    from autapse.tasks import Task, Trials

_NETWORK, _BOARD, _SEED = "flipflop_3bit", "icebreaker", 2026
_TRIALS, _VERIFY_STEPS = 1000, 1000
_STAGES = 5


@dataclass(frozen=True)
class _Level:
    """One row of the comparison."""

    name: str
    weight_bits: int | None
    state_bits: int | None
    score: dict[str, float]
    rms: float


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for what is made.")] = Path(
        "build/demo"
    ),
    board: BoardName = _BOARD,
    as_json: Json = False,
) -> None:
    """The whole chain on a trained network: float against fixed point, bitstream, circuit, board.

    The network holds three bits: each output keeps the sign of the last pulse at its input.

    Example: autapse demo -o demo --board ulx3s
    """
    from autapse.gallery import path
    from autapse.loading import load
    from autapse.plots import float_against_fixed
    from autapse.tasks import TASKS
    from autapse_boards import build
    from autapse_boards.page import write_page
    from autapse_sim import simulate

    output.mkdir(parents=True, exist_ok=True)
    task = TASKS["flipflop"]
    net = load(path(_NETWORK))
    trials = task.trials(_TRIALS, np.random.default_rng(_SEED))

    _stage(1, "float against fixed point", f"{_TRIALS:,} fresh trials of {trials.x.shape[1]} steps")
    with working("running", as_json) as say:
        levels, q = _compare(net, task, trials, say)
    q.save(output / "q.npz")
    if not as_json:
        out.print(_score_table(levels, task))
        out.print(facts(describe_quantized(q)))

    _stage(2, f"bitstream for {board}", "synthesis, place and route, timing")
    with working("building", as_json) as say:
        report = build(q, board, output / board, progress=say)

    _stage(
        3,
        "circuit against integer model",
        f"{report.tiling} lanes ({report.lane_form}), {_VERIFY_STEPS:,} steps, simulated by Verilator",
    )
    with working("verifying", as_json) as say:
        circuit = Circuit.of(output / board)
        proof = circuit.verify(_VERIFY_STEPS, say, _SEED)
        codes = q.quantize_inputs(trials.x[:1])[0][0]
        z = q.formats.z.dequantize(simulate(q, codes[None], lanes=report.tiling, form=report.lane_form, progress=say))

    _stage(4, "picture", "inputs, and the outputs in float and from the circuit")
    picture = output / "flipflop.png"
    title = f"3-bit flip-flop: float64 and {q.formats.W.bits}-bit circuit"
    float_against_fixed(picture, trials.x[0], net.run(trials.x[0]).z, z[0], title)

    _stage(5, "virtual board", "the same design behind a serial port, and the trial of the picture over the wire")
    with working("virtual board", as_json) as say:
        streamed = _stream(output / board, q, codes, say)

    circuit.record(
        "link",
        "the virtual board, over the protocol",
        streamed["steps"],
        streamed["steps"] * q.outputs,
        streamed["mismatches"],
        None,
        streamed["seconds"],
    )
    with working("report", as_json) as say:
        page = write_page(output / board, progress=say).file

    fixed = levels[1]
    rows = {
        "network": f"{net.units} units, {net.inputs} inputs, {net.outputs} outputs, trained on {task.name}",
        "float64": f"{levels[0].score[task.success.metric]:.2%} of the readout right",
        f"{fixed.weight_bits}-bit circuit": f"{fixed.score[task.success.metric]:.2%} of the readout right",
        "circuit = model": (
            f"{proof.mismatches} mismatches in {proof.comparisons:,} comparisons over {proof.steps:,} steps"
        ),
        "bitstream": str(output / board / report.files["bitstream"]),
        "clock": f"{report.clock_hz / 1e6:.2f} MHz; {report.allowed}",
        "speed": f"{report.steps_per_second:,.0f} steps/s: {report.cycles_per_step} cycles a step",
        "resources": ", ".join(f"{u.used} of {u.available} {k}" for k, u in report.resources.items() if u.available),
        "picture": str(picture),
        "report": f"{page}, to be opened in a browser",
        "virtual board": (
            f"{streamed['steps']} steps over its serial line, {streamed['mismatches']} outputs other than the model's, "
            f"{streamed['steps_per_second']:,.0f} steps/s simulated"
        ),
    }
    data: dict[str, Any] = {
        "levels": [vars(level) for level in levels],
        "verification": {**vars(proof), "comparisons": proof.comparisons},
        "build": report.to_dict(),
        "picture": str(picture),
        "report": str(page),
        "virtual_board": streamed,
    }
    if not as_json:
        out.rule("trained weights in, proven bitstream out")
    emit(as_json, data, lambda: facts(rows))


def _stream(build: Path, q: QuantizedNetwork, codes: IntArray, say: Any) -> dict[str, Any]:
    """Run input codes (time, inputs) on the virtual board of a build, step by step, as on a real one."""
    from autapse.link import Device, SerialTransport
    from autapse_sim import VirtualBoard

    with VirtualBoard.from_build(build, progress=say) as board:
        say(f"{len(codes)} steps on {board.port}")
        with Device(SerialTransport(board.port, 1_000_000), timeout=10.0) as device:
            began = time.perf_counter()
            z = device.run(codes)
            seconds = time.perf_counter() - began
    wrong = int((z != q.run_int(codes[None], record=False).z[0]).sum())
    if wrong:
        raise AutapseError(f"{wrong} outputs of the virtual board differ from the model's")
    return {
        "steps": len(codes),
        "mismatches": wrong,
        "seconds": seconds,
        "steps_per_second": len(codes) / seconds,
    }


def _stage(number: int, what: str, detail: str) -> None:
    if not is_quiet():
        err.rule(f"{number}/{_STAGES} {what}", align="left")
        err.print(detail)


def _compare(net: Network, task: Task, trials: Trials, say: Any) -> tuple[list[_Level], QuantizedNetwork]:
    """Scores in float64 and at several word lengths; the first fixed one is the one that is built."""
    from autapse.quantize import quantize

    say("float64")
    exact = net.run(trials.x).z
    levels = [_Level("float64", None, None, task.score(exact, trials), 0.0)]
    chosen = None
    for bits in (8, 6, 5, 4):
        say(f"{bits} bits")
        # Operands of 8 bits fit the small multipliers of the board, of which there are twice as many.
        q = quantize(net, weight_bits=bits, state_bits=bits, input_range=task.input_range, operand_bits=bits)
        z = q.readout(trials.x)  # the few samples outside the input range saturate
        rms = float(np.sqrt(np.mean((z - exact)[trials.mask] ** 2)))
        levels.append(_Level(f"{bits} bits", bits, bits, task.score(z, trials), rms))
        chosen = chosen or q
    assert chosen is not None
    return levels, chosen


def _score_table(levels: list[_Level], task: Task) -> Table:
    names = list(levels[0].score)
    table = Table("", *names, "RMS difference from float", title=task.summary, title_justify="left")
    for level in levels:
        scores = (f"{level.score[name]:.4f}" for name in names)
        table.add_row(level.name, *scores, f"{level.rms:.4f}" if level.weight_bits else "")
    return table
