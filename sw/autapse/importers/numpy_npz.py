"""PsychRNN's .npz files of weights.

PsychRNN keeps a state v of the current form, with a = dt/tau, and reads out its activation:

    v <- (1 - a) v + a (W_rec s(v) + W_in x + b_rec)        z = W_out s(v) + b_out

and is read as a :class:`~autapse.network.Network` of that form; for a = 1 as one of the rate form,
h <- s(W h + W_in x + b), which h = s(v) then obeys exactly, and which costs less hardware. The file holds neither a nor
s, which is relu unless the user chose another. Version 1.0 stores the weights as they act; earlier ones store them raw,
beside masks that are applied here.
Source: psychrnn/backend/rnn.py (get_weights, save), models/basic.py and simulation.py of PsychRNN 1.0.0.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from autapse.fixed import FloatArray
from autapse.importers._reading import check_activation, check_finite, reading
from autapse.network import ACTIVATIONS, Network

#: The arrays that tell such a file from others.
NAMES = ("W_rec", "W_in")

_EXPECTED = "expected PsychRNN's W_rec (units, units), W_in (units, inputs), W_out (outputs, units), b_rec and b_out"
_FORMS = ("current", "rate")


def is_psychrnn(members: list[str]) -> bool:
    """Whether the members of a zip archive are those of an .npz with PsychRNN's names."""
    return all(f"{name}.npy" in members for name in NAMES)


def load(
    path: str | os.PathLike[str],
    *,
    activation: str | None = None,
    alpha: float | None = None,
    form: str | None = None,
) -> Network:
    """Read PsychRNN's weights.

    Parameters
    ----------
    path
        The file. Never unpickled: arrays of Python objects are refused, but for a ``dale_ratio`` of None.
    activation
        The transfer function; relu, PsychRNN's default, when left out.
    alpha
        dt/tau, in (0, 1], which the file does not hold.
    form
        ``current``, PsychRNN's own, when left out. For alpha = 1 the network is of the rate form, and its state the
        activation of PsychRNN's. ``rate`` for weights of these names that belong to a model of the rate form.

    Raises FileFormatError, one line that names the file, for everything else, and FileNotFoundError.
    """
    with reading(path, "an .npz file"):
        function = check_activation(activation or "relu")
        if form not in (None, *_FORMS):
            raise ValueError(f"form must be one of {', '.join(_FORMS)}; not {form!r}")
        if alpha is not None and not 0.0 < alpha <= 1.0:
            raise ValueError(f"alpha = dt/tau must lie in (0, 1]; it is {alpha}")
        with Path(path).open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError(f"a single array; {_EXPECTED}")
            with file:
                arrays = _arrays(file)
        chosen = "given by the user" if activation else "PsychRNN's default"
        info = {
            "source": Path(path).name,
            "format": "PsychRNN .npz",
            "layers": f"rnn ({arrays['W'].shape[0]}, {function})",
            "nonlinearity": f"{function}, {chosen}: the file does not hold it",
        }
        if alpha is None:
            raise ValueError(
                f"form={form or 'current'!r} needs alpha = dt/tau, which the file does not hold: give it, as in "
                "load(path, alpha=0.1) or --option alpha=0.1"
            )
        if form == "rate":
            info["state"] = f"rate form, alpha = {alpha:g}, as the user says; PsychRNN's own is the current form"
        elif alpha == 1.0:
            arrays["h0"] = ACTIVATIONS[function](arrays.get("h0", np.zeros(len(arrays["W"]))))
            info["state"] = "rate form: the activation of PsychRNN's state, which is exact for alpha = 1"
        else:
            arrays["form"] = "current"
            info["state"] = f"current form, PsychRNN's own, alpha = {alpha:g}, as the user says"
        return Network(**arrays, d=np.array(1.0 - alpha), g=np.array(alpha), activation=function, info=info)


