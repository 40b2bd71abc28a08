"""Choosing the formats: from a float network to the integers that become hardware."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from autapse.activation import FAITHFUL, design
from autapse.codes import codes, peak, start_codes
from autapse.fixed import Format, IntArray, largest_frac, signed_bits
from autapse.network import Network, check_inputs
from autapse.quantized import MAX_BITS, MAX_OPERAND_BITS, MIN_BITS, Formats, QuantizedNetwork
from autapse.sizes import check_positive
from autapse.soundness import check
from autapse.state_formats import check_bits, leak_formats, state_formats, with_state_format


def quantize(
    net: Network,
    *,
    weight_bits: int | None = None,
    state_bits: int | None = None,
    input_bits: int | None = None,
    input_range: float | None = None,
    state_range: float | None = None,
    calibrate: ArrayLike | None = None,
    operand_bits: int | None = None,
    guard_bits: int | None = None,
    table: str | None = None,
    like: QuantizedNetwork | None = None,
) -> QuantizedNetwork:
    """Quantise `net` to fixed point; everything is rounded to nearest, ties away from zero.

    Parameters
    ----------
    weight_bits, state_bits, input_bits
        Word lengths, 4 to 18, sign included; 8 and 8 unless given, and `input_bits` is `state_bits`.
    input_range
        Largest |x| that must not saturate. Default: the largest of `calibrate`, or 1.0.
    state_range
        Largest |h| that must not saturate, for networks whose state has no bound of its own (ReLU, identity, a decay
        of 1). Default: what the float network reaches on `calibrate`. In the current form, largest |v|; there only a
        decay of 1 leaves it without a bound, but a state_range shortens the word.
    calibrate : (batch, time, inputs)
        Typical inputs, used as said above.
    operand_bits
        Widest operand of the multipliers, shift included; the longest word of state and input, or 16, unless given.
        Wider operands let W and W_in each use their whole word although they share one accumulator scale.
    guard_bits
        Bits of the kept state below the multiplied one, for a leaky update. Default: ceil(log2(1 / smallest gain)),
        without which a slow state sticks up to 1 / (2 * gain) ulp away from its target.
    table
        Kind of activation table: ``auto`` (unless given), ``direct``, ``linear``, ``quadratic``.
    like
        A quantised network of the same shape, activation and form, whose formats and table are taken as they are, in
        the place of all other options: what ``reweight`` and ``upload`` need of retrained weights.

    Raises
    ------
    ValueError
        For a word length outside 4 to 18, a range that is not positive and finite, a state without a bound, an initial
        state outside the range, or values so far apart that a sum could reach 2**50. With `like`, for another option,
        another kind of network, a value outside its format, or a sum that the accumulator does not hold.
    TypeError
        For a word length that is not an integer.
    """
    if like is not None:
        options = {
            "weight_bits": weight_bits,
            "state_bits": state_bits,
            "input_bits": input_bits,
            "input_range": input_range,
            "state_range": state_range,
            "calibrate": calibrate,
            "operand_bits": operand_bits,
            "guard_bits": guard_bits,
            "table": table,
        }
        for name, given in options.items():
            if given is not None:
                raise ValueError(f"like gives every format: leave out {name}")
        return _in_formats_of(like, net)
    weight_bits = check_bits("weight_bits", 8 if weight_bits is None else weight_bits, MIN_BITS, MAX_BITS)
    state_bits = check_bits("state_bits", 8 if state_bits is None else state_bits, MIN_BITS, MAX_BITS)
    input_bits = state_bits if input_bits is None else check_bits("input_bits", input_bits, MIN_BITS, MAX_BITS)
    samples = None if calibrate is None else check_inputs(calibrate, net.inputs, "calibrate")[0]
    if samples is not None and samples.size == 0:
        raise ValueError(f"calibrate holds no sample; its shape is {samples.shape}")
    if input_range is None:
        input_range = 1.0 if samples is None else float(np.max(np.abs(samples))) or 1.0
    check_positive("input_range", input_range)

    x = Format(input_bits, largest_frac(input_range, input_bits))
    s, h = state_formats(net, state_bits, state_range, samples)
    activation = design(net.activation, s.frac, s, "auto" if table is None else table, FAITHFUL)
    leak, state = leak_formats(net, h, s, guard_bits)
    h0 = start_codes(net, h, state) if net.form == "rate" else state.quantize(net.h0)[0]

    widest = max(state_bits, input_bits)
    cap = (
        max(widest, 16) if operand_bits is None else check_bits("operand_bits", operand_bits, widest, MAX_OPERAND_BITS)
    )
    W, W_in, h_shift, x_shift = _align(net, weight_bits, h, x, cap)
    W_out = Format(weight_bits, largest_frac(peak(net.W_out), weight_bits))

    wide = Format(62, 0)
    formats = Formats(x, h, W, W_in, W_out, wide, wide, x_shift, h_shift, state, leak)
    q = QuantizedNetwork(formats, activation, **codes(net, formats), h0=h0, network=net)
    rows, readout = q.row_bounds()
    shift = h.frac + h_shift
    acc, z = Format(_acc_bits(rows), W.frac + shift), Format(_acc_bits(readout), W_out.frac + shift)
    q = replace(q, formats=replace(formats, acc=acc, z=z))
    if net.form == "current":
        q = with_state_format(q, state_range, samples)
    check(q)
    _check_resolution(q)
    return q


def _in_formats_of(like: QuantizedNetwork, net: Network) -> QuantizedNetwork:
    """`net` with the formats and the table of `like`; ValueError, which says why, where they are not for it."""
    for what in ("units", "inputs", "outputs", "layers", "activation", "form"):
        ours, theirs = getattr(net, what), getattr(like.network, what)
        if ours != theirs:
            raise ValueError(f"{what}: the network has {ours}, and the one that gives the formats has {theirs}")
    if net.leaky and not like.leaky:
        raise ValueError("the network is leaky, and the one that gives the formats is not")
    f = like.formats
    try:
        h0 = start_codes(net, f.h, f.state)
        q = QuantizedNetwork(f, like.activation, **codes(net, f), h0=h0, network=net)
        check(q)
    except ValueError as error:
        raise ValueError(f"the given formats do not hold this network: {error}") from None
    if net.form == "current" and _saturates(q) and not _saturates(like):
        warnings.warn("the kept state can saturate: the given format holds less", RuntimeWarning, stacklevel=3)
    _check_resolution(q)
    return q


def _saturates(q: QuantizedNetwork) -> bool:
    """Whether the kept state of the current form is not known to stay inside its format."""
    bound = q.state_bound()
    return bound is None or bound > q.formats.state.max_code


def _check_resolution(q: QuantizedNetwork) -> None:
    """Warn where a matrix has become all zeros: its scale lies too far from that of the other one."""
    for name in ("W", "W_in"):
        if np.any(getattr(q.network, name)) and not np.any(getattr(q, name)):
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
    w, w_in = largest_frac(peak(net.W), bits), largest_frac(peak(net.W_in), bits)
    if not np.any(net.W_in):
        w_in = w + h.frac - x.frac
    elif not np.any(net.W):
        w = w_in + x.frac - h.frac
    gap = (w + h.frac) - (w_in + x.frac)
    x_shift = min(max(gap, 0), cap - x.bits)
    h_shift = min(max(-gap, 0), cap - h.bits)
    scale = min(w + h.frac + h_shift, w_in + x.frac + x_shift)
    return Format(bits, scale - h.frac - h_shift), Format(bits, scale - x.frac - x_shift), h_shift, x_shift


def _acc_bits(bounds: IntArray) -> int:
    return signed_bits(int(bounds.max()))
