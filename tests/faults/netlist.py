"""Mutate the synthesised netlist of cores with yosys, and count what the comparison with the model catches.

yosys's ``mutate`` inverts a pin of a cell, ties it to a constant, or lets another bit control it; the places are drawn
evenly over cells, wires and source lines. All mutations are in one netlist, and an input ``mutsel`` chooses one, so
that it is compiled once. For what survives, yosys tries to prove that the mutated netlist equals the right one.
"""

import argparse
import re
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from amaranth.back import rtlil  # noqa: E402
from core_farm import TOP, Farm, compile_farm, run_farm, write_rounds  # noqa: E402 - the folder above
from designs import Design  # noqa: E402

from autapse.errors import ToolFailedError  # noqa: E402
from autapse.network import Network  # noqa: E402
from autapse.quantize import quantize  # noqa: E402
from autapse_hw.names import plain_names  # noqa: E402
from autapse_hw.tiling import Tiling  # noqa: E402
from autapse_sim.models import gate_models  # noqa: E402
from autapse_sim.verilog import run_yosys  # noqa: E402

COUNT = 200
SEED = 1
ROUNDS, STEPS = 60, 40
_SYNTHESIS = f"read_rtlil core.il; synth_ice40 -device hx -top {TOP}; delete t:$scopeinfo; opt_clean -purge"


_BASE = (
    "read_verilog -lib +/ice40/cells_sim.v; read_rtlil mutated.il; "
    "techmap -autoproc -map +/ice40/cells_sim.v t:SB_LUT4 t:SB_CARRY t:SB_DFF*; opt_clean; write_rtlil base.il"
)


@dataclass(frozen=True)
class Mutation:
    """One of yosys's mutations: its number, and its words."""

    number: int
    text: str

    def _option(self, name: str) -> str:
        return re.search(rf"-{name} (\S+)", self.text)[1]  # type: ignore[index]

    @property
    def mode(self) -> str:
        """``inv``, ``const0``, ``const1``, ``cnot0`` or ``cnot1``."""
        return self._option("mode")

    @property
    def place(self) -> str:
        """The pin."""
        return f"{self._option('cell').replace('$', '')}.{self._option('port')}[{self._option('portbit')}]"


def designs() -> list[Design]:
    """Two small cores with what a core can have: tiles, a table; columns, drains, sequences, leak and guard bits."""
    rng = np.random.default_rng(SEED)

    def network(units: int, inputs: int, outputs: int, **more: np.ndarray) -> Network:
        return Network(
            W=1.3 * rng.normal(size=(units, units)) / np.sqrt(units),
            W_in=rng.normal(size=(units, inputs)),
            b=0.1 * rng.normal(size=units),
            W_out=rng.normal(size=(outputs, units)),
            b_out=0.1 * rng.normal(size=outputs),
            h0=rng.uniform(-0.9, 0.9, units),
            **more,
        )

    plain = quantize(network(6, 2, 1), weight_bits=6, state_bits=6, input_bits=5)
    leaky = network(4, 1, 2, d=rng.uniform(0.5, 0.9, 4), g=rng.uniform(0.1, 0.5, 4))
    return [
        Design(plain, Tiling.of(4), "generic"),
        Design(quantize(leaky, weight_bits=5, state_bits=6, guard_bits=2), Tiling.of("6x2/2*2"), "generic"),
    ]


def mutated_source(folder: Path, farm: Farm, count: int, seed: int) -> tuple[str, list[Mutation]]:
    """Verilog of the netlist with `count` mutations and of its cells, and what they are."""
    (folder / "core.il").write_text(plain_names(rtlil.convert(farm, name=TOP)), encoding="utf-8")
    script = (
        f"{_SYNTHESIS}; mutate -list {count} -seed {seed} -ctrl mutsel {count.bit_length()} 1 -o mutations.ys; "
        "script mutations.ys; write_rtlil mutated.il; write_verilog -noattr mutated.v"
    )
    run_yosys(folder, "mutate.log", script, "yosys does not mutate the netlist")
    netlist = (folder / "mutated.v").read_text(encoding="utf-8")
    cells = re.findall(r"^  (SB_\w+) (?:#\(|\S+ +\()", netlist, re.MULTILINE)
    lines = (folder / "mutations.ys").read_text(encoding="utf-8").splitlines()
    return gate_models("ice40", cells) + netlist, [Mutation(k, line) for k, line in enumerate(lines, start=1)]


