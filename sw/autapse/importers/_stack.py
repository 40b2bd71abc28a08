"""A chain of recurrent layers as one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autapse.fixed import FloatArray


def stacked(layers: Sequence[Mapping[str, FloatArray]], names: Sequence[str]) -> dict[str, Any]:
    """The arrays of one :class:`~autapse.network.Network`, and its `layers`, of a chain: each feeds the next.

    Parameters
    ----------
    layers
        First layer first: W (units, units), W_in (units, inputs), and b and h0, (units,), where it has them; of the
        last one W_out (outputs, units) and b_out (outputs,) too. Without W_out the readout is the last layer's state.
    names
        What the layers are called in messages.

    Raises ValueError for a layer whose inputs are not the units of the layer before it.
    """
    if len(layers) == 1:
        return dict(layers[0])
    sizes = [len(layer["W"]) for layer in layers]
    ends = np.cumsum(sizes).tolist()
    units, last = ends[-1], layers[-1]
    W = np.zeros((units, units))
    for k, (layer, end, size) in enumerate(zip(layers, ends, sizes, strict=True)):
        W[end - size : end, end - size : end] = layer["W"]
        if k:
            inputs = layer["W_in"].shape[1]
            if inputs != sizes[k - 1]:
                raise ValueError(
                    f"layer {names[k]!r} takes {inputs} inputs, and {names[k - 1]!r} before it has {sizes[k - 1]} units"
                )
            W[end - size : end, end - size - inputs : end - size] = layer["W_in"]
    readout = last.get("W_out", np.eye(sizes[-1]))
    arrays: dict[str, Any] = {
        "W": W,
        "W_in": np.vstack([layers[0]["W_in"], np.zeros((units - sizes[0], layers[0]["W_in"].shape[1]))]),
        "W_out": np.hstack([np.zeros((len(readout), units - sizes[-1])), readout]),
        "layers": tuple(sizes),
    }
    for name in ("b", "h0"):
        parts = [layer.get(name, np.zeros(size)) for layer, size in zip(layers, sizes, strict=True)]
        arrays[name] = np.concatenate(parts)
    return arrays | ({"b_out": last["b_out"]} if "b_out" in last else {})


def one_activation(activations: Sequence[str], names: Sequence[str]) -> str:
    """The activation of all layers; ValueError, which names two layers, where they differ: the core has one."""
    for name, activation in zip(names, activations, strict=True):
        if activation != activations[0]:
            raise ValueError(
                f"layers {names[0]!r} and {name!r} have the activations {activations[0]} and {activation}; "
                "expected one activation in all recurrent layers"
            )
    return activations[0]
