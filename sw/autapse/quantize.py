"""Choosing the formats: from a float network to the integers that become hardware."""

from __future__ import annotations

import math
import operator
import warnings

import numpy as np
from numpy.typing import ArrayLike

from autapse.activation import FAITHFUL, design
from autapse.fixed import FloatArray, Format, IntArray, largest_frac, round_half_away, signed_bits
from autapse.network import Network, check_inputs
from autapse.quantized import MAX_OPERAND_BITS, Formats, QuantizedNetwork, check

MIN_BITS, MAX_BITS = 4, 18
#: The activations with |s| <= 1.
BOUNDED = ("tanh", "sigmoid", "hardtanh")


def quantize(
    net: Network,
    *,
    weight_bits: int = 8,
    state_bits: int = 8,
    input_bits: int | None = None,
    input_range: float | None = None,
    state_range: float | None = None,
    calibrate: ArrayLike | None = None,
    operand_bits: int | None = None,
    guard_bits: int | None = None,
    table: str = "auto",
) -> QuantizedNetwork:
    """Quantise `net` to fixed point; everything is rounded to nearest, ties away from zero.

    Parameters
    ----------
    weight_bits, state_bits, input_bits
        Word lengths, 4 to 18, sign included. `input_bits` is `state_bits` unless given.
    input_range
        Largest |x| that must not saturate. Default: the largest of `calibrate`, or 1.0.
    state_range
        Largest |h| that must not saturate, for networks whose state has no bound of its own (ReLU, identity, a decay
        of 1). Default: what the float network reaches on `calibrate`.
    calibrate : (batch, time, inputs)
        Typical inputs, used as said above.
    operand_bits
        Widest operand of the multipliers, shift included; the longest word of state and input, or 16, unless given.
        Wider operands let W and W_in each use their whole word although they share one accumulator scale.
    guard_bits
        Bits of the kept state below the multiplied one, for a leaky update. Default: ceil(log2(1 / smallest gain)),
        without which a slow state sticks up to 1 / (2 * gain) ulp away from its target.
    table
        Kind of activation table: ``auto``, ``direct``, ``linear``, ``quadratic``.

    Raises
    ------
    ValueError
        For a word length outside 4 to 18, a range that is not positive and finite, a state without a bound, an initial
        state outside the range, or values so far apart that a sum could reach 2**50.
    TypeError
        For a word length that is not an integer.
    """
    weight_bits = _check_bits("weight_bits", weight_bits, MIN_BITS, MAX_BITS)
    state_bits = _check_bits("state_bits", state_bits, MIN_BITS, MAX_BITS)
    input_bits = state_bits if input_bits is None else _check_bits("input_bits", input_bits, MIN_BITS, MAX_BITS)
    samples = None if calibrate is None else check_inputs(calibrate, net.inputs, "calibrate")[0]
    if samples is not None and samples.size == 0:
        raise ValueError(f"calibrate holds no sample; its shape is {samples.shape}")
    if input_range is None:
        input_range = 1.0 if samples is None else float(np.max(np.abs(samples))) or 1.0
    _check_range("input_range", input_range)

    x = Format(input_bits, largest_frac(input_range, input_bits))
    s, h = _state_formats(net, state_bits, state_range, samples)
    activation = design(net.activation, s.frac, s, table, FAITHFUL)
    leak, state = _leak_formats(net, h, s, guard_bits)
    if np.any(np.abs(round_half_away(np.ldexp(net.h0, h.frac))) > h.max_code + 1):  # 1 in an open range may saturate
        raise ValueError(f"h0 reaches {_peak(net.h0):g}, outside ±{h.max_value:g}, the range of the state")

    widest = max(state_bits, input_bits)
    cap = (
        max(widest, 16) if operand_bits is None else _check_bits("operand_bits", operand_bits, widest, MAX_OPERAND_BITS)
    )
    W, W_in, h_shift, x_shift = _align(net, weight_bits, h, x, cap)
    W_out = Format(weight_bits, largest_frac(_peak(net.W_out), weight_bits))

    acc_frac = W.frac + h.frac + h_shift
    z_frac = W_out.frac + h.frac + h_shift
    codes = {
        "W": W.quantize(net.W)[0],
        "W_in": W_in.quantize(net.W_in)[0],
        "W_out": W_out.quantize(net.W_out)[0],
        "b": _bias(net.b, acc_frac, "b"),
        "b_out": _bias(net.b_out, z_frac, "b_out"),
        "h0": state.quantize(net.h0)[0],
    }
    d, g = _leak_codes(net, leak) if leak else (np.zeros(0, np.int64), np.zeros(0, np.int64))
    provisional = Formats(x, h, W, W_in, W_out, Format(62, acc_frac), Format(62, z_frac), x_shift, h_shift, state, leak)
    wide = QuantizedNetwork(formats=provisional, activation=activation, **codes, d=d, g=g, network=net)
    rows, readout = wide.row_bounds()
    acc = Format(_acc_bits(rows), acc_frac)
    z = Format(_acc_bits(readout), z_frac)
    formats = Formats(x, h, W, W_in, W_out, acc, z, x_shift, h_shift, state, leak)
    q = QuantizedNetwork(formats=formats, activation=activation, **codes, d=d, g=g, network=net)
    check(q)
    _check_resolution(net, codes)
    return q


