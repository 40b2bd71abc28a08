"""The network model: a discrete-time rate RNN with a linear readout, in float64.

    h[t] = d * h[t-1] + g * s(W h[t-1] + W_in x[t] + b)
    z[t] = W_out h[t] + b_out

d and g are element-wise. d = 0, g = 1 is the plain (Elman, ``SimpleRNN``) update; the Euler step dt of the rate
equation with time constants tau is d = 1 - dt/tau, g = dt. This is the rate form; in the current form the state is
what the activation is taken of, v[t] = d * v[t-1] + g * (W s(v[t-1]) + W_in x[t] + b), and z[t] = W_out s(v[t]) +
b_out. `autapse.update` has both.

In a stack of layers the units of a layer see the new states, of this very step, of the layers before it, and the old
ones of their own layer and of those behind it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from autapse.errors import FileFormatError, one_line
from autapse.files import write_beside
from autapse.fixed import FloatArray
from autapse.sizes import Sized

if TYPE_CHECKING:
    from autapse.tangent import Point

FORMAT_VERSION = 1

#: The activations that a network may have, each a float64 function.
ACTIVATIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "tanh": np.tanh,
    "sigmoid": lambda a: 0.5 + 0.5 * np.tanh(0.5 * a),  # the logistic function without overflow
    "relu": lambda a: np.maximum(a, 0.0),
    "hardtanh": lambda a: np.clip(a, -1.0, 1.0),
    "identity": lambda a: a,
}

#: Those with |s| <= 1.
BOUNDED = ("tanh", "sigmoid", "hardtanh")

#: The forms of the state.
FORMS = ("rate", "current")

_SHAPES = {
    "W": ("units", "units"),
    "W_in": ("units", "inputs"),
    "b": ("units",),
    "W_out": ("outputs", "units"),
    "b_out": ("outputs",),
    "d": ("units",),
    "g": ("units",),
    "h0": ("units",),
}


class Trajectory(NamedTuple):
    """What a run returns.

    Attributes
    ----------
    z
        Readout, (batch, time, outputs).
    h
        State after each step, (batch, time, units): h of the rate form, v of the current form.
    """

    z: FloatArray
    h: FloatArray


@dataclass(frozen=True, eq=False)
class Network(Sized):
    """A trained recurrent network: weights as [to, from], float64.

    Parameters
    ----------
    W : (units, units)
        Recurrent weights.
    W_in : (units, inputs)
        Input weights.
    b : (units,)
        Bias; zeros when left out.
    W_out : (outputs, units)
        Readout weights; the identity (the readout is the state) when left out.
    b_out : (outputs,)
        Readout bias; zeros when left out.
    d, g : (units,) or scalar
        Decay, in [-1, 1], and gain of the update, in [-4, 4]. 0 and 1 when left out.
    h0 : (units,)
        Initial state; zeros when left out.
    activation
        One of ``tanh``, ``sigmoid``, ``relu``, ``hardtanh``, ``identity``.
    form
        What the state is: ``rate``, the activation's result, or ``current``, what the activation is taken of.
    layers
        Units of each layer of a stack, first layer first; empty for a network of one layer.
    info
        Where the network came from: plain text by plain text, kept in the file.

    Raises
    ------
    ValueError
        For a wrong shape, a value that is not finite or out of range, or an unknown activation. The message names it.
    """

    W: FloatArray
    W_in: FloatArray
    b: FloatArray = None  # type: ignore[assignment]  # None until __post_init__ has put the default in its place
    W_out: FloatArray = None  # type: ignore[assignment]
    b_out: FloatArray = None  # type: ignore[assignment]
    d: FloatArray = None  # type: ignore[assignment]
    g: FloatArray = None  # type: ignore[assignment]
    h0: FloatArray = None  # type: ignore[assignment]
    activation: str = "tanh"
    form: str = "rate"
    layers: tuple[int, ...] = ()
    info: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        W = real_array("W", self.W)
        if W.ndim != 2 or W.shape[0] != W.shape[1] or W.shape[0] == 0:
            raise ValueError(f"W must be square with at least one unit, (units, units); its shape is {W.shape}")
        units = W.shape[0]
        W_in = real_array("W_in", self.W_in)
        if W_in.ndim != 2 or W_in.shape[1] == 0:
            raise ValueError(f"W_in must be (units, inputs) with at least one input; its shape is {W_in.shape}")
        W_out = np.eye(units) if self.W_out is None else real_array("W_out", self.W_out)
        if W_out.ndim != 2 or W_out.shape[0] == 0:
            raise ValueError(f"W_out must be (outputs, units) with at least one output; its shape is {W_out.shape}")
        sizes = {"units": units, "inputs": W_in.shape[1], "outputs": W_out.shape[0]}
        arrays = {
            "W": W,
            "W_in": W_in,
            "b": _vector("b", self.b, 0.0, units),
            "W_out": W_out,
            "b_out": _vector("b_out", self.b_out, 0.0, sizes["outputs"]),
            "d": _vector("d", self.d, 0.0, units),
            "g": _vector("g", self.g, 1.0, units),
            "h0": _vector("h0", self.h0, 0.0, units),
        }
        for name, array in arrays.items():
            expected = tuple(sizes[axis] for axis in _SHAPES[name])
            if array.shape != expected:
                axes = ", ".join(_SHAPES[name])
                raise ValueError(f"{name} must be ({axes}) = {expected}; its shape is {array.shape}")
            _finite(name, array)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        _within("d", arrays["d"], 1.0)
        _within("g", arrays["g"], 4.0)
        if self.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation must be one of {known}; not {self.activation!r}")
        object.__setattr__(self, "layers", check_layers(self.layers, units))
        if self.form not in FORMS:
            raise ValueError(f"form must be one of {', '.join(FORMS)}; not {self.form!r}")
        if self.activation in BOUNDED and self.form == "rate" and not self.leaky:
            _within("h0", arrays["h0"], 1.0)
        check_info(self.info)

    @property
    def parts(self) -> list[slice]:
        """The units of each layer, in order."""
        ends = np.cumsum(self.layers or (self.units,)).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    @property
    def leaky(self) -> bool:
        """Whether the update needs the old state or a gain: false for d = 0, g = 1."""
        return bool(np.any(self.d != 0.0) or np.any(self.g != 1.0))

    def run(self, x: ArrayLike) -> Trajectory:
        """Run from h0 over the inputs `x`, (batch, time, inputs), in float64.

        A two-dimensional x is one sequence, (time, inputs), and gives arrays without the batch axis.
        """
        from autapse.update import advance, rates

        x, single = check_inputs(x, self.inputs)
        batch, steps = x.shape[:2]
        drive = x @ self.W_in.T + self.b
        h = np.broadcast_to(self.h0, (batch, self.units))
        states = np.empty((batch, steps, self.units))
        for t in range(steps):
            h = states[:, t] = advance(self, h, drive[:, t])
        z = rates(self, states) @ self.W_out.T + self.b_out
        return Trajectory(z[0], states[0]) if single else Trajectory(z, states)

    def linearize(self, at: Point = "origin", x: ArrayLike | None = None) -> Network:
        """The linear network that is tangent to this one at the state `at`, (units,), and input `x`, (inputs,).

        `at` is ``origin``, any state, or a fixed point as :func:`autapse.fixedpoints.find_fixed_points` gives it; `x`
        is zero when left out. The result has the activation identity, the same d and g, and the bias that makes the
        constant part right too; and the same readout, or, of a network of the current form, the readout's tangent.
        """
        from autapse.tangent import linearized, linearized_current
        from autapse.update import require_one_layer

        require_one_layer(self, "a linearisation")
        tangent = linearized_current if self.form == "current" else linearized
        return replace(self, **tangent(self, at, x))

    def with_info(self, **info: str) -> Network:
        """A copy with more entries in `info`."""
        return replace(self, info={**self.info, **info})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the project's .npz, version 1: the eight arrays and a JSON text `header`. Atomic."""
        header = {
            "format": "autapse-network",
            "version": FORMAT_VERSION,
            "activation": self.activation,
            "form": self.form,
            "layers": list(self.layers),
            "info": dict(self.info),
            "arrays": list(_SHAPES),
        }
        with write_beside(path) as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **self.arrays())

    def arrays(self) -> dict[str, Any]:
        """The eight arrays by name."""
        return {name: getattr(self, name) for name in _SHAPES}


