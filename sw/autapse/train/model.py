"""The compiled part: forward pass, loss, gradient, one update of Adam."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autapse.errors import MissingToolError
from autapse.train import fixed_point
from autapse.train.config import TrainConfig
from autapse.train.weights import Limits


def require(name: str) -> Any:
    """Import a package that training needs. MissingToolError with the install line when it is not there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingToolError(
            f"training needs {name}, which is not installed; run: pip install 'autapse[train]'"
        ) from None


@contextmanager
def double_precision(jax: Any, on: bool) -> Iterator[None]:
    """Let JAX compute in float64 inside the block, if `on`."""
    if not on:
        yield
        return
    where = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")  # before JAX 0.7
    with where.enable_x64(True):
        yield


class Trainer:
    """Loss and update for one configuration and one kind of forward pass; float32, or float64 with fixed point."""

    def __init__(self, config: TrainConfig, bounds: Limits, fixed: bool) -> None:
        jax, optax = require("jax"), require("optax")
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(config.clip),
            optax.adamw(
                config.fine_rate if fixed else config.learning_rate,
                weight_decay=config.weight_decay,
                mask=lambda p: {k: k[0] == "W" for k in p},
            ),
        )
        s = _activation(jax, config.activation)
        leaky = config.alpha < 1.0
        real, whole = _forward(jax, s, config), fixed_point.forward(jax, s, leaky)
        share = config.float_share if fixed else 1.0

        def loss_of(p: Any, words: Any, key: Any, x: Any, y: Any, mask: Any) -> Any:
            def error_of(z: Any) -> Any:
                return jax.numpy.sum(mask * (z - y) ** 2) / jax.numpy.maximum(jax.numpy.sum(mask), 1.0)

            error = share * error_of(real(p, key, x)) if share else 0.0
            error += (1.0 - share) * error_of(whole(p, words, x)) if share < 1.0 else 0.0
            penalty = sum(jax.numpy.sum(array**2) for name, array in p.items() if name[0] == "W") if config.l2 else 0.0
            return error + config.l2 * penalty, error

        def update(p: Any, moments: Any, words: Any, key: Any, x: Any, y: Any, mask: Any) -> Any:
            (_, error), gradient = jax.value_and_grad(loss_of, has_aux=True)(p, words, key, x, y, mask)
            changes, moments = self.optimiser.update(gradient, moments, p)
            p = dict(optax.apply_updates(p, changes))
            if fixed:  # a weight that left its format would have to change the format
                tops = {name: words[name][1] / words[name][0] for name in p}
                p = {name: jax.numpy.clip(array, -tops[name], tops[name]) for name, array in p.items()}
            p["W"] = jax.numpy.clip(p["W"], bounds.low, bounds.high)
            return p, moments, error

        #: (weights, moments, words, key, x, y, mask) -> (weights, moments, mean squared error on the mask)
        self.update = jax.jit(update)


def _activation(jax: Any, name: str) -> Any:
    jnp = jax.numpy
    return {
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "relu": jax.nn.relu,
        "hardtanh": lambda a: jnp.clip(a, -1.0, 1.0),
        "identity": lambda a: a,
    }[name]


def _forward(jax: Any, s: Any, config: TrainConfig) -> Any:
    """The float pass (weights, key of the noise, x) -> readout (batch, time, outputs), from a state of zeros."""
    jnp = jax.numpy

    def run(p: Any, key: Any, x: Any) -> Any:
        drive = jnp.swapaxes(x @ p["W_in"].T + p["b"], 0, 1)  # (time, batch, units)
        noise = config.state_noise * jax.random.normal(key, drive.shape, dtype=drive.dtype)

        def step(h: Any, now: Any) -> Any:
            y = s(h @ p["W"].T + now[0])
            h = (y if config.alpha == 1.0 else (1.0 - config.alpha) * h + config.alpha * y) + now[1]
            return h, h

        start = jnp.zeros(drive.shape[1:], dtype=drive.dtype)
        _, states = jax.lax.scan(step, start, (drive, noise))
        return jnp.swapaxes(states @ p["W_out"].T + p["b_out"], 0, 1)

    return run