def _state_formats(
    net: Network, bits: int, state_range: float | None, samples: FloatArray | None
) -> tuple[Format, Format]:
    """Formats of the activation's result and of the multiplied state."""
    reach = 1.0 if net.activation in BOUNDED else None
    if state_range is not None:
        _check_range("state_range", state_range)
    if net.leaky and reach is not None:
        reach = leaky_reach(net)
    needs = reach is None or (net.leaky and not math.isfinite(reach))
    if needs or (net.leaky and state_range is not None):
        if state_range is None and samples is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                state_range = _calibrated_range(net, samples)
            if not math.isfinite(state_range):
                raise ValueError("the float network diverges on calibrate: give state_range, or shorter inputs")
        if state_range is None:
            raise ValueError(
                f"the state of this network has no bound of its own (activation {net.activation}, "
                f"largest decay {_peak(net.d):g}): give state_range, or calibrate with typical inputs"
            )
        h = Format(bits, largest_frac(state_range, bits))
    else:
        # The range is open or reached only in saturation: one ulp is given up at the ends for one more fraction bit.
        h = Format(bits, bits - 1 - math.ceil(math.log2(float(reach or 1.0)) - 1e-9))
    s = Format(bits, bits - 1) if net.activation in BOUNDED else h
    return s, (h if net.leaky else s)


def _calibrated_range(net: Network, samples: FloatArray) -> float:
    """The largest |h| that the float network reaches; and |s|, where it has no bound and shares the format."""
    h = net.run(samples).h
    reach = max(_peak(h), _peak(net.h0))
    if net.leaky and net.activation not in BOUNDED and h.size:
        before = np.concatenate([np.broadcast_to(net.h0, (len(h), 1, net.units)), h[:, :-1]], axis=1)
        moved = net.g != 0.0
        reach = max(reach, _peak((h - net.d * before)[..., moved] / net.g[moved]) if moved.any() else 0.0)
    return reach or 1.0


def leaky_reach(net: Network) -> float:
    """The bound of |h| under h <- d h + g s with |s| <= 1; infinite for a decay of magnitude 1."""
    room = 1.0 - np.abs(net.d)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(net.g == 0.0, 0.0, np.abs(net.g) / room)
    return float(max(np.max(rest), _peak(net.h0)))