def load_npz(path: str | os.PathLike[str]) -> Network:
    """Read a network that :meth:`Network.save` wrote. Never unpickles.

    Raises FileFormatError when the file is not such a file, FileNotFoundError when it is missing.
    """
    header, arrays = read_npz(path, "autapse-network", FORMAT_VERSION)
    missing = [name for name in ("W", "W_in") if name not in arrays]
    if missing:
        raise FileFormatError(f"{path}: the array {missing[0]} is missing")
    unknown = set(arrays) - set(_SHAPES)
    if unknown:
        raise FileFormatError(f"{path}: unknown array {sorted(unknown)[0]}; expected {', '.join(_SHAPES)}")
    try:
        return Network(
            **arrays, **{name: header[name] for name in ("activation", "form", "layers", "info") if name in header}
        )
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: {one_line(error)}") from None


def read_npz(path: str | os.PathLike[str], kind: str, version: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and arrays of an .npz of this project, checking its kind and version."""
    try:
        with Path(path).open("rb") as raw:  # ours to close: np.load leaves it open when it fails
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            with file:
                arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise FileFormatError(f"{path}: is a folder; expected an .npz file") from None
    except Exception as error:  # a damaged archive raises what zipfile, zlib and numpy please: a dozen types
        raise FileFormatError(
            f"{path}: not a readable .npz file (truncated, or of another kind): {one_line(error)}"
        ) from None
    try:
        header = json.loads(str(arrays.pop("header")))
        found, number, listed = header["format"], header["version"], set(header.get("arrays", ()))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise FileFormatError(f"{path}: an .npz without Autapse's header; expected one of kind {kind}") from None
    if found != kind:
        raise FileFormatError(f"{path}: holds {one_line(found)}; expected {kind}")
    if number != version:
        raise FileFormatError(f"{path}: {kind} version {one_line(number)}; this Autapse reads version {version}")
    lost = listed - set(arrays)  # damage to the directory of a zip can hide its members
    if lost:
        raise FileFormatError(f"{path}: damaged, the array {one_line(min(map(str, lost)))} is missing")
    return header, arrays


def check_inputs(x: ArrayLike, inputs: int, name: str = "x") -> tuple[FloatArray, bool]:
    """Validate inputs as (batch, time, inputs) float64; also says whether the batch axis was added here."""
    array = real_array(name, x)
    if array.ndim not in (2, 3) or array.shape[-1] != inputs:
        raise ValueError(
            f"{name} must be (batch, time, inputs) or (time, inputs) with {inputs} inputs; its shape is {array.shape}"
        )
    _finite(name, array)
    return (array[None], True) if array.ndim == 2 else (array, False)


def check_layers(layers: Any, units: int) -> tuple[int, ...]:
    """Sizes of a stack's layers, empty for one layer; ValueError unless they are positive and add up to `units`."""
    sizes = tuple(layers) if isinstance(layers, list | tuple) else (layers,)
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes):
        raise ValueError(f"layers must be the numbers of units of each layer, not {layers!r}")
    if sizes and sum(sizes) != units:
        raise ValueError(f"layers must add up to the {units} units; {sizes} are {sum(sizes)}")
    return sizes if len(sizes) > 1 else ()


