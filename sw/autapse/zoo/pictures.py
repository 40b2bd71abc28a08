"""The figures of docs/theory.md, each from the networks themselves. matplotlib is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autapse.dynamics import RateODE, interchange
from autapse.fixed import FloatArray
from autapse.fixedpoints import find_fixed_points
from autapse.plots import new_figure
from autapse.quantize import quantize
from autapse.zoo.attractors import (
    flip_threshold,
    hadamard,
    hopfield,
    random_patterns,
    ring,
    two_attractors,
    winner_take_all,
)
from autapse.zoo.linear import autapse, balanced, integrator, mutual
from autapse.zoo.measures import drift, lyapunov, recall
from autapse.zoo.motion import chaos, sequence

_FLOAT, _FIXED, _GREY, _GREEN = "#1d4ed8", "#c2410c", "#8a8f98", "#15803d"


def interchanges() -> Any:
    """What two orders of two procedures differ by, against the step."""
    rng = np.random.default_rng(1)
    ode = RateODE(
        W=0.8 * rng.normal(size=(4, 4)),
        W_in=rng.normal(size=(4, 1)),
        b=0.3 * rng.normal(size=4),
        tau=np.array([1, 2, 0.5, 1.3]),
    )
    rows = interchange(ode, find_fixed_points(ode)[0].h, 0.5 * rng.normal(size=4), list(2.0 ** -np.arange(3, 10)))
    figure = new_figure(9, 5.2)
    axis = figure.subplots()
    exact = [r for r in rows if r.exact]
    worst = max(float(r.residuals.max()) for r in exact)
    text = f"the other {len(exact)} pairs commute: their difference is at most {worst:.0e}"
    axis.text(0.98, 0.04, text, transform=axis.transAxes, ha="right", color=_GREEN)
    for row in rows:
        if not row.exact:
            look = "o-" if row.first.startswith(("solve", "rescale")) else "s--"  # two of the curves coincide
            axis.loglog(
                row.dts, row.residuals, look, ms=4, mfc="none", label=f"{row.first} | {row.second}: dt^{row.order:.2f}"
            )
    axis.set(xlabel="dt", ylabel="largest difference of the two systems", ylim=(1e-7, 1), yscale="log", xscale="log")
    axis.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0, 1.01), frameon=False)
    axis.grid(alpha=0.2)
    return figure


def eigenvalues() -> Any:
    """One eigenvalue below, at and above 1; and two units that excite or inhibit each other."""
    figure = new_figure(11, 4)
    axes = figure.subplots(1, 3)
    for value, colour in zip((0.0, 0.8, 1.0, 1.5), (_GREY, _FLOAT, _GREEN, _FIXED), strict=True):
        ode = autapse(value, activation="tanh" if value > 1 else "identity")
        s = ode.solve(np.full((150, 1), 0.1), 0.1)
        axes[0].plot(s.t, s.h[:, 0], color=colour, label=f"l = {value:g}" + (", tanh" if value > 1 else ""))
        q = quantize(ode.discretize(0.1), state_bits=12, state_range=2.0, input_range=0.2)
        fixed = q.run(np.full((150, 1), 0.1)).h[:, 0]
        axes[0].plot(s.t[::5], fixed[::5], "o", ms=2.5, color=colour)
    axes[0].set_title("one autapse, input 0.1\nlines: equation, dots: 8-bit weights, 12-bit state", fontsize=10)
    axes[0].legend(fontsize=8)
    x = np.zeros((300, 2))
    x[20:] = [0.15, 0.05]
    for axis, weight in zip(axes[1:], (0.8, -0.8), strict=True):
        ode = mutual(weight)
        s = ode.solve(x, 0.1)
        fixed = quantize(ode.discretize(0.1), state_bits=12, calibrate=x).run(x).h
        for sign, colour, name in ((1, _FLOAT, "sum"), (-1, _FIXED, "difference")):
            drive = 0.15 + sign * 0.05
            axis.plot(
                s.t, s.h[:, 0] + sign * s.h[:, 1], color=colour, label=f"{name}: gain {1 / (1 - sign * weight):.3g}"
            )
            axis.axhline(drive / (1 - sign * weight), color=colour, ls=":", lw=1)
            axis.plot(s.t[::8], (fixed[:, 0] + sign * fixed[:, 1])[::8], "o", ms=2.5, color=colour)
        axis.set_title(f"mutual {'excitation' if weight > 0 else 'inhibition'}, w = {weight:g}", fontsize=10)
        axis.legend(fontsize=8)
    axes[0].set_ylabel("state h")
    axes[1].set_ylabel("mode of the state")
    for axis in axes:
        axis.set_xlabel("time / tau")
        axis.grid(alpha=0.2)
    return figure


def holding() -> Any:
    """How an integrator mode holds a value in fixed point."""
    figure = new_figure(9, 4)
    axis = figure.subplots()
    v = integrator(16, 1).W_out[0]
    for label, weight_bits, state_bits, how, colour in (
        ("8-bit weights, 8-bit state", 8, 8, "nearest", _GREY),
        ("8-bit weights, 12-bit state", 8, 12, "nearest", _FIXED),
        ("16-bit weights, 12-bit state", 16, 12, "nearest", _FLOAT),
        ("8-bit weights, balanced rows, 12-bit state", 8, 12, "balanced", _GREEN),
    ):
        net = integrator(16, 1)
        q = quantize(net, weight_bits=weight_bits, state_bits=state_bits, state_range=1.0)
        if how == "balanced":
            q = quantize(balanced(net, v, q.formats.W), weight_bits=8, state_bits=state_bits, state_range=1.0)
        moved = [drift(q, 0.8, steps) for steps in range(1, 1001, 20)]
        axis.plot(
            range(1, 1001, 20), [m.end for m in moved], label=label, color=colour, lw=4 if colour == _FLOAT else 1.6
        )
    axis.set(xlabel="step", ylabel="held value z", title="an integrator of 16 units, told 0.8 at step 0")
    axis.legend(fontsize=8)
    axis.grid(alpha=0.2)
    return figure


def deciding() -> Any:
    """A bit of memory, and winner-take-all."""
    figure = new_figure(11, 4)
    left, right = figure.subplots(1, 2)
    net = two_attractors(2.0)
    q = quantize(net)
    threshold = flip_threshold(2.0)
    x = np.zeros((120, 1))
    for begin, size in ((10, 0.8), (40, -threshold + 0.02), (70, -threshold - 0.1), (100, 0.3)):
        x[begin : begin + 15] = size
    left.step(np.arange(120), x[:, 0], where="mid", color=_GREY, lw=1, label="input")
    left.plot(net.run(x).h[:, 0], color=_FLOAT, lw=3, alpha=0.6, label="float")
    left.plot(q.run(x).h[:, 0], color=_FIXED, lw=1.2, label="8 bits")
    for sign in (1, -1):
        left.axhline(sign * threshold, color=_GREY, ls=":", lw=1)
    left.set_title(f"two attractors, w = 2: flips above {threshold:.3f} (dotted)", fontsize=10)
    ode = winner_take_all(3)
    inputs = np.zeros((300, 3))
    inputs[20:] = [0.50, 0.52, 0.48]
    run, s = quantize(ode.discretize(0.1), calibrate=inputs).run(inputs), ode.solve(inputs, 0.1)
    for k, colour in enumerate((_FLOAT, _FIXED, _GREEN)):
        right.plot(s.t, s.h[:, k], color=colour, lw=1.2, label=f"unit {k + 1}, input {inputs[-1, k]:.2f}")
        right.plot(s.t[::6], run.h[::6, k], "o", ms=3, color=colour)
    right.set_title("winner-take-all. Lines: equation, dots: 8 bits", fontsize=10)
    left.set(xlabel="step", ylabel="state h")
    right.set(xlabel="time / tau", ylabel="state h")
    for axis in (left, right):
        axis.legend(fontsize=8)
        axis.grid(alpha=0.2)
    return figure


def remembering() -> Any:
    """Hopfield recall against load, and a sequence."""
    figure = new_figure(11, 4)
    left, right = figure.subplots(1, 2)
    units, counts = 100, (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28)
    for flips, line in ((0.1, "-"), (0.25, "--")):
        means: list[list[float]] = [[], []]
        for count in counts:
            runs: list[list[FloatArray]] = [[], []]
            for seed in range(4):
                p = random_patterns(count, units, seed)
                net = hopfield(p)
                runs[0].append(recall(net, p, flips, 10 + seed))
                runs[1].append(recall(quantize(net), p, flips, 10 + seed))
            for k in range(2):
                means[k].append(float(np.mean(np.concatenate(runs[k]))))
        load = np.array(counts) / units
        left.plot(load, means[0], line, color=_FLOAT, lw=3, alpha=0.5, label=f"float, {flips:.0%} flipped")
        left.plot(load, means[1], line, color=_FIXED, lw=1.2, marker="o", ms=3, label=f"8 bits, {flips:.0%} flipped")
    left.axvline(0.138, color=_GREY, ls=":", lw=1)
    left.set(xlabel="load P/N, N = 100", ylabel="mean overlap with the pattern", ylim=(0, 1.05))
    left.set_title("Hopfield memory (dotted: 0.138, the limit for large N)", fontsize=10)
    left.legend(fontsize=8)
    net = sequence(hadamard(8)[1:6])
    x = np.zeros((24, 5))
    x[1, 0] = 1.0
    z = quantize(net).run(x).z
    for k in range(5):
        right.step(np.arange(24), z[:, k] + 1.3 * k, where="mid", lw=1.4)
        right.text(-0.8, 1.3 * k + 0.1, f"{k + 1}", ha="right")
    right.set(xlabel="step", yticks=[], title="sequence of 5 patterns in 8 units, 8 bits: overlaps")
    right.title.set_fontsize(10)
    right.set_xlim(-2, 24)
    return figure


def turning() -> Any:
    """The ring: where it rests, in float and in fixed point."""
    figure = new_figure(11, 4)
    left, right = figure.subplots(1, 2)
    net = ring(32)
    psi = np.deg2rad(np.arange(0.0, 90.0, 0.5))
    x = np.zeros((len(psi), 1000, 2))
    x[:, 0] = 0.99 * np.stack([np.cos(psi), np.sin(psi)], axis=1)
    for bits, colour in ((6, _FIXED), (8, _GREEN)):
        z = quantize(net, weight_bits=bits, state_bits=bits).run(x).z[:, -1]
        angle = np.rad2deg(np.arctan2(z[:, 1], z[:, 0]))
        left.plot(np.rad2deg(psi), angle - np.rad2deg(psi), ".", ms=4, color=colour, label=f"{bits} bits")
    z = net.run(x).z[:, -1]
    left.plot(np.rad2deg(psi), np.rad2deg(np.arctan2(z[:, 1], z[:, 0]) - psi), color=_FLOAT, lw=1.2, label="float")
    left.set(xlabel="angle of the cue, degrees", ylabel="angle after 1000 steps - cue", title="ring of 32 units")
    left.legend(fontsize=8)
    shown = net.run(x[[0, 60, 120]]).h[:, -1]
    for k, colour in zip(range(3), (_FLOAT, _FIXED, _GREEN), strict=True):
        right.plot(np.arange(32) * 360 / 32, shown[k], "o-", ms=3, color=colour, label=f"cue {30 * k}°")
    right.set(xlabel="preferred angle of the unit, degrees", ylabel="state", title="the bump after 1000 steps, float")
    right.legend(fontsize=8)
    for axis in (left, right):
        axis.grid(alpha=0.2)
    return figure


def diverging() -> Any:
    """Chaos: fixed point leaves the float path, and keeps its statistics."""
    figure = new_figure(11, 4)
    left, right = figure.subplots(1, 2)
    net = chaos(64, 2.0)
    x = np.zeros((400, 1))
    exact = net.run(x).h
    for bits, colour in ((8, _FIXED), (12, _GREEN), (16, _FLOAT)):
        gap = np.sqrt(np.mean((quantize(net, weight_bits=bits, state_bits=bits).run(x).h - exact) ** 2, axis=1))
        left.semilogy(gap[:160] + 1e-9, color=colour, lw=1.2, label=f"{bits} bits")
    rate = lyapunov(net)
    t = np.arange(0, 90)
    left.semilogy(t, 2e-5 * np.exp(rate * t), "k:", lw=1, label=f"exp({rate:.3f} t)")
    left.set(xlabel="step", ylabel="difference from float (rms)", title="gain 2: paths part exponentially")
    q = quantize(net)
    bins: Sequence[float] = np.linspace(-1, 1, 41).tolist()
    long = np.zeros((4000, 1))
    right.hist(net.run(long).h[500:].ravel(), bins=bins, density=True, color=_FLOAT, alpha=0.35, label="float")
    right.hist(
        q.run(long).h[500:].ravel(), bins=bins, density=True, histtype="step", color=_FIXED, lw=1.5, label="8 bits"
    )
    right.set(xlabel="state", ylabel="density", title="all units, 3500 steps: the same distribution")
    left.grid(alpha=0.2)
    for axis in (left, right):
        axis.legend(fontsize=8)
    return figure


#: Name of the file, and what draws it.
PICTURES: Mapping[str, Callable[[], Any]] = {
    "interchanges": interchanges,
    "eigenvalues": eigenvalues,
    "holding": holding,
    "deciding": deciding,
    "remembering": remembering,
    "turning": turning,
    "diverging": diverging,
}
