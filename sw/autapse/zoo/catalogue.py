"""The exhibits by name. Targets come from the formulas of the networks, rooms from the formats of the integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from autapse.dynamics import RateODE
from autapse.fixed import FloatArray
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.tangent import slope
from autapse.zoo.attractors import (
    flip_threshold,
    hadamard,
    hopfield,
    ring,
    ring_radius,
    two_attractors,
    winner_take_all,
)
from autapse.zoo.exhibits import Claim, Exhibit
from autapse.zoo.linear import amplifier, autapse, integrator, mutual
from autapse.zoo.measures import error_bound, roundings
from autapse.zoo.motion import chaos, sequence

_DT = 0.1
_ROUND = 1e-9  # float64 against a closed form
_TURN = 3e-3  # degrees: a ring of 24 units is not quite a circle, and turns by 0.0022 in 60 steps


def held(*pieces: tuple[ArrayLike, int]) -> FloatArray:
    """Inputs (time, inputs): each value for its number of steps."""
    return np.concatenate([np.tile(np.asarray(value, np.float64), (steps, 1)) for value, steps in pieces])


def _value(step: int, output: int = 0) -> Callable[[FloatArray], float]:
    return lambda z: float(z[step, output])


def _linear(ode: RateODE) -> QuantizedNetwork:
    return quantize(ode.discretize(_DT), weight_bits=16, state_bits=16, state_range=1.0, input_range=0.25)


def _relaxing(name: str, formula: str, ode: RateODE, gain: float, x: float, steps: int) -> Exhibit:
    """A unit with gain and time constant 1 / (1 - l): two points of its Euler steps' closed form."""
    inputs, q = held(([x], steps)), _linear(ode)
    bound, rest, one = error_bound(q, inputs)[:, 0], gain * x, round(gain / _DT) - 1
    claims = [
        Claim(
            words,
            _value(step),
            rest * (1.0 - (1.0 - _DT / gain) ** (step + 1)),
            _ROUND,
            float(bound[step]),
            step,
        )
        for words, step in (
            (f"after its time constant, {gain:g} tau: 1 - 1/e of {rest:g}, as Euler steps have it", one),
            (f"after {steps * _DT:g} tau: {gain:g} times the input, less the rest of the transient", steps - 1),
        )
    ]
    return Exhibit(name, formula, ode, _DT, q, inputs, tuple(claims))


def _autapse() -> Exhibit:
    formula = "tau dh/dt = -h + l h + x, l = 0.8: relaxes to x / (1 - l) with tau / (1 - l)"
    return _relaxing("autapse", formula, autapse(0.8), 5.0, 0.1, 200)


def _amplifier() -> Exhibit:
    formula = "tau dh/dt = -h + l h + x, l = 1 - 1/4: 4 times larger, and 4 times slower"
    return _relaxing("amplifier", formula, amplifier(4.0), 4.0, 0.15, 160)


def _autapse_at_1() -> Exhibit:
    ode = autapse(1.0)
    x, q = held(([0.1], 50), ([0.0], 100)), _linear(ode)
    bound = error_bound(q, x)[:, 0]
    claims = (
        Claim("after 0.1 for 5 tau: its integral", _value(49), 0.5, _ROUND, float(bound[49]), 49),
        Claim(
            "moved in the 10 tau after it",
            lambda z: float(z[149, 0] - z[49, 0]),
            0.0,
            _ROUND,
            float(bound[149] - bound[49]),
        ),
    )
    formula = "tau dh/dt = -h + l h + x, l = 1: h is the integral of x / tau, and stays"
    return Exhibit("autapse_at_1", formula, ode, _DT, q, x, claims)


def _autapse_above_1() -> Exhibit:
    ode, first, last, steps = autapse(2.0, activation="tanh"), 9, 19, 320
    x = held(([0.02], 5), ([0.0], steps - 5))
    q = quantize(ode.discretize(_DT), weight_bits=16, state_bits=16, input_range=0.25)
    bound = error_bound(q, x)[:, 0]
    growth = 1.1 ** (last - first)
    h, state = 0.0, np.empty(steps)
    for t in range(steps):  # the largest state while it grows is that of the linear unit
        h = 1.1 * h + 0.1 * x[t, 0]
        state[t] = h
    bent = growth * (last - first) * _DT * 2.0 * (2.0 * state[last]) ** 2 / 3.0 / 1.1  # tanh a > a - a**3 / 3
    noise = growth * float(bound[last] / state[last] + bound[first] / state[first]) * 1.1
    rest = _rest(2.0)
    claims = (
        Claim(
            f"growth from step {first + 1} to {last + 1}: 1.1 ** {last - first}",
            lambda z: float(z[last, 0] / z[first, 0]),
            growth,
            bent,
            bent + noise,
        ),
        Claim("saturates where h = tanh(2 h)", _value(-1), rest, _ROUND, _rest_room(q, rest), steps - 1),
    )
    formula = "tau dh/dt = -h + tanh(l h + x), l = 2: grows with (l - 1) / tau, until tanh saturates"
    return Exhibit("autapse_above_1", formula, ode, _DT, q, x, claims)