def check_info(info: Any) -> None:
    """Raise ValueError unless `info` maps text to text."""
    if not isinstance(info, Mapping) or not all(isinstance(v, str) for kv in info.items() for v in kv):
        raise ValueError(f"info must map text to text, not {info!r}")


def rate_arrays(equation: Any) -> dict[str, FloatArray]:
    """The validated arrays of a rate equation: its W, W_in, b, W_out, b_out, h0 and tau, (units,), defaults filled in.

    The equation makes the same demands as a Network of all but `tau`; and h0 may be of any size, as with a decay.
    """
    names = ("W", "W_in", "b", "W_out", "b_out", "h0")
    net = Network(**{name: getattr(equation, name) for name in names}, d=np.array(0.5), activation=equation.activation)
    tau = _vector("tau", equation.tau, 1.0, net.units)
    if tau.shape != (net.units,):
        raise ValueError(f"tau must be (units) = ({net.units},); its shape is {tau.shape}")
    bad = ~(np.isfinite(tau) & (tau > 0.0))
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(f"tau must be positive and finite; tau[{k}] is {tau[k]:g}")
    tau.setflags(write=False)
    return {**{name: getattr(net, name) for name in names}, "tau": tau}


def real_array(name: str, value: Any) -> FloatArray:
    """A float64 copy of an array of real numbers; anything else is refused by `name`."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError
        return np.array(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers, not {type(value).__name__}") from None


def _vector(name: str, value: ArrayLike | None, default: float, size: int) -> FloatArray:
    array = real_array(name, default if value is None else value)
    return np.full(size, float(array)) if array.ndim == 0 else array


def _finite(name: str, array: FloatArray) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name} must be finite; {name}{list(where)} is {array[where]}")


def _within(name: str, array: FloatArray, limit: float) -> None:
    bad = np.abs(array) > limit
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(f"{name} must lie in [-{limit:g}, {limit:g}]; {name}[{k}] is {array[k]:g}")
