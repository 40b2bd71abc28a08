"""PyTorch's names of weights: which tensors of a state_dict are the recurrence, and which the readout.

``torch.nn.RNN`` computes h <- s(W_ih x + b_ih + W_hh h + b_hh) with ``weight_ih_l0`` (units, inputs) and
``weight_hh_l0`` (units, units), which are [to, from] already; ``RNNCell`` leaves the ``_l0`` away. Its nonlinearity,
tanh or relu, is not stored. ``Linear`` holds ``weight`` (out, in) and ``bias`` (out).
Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autapse.importers._reading import StoredTensor, check_activation, take
from autapse.importers._stack import stacked
from autapse.network import Network

_NAME = re.compile(r"(?P<prefix>.*?)(?P<kind>weight|bias)_(?P<part>ih|hh|hr)(_l(?P<layer>\d+))?(?P<reverse>_reverse)?")
_GATED = {3: "a GRU", 4: "an LSTM"}

#: What follows every refusal.
EXPECTED = "expected one torch.nn.RNN, and at most one Linear after it"


def holds_rnn(tensors: Mapping[str, StoredTensor]) -> bool:
    """Whether any of the names is one of a recurrent layer's input weights."""
    return any(m is not None and m["kind"] == "weight" for m in map(_NAME.fullmatch, tensors))


def build(
    tensors: Mapping[str, StoredTensor],
    *,
    source: str,
    format: str,
    activation: str | None = None,
    head: str | None = None,
    layer: str | None = None,
) -> Network:
    """The network of a state_dict.

    Parameters
    ----------
    tensors
        The tensors by their names.
    source, format
        Kept in `info`.
    activation
        The nonlinearity, which such files do not hold; tanh, PyTorch's default, when left out. `info` says which.
    head
        The name of the Linear that is the readout, or ``none``; found by its shape (outputs, units) when left out,
        and then every tensor of the file must belong to the two layers.
    layer
        The name of the recurrent layer, where there are several.

    Raises
    ------
    ValueError
        For GRU, LSTM and bidirectional layers, wrong shapes, and whatever else the file holds; one line.
    """
    function = check_activation(activation or "tanh")
    prefix, chain = _recurrent(tensors, layer)
    shown = prefix.rstrip("._") or "rnn"
    layers = [_layer(tensors, parts) for parts in chain]
    names = [f"{shown}_l{k}" for k in range(len(chain))]
    units, mine = len(layers[-1]["W"]), {name for parts in chain for name in parts.values()}
    others = {name: tensor for name, tensor in tensors.items() if name not in mine}
    readout = _head(others, units, head)
    listed = ", ".join(f"{shown} (RNN, {len(found['W'])}, {function})" for found in layers)
    if readout is not None:
        weight = tensors[f"{readout}.weight"]
        outputs = weight.shape[0] if weight.shape else -1
        layers[-1]["W_out"] = take(weight, f"{readout}.weight", (outputs, units))
        if f"{readout}.bias" in tensors:
            layers[-1]["b_out"] = take(tensors[f"{readout}.bias"], f"{readout}.bias", (outputs,))
        listed += f", {readout} (Linear, {outputs})"
    said = "given by the user" if activation else "PyTorch's default"
    info = {
        "source": source,
        "format": format,
        "layers": listed,
        "nonlinearity": f"{function}, {said}: the file does not hold it",
    }
    return Network(**stacked(layers, names), activation=function, info=info)


def _layer(tensors: Mapping[str, StoredTensor], parts: Mapping[str, str]) -> dict[str, Any]:
    """The arrays of one recurrent layer."""
    w_hh, w_ih = (tensors[parts[key]] for key in ("weight_hh", "weight_ih"))
    units = _units(parts, w_ih, w_hh)
    arrays: dict[str, Any] = {
        "W": take(w_hh, parts["weight_hh"], (units, units)),
        "W_in": take(w_ih, parts["weight_ih"], (units, w_ih.shape[1])),
    }
    if "bias_ih" in parts or "bias_hh" in parts:
        for key, other in (("bias_ih", "bias_hh"), ("bias_hh", "bias_ih")):
            if key not in parts:
                raise ValueError(f"{parts[other]} has no partner {key}; {EXPECTED}")
        b_ih, b_hh = (take(tensors[parts[key]], parts[key], (units,)) for key in ("bias_ih", "bias_hh"))
        arrays["b"] = b_ih + b_hh
    return arrays


