"""A measured point of the devices' benchmark, and the figures that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from autapse_boards.limits import Limit
from autapse_boards.report import Hop, Use
from autapse_boards.timing import Timing
from autapse_hw.tiling import Tiling


@dataclass(frozen=True)
class Clocks:
    """What the seeds reached, in Hz.

    Attributes
    ----------
    fmax_hz
        Of each seed: nextpnr's, or the data sheet's limit where that is lower.
    timing_hz
        Of each seed, nextpnr's alone.
    clamped_by, no_figure_for
        The limit that lowered one of them, and the blocks for which the data sheet has none.
    resources
        Used and available.
    critical_path
        The slowest path of the median seed, the slower one of two.
    """

    fmax_hz: tuple[float, ...]
    timing_hz: tuple[float, ...]
    clamped_by: Limit | None
    no_figure_for: tuple[str, ...]
    resources: Mapping[str, Use]
    critical_path: tuple[Hop, ...]

    @classmethod
    def of(cls, timings: Sequence[Timing]) -> Clocks:
        """From the timing of each seed."""
        middle = sorted(timings, key=lambda t: t.allowed_hz)[(len(timings) - 1) // 2]
        return cls(
            tuple(t.allowed_hz for t in timings),
            tuple(t.fmax_hz for t in timings),
            next((t.clamped_by for t in timings if t.clamped_by is not None), None),
            tuple(limit.block for limit in middle.limits if limit.hz is None),
            middle.resources,
            middle.path,
        )

    @property
    def median_hz(self) -> float:
        """Of the seeds."""
        return median(self.fmax_hz)

    @property
    def best_hz(self) -> float:
        """Of the seeds."""
        return max(self.fmax_hz)


@dataclass(frozen=True)
class DeviceSpeed:
    """One point, measured. Speeds are at the median clock, with inputs waiting.

    Attributes
    ----------
    name, device, board, form, tiling
        The point, and its lanes.
    weight_bits, operand_bits, acc_bits
        Word lengths.
    cycles_per_step, counted_cycles
        By the formula; as counted in simulation, None if that was not wanted.
    useful_products
        Elements of the matrices.
    target_hz, seeds
        Given to place-and-route: the clock, the same for both designs, and the seeds.
    top, bare
        Clocks of the whole top, and of the bare datapath.
    seconds
        Of each stage, all seeds together; ``bare`` of all the tools for the bare datapath, ``count`` of the simulation.
    tools
        Versions.
    """

    name: str
    device: str
    board: str
    form: str
    tiling: Tiling
    weight_bits: int
    operand_bits: int
    acc_bits: int
    cycles_per_step: int
    counted_cycles: int | None
    useful_products: int
    target_hz: float
    seeds: tuple[int, ...]
    top: Clocks
    bare: Clocks
    seconds: Mapping[str, float]
    tools: Mapping[str, str]

    @property
    def lane_efficiency(self) -> float:
        """Useful products over lanes times cycles."""
        return self.useful_products / (self.tiling.lanes * self.cycles_per_step)

    @property
    def ratio(self) -> float:
        """Clock of the top over that of the bare datapath."""
        return self.top.median_hz / self.bare.median_hz

    @property
    def steps_per_second(self) -> float:
        """Of all sequences together."""
        return self.top.median_hz / self.cycles_per_step

    @property
    def step_seconds(self) -> float:
        """From a step of a sequence to its next."""
        return self.tiling.sequences / self.steps_per_second

    @property
    def peak_macs(self) -> float:
        """Products a second, of all lanes."""
        return self.tiling.lanes * self.top.median_hz

    @property
    def useful_macs(self) -> float:
        """Products a second that are elements of the matrices."""
        return self.useful_products * self.steps_per_second

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data, those that follow from others among them."""
        data = asdict(self) | {"tiling": str(self.tiling), "lanes": self.tiling.lanes}
        for name in ("lane_efficiency", "ratio", "steps_per_second", "step_seconds", "peak_macs", "useful_macs"):
            data[name] = getattr(self, name)
        for name, clocks in (("top", self.top), ("bare", self.bare)):
            data[name] |= {"median_hz": clocks.median_hz, "best_hz": clocks.best_hz}
        return data


@dataclass(frozen=True)
class NotMeasured:
    """A point without figures, and why."""

    name: str
    device: str
    missing: str

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)
