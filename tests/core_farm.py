"""Many cores in one simulation on Verilator, each against the integer model, without cocotb: a million states a second.

The cores share a clock and nothing else. Each runs its rounds: some cycles of a run that is then dropped by a clear, at
any point of a step; perhaps states from outside; a run that counts, with or without pauses on both streams; the state
as it is read out. Every state element, when it is written and when it is read, and every output is compared. Loading
and reading must take the same number of cycles each time.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from designs import Design, expected, random_codes

from autapse.fixed import shift_round
from autapse.reference import pre_activation
from autapse_hw.core import Core
from autapse_hw.schedule import Schedule
from autapse_sim.simulator import compile_program
from autapse_sim.verilog import design_source

MAIN = Path(__file__).with_suffix(".cpp")
TOP = "farm"


class Farm(wiring.Component):
    """Cores side by side; the ports of core k are named ``c{k}_...``."""

    def __init__(self, designs: list[Design]) -> None:
        self.designs = designs
        self.cores = [Core(d.q, d.tiling, d.form) for d in designs]
        self._ports = {
            f"c{k}_{'_'.join(path)}": (member, value)
            for k, core in enumerate(self.cores)
            for path, member, value in core.signature.flatten(core)
        }
        super().__init__({name: member for name, (member, _) in self._ports.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules += self.cores
        for name, (member, value) in self._ports.items():
            port = getattr(self, name)
            m.d.comb += value.eq(port) if member.flow is wiring.In else port.eq(value)
        return m

    def cpp(self) -> str:
        """The table of the cores' ports for the C++ program."""
        names = ("i_payload", "i_valid", "i_ready", "o_payload", "o_valid", "o_ready", "clear", "given")
        names += ("initial_payload", "initial_valid", "initial_ready", "dump", "state_payload", "state_valid")
        names += ("state_ready", "busy", "retire", "retire_value")
        names += ("retire_step", "retire_unit", "retire_sum", "retire_saturated")
        rows = [
            ", ".join(f"port(top.c{k}_{n}, {len(getattr(self, f'c{k}_{n}'))})" for n in names)
            for k in range(len(self.cores))
        ]
        return "\n".join(f"    {{{row}}}," for row in rows)


@dataclass(frozen=True)
class Found:
    """What one core was compared for: state elements, outputs, how many of both differed; and the first in words."""

    states: int
    outputs: int
    mismatches: int
    first: str


def compile_farm(folder: Path, farm: Farm, source: str | None = None) -> Path:
    """The program that simulates the farm; as the Verilog `source` where that is given."""
    main = MAIN.read_text().replace("/*PORTS*/", farm.cpp())
    return compile_program(folder, TOP, source or design_source(farm, TOP), main, "the farm did not compile")


def write_rounds(file: Path, design: Design, rounds: int, steps: int, seed: int) -> None:
    """The rounds of a core: conditions, inputs, and what the model makes of them."""
    q, sequences = design.q, design.tiling.sequences
    rng = np.random.default_rng(seed)
    codes = random_codes(q, (rounds, steps), rng)
    top = q.formats.state.max_code
    kind = rng.random(rounds)  # from h0, from states from outside, or on from the round before
    outside, joined = kind < 0.3, kind > 0.6
    joined[rounds - rounds // 16 :] = True  # many steps without a clear
    outside[joined] = False
    outside[0] = joined[0] = False
    start = rng.integers(-top, top, size=(rounds, sequences, q.units), endpoint=True)
    # Among them many at both ends, and some a bit away from the most negative word, which counts as its neighbour.
    near = (1 << rng.integers(0, q.formats.state.bits - 1, size=start.shape)) - (top + 1)
    start = np.choose(rng.choice([0, 1, 2], size=start.shape, p=[0.6, 0.2, 0.2]), [start, np.sign(start) * top, near])
    start[~outside] = q.h0
    h, z, last = expected(q, sequences, codes, start)
    for k in np.flatnonzero(joined):
        start[k] = last[k - 1]
        h[k], z[k], last[k] = (made[0] for made in expected(q, sequences, codes[k : k + 1], start[k : k + 1]))
    before = np.concatenate([start, h], axis=1)[:, :steps]  # of each step
    sums = pre_activation(q, before.reshape(-1, q.units), codes.reshape(-1, q.inputs)).reshape(h.shape)
    saturated = q.first_activation.saturated(shift_round(sums, q.pre_shift))
    stall, deaf = (rng.choice([0, 0, 0, 80, 240], rounds) for _ in range(2))  # of 256
    # Words of 64 bits: sizes, then round after round.
    sizes = (q.units, q.inputs, q.outputs, design.tiling.drains, sequences, steps, rounds, q.formats.state.bits)
    sizes += (Schedule.of(q, design.tiling, design.form).cycles_per_step,)
    flags = np.stack([outside, stall, deaf, joined], axis=1)
    parts = (flags, start, codes, h, z, last, 2 * sums + saturated)
    body = np.concatenate([np.asarray(p, np.int64).reshape(rounds, -1) for p in parts], axis=1)
    with file.open("wb") as out:
        np.array(sizes, np.int64).tofile(out)
        body.tofile(out)


def run_farm(program: Path, files: list[Path], seed: int) -> list[Found]:
    """Run the compiled farm on the cores' files."""
    done = subprocess.run(
        [program, str(seed), *"0000", *files], stdout=subprocess.PIPE, text=True, check=True, cwd=program.parent
    )
    rows = [line.split(maxsplit=5) for line in done.stdout.splitlines()]
    return [Found(int(states), int(outputs), int(bad), first) for states, outputs, bad, _, _, first in rows]
