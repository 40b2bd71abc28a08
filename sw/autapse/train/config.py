"""How to train: one frozen object, and the settings that are known to solve each task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autapse.network import ACTIVATIONS
from autapse.quantized import MAX_BITS, MIN_BITS
from autapse.tasks import Task
from autapse.tasks._base import check_not_negative, check_positive

TRAINABLE = tuple(ACTIVATIONS)
INITIAL = ("orthogonal", "normal")


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The defaults solve the flip-flops and gates; :func:`recommended` has settings for every task.

    Attributes
    ----------
    activation
        The network's activation.
    alpha
        Share of the new value in an update, h <- (1 - alpha) h + alpha s(...); 1: not leaky.
    initial
        ``orthogonal`` or ``normal``: W and W_in with variance gain^2 / inputs of the unit's kind, W_out likewise.
    gain
        Scale of the initial weights.
    input_gain
        Scale of the initial W_in beyond that: 1 gives columns of norm 1, in which a pulse moves a unit little.
    inhibitory
        Fraction of inhibitory units (Dale's law): the columns of W[to, from] of the first units are not negative, those
        of the others not positive. 0: no constraint. W_in and W_out are free.
    sparsity
        Fraction of the recurrent connections that are absent, drawn once.
    learning_rate
        Adam's step size.
    clip
        The gradient is scaled down to this global norm where it is larger.
    weight_decay
        Decoupled decay (AdamW) of the weights, not of the biases, per unit of learning rate. It keeps the weights small
        enough for few integer bits.
    l2
        Penalty on the sum of the squared weights, added to the loss.
    input_noise
        Standard deviation of noise on the inputs besides the task's own.
    state_noise
        Standard deviation of noise on the state at every step. It makes memories that survive rounding: rounding to f
        fraction bits is like noise of 2**-f / sqrt(12).
    batch
        Trials per update.
    max_updates
        Updates of each stage after which it ends, whatever the score; a lesson has half of them.
    min_updates
        Updates before which training does not end: margin beyond the first success.
    successes
        Validations in a row that must succeed before training ends.
    check_every
        Updates between two validations.
    validation_trials
        Fresh trials in each validation.
    check_bits
        Word length at which the network must succeed too, as integers, before training ends. 0: float alone decides.
    bits
        Word length of quantisation-aware fine-tuning, the last stage. 0: none.
    fine_rate
        Adam's step size in that stage.
    float_share
        Weight of the float network's loss in that stage, beside the integer model's. 0: none, and then the network may
        come to fail in float, because it uses the grid; else it has to succeed in float and with `check_bits` too.
    """

    activation: str = "tanh"
    alpha: float = 1.0
    initial: str = "orthogonal"
    gain: float = 0.9
    input_gain: float = 1.0
    inhibitory: float = 0.0
    sparsity: float = 0.0
    learning_rate: float = 2e-3
    clip: float = 1.0
    weight_decay: float = 0.02
    l2: float = 0.0
    input_noise: float = 0.0
    state_noise: float = 0.02
    batch: int = 64
    max_updates: int = 6000
    min_updates: int = 0
    successes: int = 1
    check_every: int = 100
    validation_trials: int = 200
    check_bits: int = 8
    bits: int = 0
    fine_rate: float = 5e-4
    float_share: float = 0.5

    def __post_init__(self) -> None:
        _check_name("activation", self.activation, TRAINABLE)
        _check_name("initial", self.initial, INITIAL)
        check_positive(
            gain=self.gain,
            input_gain=self.input_gain,
            learning_rate=self.learning_rate,
            clip=self.clip,
            batch=self.batch,
            max_updates=self.max_updates,
            successes=self.successes,
            check_every=self.check_every,
            fine_rate=self.fine_rate,
            validation_trials=self.validation_trials,
        )
        check_not_negative(
            weight_decay=self.weight_decay,
            l2=self.l2,
            input_noise=self.input_noise,
            state_noise=self.state_noise,
            min_updates=self.min_updates,
        )
        for name in ("inhibitory", "sparsity", "float_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha must lie in (0, 1], not {self.alpha}")
        for name in ("bits", "check_bits"):
            value = getattr(self, name)
            if value and not MIN_BITS <= value <= MAX_BITS:
                raise ValueError(f"{name} must be 0 or lie in {MIN_BITS} to {MAX_BITS}, not {value}")


def _check_name(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}; not {value!r}")


def recommended(task: Task) -> TrainConfig:
    """Settings that solve `task`, by its name; for a task that is not known, those that solve most."""
    return _RECOMMENDED.get(task.name, _BASE)


#: Units that change by a fifth a step bridge long delays with few effective steps. A nearly linear start (orthogonal,
#: gain 1, weak inputs) keeps gradients alive, and a little noise on the state makes attractors that survive rounding;
#: more of it drowns what has to be remembered before it is learnt.
_BASE = TrainConfig(alpha=0.2, gain=1.0, input_gain=0.7, state_noise=0.02, batch=32, max_updates=2500, successes=3)
#: Tasks that need no leak, which costs hardware.
_RECOMMENDED: Mapping[str, TrainConfig] = {
    "xor": replace(_BASE, alpha=1.0),
    "flipflop": TrainConfig(state_noise=0.05, successes=3),
}