def _recurrent(tensors: Mapping[str, StoredTensor], layer: str | None) -> tuple[str, list[dict[str, str]]]:
    """The prefix of the recurrent layers, and, by layer, their tensors' names by ``weight_ih`` and the like."""
    found: dict[str, dict[int, dict[str, str]]] = {}
    for name in tensors:
        match = _NAME.fullmatch(name)
        if match is None or (layer is not None and match["prefix"].rstrip("._") != layer):
            continue
        if match["reverse"]:
            raise ValueError(f"{name} belongs to a bidirectional layer, which is not read; {EXPECTED}")
        if match["part"] == "hr":
            raise ValueError(f"{name} belongs to an LSTM with projections, which is not read; {EXPECTED}")
        of_layer = found.setdefault(match["prefix"], {}).setdefault(int(match["layer"] or 0), {})
        of_layer[f"{match['kind']}_{match['part']}"] = name
    if not found:
        named = f" of the layer {layer!r}" if layer is not None else ""
        raise ValueError(f"no tensor is named weight_ih_l0{named}; {EXPECTED}. It holds {_listed(tensors)}")
    if len(found) > 1:
        names = ", ".join(repr(prefix.rstrip("._")) for prefix in found)
        raise ValueError(f"holds {len(found)} recurrent layers, {names}; name one with layer=, and its head with head=")
    prefix, chain = next(iter(found.items()))
    for k in range(max(chain) + 1):
        for key in ("weight_ih", "weight_hh"):
            if key not in chain.get(k, {}):
                raise ValueError(f"the recurrent layer {prefix.rstrip('._')!r} has no {key}_l{k}; {EXPECTED}")
    return prefix, [chain[k] for k in range(max(chain) + 1)]


def _units(parts: Mapping[str, str], w_ih: StoredTensor, w_hh: StoredTensor) -> int:
    """The number of units, after refusing gated layers by their number of rows."""
    for name, tensor in ((parts["weight_ih"], w_ih), (parts["weight_hh"], w_hh)):
        if len(tensor.shape) != 2 or 0 in tensor.shape:
            raise ValueError(f"{name} must have two axes, none of them empty; its shape is {tensor.shape}")
    rows, units = w_hh.shape
    gates = rows // units
    if rows == gates * units and gates in _GATED and w_ih.shape[0] == rows:
        raise ValueError(f"{parts['weight_hh']} is {w_hh.shape}: {_GATED[gates]}, which is not read; {EXPECTED}")
    return units


def _head(others: Mapping[str, StoredTensor], units: int, head: str | None) -> str | None:
    """The name of the Linear layer that is the readout, or None where the readout is the state."""
    if head == "none":
        return None
    linears = [name.removesuffix(".weight") for name in others if name.endswith(".weight")]
    if head is not None:
        matches = [name for name in linears if name == head] or [n for n in linears if n.endswith(f".{head}")]
        if len(matches) != 1:
            raise ValueError(f"no Linear is named {head!r}; the file holds, besides the RNN, {_listed(others)}")
        return matches[0]
    fitting = [n for n in linears if len(others[f"{n}.weight"].shape) == 2 and others[f"{n}.weight"].shape[1] == units]
    if len(fitting) > 1:
        names = ", ".join(repr(name) for name in fitting)
        raise ValueError(f"several layers, {names}, could be the readout of {units} units; name one with head=")
    mine = {f"{fitting[0]}.weight", f"{fitting[0]}.bias"} if fitting else set()
    foreign = {name: tensor for name, tensor in others.items() if name not in mine}
    if foreign:
        raise ValueError(
            f"holds {_listed(foreign)}, which belongs to neither one RNN nor one Linear (outputs, {units}) after it; "
            "where the network does not need it, name the readout with head=, or head='none'"
        )
    return fitting[0] if fitting else None


def _listed(tensors: Mapping[str, StoredTensor]) -> str:
    """A few names and shapes."""
    items = [f"{name} {tensor.shape}" for name, tensor in list(tensors.items())[:4]]
    more = f" and {len(tensors) - 4} more" if len(tensors) > 4 else ""
    return ", ".join(items) + more if items else "no tensors"
