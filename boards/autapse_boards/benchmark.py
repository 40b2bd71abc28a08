"""What the reference devices reach: the whole top of one network, beside the bare datapath of the same lanes.

docs/performance.md has the figures, and what limits each.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autapse.benchmark import random_network
from autapse.errors import AutapseError
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse_boards.bare import Bare, place_bare
from autapse_boards.board import get_board
from autapse_boards.build import first_rate
from autapse_boards.device_speed import Clocks, DeviceSpeed, NotMeasured
from autapse_boards.fit import Plan, fit
from autapse_boards.flow import Flow
from autapse_boards.timing import Timing
from autapse_boards.tools import Progress
from autapse_hw.lanes import FORMS

#: Counts the cycles of a step of a network on lanes of a tiling and form, by simulation.
Count = Callable[[QuantizedNetwork, str, str], int | None]


@dataclass(frozen=True)
class Point:
    """What is measured: `bits` of weight, operand and state; lanes and form as in :func:`autapse_boards.build`.

    `table` is the kind of the activation's table, as in :func:`autapse.quantize`; `target_hz` the clock that
    place-and-route is to reach, where it is another than a build begins with: nextpnr's effort ends where the clock is
    reached. `long` ones are measured only when they are named.
    """

    name: str
    device: str
    board: str
    bits: int
    form: str | None = None
    lanes: str | None = None
    long: bool = False
    table: str = "auto"
    target_hz: float | None = None


#: The reference points. Several may share a device.
POINTS = (
    Point("up5k-8", "up5k", "icebreaker", 8, "mac8x8", "8x2"),
    Point("up5k-16", "up5k", "icebreaker", 16, "mac16", "8", target_hz=72e6),
    Point("hx8k-15x2", "hx8k", "ice40_hx8k_b_evn", 8, "booth", "15x2"),
    Point("hx8k-fit", "hx8k", "ice40_hx8k_b_evn", 8),
    Point("ecp5-25f-16", "ecp5-25f", "ulx3s_25f", 16, "mult18", "28", target_hz=175e6),
    # Lines instead of parabolas: one product less in the way of a state back to the lanes.
    Point("ecp5-85f-16", "ecp5-85f", "ulx3s_85f", 16, "mult18", "51x3/3", long=True, table="linear"),
)


def choose_points(names: str) -> tuple[Point, ...]:
    """The points of a list like ``up5k,hx8k-15x2``, of devices or points; ``all`` are those that are not long."""
    chosen: list[Point] = []
    for name in (part.strip() for part in names.split(",")):
        found = [p for p in POINTS if name in (p.name, p.device) or (name == "all" and not p.long)]
        if not found:
            known = dict.fromkeys([*(p.device for p in POINTS), *(p.name for p in POINTS)])
            raise ValueError(f"devices are all or some of {', '.join(known)}; not {name!r}")
        chosen += [p for p in found if p not in chosen]
    return tuple(chosen)


def device_benchmark(
    points: Sequence[Point],
    *,
    seeds: int = 2,
    target_hz: float | None = None,
    count: Count | None = None,
    progress: Progress | None = None,
    units: int = 50,
    inputs: int = 2,
    outputs: int = 1,
) -> tuple[DeviceSpeed | NotMeasured, ...]:
    """Measure the points one after another, in minutes each. One whose tools fail does not end the others.

    Parameters
    ----------
    seeds
        How many seeds of the placement, from 1 on.
    target_hz
        Clock that place-and-route is to reach; the point's own, or near what designs of the form reach, unless given.
    count
        Counts the cycles of a step; they are not counted, unless given.
    units, inputs, outputs
        Of the random tanh network.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, not {seeds}")
    net = random_network(np.random.default_rng(0), units, inputs, outputs)
    rows: list[DeviceSpeed | NotMeasured] = []
    for point in points:
        bits = point.bits
        q = quantize(net, weight_bits=bits, operand_bits=bits, state_bits=bits, table=point.table)

        def tell(line: str, name: str = point.name) -> None:
            if progress is not None:
                progress(f"{name}: {line}")

        try:
            rows.append(_measure(point, q, range(1, seeds + 1), target_hz or point.target_hz, count, tell))
        except AutapseError as error:
            rows.append(NotMeasured(point.name, point.device, str(error)))
            tell(str(error))
    return tuple(rows)


def _measure(
    point: Point, q: QuantizedNetwork, seeds: range, target_hz: float | None, count: Count | None, tell: Progress
) -> DeviceSpeed:
    board = get_board(point.board)
    plan = fit(q, board, point.lanes, point.form)
    seconds: dict[str, float] = {}
    counted = None
    if count is not None:
        tell("counting cycles in simulation")
        start = time.monotonic()
        counted = count(q, str(plan.tiling), plan.form)
        seconds["count"] = time.monotonic() - start
    clocking = first_rate(board, plan, target_hz)
    target = float(clocking.frequency)
    with tempfile.TemporaryDirectory(prefix="autapse-") as name:
        folder = Path(name)
        flow = Flow(q, board, plan.tiling, plan.form, tell)
        flow.elaborate(clocking, folder)
        flow.synthesise(folder)
        top = Clocks.of([_told(flow.place_route(folder, seed), seed, tell) for seed in seeds])
        tell("bare datapath")
        timings, seconds["bare"] = place_bare(bare_of(q, plan), board.part, folder / "bare", seeds, target, tell)
    bits = q.formats
    return DeviceSpeed(
        name=point.name,
        device=board.device,
        board=board.name,
        form=plan.form,
        tiling=plan.tiling,
        weight_bits=bits.W.bits,
        operand_bits=bits.operand_bits,
        acc_bits=bits.acc_bits,
        cycles_per_step=plan.schedule.cycles_per_step,
        counted_cycles=counted,
        useful_products=plan.schedule.useful_products,
        target_hz=target,
        seeds=tuple(seeds),
        top=top,
        bare=Clocks.of(timings),
        seconds={stage: round(value, 1) for stage, value in {**flow.seconds, **seconds}.items()},
        tools={tool.name: tool.version for tool in flow.tools.values()},
    )


def _told(timing: Timing, seed: int, tell: Progress) -> Timing:
    tell(f"seed {seed}: {timing.allowed_hz / 1e6:.1f} MHz")
    return timing


def bare_of(q: QuantizedNetwork, plan: Plan) -> Bare:
    """The bare datapath of a plan."""
    s, f = plan.schedule, q.formats
    words = max(s.tiles * s.slots, s.groups)
    return Bare(FORMS[plan.form], plan.tiling, f.W.bits, f.operand_bits, f.acc_bits, words)
