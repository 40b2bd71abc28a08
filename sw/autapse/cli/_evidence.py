"""A circuit that is compared with the integer model: of a build, whose folder keeps what was found, or another."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autapse.cli._common import read_lanes, read_quantized
from autapse.errors import AutapseError
from autapse.evidence import Evidence, record
from autapse.quantized import QuantizedNetwork, load_quantized

if TYPE_CHECKING:
    from autapse_hw.tiling import Tiling
    from autapse_sim.verify import Verification


@dataclass(frozen=True)
class Circuit:
    """A network on lanes; `folder` is the build that it is from, if it is from one."""

    q: QuantizedNetwork
    tiling: Tiling
    form: str
    folder: Path | None

    @classmethod
    def of(cls, path: Path, lanes: str | None = None, form: str | None = None) -> Circuit:
        """Of a quantised network, 8 generic lanes unless given; or of a build folder, which has its own."""
        if not path.is_dir():
            q = read_quantized(path)
            return cls(q, read_lanes(lanes or "8", q), form or "generic", None)
        from autapse_boards import Report
        from autapse_hw.tiling import Tiling

        report = Report.load(path)
        if lanes is not None or form is not None:
            raise AutapseError(f"{path}: a build has its own lanes, {report.tiling} of form {report.lane_form}")
        q = load_quantized(path / report.files["network"])
        return cls(q, Tiling.of(report.tiling), report.lane_form, path)

    def verify(self, steps: int, progress: Callable[[str], None], seed: int = 0) -> Verification:
        """Compare the RTL with the model, and keep what was found; AutapseError if they differ."""
        from autapse_sim import verify

        found = verify(self.q, lanes=self.tiling, form=self.form, steps=steps, seed=seed, progress=progress)
        self.keep(found)
        if not found.ok:
            raise AutapseError(f"the circuit differs from the model: {found.first[0]}")
        return found

    def keep(self, found: Verification) -> None:
        """Put what was found into the build folder."""
        words = f"{self.tiling} lanes, {self.form}" + (f", {found.family}" if found.family else "")
        self.record(
            found.level, words, found.steps, found.comparisons, found.mismatches, found.cycles_per_step, found.seconds
        )

    def record(
        self,
        level: str,
        words: str,
        steps: int,
        comparisons: int,
        mismatches: int,
        cycles_per_step: int | None,
        seconds: float,
    ) -> None:
        """The same of any comparison; see :class:`autapse.evidence.Evidence`. Nothing without a folder."""
        if self.folder is not None:
            date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            model = self.q.model_hash().hex()
            counts = (steps, comparisons, mismatches)
            record(self.folder, Evidence(level, model, words, *counts, cycles_per_step, round(seconds, 3), date))