def survivors(folder: Path, farm: Farm, source: str, mutations: list[Mutation]) -> list[Mutation]:
    """The mutations under which all cores still equal the model."""
    program = compile_farm(folder, farm, source)
    files = [folder / f"core_{k}" for k in range(len(farm.designs))]
    for k, (file, design) in enumerate(zip(files, farm.designs, strict=True)):
        write_rounds(file, design, ROUNDS, STEPS, SEED + k)
    if any(result.mismatches for result in run_farm(program, files, SEED)):
        raise SystemExit("the netlist differs from the model without a mutation")
    return [m for m in mutations if not any(r.mismatches for r in run_farm(program, files, SEED, m.number))]


def is_equivalent(folder: Path, mutation: Mutation) -> bool:
    """Whether yosys proves, by induction over the registers, that the mutated netlist equals the right one."""
    if not (folder / "base.il").is_file():
        run_yosys(folder, "base.log", _BASE, "yosys does not take the netlist")
    choose = "; ".join(
        f"delete -port {name}/mutsel; cd {name}; connect -set mutsel {number}; cd .."
        for name, number in (("gold", 0), ("gate", mutation.number))
    )
    script = (
        f"read_rtlil base.il; copy {TOP} gold; rename {TOP} gate; {choose}; equiv_make gold gate equiv; "
        "hierarchy -top equiv; equiv_simple; equiv_induct; equiv_status -assert"
    )
    try:
        run_yosys(folder, f"equivalence_{mutation.number}.log", script, "not proved")
    except ToolFailedError as error:
        if "Unproven $equiv cells" not in str(error) and "not proved" not in str(error):
            raise
        return False
    return True


def main() -> int:
    """The command: exits with 1 where less than 95 % of the mutations are caught or change nothing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT, help="how many mutations")
    parser.add_argument("--table", metavar="FILE", type=Path, help="write the page of the documentation")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autapse-mutations-") as name:
        folder, farm = Path(name), Farm(designs())
        source, mutations = mutated_source(folder, farm, options.count, SEED)
        alive = survivors(folder, farm, source, mutations)
        proved = {m.number for m in alive if is_equivalent(folder, m)}
    text = page(farm, mutations, alive, proved)
    print(text)
    if options.table is not None:
        options.table.write_text(text, encoding="utf-8")
    return 0 if len(mutations) - len(alive) >= 0.95 * (len(mutations) - len(proved)) else 1


def page(farm: Farm, mutations: list[Mutation], alive: list[Mutation], proved: set[int]) -> str:
    """The page of the documentation."""
    caught = len(mutations) - len(alive)
    modes = Counter(m.mode for m in mutations)
    lines = [
        "# Mutations of the netlist",
        "",
        "Written by `make faults`; do not edit. A second source beside [the planted faults](faults.md): yosys's",
        "`mutate` on the iCE40 netlist of two small cores, simulated on Verilator against the integer model. A pin is",
        "inverted, tied to a constant, or controlled by another bit.",
        "",
        *(f"- {design}" for design in farm.designs),
        "",
        f"**{caught} of {len(mutations)} mutations are caught, {100 * caught / len(mutations):.1f} %**"
        f" ({', '.join(f'{count} {mode}' for mode, count in sorted(modes.items()))}; seed {SEED}).",
        f"Of the {len(alive)} that survive, {len(proved)} are proved to change nothing: yosys finds the netlist then",
        "equivalent by induction over its registers. Of the others no input of these runs shows a difference.",
    ]
    if alive:
        lines += ["", "| mutation | pin | why it survives |", "|---|---|---|"]
        lines += [
            f"| {m.mode} | `{m.place}` | {'equivalent, proved' if m.number in proved else 'not proved equivalent'} |"
            for m in alive
        ]
    return "\n".join((*lines, ""))


if __name__ == "__main__":
    warnings.simplefilter("ignore", RuntimeWarning)
    sys.exit(main())