def _mutual(weight: float) -> Exhibit:
    ode, x = mutual(weight), held(([0.10, 0.04], 200))
    q = _linear(ode)
    room = float(error_bound(q, x)[-1].sum())
    modes: tuple[tuple[str, int, float], ...] = (("sum", 1, 0.14), ("difference", -1, 0.06))
    claims = []
    for mode, sign, drive in modes:
        left = 1.0 - sign * weight  # 1 - l
        target = drive / left * (1.0 - (1.0 - _DT * left) ** len(x))
        words = f"{mode}: its input {drive:g} times 1 / {left:g}"
        claims.append(Claim(words, _mode(sign), target, _ROUND, room))
    kind = "excitation" if weight > 0 else "inhibition"
    formula = f"tau dh/dt = -h + [[0, w], [w, 0]] h + x, w = {weight:g}: the sum has l = w, the difference l = -w"
    return Exhibit(f"mutual_{kind}", formula, ode, _DT, q, x, tuple(claims))


def _mode(sign: int) -> Callable[[FloatArray], float]:
    return lambda z: float(z[-1, 0] + sign * z[-1, 1])


def _integrator() -> Exhibit:
    net, x = integrator(16, None), held(([0.8], 1), ([0.0], 150))
    q = quantize(net, weight_bits=8, state_bits=12, state_range=1.0)
    told = 2.0 * q.formats.h.ulp + 0.5 * q.formats.x.ulp  # 16 states off by half an ulp, times weights of +-1/4
    claims = (
        Claim("holds what it is told", _value(-1), 0.8, _ROUND, told, len(x) - 1),
        Claim("moved in 150 steps", lambda z: float(z[-1, 0] - z[0, 0]), 0.0, _ROUND, 0.0),
    )
    formula = "h <- v v' h + v x, z = v' h, |v| = 1: one mode with eigenvalue 1; weights of +-1/16 are codes"
    return Exhibit("integrator", formula, net, 1.0, q, x, claims)


def _two_attractors() -> Exhibit:
    net, rest = two_attractors(2.0), _rest(2.0)
    x = held(([0.9], 6), ([0.0], 24), ([-0.5], 30), ([0.0], 10), ([-0.6], 30), ([0.0], 30))
    q, below = quantize(net), flip_threshold(2.0)
    room = _rest_room(q, rest)
    claims = (
        Claim("after 0.9: rests where h = tanh(2 h)", _value(29), rest, _ROUND, room, 29),
        Claim(f"-0.5 is above -{below:.3f} and does not flip it", lambda z: float(np.sign(z[69, 0])), 1.0, 0.0, 0.0),
        Claim("-0.6 is below and does: rests at the other end", _value(-1), -rest, _ROUND, room, len(x) - 1),
    )
    formula = "h <- tanh(w h + x), w = 2: rests at h = tanh(w h), flips above w u - atanh(u), u = sqrt(1 - 1/w)"
    return Exhibit("two_attractors", formula, net, 1.0, q, x, claims)


def _winner_take_all() -> Exhibit:
    ode, dt, x = winner_take_all(3), 0.2, held(([0.50, 0.52, 0.48], 240))
    q = quantize(ode.discretize(dt), weight_bits=12, state_bits=12, calibrate=x, input_range=1.0)
    rest, ulp = 0.52 / 0.5, q.formats.h.ulp
    # The silent units may stay at a code of the kept state that no longer decays: it is below one ulp of h.
    added = float(roundings(q, x[-1], np.array([ulp, rest, ulp]))[1]) + dt * 2.0 * ulp
    room = added / (dt * 0.5) + ulp / 2.0
    claims = (
        Claim("unit 2 has the largest input and rests at x / (1 - a)", _value(-1, 1), rest, _ROUND, room, 239),
        Claim("the others are silent", lambda z: float(np.abs(z[-1, [0, 2]]).max()), 0.0, _ROUND, ulp, 239),
    )
    formula = "tau dh/dt = -h + relu(a h_i - b (sum of the others) + x_i), a = 0.5, b = 1: the largest input wins"
    return Exhibit("winner_take_all", formula, ode, dt, q, x, claims)


def _hopfield() -> Exhibit:
    patterns, flipped = hadamard(16)[1:3], [0, 5, 11]
    net = hopfield(patterns)
    cue = patterns[0] * np.where(np.isin(np.arange(16), flipped), -1.0, 1.0)
    x = held((cue, 1), (np.zeros(16), 14))
    q = quantize(net)
    rest, room = _rest(4.0 * 14 / 16), 2.0 * q.formats.h.ulp  # a table off by one ulp, where tanh has no slope left
    claims = (
        Claim("overlap with the pattern of the cue, m = tanh(4 m (N - P)/N)", _value(-1), rest, _ROUND, room, 14),
        Claim("overlap with the other pattern", _value(-1, 1), 0.0, _ROUND, room, 14),
    )
    formula = (
        "h <- tanh(beta W h + 2 x), W = (1/N) sum of p p', no diagonal; 2 patterns, 16 units, 3 of the cue flipped"
    )
    return Exhibit("hopfield", formula, net, 1.0, q, x, claims)


