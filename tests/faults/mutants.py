"""The netlists of some small cores, with mutations that yosys chooses, and what the bench of `core_farm` says of each.

All mutations of a core are in one netlist: its port ``mutation`` has the number of the one that is active, 0 for none.
So Verilator compiles it once, and each mutation is a run.
"""

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from amaranth.back import rtlil
from core_farm import TOP, Farm, compile_farm
from designs import Design

from autapse.network import Network
from autapse.quantize import quantize
from autapse_hw.lanes import FORMS, GENERIC, LaneForm
from autapse_hw.tiling import Tiling
from autapse_sim.verilog import run_yosys

#: Rounds of the bench, and steps of each.
ROUNDS, STEPS = 800, 12
LIMIT = 60  # seconds of a run; the bench counts cycles, so only a simulation that does not settle takes so long
PORT = "mutation"
# Mutations more than are used: those of a memory's read enable, which is 1, yosys cannot write as Verilog.
_SPARE = 4
#: From a clear to the first state, and from a state that is read to the next; as the program takes and gives them.
Cycles = tuple[str, str]
_LINE = re.compile(
    r"-ctrl \S+ \d+ (?P<number>\d+) -mode (?P<mode>\w+) .*-cell (?P<cell>\S+) -port (?P<port>\S+) -portbit (?P<bit>\d+)"
)
_SOURCE = re.compile(r"-src \S*?/(autapse_hw/[\w/]+\.py|amaranth/[\w/]+\.py):(\d+)")
_WIRE = re.compile(r"-wire (\S+) -wirebit (\d+)")
# Where a part of the core is written, for the few cells that do not say it.
_FILES = {
    "": "core.py",
    "store": "state.py",
    "arrived": "buffers.py",
    "reader": "state_reader.py",
    "bank": "memories.py",
}


@dataclass(frozen=True)
class Mutation:
    """One of a core.

    Attributes
    ----------
    core, number
        The core's name, and the value of the port that makes it active.
    mode
        ``inv``, ``const0``, ``const1``; ``cnot0`` and ``cnot1`` invert a bit if another one of the same port is 0 or 1.
    part
        The component, as ``store.reader``; empty for the core itself.
    place
        Bit of a net or, where that has no name, of a cell's port.
    file, line
        Of the gateware; line 0 where yosys does not know it.
    command
        Yosys's own.
    """

    core: str
    number: int
    mode: str
    part: str
    place: str
    file: str
    line: int
    command: str


def _network(seed: int, units: int, inputs: int, outputs: int, **options: object) -> Network:
    rng = np.random.default_rng(seed)
    leaky = bool(options.pop("leaky", False))
    return Network(
        W=rng.normal(size=(units, units)) * 1.4 / np.sqrt(units),
        W_in=rng.normal(size=(units, inputs)),
        b=0.3 * rng.normal(size=units),
        W_out=rng.normal(size=(outputs, units)),
        b_out=0.3 * rng.normal(size=outputs),
        d=rng.choice([-0.9, 0.5, 0.5 + 2**-6, 0.75, 1.0], units) if leaky else None,
        g=rng.choice([-0.5, 0.25 + 2**-9, 0.5, 1.0], units) if leaky else None,
        h0=rng.uniform(-0.9, 0.9, units),
        **options,
    )


def cores() -> dict[str, Design]:
    """Small cores by name, which together have every part of the core."""
    words = {"weight_bits": 6, "state_bits": 7, "input_bits": 6}
    booth = replace(FORMS["booth"], memory="generic")
    cut = replace(GENERIC, segment_bits=6)  # sums of several carry chains
    wide = _network(5, 4, 1, 1, activation="hardtanh")
    tiled = _network(2, 7, 3, 2)
    leaky = _network(1, 5, 2, 2, leaky=True)
    current = _network(3, 4, 3, 1, leaky=True, activation="sigmoid", form="current")
    current = replace(current, W_in=4 * current.W_in)  # states that saturate
    stack = _network(4, 7, 2, 3, activation="relu", layers=(4, 3))

    def design(net: Network, tiling: str, form: LaneForm, **options: object) -> Design:
        return Design(quantize(net, **{**words, **options}), Tiling.of(tiling), form)

    return {
        "leaky": design(leaky, "2*2", GENERIC, table="linear", guard_bits=2, state_range=1.5),
        "tiled": design(tiled, "4x4/2*3", booth, table="quadratic", state_bits=8),
        "current": design(current, "4x2/2", GENERIC, state_range=2.0),
        "stack": design(stack, "3x2", cut, state_range=3.0),
        "wide": design(wide, "5x5*2", cut, input_range=6.0),
    }


def mutate(folder: Path, name: str, design: Design, count: int, seed: int) -> tuple[Path, list[Mutation]]:
    """The program of a core with so many mutations, compiled in the `folder`, and what they are."""
    farm = Farm([design])
    (folder / "farm.il").write_text(rtlil.convert(farm, name=TOP), encoding="utf-8")
    asked = count + _SPARE
    bits = asked.bit_length()
    script = f"read_rtlil farm.il; hierarchy -top {TOP}; prep -flatten -top {TOP}; write_rtlil flat.il; "
    script += f"mutate -list {asked} -seed {seed} -ctrl {PORT} {bits} 1 -o mutations.ys"
    run_yosys(folder, "list.log", script, "yosys does not list mutations")
    listed = (folder / "mutations.ys").read_text().splitlines()
    commands = [command for command in listed if "-port RD_EN " not in command][:count]
    (folder / "mutations.ys").write_text("\n".join(commands) + "\n")
    script = "read_rtlil flat.il; script mutations.ys; write_verilog -noattr farm.v"
    run_yosys(folder, "mutate.log", script, "yosys does not mutate the netlist")
    found = [_parse(name, command) for command in commands]
    return compile_farm(folder, farm, (folder / "farm.v").read_text()), found


def _parse(core: str, command: str) -> Mutation:
    if (found := _LINE.search(command)) is None:
        raise ValueError(f"yosys's mutations name a cell, a port and a bit; not {command!r}")
    path = re.sub(r"^\$flatten|\\|\bU\$0\.", "", found["cell"]).split(".")
    part = ".".join(name for name in path[:-1] if name != "engine")
    sources = _SOURCE.findall(command)  # of the net, then of the cell
    own = [source for source in sources if source[0].startswith("autapse_hw")] or sources
    file, line = own[-1] if own else (_file_of(part), 0)
    wire = _WIRE.search(command)
    place = f"{wire[1].rpartition('.')[2]}[{wire[2]}]" if wire else f"{path[-1]}.{found['port']}[{found['bit']}]"
    return Mutation(core, int(found["number"]), found["mode"], part, place, file, int(line), command)


def _file_of(part: str) -> str:
    name = part.rpartition(".")[2].rstrip("_0123456789")
    return "amaranth/lib/fifo.py" if name == "queue" else f"autapse_hw/{_FILES.get(name, f'{name}.py')}"


def run(program: Path, file: Path, number: int, cycles: Cycles = ("0", "0")) -> tuple[str | None, Cycles]:
    """What the bench says first of a mutation, or None; and the cycles that loading and reading take.

    If they are given, it is a difference, too, if the mutation changes them.
    """
    command = [program, "1", str(number), "1", *cycles, file]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "the simulation does not end", cycles
    bad, *took, first = done.stdout.split(maxsplit=5)[2:]
    return first.strip() if int(bad) else None, (took[0], took[1])
