"""One network on one stimulus, five times: equation, discrete float, fixed point, RTL and SPICE, on one time axis.

Sampling, the same for all: input k is held from k dt to (k + 1) dt, and value k of a curve is the one at (k + 1) dt,
the end of that step. So the state that :meth:`autapse.network.Network.run` gives after step k stands beside the
solution of the equation at (k + 1) dt, and the two approach each other in proportion to dt.

Two paths lead away from the equation. ODE -> discrete -> fixed point -> RTL: the time step, the quantisation, and
nothing. ODE -> SPICE: the circuit. The runs come from outside, because simulating the RTL is not this package's to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

import numpy as np

from autapse.circuit import Equation, Stimulus
from autapse.dynamics import RateODE
from autapse.errors import AutapseError
from autapse.fixed import FloatArray
from autapse.plots import new_figure

#: The levels in the order of the chain, with what they are drawn in.
_COLOURS = {"ODE": "#9aa1ab", "discrete": "#1d4ed8", "fixed point": "#c2410c", "RTL": "#7c2d12", "SPICE": "#15803d"}
_SHOWN = 4  # outputs that are drawn
_FLOOR = 1e-9  # of full scale: smaller differences are not drawn


@dataclass(frozen=True, eq=False)
class Runs:
    """The five curves, each (time, outputs) at the ends of the steps, and what splits their differences further.

    Attributes
    ----------
    dt
        The step, in units of the network's time.
    x : (time, inputs)
        The stimulus; each sample held for `dt`.
    start : (outputs,)
        The readout of the initial state, at time 0.
    ode, discrete, fixed
        The equation, its Euler steps in float64, and the integer model.
    rtl, spice
        The simulated circuits; None where left out.
    half
        The Euler steps of dt/2, at the ends of the steps of dt.
    rounded
        Float steps with the rounded weights and inputs: what quantisation is without the rounding of states and sums.
    edges
        The equation under the stimulus as SPICE plays it, whose jumps have edges; None without `spice`.
    smooth : (time * m, outputs)
        The equation at m points of each step, of which `ode` is every m-th; for the picture, and `ode` when left out.
    saturated
        States and results of the activation that the fixed point has no code for, on this stimulus.
    left_out
        The reason for each of ``RTL`` and ``SPICE`` that is missing.

    Raises
    ------
    ValueError
        For curves of different shapes, or a level that is missing without a reason.
    AutapseError
        Where the RTL differs from the integer model in any value.
    """

    dt: float
    x: FloatArray
    start: FloatArray
    ode: FloatArray
    discrete: FloatArray
    fixed: FloatArray
    half: FloatArray
    rounded: FloatArray
    rtl: FloatArray | None = None
    spice: FloatArray | None = None
    edges: FloatArray | None = None
    smooth: FloatArray | None = None
    saturated: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.x), len(self.start))
        if 0 in shape:
            raise ValueError(f"a comparison needs at least one step and one output, not {shape[0]} and {shape[1]}")
        for name in ("ode", "discrete", "fixed", "half", "rounded", "rtl", "spice", "edges"):
            curve = getattr(self, name)
            if curve is not None and curve.shape != shape:
                raise ValueError(f"{name} must be (time, outputs) = {shape}; its shape is {curve.shape}")
        for name, curve in (("RTL", self.rtl), ("SPICE", self.spice)):
            if (curve is None) != (name in self.left_out):
                raise ValueError(f"{name} needs either a curve or the reason why it is left out")
        if self.rtl is not None and not np.array_equal(self.rtl, self.fixed):
            step, k = np.argwhere(self.rtl != self.fixed)[0]
            raise AutapseError(
                f"the circuit differs from the integer model: output {k + 1} after step {step + 1} is "
                f"{self.rtl[step, k]:g}, the model has {self.fixed[step, k]:g}"
            )

    @property
    def t(self) -> FloatArray:
        """The ends of the steps, (time,)."""
        return self.dt * np.arange(1, len(self.x) + 1, dtype=np.float64)

    @property
    def full_scale(self) -> float:
        """The largest magnitude of the equation's readout, which differences are fractions of; 1 where all are 0."""
        return float(max(np.max(np.abs(self.ode)), np.max(np.abs(self.start)))) or 1.0

    @property
    def curves(self) -> dict[str, FloatArray | None]:
        """The five curves by name, in the order of the chain."""
        curves = (self.ode, self.discrete, self.fixed, self.rtl, self.spice)
        return dict(zip(_COLOURS, curves, strict=True))

    def gap(self, one: FloatArray, other: FloatArray) -> float:
        """The largest difference of two curves, as a fraction of full scale."""
        return float(np.max(np.abs(other - one))) / self.full_scale