def _sequence() -> Exhibit:
    net = sequence(hadamard(8)[1:6])
    x = held((np.eye(5)[0], 1), (np.zeros(5), 25))
    q = quantize(net)
    rest, called = _rest(2.0), np.arange(len(x)) % 5
    room = _rest_room(q, rest)
    claims = (
        Claim("steps at which the pattern is the next one", lambda z: float(np.sum(z.argmax(1) == called)), 26, 0, 0),
        Claim("its overlap rests at m = tanh(2 m)", lambda z: float(z[-1].max()), rest, _ROUND, room, 25),
    )
    formula = "h <- tanh(2 W h + 2 x), W = (1/N) sum of p[k+1] p[k]', cyclic: each pattern calls the next"
    return Exhibit("sequence", formula, net, 1.0, q, x, claims)


def _ring() -> Exhibit:
    net, psi = ring(24), np.deg2rad(33.0)
    x = held((0.9 * np.array([np.cos(psi), np.sin(psi)]), 1), ([0.0, 0.0], 59))
    q = quantize(net, weight_bits=14, state_bits=14)
    size = ring_radius(24, 2.0) / 2.0
    # Off at most by what 60 steps add: a mode with eigenvalue 1 along the circle, contraction across it.
    ulp = float(np.linalg.norm(roundings(q, np.zeros(2), net.run(x).h[-1]))) * 2.0 / np.sqrt(2.0 * 24)
    claims = (
        Claim(
            "turns from the cue at 33 degrees by",
            lambda z: float(np.rad2deg(np.angle(np.exp(1j * (np.arctan2(z[-1, 1], z[-1, 0]) - psi))))),
            0.0,
            _TURN,
            float(np.rad2deg(60 * ulp / size)),
        ),
        Claim("the bump has the height that the equation of r gives", _radius, size, 1e-6, 1e-6 + 2.0 * ulp),
    )
    formula = "h <- tanh(W h + W_in x), W_ij = (2 J/N) cos(a_i - a_j), J = 2: a bump of activity stands at every angle"
    return Exhibit("ring", formula, net, 1.0, q, x, claims)


def _radius(z: FloatArray) -> float:
    return float(np.hypot(z[-1, 0], z[-1, 1]))


def _chaos() -> Exhibit:
    made = chaos(16, 3.0, seed=7)
    net = replace(made, W_out=np.eye(16), b_out=np.zeros(16))
    x, q = held(([0.0], 150)), quantize(net)
    usual = float(np.sqrt(np.mean(net.run(held(([0.0], 20000))).h[100:] ** 2)))
    claims = (
        Claim("size of the state (rms), as in a long float run", _size, usual, 0.1 * usual, 0.1 * usual),
        Claim("states that return in 150 steps", lambda z: float(len(z) - len(np.unique(z, axis=0))), 0.0, 0.0, 0.0),
    )
    formula = "h <- tanh(W h), W normal with the deviation 3 / sqrt(N): no rest, and no path that rounding could follow"
    return Exhibit("chaos", formula, net, 1.0, q, x, claims)


def _size(z: FloatArray) -> float:
    return float(np.sqrt(np.mean(z[50:] ** 2)))


def _rest(weight: float) -> float:
    """The positive h = tanh(weight h)."""
    h = 1.0
    for _ in range(1000):
        h = float(np.tanh(weight * h))
    return h


def _rest_room(q: QuantizedNetwork, rest: float) -> float:
    """How far the roundings of a step move a rest h = tanh(w h) of q's network or of its overlap.

    They are carried by 1 / (1 - J), J the largest slope of a step between the rest and the end of the room.
    """
    net = q.network
    added = float(roundings(q, np.zeros(net.inputs), np.full(net.units, rest)).max())
    w, d, g = float(np.abs(np.linalg.eigvals(net.W)).max()), float(net.d[0]), float(net.g[0])
    room = 0.0
    for _ in range(50):
        steepest = float(slope("tanh", np.array(w * (rest - room))))
        room = added / (1.0 - d - g * w * steepest)
    return room + 0.5 * q.formats.h.ulp


#: Each exhibit by its name, made when it is asked for.
CATALOGUE: Mapping[str, Callable[[], Exhibit]] = {
    "autapse": _autapse,
    "autapse_at_1": _autapse_at_1,
    "autapse_above_1": _autapse_above_1,
    "amplifier": _amplifier,
    "mutual_excitation": lambda: _mutual(0.8),
    "mutual_inhibition": lambda: _mutual(-0.8),
    "integrator": _integrator,
    "two_attractors": _two_attractors,
    "winner_take_all": _winner_take_all,
    "hopfield": _hopfield,
    "sequence": _sequence,
    "ring": _ring,
    "chaos": _chaos,
}


def exhibit(name: str) -> Exhibit:
    """The exhibit `name`; ValueError, with the names that there are, for another one."""
    if name not in CATALOGUE:
        raise ValueError(f"{name!r} is not in the zoo; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]()
