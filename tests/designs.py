"""Random designs: networks, word lengths, lane forms and tilings, extremes included.

All choices come from a `random.Random`: a seeded one, or the one of hypothesis, which shrinks what fails.
"""

from dataclasses import dataclass
from random import Random

import numpy as np

from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse_hw.lanes import FORMS
from autapse_hw.schedule import Schedule
from autapse_hw.tiling import Tiling

ACTIVATIONS = ("tanh", "sigmoid", "relu", "hardtanh", "identity")
#: What the weights are: drawn, all at one end of the range with random signs, all at the same end, mostly zero.
WEIGHTS = ("normal", "full scale", "one sign", "sparse")


@dataclass(frozen=True)
class Design:
    """A core: its network, lanes and lane form."""

    q: QuantizedNetwork
    tiling: Tiling
    form: str

    def __repr__(self) -> str:
        q, f = self.q, self.q.formats
        words = f"{f.W.bits}, {f.h.bits}, {f.x.bits} bits"
        update = "leaky" if q.leaky else "plain"
        return (
            f"N{q.units} M{q.inputs} O{q.outputs}, {words}, {q.activation.name}, {update}, {self.tiling} of {self.form}"
        )


def random_design(
    random: Random, form: str = "generic", units: tuple[int, int] = (1, 9), state_bits: int = 12
) -> Design:
    """A design of that form with so many units; longer states than `state_bits` make large tables slowly."""
    while True:  # until the words of the sums fit the form, too
        q = quantize(random_network(random, random.randint(*units)), **_words(random, form, state_bits))
        f = q.formats
        if FORMS[form].shortage(f.W.bits, f.operand_bits, f.acc_bits) is None:
            return Design(q, random_tiling(random, q, form), form)


def full_range(units: int = 6, inputs: int = 2, outputs: int = 1, seed: int = 1, **kind: object) -> Network:
    """A network of so many units whose state keeps moving over its whole range: its recurrent matrix is orthogonal.

    `kind`: what else it is, as :class:`Network` names it.
    """
    rng = np.random.default_rng(seed)
    return Network(
        W=np.linalg.qr(rng.normal(size=(units, units)))[0],
        W_in=rng.normal(size=(units, inputs)),
        b=0.1 * rng.normal(size=units),
        W_out=rng.normal(size=(outputs, units)),
        h0=rng.uniform(-0.9, 0.9, units),
        **kind,
    )


def random_network(random: Random, units: int) -> Network:
    """A network of so many units whose states move over their whole range."""
    rng = np.random.default_rng(random.getrandbits(32))
    inputs, outputs = random.randint(1, 4), random.randint(1, 4)
    kind = random.choice(WEIGHTS)

    def weights(*shape: int) -> np.ndarray:
        values = rng.normal(size=shape)
        if kind == "full scale":
            return np.sign(values)
        if kind == "one sign":
            return np.full(shape, -1.0 if random.random() < 0.5 else 1.0)
        return values * (rng.random(shape) < 0.25) if kind == "sparse" else values

    leaky = random.random() < 0.4
    g = rng.choice([0.0, 1.0, 0.02, -0.5, 2.0, rng.uniform(0.01, 1.0)], units)
    return Network(
        W=random.choice([0.3, 1.3, 4.0]) / np.sqrt(units) * weights(units, units),
        W_in=random.choice([0.1, 1.0, 8.0]) * weights(units, inputs),
        b=random.choice([0.0, 0.1, 1.0]) * rng.normal(size=units),
        W_out=weights(outputs, units),
        b_out=random.choice([0.0, 0.1]) * rng.normal(size=outputs),
        d=rng.choice([0.0, 0.9, -0.5, 0.5, 1.0], units) if leaky else None,
        g=g if leaky else None,
        h0=random.choice([0.0, 1.0]) * rng.uniform(-1.0, 1.0, units),
        activation=random.choice(ACTIVATIONS),
    )


def _words(random: Random, form: str, longest: int) -> dict[str, object]:
    """Word lengths that the form takes, and ranges."""
    weights, operands = min(18, FORMS[form].weight_bits), min(18, FORMS[form].operand_bits)
    state, inputs = random.randint(4, min(longest, operands)), random.randint(4, operands)
    return {
        "weight_bits": random.randint(4, weights),
        "state_bits": state,
        "input_bits": inputs,
        "operand_bits": random.choice([max(state, inputs), min(26, FORMS[form].operand_bits)]),
        "input_range": random.choice([0.1, 1.0, 6.0]),
        "state_range": random.choice([1.0, 3.0]),
        "guard_bits": random.choice([None, 0, 1, 5]),
        "table": random.choice(["auto", "auto", "linear", "quadratic"]),
    }


def random_tiling(random: Random, q: QuantizedNetwork, form: str) -> Tiling:
    """A tiling that the network's shape allows."""
    while True:
        cols = random.choice([1, 1, 2, 3, 4, q.inputs + q.units])
        drains = random.choice([d for d in range(1, cols + 1) if cols % d == 0])
        tiling = Tiling(random.randint(1, q.outputs + q.units), cols, drains, random.choice([1, 1, 2, 3]))
        if cols > FORMS[form].columns:
            continue
        try:
            Schedule.of(q, tiling, form)
        except ValueError:  # more lanes than rows or columns, or drains that do not divide the rows
            continue
        return tiling


def random_codes(q: QuantizedNetwork, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Input codes (*shape, inputs): uniform, with stretches of zeros and of both ends of the range."""
    top = q.formats.x.max_code
    x = rng.integers(-top, top, size=(*shape, q.inputs), endpoint=True)
    kind = np.repeat(rng.integers(0, 6, size=(*shape[:-1], -(-shape[-1] // 4), 1)), 4, axis=-2)[..., : shape[-1], :]
    return np.where(kind == 0, 0, np.where(kind == 1, top * np.sign(x), np.where(kind == 2, top, x)))


def expected(q: QuantizedNetwork, sequences: int, codes: np.ndarray, start: np.ndarray | None = None) -> tuple:
    """What the integer model makes of codes (runs, steps, inputs), step k of each being one of state k % sequences.

    From h0, or `start` (runs, sequences, units). Gives the kept states (runs, steps, units), the outputs
    (runs, steps, outputs), and the last states (runs, sequences, units) from the state that would step next on.
    """
    from autapse.reference import run

    runs, steps, _ = codes.shape
    h, z = np.empty((runs, steps, q.units), np.int64), np.empty((runs, steps, q.outputs), np.int64)
    last = np.empty((runs, sequences, q.units), np.int64)
    for k in range(sequences):
        made = run(q, codes[:, k::sequences], state=None if start is None else start[:, k])
        h[:, k::sequences], z[:, k::sequences], last[:, k] = made.h, made.z, made.last
    return h, z, np.roll(last, -(steps % sequences), axis=1)