@dataclass(frozen=True)
class Contribution:
    """What one step of the chain adds.

    Attributes
    ----------
    name, begin, end
        The step, and the levels that it leads from and to.
    largest, rms
        The difference of the two, as a fraction of full scale; None where `end` was left out.
    words
        What it consists of, or why it was left out.
    """

    name: str
    begin: str
    end: str
    largest: float | None
    rms: float | None
    words: str

    def __str__(self) -> str:
        size = "" if self.largest is None else f"{_share(self.largest)}: "
        return f"{self.name} ({self.begin} → {self.end}): {size}{self.words}"


def contributions(runs: Runs) -> list[Contribution]:
    """What each step of the chain contributes, in order.

    At every point the time step's and the quantisation's add up to the difference of the fixed point from the ODE, with
    their signs. Their largest magnitudes need not.
    """
    steps = len(runs.x)
    beyond = f" and {runs.saturated} that saturate (--state-range widens)" if runs.saturated else ""
    what = {
        "time step": f"Euler steps of {runs.dt:.4g}; steps of dt/2 give {_share(runs.gap(runs.ode, runs.half))}",
        "quantisation": (
            f"{_share(runs.gap(runs.discrete, runs.rounded))} by rounded weights and inputs, "
            f"{_share(runs.gap(runs.rounded, runs.fixed))} by rounded states and sums{beyond}"
        ),
        "RTL": f"all {runs.fixed.size} output codes of {steps} steps are equal (the circuit sends outputs only)",
        "circuit": "",
    }
    if runs.edges is not None and runs.spice is not None:
        what["circuit"] = (
            f"{_share(runs.gap(runs.edges, runs.spice))} by ngspice with exact component values, "
            f"{_share(runs.gap(runs.ode, runs.edges))} by the edges of its sources, dt/100 long"
        )
    chain = (
        ("time step", "ODE", "discrete"),
        ("quantisation", "discrete", "fixed point"),
        ("RTL", "fixed point", "RTL"),
        ("circuit", "ODE", "SPICE"),
    )
    found = []
    for name, begin, end in chain:
        one, other = runs.curves[begin], runs.curves[end]
        if one is None or other is None:
            found.append(Contribution(name, begin, end, None, None, f"left out: {runs.left_out[end]}"))
            continue
        rms = float(np.sqrt(np.mean((other - one) ** 2))) / runs.full_scale
        found.append(Contribution(name, begin, end, runs.gap(one, other), rms, what[name]))
    return found


def from_ode(runs: Runs) -> dict[str, float | None]:
    """The largest difference of each level from the equation, as a fraction of full scale; None where left out."""
    curves = list(runs.curves.items())[1:]
    return {name: None if curve is None else runs.gap(runs.ode, curve) for name, curve in curves}


def caption(runs: Runs, title: str, quantity: str = "readout") -> list[str]:
    """Paragraphs that say what is drawn, what each step of the chain contributes, and which contributes most."""
    found = contributions(runs)
    largest = max(found, key=lambda c: c.largest or 0.0)
    lines = [
        f"{title}: the {quantity} at the end of each of {len(runs.x)} steps, t = (k+1) dt, with input k held from k dt "
        f"on. Each figure is the largest difference, in percent of full scale ({runs.full_scale:.4g}); parts need not "
        "add up."
    ]
    lines += [str(c) for c in found]
    if largest.largest:
        lines.append(f"Most comes from: {largest.name}.")
    return lines


def default_stimulus(ode: RateODE, dt: float, seed: int = 0) -> FloatArray:
    """Ten seeded levels in [-1, 1], (time, inputs), each held for two mean time constants and at least four steps.

    Shorter where the network runs away; see :meth:`autapse.circuit.Stimulus.default`.
    """
    levels = Stimulus.default(Equation.of(ode), seed)
    hold = levels.duration / 10.0
    x = levels.at((np.arange(10) + 0.5) * hold)
    return np.repeat(x, max(4, round(2.0 * hold / dt)), axis=0)