def _arrays(file: Any) -> dict[str, Any]:
    """The network's arrays by its own names, masks and Dale's law applied."""
    gated = [name for name in ("W_f", "init_hidden", "init_cell") if name in file.files]
    if gated:
        raise ValueError(f"holds {gated[0]}, an LSTM's, which is not read; {_EXPECTED}")
    for name in NAMES:
        if name not in file.files:
            raise ValueError(f"the array {name} is missing; {_EXPECTED}")
    W = _read(file, "W_rec")
    if W.ndim != 2 or W.shape[0] != W.shape[1] or W.size == 0:
        raise ValueError(f"W_rec must be (units, units); its shape is {W.shape}")
    units = W.shape[0]
    W_in = _read(file, "W_in", (units, None))
    arrays = {"W": _mask(file, "rec", W), "W_in": _mask(file, "input", W_in)}
    dale = _dale(file, units)
    if "W_out" in file.files:
        W_out = _read(file, "W_out", (None, units))
        arrays["W_out"] = _mask(file, "output", W_out)
        if "b_out" in file.files:
            arrays["b_out"] = _read(file, "b_out", (W_out.shape[0],))
        if dale is not None:
            arrays["W_out"] = np.abs(arrays["W_out"]) @ dale[1]
    if dale is not None:  # presynaptic: columns of [to, from]; inputs excite
        arrays["W"] = np.abs(arrays["W"]) @ dale[0]
        arrays["W_in"] = np.abs(arrays["W_in"])
    if "b_rec" in file.files:
        arrays["b"] = _read(file, "b_rec", (units,))
    if "init_state" in file.files:
        state = _read(file, "init_state")
        rows = state.reshape(-1, units) if state.size and state.size % units == 0 else state[None]
        if rows.shape[1:] != (units,) or np.any(rows != rows[0]):
            raise ValueError(f"init_state must be one state, (1, {units}); its shape is {state.shape}")
        arrays["h0"] = rows[0]
    return arrays


def _mask(file: Any, which: str, weights: FloatArray) -> FloatArray:
    """The weights with their connectivity mask, of ones and zeros, applied; twice is once.

    Other masks are taken as applied already where the file is of version 1.0, which stores ``dale_ratio``.
    """
    for name in (f"{which}_connectivity", f"{which}_Connectivity"):
        if name in file.files:
            mask = _read(file, name, weights.shape)
            binary = bool(np.all((mask == 0.0) | (mask == 1.0)))
            return weights * mask if binary or "dale_ratio" not in file.files else weights
    return weights


def _dale(file: Any, units: int) -> tuple[FloatArray, FloatArray] | None:
    """Dale_rec and Dale_out, diagonal, or None where Dale's law does not hold."""
    if "Dale_rec" not in file.files:
        return None
    identity = np.eye(units)
    signs = _read(file, "Dale_rec", (units, units))
    outputs = _read(file, "Dale_out", (units, units)) if "Dale_out" in file.files else identity
    if np.any(np.abs(signs) != identity) or np.any(outputs * (1.0 - identity)):
        raise ValueError("Dale_rec must be diagonal with 1 and -1, and Dale_out diagonal")
    if "dale_ratio" not in file.files:
        return None if np.array_equal(signs, identity) else (signs, outputs)
    try:
        ratio = float(_read(file, "dale_ratio", ()))
    except _ObjectsError:  # NumPy pickles a dale_ratio of None; it is not read
        if not np.array_equal(signs, identity):
            raise ValueError("dale_ratio is an array of Python objects, though Dale_rec has inhibitory units") from None
        return None
    return (signs, outputs) if ratio else None


class _ObjectsError(ValueError):
    """An array of Python objects, which only unpickling could read."""


def _read(file: Any, name: str, shape: tuple[int | None, ...] | None = None) -> FloatArray:
    """An array of floats as float64, after checking its shape; None stands for any length of at least 1."""
    try:
        array = file[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            text = f"{name} is an array of Python objects, which is refused: nothing in the file is unpickled"
            raise _ObjectsError(text) from None
        raise
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"{name} must be an array of real numbers, not of {kind}")
    if shape is not None:
        fits = array.ndim == len(shape) and all(
            n == size if size is not None else n > 0 for n, size in zip(array.shape, shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise ValueError(f"{name} must have the shape ({wanted}); it is {array.shape}")
    result = np.asarray(array, dtype=np.float64)
    check_finite(result, name)
    return result