def _leak_formats(net: Network, h: Format, s: Format, guard_bits: int | None) -> tuple[Format | None, Format]:
    """Formats of decay and gain, and of the kept state."""
    if guard_bits is not None:
        guard_bits = _check_bits("guard_bits", guard_bits, 0, 16)
    if not net.leaky:
        return None, h
    leak = Format(MAX_BITS, largest_frac(max(_peak(net.d), _peak(net.g)), MAX_BITS))
    if guard_bits is None:
        gains = np.abs(net.g[net.g != 0.0])
        slowest = min(1.0, float(gains.min())) if gains.size else 1.0
        guard_bits = min(16, math.ceil(-math.log2(slowest)))
    frac = max(h.frac + guard_bits, s.frac)
    bits = h.bits + frac - h.frac
    if bits > MAX_BITS + 16:
        raise ValueError(f"the kept state needs {bits} bits, more than {MAX_BITS + 16}: less range or fewer guard bits")
    return leak, Format(bits, frac)


def _leak_codes(net: Network, leak: Format) -> tuple[IntArray, IntArray]:
    """Codes of decay and gain; where d + g = 1, so do the codes, or the gain at rest would be off."""
    g = leak.quantize(net.g)[0]
    d = leak.quantize(net.d)[0]
    affine = np.abs(net.d + net.g - 1.0) < 1e-9
    d[affine] = (1 << max(leak.frac, 0)) - g[affine] if affine.any() else 0
    dead = (g == 0) & (net.g != 0.0)
    if dead.any():
        k = int(np.argmax(dead))
        raise ValueError(f"g[{k}] = {net.g[k]:g} is less than half a step of the gain's format, {leak}: it would be 0")
    return d, g


def _check_resolution(net: Network, codes: dict[str, IntArray]) -> None:
    """Warn where a matrix has become all zeros: its scale lies too far from that of the other one."""
    for name in ("W", "W_in"):
        if np.any(getattr(net, name)) and not np.any(codes[name]):
            warnings.warn(
                f"every element of {name} rounds to 0: its products are far below the accumulator's step. "
                "Longer weights or operands would keep it",
                RuntimeWarning,
                stacklevel=3,
            )


def _align(net: Network, bits: int, h: Format, x: Format, cap: int) -> tuple[Format, Format, int, int]:
    """Formats of W and W_in and the operand shifts that bring both kinds of product to one scale.

    The tensor whose products are coarser gets its operand shifted left as far as `cap` allows; the other one gives up
    fraction bits for what remains.
    """
    w, w_in = largest_frac(_peak(net.W), bits), largest_frac(_peak(net.W_in), bits)
    if not np.any(net.W_in):
        w_in = w + h.frac - x.frac
    elif not np.any(net.W):
        w = w_in + x.frac - h.frac
    gap = (w + h.frac) - (w_in + x.frac)
    x_shift = min(max(gap, 0), cap - x.bits)
    h_shift = min(max(-gap, 0), cap - h.bits)
    scale = min(w + h.frac + h_shift, w_in + x.frac + x_shift)
    return Format(bits, scale - h.frac - h_shift), Format(bits, scale - x.frac - x_shift), h_shift, x_shift


def _bias(values: FloatArray, frac: int, name: str) -> IntArray:
    codes, outside = Format(52, frac).quantize(values)
    if outside:
        raise ValueError(f"{name} is too large for its products' scale: {_peak(values):g} against 2**-{frac}")
    return codes


def _acc_bits(bounds: IntArray) -> int:
    return signed_bits(int(bounds.max()))


def _peak(values: FloatArray) -> float:
    return float(np.max(np.abs(values)))


def _check_bits(name: str, bits: int, low: int, high: int) -> int:
    if not isinstance(bits, int | np.integer) or isinstance(bits, bool):
        raise TypeError(f"{name} must be an integer, not {bits!r}")
    if not low <= bits <= high:
        raise ValueError(f"{name} must lie in {low} to {high}, not {bits}")
    return operator.index(bits)


def _check_range(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, not {value}")
