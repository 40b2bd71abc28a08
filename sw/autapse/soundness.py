"""Whether a quantised network keeps the contract: its shapes, ranges, scales, and the proof that no sum overflows."""

from __future__ import annotations

from autapse.fixed import Format, signed_bits
from autapse.quantized import MAX_OPERAND_BITS, MAX_STATE_BITS, MAX_SUM, QuantizedNetwork


def check(q: QuantizedNetwork) -> None:
    """Raise ValueError where shapes, ranges, scales, or the proof of the accumulator do not hold."""
    n, m, o = q.network.units, q.network.inputs, q.network.outputs
    leak = (n,) if q.leaky else (0,)
    shapes = {"W": (n, n), "W_in": (n, m), "b": (n,), "W_out": (o, n), "b_out": (o,), "h0": (n,), "d": leak, "g": leak}
    for name, shape in shapes.items():
        if getattr(q, name).shape != shape:
            raise ValueError(f"{name} must have the shape {shape}, not {getattr(q, name).shape}")
    f, a = q.formats, q.activation
    bias = Format(52, 0)
    ranges = {"W": f.W, "W_in": f.W_in, "b": bias, "W_out": f.W_out, "b_out": bias, "h0": f.state}
    for name, form in (ranges | {"d": f.leak, "g": f.leak} if f.leak else ranges).items():
        codes = getattr(q, name)
        if codes.size and max(int(codes.max()), -int(codes.min())) > form.max_code:
            raise ValueError(f"{name} has a code outside its format of {form.bits} bits")
    if min(f.x_shift, f.h_shift) != 0 or max(f.x_shift, f.h_shift) < 0 or f.operand_bits > MAX_OPERAND_BITS:
        raise ValueError(f"operand shifts of {f.x_shift} and {f.h_shift} bits: one must be 0, the other not negative")
    if f.W.frac + f.h.frac + f.h_shift != f.acc.frac or f.W_in.frac + f.x.frac + f.x_shift != f.acc.frac:
        raise ValueError("recurrent products, input products and accumulator have different scales")
    if f.W_out.frac + f.h.frac + f.h_shift != f.z.frac:
        raise ValueError("readout products and readout have different scales")
    if a.name != q.network.activation:
        raise ValueError(f"an activation table of {a.name} for a network with {q.network.activation}")
    if q.form == "current":
        _check_current(q)
    elif f.state.bits - f.h.bits != f.guard or f.guard < 0 or q.gain_shift < 0:
        raise ValueError("the kept state must have the range of the multiplied one, and no fewer fraction bits")
    if not q.leaky and not f.state == f.h == a.out:
        raise ValueError("without a leak, the activation's result, the kept and the multiplied state have one format")
    _check_sums(q)


def _check_current(q: QuantizedNetwork) -> None:
    """Raise ValueError unless the formats are those of the current form."""
    f, a = q.formats, q.activation
    if f.leak is None or f.h != a.out or a.in_frac != a.out.frac or f.guard < 0:
        raise ValueError(
            "the current form has a leak, multiplies the activation's result, and keeps no fewer fractions"
        )
    for what, form in (("kept state", f.state), ("rounded sum", q.driven)):
        if form.bits > MAX_STATE_BITS:
            raise ValueError(
                f"the {what} needs {form.bits} bits, more than {MAX_STATE_BITS}: give a smaller state_range, at which "
                "the state saturates, or smaller biases, input range or guard bits"
            )


def _check_sums(q: QuantizedNetwork) -> None:
    """Raise ValueError unless every sum and every shifted sum stays inside its word, and below MAX_SUM."""
    f = q.formats
    proof = q.overflow_proof()
    for name, form, bound in (("accumulator", f.acc, "largest_state_row"), ("readout", f.z, "largest_readout_row")):
        if proof[bound] > form.max_code:
            raise ValueError(f"the {name} needs {signed_bits(proof[bound])} bits and has {form.bits}")
    sums = max(proof["largest_state_row"], proof["largest_readout_row"])
    if sums >= MAX_SUM:
        raise ValueError(f"sums up to {sums} are not below 2**50: smaller biases, or shorter words")
    if q.pre_shift > 60 or proof["largest_state_row"] << max(-q.pre_shift, 0) >= 2**62:
        raise ValueError(
            f"products in steps of 2**{-f.acc.frac} are too far from the activation's steps of "
            f"2**{-q.activation.in_frac}: scale the weights or the ranges"
        )
    if f.leak is not None and (q.leak_bound() >= MAX_SUM or f.leak.frac > 60):
        raise ValueError(
            f"a kept state of {f.state.bits} bits, with decay and gain in steps of 2**{-f.leak.frac}, "
            "gives sums that are not below 2**50: less range, fewer guard bits, or larger gains"
        )