def figure(runs: Runs, title: str, quantity: str = "readout", names: Sequence[str] | None = None) -> Any:
    """The picture: stimulus, curves, differences from the equation, caption. Needs matplotlib.

    `names` are those of the outputs; z 1, z 2, ... when left out.
    """
    names = [f"z {k + 1}" for k in range(len(runs.start))] if names is None else names
    outputs = np.sort(np.argsort(-np.ptp(runs.ode, axis=0), kind="stable")[:_SHOWN])
    rows = len(outputs)
    height = 1.0 + 1.9 * rows + 2.1
    lines = _wrapped(caption(runs, title, quantity))
    drawn = new_figure(9.5, height + 0.17 * len(lines))
    axes = drawn.subplots(rows + 2, 1, sharex=True, height_ratios=(1.0, *[1.9] * rows, 2.1))
    t = np.concatenate([[0.0], runs.t])
    smooth = runs.ode if runs.smooth is None else runs.smooth
    _stimulus(axes[0], runs, t)
    for axis, k in zip(axes[1:-1], outputs, strict=True):
        _curve(axis, "ODE", np.linspace(0.0, t[-1], len(smooth) + 1), np.append(runs.start[k], smooth[:, k]))
        for name, curve in runs.curves.items():
            if curve is not None and name != "ODE":
                _curve(axis, name, t, np.append(runs.start[k], curve[:, k]))
        axis.set_ylabel(names[k])
    _differences(axes[-1], runs)
    handles, labels = axes[1].get_legend_handles_labels()
    drawn.legend(handles, labels, ncols=5, loc="outside upper right", frameon=False, fontsize=9)
    hidden = "" if rows == len(runs.start) else f" ({rows} of {len(runs.start)} drawn, those that move most)"
    axes[0].set_title(f"{title}{hidden}", loc="left", fontsize=10.5)
    for axis in axes:
        axis.grid(alpha=0.2)
        axis.set_xlim(0.0, t[-1])
    drawn.align_ylabels(axes)
    drawn.supxlabel("\n".join(lines), x=0.012, ha="left", fontsize=8.5, linespacing=1.35)
    return drawn


def _stimulus(axis: Any, runs: Runs, t: FloatArray) -> None:
    for k, column in enumerate(runs.x.T[:_SHOWN]):
        axis.step(t, np.append(column, column[-1]), where="post", lw=1.1, color=f"{0.1 + 0.2 * k:.1f}")
    axis.set_ylabel("inputs")


def _curve(axis: Any, name: str, t: FloatArray, z: FloatArray) -> None:
    """One level: lines for what is computed, marks for what is simulated, so that equal curves stay visible."""
    colour, every = _COLOURS[name], max(1, len(t) // 40)
    if name == "ODE":
        axis.plot(t, z, color=colour, lw=4.5, alpha=0.65, label="ODE", solid_capstyle="butt")
    elif name == "RTL":
        axis.plot(t[::every], z[::every], "o", color=colour, ms=4.5, mfc="none", mew=0.9, label=name)
    elif name == "SPICE":
        axis.plot(t[every // 2 :: every], z[every // 2 :: every], "x", color=colour, ms=4.5, mew=1.2, label=name)
    else:
        axis.plot(t, z, color=colour, lw=1.2, label=name)


def _differences(axis: Any, runs: Runs) -> None:
    """Each level's distance from the equation: the largest of all outputs, at each step."""
    for name, curve in runs.curves.items():
        if name != "ODE" and curve is not None:
            gap = np.max(np.abs(curve - runs.ode), axis=1) / runs.full_scale
            gap[gap < _FLOOR] = np.nan
            if name == "SPICE":
                axis.plot(runs.t, gap, color=_COLOURS[name], lw=0.8)
            _curve(axis, name, runs.t, gap)
    axis.set_yscale("log")
    axis.set_ylabel("|difference from\nODE| / full scale")
    axis.set_xlabel("time of the network")


def _wrapped(paragraphs: list[str]) -> list[str]:
    return [line for p in paragraphs for line in fill(p, 142, subsequent_indent="    ").split("\n")]


def _share(value: float) -> str:
    """A fraction for a reader."""
    return "exactly 0" if value == 0.0 else f"{100.0 * value:.2g} %"


def to_dict(runs: Runs) -> dict[str, Any]:
    """The figures as plain data."""
    return {
        "dt": runs.dt,
        "steps": len(runs.x),
        "outputs": len(runs.start),
        "full_scale": runs.full_scale,
        "contributions": [vars(c) for c in contributions(runs)],
        "from_ode": from_ode(runs),
        "left_out": dict(runs.left_out),
    }


def rows(runs: Runs) -> Iterator[tuple[str, str]]:
    """Each level and its distance from the equation, for a table."""
    for name, gap in from_ode(runs).items():
        yield name, f"left out: {runs.left_out[name]}" if gap is None else f"{_share(gap)} from the ODE"
