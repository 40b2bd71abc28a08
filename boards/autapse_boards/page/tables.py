"""The words and tables of the page: what is in a build, for a reader."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autapse.errors import AutapseError
from autapse.evidence import Evidence
from autapse.quantized import QuantizedNetwork
from autapse_boards.boards import BOARDS
from autapse_boards.flash import plan
from autapse_boards.page.findings import Comparison, task_of
from autapse_boards.programmers import COMMANDS
from autapse_boards.report import Hop, Report, uses

#: A serial port as Linux names the one of a board; the reader's own may have another number.
PORT = "/dev/ttyUSB1"

# What a network's `info` may hold, in the order in which it is told; other entries follow under their own names.
_ORIGINS = {
    "name": "name",
    "source": "file",
    "format": "format of the file",
    "layers": "layers",
    "task": "task",
    "command": "made by",
    "seed": "seed of the training",
    "updates": "updates",
    "score": "score after training",
    "licence": "licence",
}
#: The rungs that a circuit is compared on, with the words for them and the command that climbs each.
RUNGS = {
    "rtl": ("The RTL", "simulated by Verilator", "autapse verify {folder}"),
    "gates": ("The synthesised cells", "simulated by Verilator", "autapse verify {folder} --level gates"),
    "bitstream": (
        "The bitstream, decompiled",
        "simulated by Verilator",
        "autapse verify {folder} --level bitstream",
    ),
    "link": ("The board behind its serial line", "", "autapse demo"),
}


@dataclass(frozen=True)
class Rung:
    """One step of the verification ladder: what is compared, and what was found, or the command that would find it."""

    what: str
    how: str
    found: Evidence | None
    command: str


def rungs(evidence: Sequence[Evidence], folder: Path) -> list[Rung]:
    """Every rung that there is, in order; what was never run has no finding."""
    known = {e.level: e for e in evidence}
    place = shlex.quote(str(folder))
    named = [
        Rung(what, how, known.pop(level, None), command.format(folder=place))
        for level, (what, how, command) in RUNGS.items()
    ]
    return [*named, *(Rung(e.level, "", e, "") for e in known.values())]


def origin(q: QuantizedNetwork) -> list[tuple[str, str]]:
    """What the network is, and where it came from as far as its file says."""
    net, info = q.network, dict(q.network.info)
    rows = [
        ("size", f"{net.units} units, {net.inputs} inputs, {net.outputs} outputs"),
        ("update", f"{net.activation}, {'leaky' if q.leaky else 'plain'}"),
    ]
    if (task := task_of(net)) is not None:
        rows.append(("what it does", task.summary))
    rows += [(label, info.pop(key)) for key, label in _ORIGINS.items() if key in info] + sorted(info.items())
    if not net.info:
        rows.append(("origin", "the network's file does not say"))
    return [*rows, ("hash of its integers", q.model_hash().hex())]


def formats(q: QuantizedNetwork) -> list[tuple[str, int, int, str, str]]:
    """Quantity, bits, fraction bits, step and range of every format."""
    f = q.formats
    named = {
        "inputs x": f.x,
        "state h, as multiplied": f.h,
        "state, as kept": f.state,
        "recurrent weights W": f.W,
        "input weights W_in": f.W_in,
        "readout weights W_out": f.W_out,
        "accumulator": f.acc,
        "outputs z": f.z,
        "decay and gain": f.leak,
    }
    if f.state == f.h:
        del named["state, as kept"]
    return [(n, a.bits, a.frac, _power(a.frac), f"±{a.max_value:.6g}") for n, a in named.items() if a is not None]


def proof(report: Report) -> list[str]:
    """Why no sum can overflow, in words, with this network's figures."""
    p = report.overflow_proof
    most = max(p["largest_state_row"], p["largest_readout_row"])
    return [
        "Products are added exactly: nothing is rounded or cut before a row's sum is complete. Whatever the inputs and "
        "the state are, the sum of a row and every partial sum on the way to it is at most the magnitude of its bias, "
        "plus the magnitudes of its weights, each times the largest operand that its format can hold.",
        f"Over all rows of the state that bound is {p['largest_state_row']:,}, over those of the readout "
        f"{p['largest_readout_row']:,}. A number of up to {most:,} needs {p['bits_needed']} bits with its sign; the "
        f"accumulator has {p['accumulator_bits']} and holds ±{p['accumulator_max']:,}, "
        f"{p['accumulator_max'] / most:.2f} times as much. So it cannot overflow, for any input, at any step.",
        "Inputs outside their range saturate, and the device counts them.",
    ]


