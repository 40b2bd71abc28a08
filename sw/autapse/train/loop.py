"""The training loop: lessons, the task itself, and fine-tuning in fixed point, with validations and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autapse.errors import AutapseError
from autapse.network import Network
from autapse.tasks import Task
from autapse.train import checkpoint as checkpoints
from autapse.train.checkpoint import State
from autapse.train.config import TrainConfig
from autapse.train.fixed_point import quantize_for, score_on, words
from autapse.train.model import Trainer, double_precision, require
from autapse.train.weights import Limits, constrained, from_network, initial_weights, limits, to_network
from autapse.update import require_rate_form


class Progress(NamedTuple):
    """What the progress callback receives at each validation.

    Attributes
    ----------
    stage
        ``lesson 1`` and so on, ``training``, or ``fine-tuning at 6 bits``.
    update, max_updates
        Updates of this stage: done so far, and the most that there can be.
    loss
        Mean squared error on the mask, averaged over the updates since the last validation.
    score
        The score on fresh trials, in float64; of the integer model when fine-tuning.
    other
        The lower of the scores that must succeed too, if they were asked for: those of the integer model with words of
        ``check_bits`` and, when fine-tuning, of the float network.
    """

    stage: str
    update: int
    max_updates: int
    loss: float
    score: dict[str, float]
    other: dict[str, float] | None


@dataclass(frozen=True)
class _Stage:
    name: str
    draws: Task  # what trials are drawn from in training
    judge: Task  # what decides
    max_updates: int
    successes: int  # validations in a row that end it
    lesson: bool = False
    bits: int = 0


def train(
    task: Task,
    *,
    units: int = 50,
    seed: int,
    config: TrainConfig | None = None,
    start: Network | None = None,
    progress: Callable[[Progress], None] | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> Network:
    """Train a network with zero initial state on `task`.

    Goes through the task's lessons, the task itself, and, with ``config.bits``, fine-tuning in fixed point. Each stage
    ends when its success threshold is reached on fresh trials, or after ``max_updates``. Returns the network of the
    last validation in the first case, of the best one in the second. Its `info` says which: ``converged`` is "yes" or
    "no", next to ``task``, ``seed``, ``updates`` and ``score``.

    `start` is a trained network to go on from: no lessons then, and with ``config.bits`` only fine-tuning.
    `checkpoint` is a file written at every validation; with `resume`, training goes on from it and gives the same
    network as if it had not stopped.

    The same arguments on the same machine and with the same versions of JAX give the same network.

    Raises ValueError for a bad number of units or seed, or a start that does not fit, AutapseError for a checkpoint of
    another training or when it diverges, MissingToolError when JAX or optax is not installed.
    """
    if units < 1:
        raise ValueError(f"a network has at least one unit, not {units}")
    if seed < 0:
        raise ValueError(f"a seed is an integer from 0 on, not {seed}")
    config = config or TrainConfig()
    jax = require("jax")
    require("optax")
    rng = np.random.default_rng(seed)
    bounds = limits(units, config, rng)
    if start is None:
        weights = initial_weights(task, units, config, rng)
        if config.inhibitory or config.sparsity:
            weights["W"] = constrained(weights["W"], bounds)
    else:
        _check_start(start, task, units, config, bounds)
        weights = from_network(start)
    state = State(weights, rng)
    who = checkpoints.identity(task, units, seed, config)
    if resume:
        if checkpoint is None:
            raise ValueError("to resume, name the checkpoint")
        state = checkpoints.load(checkpoint, who)

    def keep() -> None:
        if checkpoint is not None:
            checkpoints.save(checkpoint, state, who)

    stages = _stages(task, config, start is not None)
    while True:
        stage = stages[state.stage]
        converged = _run_stage(jax, stage, state, config, bounds, seed, progress, keep)
        if not converged:
            state.weights = state.best or state.weights
        if state.stage + 1 == len(stages):
            break
        state.next_stage()
    network = to_network(state.weights, config)
    return network.with_info(task=task.name, seed=str(seed), converged="yes" if converged else "no", **state.note)


def format_score(score: dict[str, float]) -> str:
    """A score as one line of text, for `info` and for people: ``correct 0.99950, hold 0.99810``."""
    return ", ".join(f"{name} {value:.5f}" for name, value in score.items())


def _stages(task: Task, config: TrainConfig, started: bool) -> list[_Stage]:
    lessons: tuple[Task, ...] = task.lessons() if hasattr(task, "lessons") else (task,)
    stages = []
    if not started:
        half = max(1, config.max_updates // 2)
        stages += [_Stage(f"lesson {k + 1}", t, t, half, 1, lesson=True) for k, t in enumerate(lessons[:-1])]
    if not (started and config.bits):
        stages.append(_Stage("training", lessons[-1], task, config.max_updates, config.successes))
    if config.bits:
        name = f"fine-tuning at {config.bits} bits"
        stages.append(_Stage(name, lessons[-1], task, config.max_updates, config.successes, bits=config.bits))
    return stages


def _check_start(start: Network, task: Task, units: int, config: TrainConfig, bounds: Limits) -> None:
    require_rate_form(start, "training")
    shapes = (start.units, start.inputs, start.outputs)
    if shapes != (units, task.inputs, task.outputs):
        raise ValueError(
            f"the starting network has {shapes[0]} units, {shapes[1]} inputs, {shapes[2]} outputs; "
            f"this training has {units}, {task.inputs}, {task.outputs}"
        )
    if start.activation != config.activation:
        raise ValueError(f"the starting network has the activation {start.activation}, not {config.activation}")
    if np.any(start.d != 1.0 - config.alpha) or np.any(start.g != config.alpha) or np.any(start.h0):
        raise ValueError(f"the starting network has not alpha = {config.alpha:g} and zero initial state")
    if not np.array_equal(start.W, np.clip(start.W, bounds.low, bounds.high)):
        raise ValueError("the starting network breaks Dale's law or the sparsity mask of this seed")


def _run_stage(
    jax: Any,
    stage: _Stage,
    state: State,
    config: TrainConfig,
    bounds: Limits,
    seed: int,
    progress: Callable[[Progress], None] | None,
    keep: Callable[[], None],
) -> bool:
    """Train until the stage succeeds or ends; whether it has succeeded."""
    with double_precision(jax, bool(stage.bits)):
        dtype = np.float64 if stage.bits else np.float32
        trainer = Trainer(config, bounds, bool(stage.bits))
        weights = {name: np.asarray(array, dtype) for name, array in state.weights.items()}
        moments = trainer.optimiser.init(weights)
        if state.moments is not None:
            moments = jax.tree.unflatten(jax.tree.structure(moments), state.moments)
        form = _words(weights, stage, state, config)
        key = jax.random.key(seed)
        losses: list[Any] = []
        while state.done < stage.max_updates:
            if state.streak >= stage.successes:
                return True  # where a checkpoint was written after the last validation of a stage
            trials = stage.draws.trials(config.batch, state.rng)
            x = trials.x + config.input_noise * state.rng.standard_normal(trials.x.shape)
            arrays = (np.asarray(a, dtype) for a in (x, trials.y, trials.mask))
            weights, moments, loss = trainer.update(
                weights, moments, form, jax.random.fold_in(key, state.total), *arrays
            )
            losses.append(loss)
            state.done += 1
            state.total += 1
            if state.done % config.check_every and state.done != stage.max_updates:
                continue
            state.weights = {name: np.asarray(array) for name, array in weights.items()}
            if not all(np.isfinite(array).all() for array in state.weights.values()):
                raise AutapseError(
                    f"training diverged before update {state.done} of {stage.name}: "
                    "a smaller learning_rate, clip or gain would help"
                )
            state.moments = [np.asarray(leaf) for leaf in jax.tree.leaves(moments)]
            score, other = _validate(stage, state, config)
            form = _words(state.weights, stage, state, config)
            if progress is not None:
                mean = float(np.mean([float(v) for v in losses]))
                progress(Progress(stage.name, state.done, stage.max_updates, mean, score, other))
            losses.clear()
            keep()
    return state.streak >= stage.successes


def _validate(stage: _Stage, state: State, config: TrainConfig) -> tuple[dict[str, float], dict[str, float] | None]:
    """Judge on fresh trials; brings streak, best and note of `state` up to date."""
    task = stage.judge
    network = to_network(state.weights, config)
    trials = task.trials(config.validation_trials, state.rng)
    score, others = score_on(network, task, trials, stage.bits), []
    if not stage.lesson and task.success.reached(score):
        if stage.bits and config.float_share:
            others.append(score_on(network, task, trials))
        if config.check_bits and (config.float_share or not stage.bits):
            others.append(score_on(network, task, trials, config.check_bits))
    reached = all(task.success.reached(s) for s in (score, *others))
    state.streak = state.streak + 1 if reached else 0
    if state.done < config.min_updates and not stage.lesson:
        state.streak = 0
    value = min(s[task.success.metric] for s in (score, *others))
    if value > state.best_value or state.streak >= stage.successes:
        state.best, state.best_value = dict(state.weights), value
        state.note = {"updates": str(state.total), "score": format_score(score)}
        if stage.bits:
            state.note["bits"] = str(stage.bits)
    return score, min(others, key=lambda s: s[task.success.metric], default=None)


def _words(weights: Any, stage: _Stage, state: State, config: TrainConfig) -> dict[str, Any]:
    """The formats of the weights as they are now; nothing in a float stage."""
    if not stage.bits:
        return {}
    calibrate = stage.judge.trials(config.batch, np.random.default_rng(state.stage)).x
    return words(quantize_for(to_network(weights, config), stage.judge, stage.bits, calibrate))
