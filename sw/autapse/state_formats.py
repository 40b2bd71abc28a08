"""The formats of the state: of what is multiplied, of what is kept, and of decay and gain."""

from __future__ import annotations

import math
import operator
from dataclasses import replace

import numpy as np

from autapse.codes import peak, start_codes
from autapse.fixed import FloatArray, Format, largest_frac, signed_bits
from autapse.network import BOUNDED, Network
from autapse.quantized import MAX_BITS, MAX_STATE_BITS, QuantizedNetwork
from autapse.sizes import check_positive
from autapse.update import rates


def state_formats(
    net: Network, bits: int, state_range: float | None, samples: FloatArray | None
) -> tuple[Format, Format]:
    """Formats of the activation's result and of the multiplied state; see :func:`autapse.quantize` for the ranges."""
    if net.form == "current":
        h = _result_format(net, bits, state_range, samples)
        return h, h
    reach = 1.0 if net.activation in BOUNDED else None
    if state_range is not None:
        check_positive("state_range", state_range)
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
                f"largest decay {peak(net.d):g}): give state_range, or calibrate with typical inputs"
            )
        h = Format(bits, largest_frac(state_range, bits))
    else:
        # The range is open or reached only in saturation: one ulp is given up at the ends for one more fraction bit.
        h = Format(bits, bits - 1 - math.ceil(math.log2(float(reach or 1.0)) - 1e-9))
    s = Format(bits, bits - 1) if net.activation in BOUNDED else h
    return s, (h if net.leaky else s)


def _result_format(net: Network, bits: int, state_range: float | None, samples: FloatArray | None) -> Format:
    """Format of the activation's result in the current form, which is what is multiplied."""
    if state_range is not None:
        check_positive("state_range", state_range)
    if net.activation in BOUNDED:
        return Format(bits, bits - 1)
    if state_range is None:
        reach = peak(rates(net, _calibrated_states(net, samples, f"activation {net.activation}")))
    return Format(bits, largest_frac(state_range or reach or 1.0, bits))


def with_state_format(q: QuantizedNetwork, state_range: float | None, samples: FloatArray | None) -> QuantizedNetwork:
    """`q`, of the current form, with the shortest kept state that never saturates, or only beyond `state_range`."""
    net, frac = q.network, q.formats.state.frac
    q = replace(q, h0=Format(62, frac).quantize(net.h0)[0])
    bound = q.state_bound()
    if state_range is not None or bound is None:
        reach = state_range or peak(_calibrated_states(net, samples, f"largest decay {peak(net.d):g}"))
        bound = Format(62, frac).quantize([reach])[0].item()
    state = Format(signed_bits(bound), frac)
    return replace(q, formats=replace(q.formats, state=state), h0=start_codes(net, q.formats.h, state))


def _calibrated_states(net: Network, samples: FloatArray | None, why: str) -> FloatArray:
    """The states of the current form that the float network reaches on `samples`, its start among them."""
    if samples is None:
        raise ValueError(
            f"the state of this network has no bound of its own ({why}): give state_range, or calibrate with typical "
            "inputs"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.concatenate([net.run(samples).h.reshape(-1, net.units), net.h0[None]])
    if not np.isfinite(v).all():
        raise ValueError("the float network diverges on calibrate: give state_range, or shorter inputs")
    return v


def _calibrated_range(net: Network, samples: FloatArray) -> float:
    """The largest |h| that the float network reaches; and |s|, where it has no bound and shares the format."""
    h = net.run(samples).h
    reach = max(peak(h), peak(net.h0))
    if net.leaky and net.activation not in BOUNDED and h.size:
        before = np.concatenate([np.broadcast_to(net.h0, (len(h), 1, net.units)), h[:, :-1]], axis=1)
        moved = net.g != 0.0
        reach = max(reach, peak((h - net.d * before)[..., moved] / net.g[moved]) if moved.any() else 0.0)
    return reach or 1.0


def leaky_reach(net: Network) -> float:
    """The bound of |h| under h <- d h + g s with |s| <= 1; infinite for a decay of magnitude 1."""
    room = 1.0 - np.abs(net.d)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(net.g == 0.0, 0.0, np.abs(net.g) / room)
    return float(max(np.max(rest), peak(net.h0)))


def leak_formats(net: Network, h: Format, s: Format, guard_bits: int | None) -> tuple[Format | None, Format]:
    """Formats of decay and gain, and of the kept state."""
    if guard_bits is not None:
        guard_bits = check_bits("guard_bits", guard_bits, 0, 16)
    if net.form == "rate" and not net.leaky:
        return None, h
    leak = Format(MAX_BITS, largest_frac(max(peak(net.d), peak(net.g)), MAX_BITS))
    if guard_bits is None:
        gains = np.abs(net.g[net.g != 0.0])
        slowest = min(1.0, float(gains.min())) if gains.size else 1.0
        guard_bits = min(16, math.ceil(-math.log2(slowest)))
    frac = max(h.frac + guard_bits, s.frac)
    bits = h.bits + frac - h.frac
    if bits > MAX_STATE_BITS:
        raise ValueError(
            f"the kept state needs {bits} bits, more than {MAX_STATE_BITS}: less range or fewer guard bits"
        )
    return leak, Format(bits, frac)


def check_bits(name: str, bits: int, low: int, high: int) -> int:
    """`bits` as an int; TypeError or ValueError, which name it, unless it is one from `low` to `high`."""
    if not isinstance(bits, int | np.integer) or isinstance(bits, bool):
        raise TypeError(f"{name} must be an integer, not {bits!r}")
    if not low <= bits <= high:
        raise ValueError(f"{name} must lie in {low} to {high}, not {bits}")
    return operator.index(bits)