def scores(c: Comparison) -> list[tuple[str, str, str]]:
    """Score, float, fixed."""
    return [(name, f"{one:.4f}", f"{two:.4f}") for name, (one, two) in c.scores.items()]


def errors(c: Comparison) -> list[tuple[str, str, str]]:
    """RMS and largest difference by output, where it counts."""
    rows = [(f"channel {k + 1}", f"{c.rms(k):.5f}", f"{c.largest(k):.5f}") for k in range(c.z_fixed.shape[2])]
    return [*rows, ("all", f"{c.rms():.5f}", f"{c.largest():.5f}")] if len(rows) > 1 else rows


def legs(hops: Sequence[Hop]) -> list[tuple[str, float, str]]:
    """The slowest path by signals: name, nanoseconds spent on the way to it, and on what; no name is repeated."""
    found: list[tuple[str, float, dict[str, float]]] = []
    for hop in hops:
        name = hop.to or (found[-1][0] if found else "")
        if not found or found[-1][0] != name:
            found.append((name, 0.0, {}))
        name, sum_, kinds = found[-1]
        kinds[hop.kind] = kinds.get(hop.kind, 0.0) + hop.nanoseconds
        found[-1] = (name, sum_ + hop.nanoseconds, kinds)
    return [
        (name or "unnamed", ns, ", ".join(f"{kind} {part:.2f}" for kind, part in kinds.items() if part))
        for name, ns, kinds in found
    ]


def commands(folder: Path, report: Report) -> list[tuple[str, str]]:
    """What a user types, with what it does, to load the board and to stream."""
    place = shlex.quote(str(folder))
    rows = [("Load the board, and check what answers", f"autapse flash {place} --port {PORT}")]
    board = BOARDS.get(report.board)
    if board is not None:
        rows.append(("the same with the programmer alone", _programmer(folder)))
    stream = f"autapse stream --port {PORT} --baud {report.baud} --inputs x.npy -o z.npy"
    rows += [
        ("Stream inputs (time, inputs), outputs come back", stream),
        ("Without a board: the same design behind a pseudo-terminal", f"autapse virtual {place}"),
        ("Other weights in this bitstream, in seconds", f"autapse reweight {place} q2.npz"),
    ]
    return rows


def others(report: Report) -> str:
    """What is used besides logic."""
    return uses({name: use for name, use in report.resources.items() if name != "logic"})


def made_with(report: Report) -> str:
    """The tools and the time of each stage."""
    tools = "; ".join(f"{name}: {version.split(' (')[0]}" for name, version in report.tools.items())
    times = ", ".join(f"{stage.replace('_', ' ')} {seconds:.1f} s" for stage, seconds in report.seconds.items())
    return f"{tools}. Stages: {times}"


def wiring(report: Report) -> str:
    """Where the serial line is."""
    board = BOARDS.get(report.board)
    return "" if board is None else f"{board.title}: {board.wiring}, {report.baud:,} baud, 8N1."


def _programmer(folder: Path) -> str:
    try:
        loading = plan(folder)
    except AutapseError:  # a board without a memory to start from
        loading = plan(folder, "sram")
    return shlex.join((COMMANDS[loading.tool].names[0], *loading.command[1:]))


def _power(frac: int) -> str:
    """2**-frac with a raised exponent."""
    return "2" + str(-frac).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
