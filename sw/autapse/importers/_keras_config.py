"""What a Keras model configuration says: which layer is the recurrence, and which one the readout.

Pure Python on the decoded JSON; no file is touched here. Every refusal is a ValueError of one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

#: Keras' names of the activations that the core has.
ACTIVATIONS: Mapping[str, str] = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "relu": "relu",
    "hard_tanh": "hardtanh",
    "linear": "identity",
}

#: Layers that hand their input on unchanged at inference.
_PASSED_OVER = (
    "InputLayer",
    "Dropout",
    "SpatialDropout1D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
)

_SUPPORTED = "expected SimpleRNN layers, then at most one linear Dense"


@dataclass(frozen=True)
class Layer:
    """A layer that holds weights.

    Attributes
    ----------
    name
        The layer's name; its weights lie in the group of this name.
    kind
        The class, as a user would write it: ``SimpleRNN``, ``TimeDistributed(Dense)``.
    units
        The layer's output size.
    activation
        The name of the activation in :data:`autapse.network.ACTIVATIONS`.
    use_bias
        Whether the layer has a bias.
    """

    name: str
    kind: str
    units: int
    activation: str
    use_bias: bool

    def __str__(self) -> str:
        nonlinear = "" if self.activation == "identity" else f", {self.activation}"
        return f"{self.name} ({self.kind}, {self.units}{nonlinear})"


def read_layers(config: Any) -> tuple[list[Layer], Layer | None]:
    """The recurrent layers, in order, and the readout layer, or None, of a decoded ``model_config``.

    Accepts the Sequential and Functional configurations of Keras 2 and 3. Raises ValueError for everything that is
    not SimpleRNN layers and at most one linear Dense after them, naming the layer.
    """
    rnns: list[Layer] = []
    head: Layer | None = None
    inputs = 0
    for kind, name, settings in _entries(config):
        if kind == "InputLayer":
            inputs += 1
            if inputs > 1:
                raise ValueError(f"the model has more than one input (layer {name!r}); expected a chain of layers")
        if kind in _PASSED_OVER or (kind == "Activation" and settings.get("activation") == "linear"):
            continue
        if kind in ("SimpleRNN", "RNN"):
            if head is not None:
                raise ValueError(f"layer {head.name!r} (Dense) stands before {name!r} ({kind}); {_SUPPORTED}")
            rnns.append(_recurrent(kind, name, settings))
        elif kind in ("Dense", "TimeDistributed"):
            if head is not None:
                raise ValueError(f"layer {name!r} (Dense) is a second one after {head.name!r}; {_SUPPORTED}")
            head = _readout(kind, name, settings)
        else:
            _refuse(kind, name, settings)
    if not rnns:
        raise ValueError(f"the model has no recurrent layer; {_SUPPORTED}")
    return rnns, head


def _entries(config: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Class, name and settings of every layer, in order."""
    body = config.get("config") if isinstance(config, dict) else None
    layers = body if isinstance(body, list) else body.get("layers") if isinstance(body, dict) else None
    if not isinstance(layers, list):
        raise ValueError("model_config lists no layers; expected a Sequential or Functional model")
    outputs = body.get("output_layers") if isinstance(body, dict) else None
    # Keras 3 writes one output as ["name", 0, 0], several as a list or a dictionary of those; Keras 2 always a list.
    ends = list(outputs.values()) if isinstance(outputs, dict) else outputs if isinstance(outputs, list) else []
    if len(ends) > 1 and all(isinstance(end, list) for end in ends):
        raise ValueError(f"the model has {len(ends)} outputs; expected a chain of layers with one")
    for entry in layers:
        kind, settings = _object(entry, "a layer in model_config")
        name = settings.get("name", entry.get("name"))
        if not isinstance(name, str) or not name:
            raise ValueError(f"a {kind} layer in model_config has no name")
        nodes = entry.get("inbound_nodes")
        if isinstance(nodes, list) and len(nodes) > 1:
            raise ValueError(f"layer {name!r} ({kind}) is used {len(nodes)} times; expected a chain of layers")
        yield kind, name, settings


def _object(entry: Any, what: str) -> tuple[str, Mapping[str, Any]]:
    """Class name and settings of one serialised Keras object."""
    if isinstance(entry, dict):
        kind, settings = entry.get("class_name"), entry.get("config")
        if isinstance(kind, str) and isinstance(settings, dict):
            return kind, settings
    raise ValueError(f"{what} has no class_name and config")


def _recurrent(kind: str, name: str, settings: Mapping[str, Any]) -> Layer:
    """A SimpleRNN layer, or an RNN layer around one SimpleRNNCell."""
    if settings.get("go_backwards"):
        raise ValueError(f"layer {name!r} ({kind}) has go_backwards=True; expected one that runs forwards in time")
    if kind == "RNN":
        cell = settings.get("cell")
        if isinstance(cell, list):
            raise ValueError(f"layer {name!r} (RNN) stacks {len(cell)} cells, which is not read; {_SUPPORTED}")
        cell_kind, settings = _object(cell, f"the cell of layer {name!r} (RNN)")
        kind = f"RNN({cell_kind})"
        if cell_kind != "SimpleRNNCell":
            raise ValueError(f"layer {name!r} is an {kind}, which is not read; {_SUPPORTED}")
    return _layer(kind, name, settings)


def _readout(kind: str, name: str, settings: Mapping[str, Any]) -> Layer:
    """A linear Dense layer, also inside TimeDistributed."""
    if kind == "TimeDistributed":
        inner, settings = _object(settings.get("layer"), f"the layer inside {name!r} (TimeDistributed)")
        kind = f"TimeDistributed({inner})"
        if inner != "Dense":
            raise ValueError(f"layer {name!r} is a {kind}, which is not read; {_SUPPORTED}")
    layer = _layer(kind, name, settings)
    if layer.activation != "identity":
        given = settings.get("activation")
        raise ValueError(f"layer {name!r} ({kind}) has the activation {given!r}; expected 'linear' at the readout")
    return layer


def _layer(kind: str, name: str, settings: Mapping[str, Any]) -> Layer:
    units = settings.get("units")
    if not isinstance(units, int) or isinstance(units, bool) or units < 1:
        raise ValueError(f"layer {name!r} ({kind}) has units = {units!r}; expected an integer of at least 1")
    activation = settings.get("activation") or "linear"  # null stands for none
    if isinstance(activation, dict):  # a custom function or a layer used as an activation
        inner = activation.get("config")
        activation = inner if isinstance(inner, str) else activation.get("class_name")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"layer {name!r} ({kind}) has the activation {activation!r}; expected one of {known}")
    return Layer(name, kind, units, ACTIVATIONS[activation], bool(settings.get("use_bias", True)))


def _refuse(kind: str, name: str, settings: Mapping[str, Any]) -> NoReturn:
    inner = settings.get("layer")
    if isinstance(inner, dict) and isinstance(inner.get("class_name"), str):
        kind = f"{kind}({inner['class_name']})"
    raise ValueError(f"layer {name!r} is a {kind}, which is not read; {_SUPPORTED}")
