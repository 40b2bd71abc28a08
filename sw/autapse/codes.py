"""The integers of a float network in given formats."""

from __future__ import annotations

import numpy as np

from autapse.fixed import FloatArray, Format, IntArray, round_half_away
from autapse.network import Network
from autapse.quantized import Formats


def codes(net: Network, f: Formats) -> dict[str, IntArray]:
    """Codes of all arrays but h0, by name: of biases at the scale of their products, of d and g empty without a leak.

    Raises ValueError, which names the array, for a value outside its format, and for a gain that would become 0.
    """
    acc_frac, z_frac = (form.frac + f.h.frac + f.h_shift for form in (f.W, f.W_out))
    d, g = _leak_codes(net, f.leak) if f.leak else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    return {
        "W": _within("W", net.W, f.W),
        "W_in": _within("W_in", net.W_in, f.W_in),
        "W_out": _within("W_out", net.W_out, f.W_out),
        "b": _bias(net.b, acc_frac, "b"),
        "b_out": _bias(net.b_out, z_frac, "b_out"),
        "d": d,
        "g": g,
    }


def start_codes(net: Network, h: Format, state: Format) -> IntArray:
    """Codes of h0 in the kept format `state`; ValueError outside the range of the state."""
    # In the rate form the range is that of the multiplied state; at the end of an open one, 1 saturates by an ulp.
    form, open_end = (h, 1) if net.form == "rate" else (state, 0)
    if np.any(np.abs(round_half_away(np.ldexp(net.h0, form.frac))) > form.max_code + open_end):
        raise ValueError(f"h0 reaches {peak(net.h0):g}, outside ±{form.max_value:g}, the range of the state")
    return state.quantize(net.h0)[0]


def peak(values: FloatArray) -> float:
    """The largest magnitude."""
    return float(np.max(np.abs(values)))


def _within(name: str, values: FloatArray, form: Format) -> IntArray:
    found, outside = form.quantize(values)
    if outside:
        raise ValueError(f"{name} reaches {peak(values):g}, outside ±{form.max_value:g}, the range of its format")
    return found


def _leak_codes(net: Network, leak: Format) -> tuple[IntArray, IntArray]:
    """Codes of decay and gain; where d + g = 1, so do the codes, or the gain at rest would be off."""
    d, g = _within("d", net.d, leak), _within("g", net.g, leak)
    affine = np.abs(net.d + net.g - 1.0) < 1e-9
    d[affine] = (1 << max(leak.frac, 0)) - g[affine] if affine.any() else 0
    dead = (g == 0) & (net.g != 0.0)
    if dead.any():
        k = int(np.argmax(dead))
        raise ValueError(f"g[{k}] = {net.g[k]:g} is less than half a step of the gain's format, {leak}: it would be 0")
    return d, g


def _bias(values: FloatArray, frac: int, name: str) -> IntArray:
    found, outside = Format(52, frac).quantize(values)
    if outside:
        raise ValueError(f"{name} is too large for its products' scale: {peak(values):g} against 2**-{frac}")
    return found
