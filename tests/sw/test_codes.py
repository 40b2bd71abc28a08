"""Integers in given formats: what a retrained network needs for the circuit of an earlier one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autapse.network import Network
from autapse.quantize import quantize

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "leaky": {"d": 0.75, "g": 0.25},
    "open range": {"h0": np.full(6, 1.0)},
    "current": {"d": 0.9, "g": 0.1, "form": "current", "h0": np.full(6, 1.5)},
    "stack": {"layers": (4, 2)},
    "relu": {"activation": "relu"},
}


def network(scale: float = 1.0, seed: int = 0, **more: Any) -> Network:
    rng = np.random.default_rng(seed)
    shapes = {"W": (6, 6), "W_in": (6, 2), "b": (6,), "W_out": (3, 6), "b_out": (3,)}
    return Network(**{name: scale * rng.uniform(-1, 1, shape) for name, shape in shapes.items()}, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_a_retrained_network_gets_the_very_formats(kind: str) -> None:
    """Much smaller weights, which alone would get finer formats; and all that is left is as if quantised alone."""
    options = {"weight_bits": 9, "state_bits": 7, "input_bits": 10, "input_range": 1.5, "operand_bits": 12}
    if kind == "relu":
        options["state_range"] = 3.0
    net, again = network(**KINDS[kind]), network(0.3, seed=1, **KINDS[kind])
    q = quantize(net, table="linear" if kind != "relu" else "auto", **options)  # type: ignore[arg-type]
    assert quantize(net, like=q).model_hash() == q.model_hash()
    assert quantize(again, **options).formats != q.formats  # type: ignore[arg-type]
    new = quantize(again, like=q)
    assert (new.formats, new.activation) == (q.formats, q.activation)
    assert (new.network, new.circuit_hash()) == (again, q.circuit_hash())
    for name in ("W", "W_in", "W_out"):
        error = getattr(new, name) - np.ldexp(getattr(again, name), getattr(q.formats, name).frac)
        assert np.abs(error).max() <= 0.5
        assert np.any(getattr(new, name) != getattr(q, name))
    assert np.abs(new.b - np.ldexp(again.b, q.formats.acc.frac)).max() <= 0.5
    x = np.random.default_rng(2).uniform(-1.5, 1.5, (20, 2))
    assert np.abs(new.run(x).z - again.run(x).z).max() < 0.25  # 7 bits of state, and six of them to a sum


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 5}, "units: the network has 5, and the one that gives the formats has 6"),
        ({"layers": (3, 3)}, r"layers: the network has \(3, 3\), and the one that gives the formats has \(\)"),
        ({"activation": "sigmoid"}, "activation: the network has sigmoid, .* has tanh"),
        ({"form": "current"}, "form: the network has current, .* has rate"),
        ({"d": 0.5}, "the network is leaky, and the one that gives the formats is not"),
        ({"W": 1.1}, r"do not hold this network: W reaches 1\.\d+, outside ±0\.99\d+, the range of its format"),
        ({"W_out": 3}, r"W_out reaches 2\.\d+, outside ±"),
        ({"b": 200}, r"do not hold this network: the accumulator needs \d+ bits and has \d+"),
        ({"b": 1e12}, "b is too large for its products' scale"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    net = network()
    if changes == {"units": 5}:
        other = Network(net.W[:5, :5], net.W_in[:5], net.b[:5], net.W_out[:, :5], net.b_out)
    else:
        scaled = {name: v * getattr(net, name) for name, v in changes.items() if name in ("W", "W_out", "b")}
        other = replace(net, **{**changes, **scaled})
    with pytest.raises(ValueError, match=message) as caught:
        quantize(other, like=quantize(net))
    assert "\n" not in str(caught.value)


def test_start_and_leak_must_fit_too() -> None:
    q = quantize(network(**KINDS["leaky"]))
    for changes, message in (
        ({"h0": np.full(6, 2.0)}, "h0 reaches 2, outside ±0.99"),
        ({"d": 0.0, "g": 1.0}, "g reaches 1, outside ±0.99"),
        ({"d": 1.0, "g": 1e-6}, "d reaches 1, outside"),
        ({"g": 1e-6}, "it would be 0"),
    ):
        with pytest.raises(ValueError, match=message):
            quantize(replace(network(**KINDS["leaky"]), **changes), like=q)  # type: ignore[arg-type]


def test_a_current_that_may_saturate_is_told() -> None:
    net = network(**KINDS["current"])
    q = quantize(net)
    proof = q.overflow_proof()
    assert proof["largest_kept_state"] <= proof["kept_state_max"]
    loud = replace(net, g=np.array(0.3))  # the sums are the same, and the accumulator holds them
    with pytest.warns(RuntimeWarning, match="the kept state can saturate: the given format holds less"):
        again = quantize(loud, like=q)
    proof = again.overflow_proof()
    assert proof["largest_kept_state"] > proof["kept_state_max"]


@pytest.mark.parametrize(
    "option",
    ["weight_bits", "state_bits", "input_bits", "input_range", "state_range", "operand_bits", "guard_bits", "table"],
)
def test_other_options_are_refused(option: str) -> None:
    value: Any = "auto" if option == "table" else 8
    with pytest.raises(ValueError, match=f"^like gives every format: leave out {option}$"):
        quantize(network(), like=quantize(network()), **{option: value})
