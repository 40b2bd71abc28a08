"""The quantised network: integers and their formats. The reference model and the hardware are both made from it.

docs/numerics.md is the contract in full. In short, with all letters integers::

    a    = b + W @ (h << h_shift) + W_in @ (x << x_shift)          exact, in the accumulator
    y    = activation(shift_round(a, pre_shift))
    h    = y                                                       plain update
    s    = clip(shift_round(d * s + ((g * y) << gain_shift), leak.frac))   leaky update of the wide state s,
    h    = clip(shift_round(s, guard))                             whose rounding is what is multiplied
    z    = b_out + W_out @ (h << h_shift)                          exact, not rounded

In the current form the activation stands behind the leaky update::

    y    = shift_round(a, pre_shift)
    s    = clip(shift_round(d * s + ((g * y) << gain_shift), leak.frac))
    h    = activation(shift_round(s, guard))
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from autapse.activation import Activation, Segments, design
from autapse.errors import FileFormatError, one_line
from autapse.files import write_beside
from autapse.fixed import FloatArray, Format, IntArray, shift_round, signed_bits
from autapse.network import FORMAT_VERSION, Network, Trajectory, check_inputs, read_npz
from autapse.sizes import Sized

if TYPE_CHECKING:
    from autapse.reference import IntTrajectory

#: No sum of the model reaches this, so that a float64 holds it, and one with a fraction bit for its ties, exactly.
MAX_SUM = 2**50
#: Word lengths of weights, states and inputs.
MIN_BITS, MAX_BITS = 4, 18
MAX_OPERAND_BITS = 26
MAX_STATE_BITS = 34

#: What an upload changes.
UPLOADED = ("W", "W_in", "b", "W_out", "b_out")
_ARRAYS = (*UPLOADED, "h0")


@dataclass(frozen=True)
class Formats:
    """The formats of one quantised network.

    Attributes
    ----------
    x, h
        Inputs, and the state as it is multiplied.
    W, W_in, W_out
        Weights. ``W.frac + h.frac + h_shift == W_in.frac + x.frac + x_shift``: one accumulator scale.
    acc, z
        Accumulator of the state rows, and of the readout rows, which is the output: wide enough for every sum.
    x_shift, h_shift
        Left shifts of the operands that align the products; at least one of them is 0.
    state
        The state as it is kept: equal to `h` for a plain update, with `guard` more bits and fractions for a leaky one.
        In the current form `h` is the activation's result, and `state` has a range of its own.
    leak
        Decay and gain of a leaky update, which every update of the current form is; None for a plain one.
    """

    x: Format
    h: Format
    W: Format
    W_in: Format
    W_out: Format
    acc: Format
    z: Format
    x_shift: int
    h_shift: int
    state: Format
    leak: Format | None

    @property
    def operand_bits(self) -> int:
        """Word length of the multipliers' operand: the wider of the shifted input and the shifted state."""
        return max(self.x.bits + self.x_shift, self.h.bits + self.h_shift)

    @property
    def acc_bits(self) -> int:
        """Word length of the accumulators, which the state and the readout rows share."""
        return max(self.acc.bits, self.z.bits)

    @property
    def guard(self) -> int:
        """Bits that the kept state has below the multiplied one."""
        return self.state.frac - self.h.frac

    def to_dict(self) -> dict[str, Any]:
        """The formats as plain data."""
        return {k: v.to_dict() if isinstance(v, Format) else v for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Formats:
        """The inverse of :meth:`to_dict`."""
        values: dict[str, Any] = {k: Format(**v) if isinstance(v, dict) else v for k, v in data.items()}
        return cls(**values)


@dataclass(frozen=True, eq=False)
class QuantizedNetwork(Sized):
    """Integer weights [to, from] (int64), the formats, and the float network that they came from.

    Made by :func:`autapse.quantize`. ``b`` and ``b_out`` are at the accumulators' scales, ``h0`` at that of the kept
    state, ``d`` and ``g`` at that of the leak, or empty for a plain update.
    """

    formats: Formats
    activation: Activation
    W: IntArray
    W_in: IntArray
    b: IntArray
    W_out: IntArray
    b_out: IntArray
    h0: IntArray
    d: IntArray
    g: IntArray
    network: Network

    def __post_init__(self) -> None:
        for name in (*_ARRAYS, "d", "g"):
            getattr(self, name).setflags(write=False)

    @property
    def leaky(self) -> bool:
        """Whether the update is leaky; False costs no hardware."""
        return self.formats.leak is not None

    @property
    def form(self) -> str:
        """The form of the state, ``rate`` or ``current``."""
        return self.network.form

    @property
    def driven(self) -> Format:
        """What the gain multiplies: the activation's result, or, in the current form, the rounded accumulator.

        The latter holds every sum that the accumulator's format holds.
        """
        if self.form == "rate":
            return self.activation.out
        return Format(signed_bits(shift_round(self.formats.acc.max_code, self.pre_shift)), self.activation.in_frac)

    @property
    def first_activation(self) -> Activation:
        """What a rounded sum passes first: the activation, or, in the current form, the identity, which restores its
        sign: there the activation is behind the leaky update."""
        return self.activation if self.form == "rate" else design("identity", self.driven.frac, self.driven)

    @property
    def pre_shift(self) -> int:
        """Bits by which the accumulator is rounded to the activation's input; negative: shifted left."""
        return self.formats.acc.frac - self.activation.in_frac

    @property
    def gain_shift(self) -> int:
        """Left shift of gain times what it multiplies that brings it to the scale of decay times state."""
        return self.formats.state.frac - self.driven.frac

    def row_bounds(self) -> tuple[IntArray, IntArray]:
        """The largest magnitude that each state row and each readout row can reach in the accumulator.

        Bias magnitude, plus the L1 norms of the row times the largest operands; every partial sum is below it too.
        """
        f = self.formats
        h_max, x_max = f.h.max_code << f.h_shift, f.x.max_code << f.x_shift
        state = np.abs(self.b) + np.abs(self.W).sum(1) * h_max + np.abs(self.W_in).sum(1) * x_max
        readout = np.abs(self.b_out) + np.abs(self.W_out).sum(1) * h_max
        return state, readout

    def leak_bound(self) -> int:
        """The largest magnitude of decay times state plus gain times what it multiplies, of a leaky update."""
        state, driven = self.formats.state.max_code, self.driven.max_code << self.gain_shift
        decays: list[int] = np.abs(self.d).tolist()
        gains: list[int] = np.abs(self.g).tolist()
        return max(d * state + g * driven for d, g in zip(decays, gains, strict=True))

    def state_bound(self) -> int | None:
        """The largest magnitude that the kept state can reach in the current form; None where nothing bounds it.

        With |y| <= Y it is the least T with ``|d| T + (|g| Y << gain_shift) <= T << leak.frac`` in every unit, from a
        start within it: a larger T keeps its own bound, too. So a state whose format holds it never saturates.
        """
        leak = self.formats.leak
        if leak is None or self.form == "rate":
            raise ValueError("a bound of the state is derived for the current form")
        reach = [shift_round(int(row), self.pre_shift) for row in self.row_bounds()[0]]
        bound = int(np.abs(self.h0).max())
        for d, g, y in zip(np.abs(self.d).tolist(), np.abs(self.g).tolist(), reach, strict=True):
            room, drive = (1 << leak.frac) - d, g * y << self.gain_shift
            if room < 0 or (room == 0 and drive):
                return None
            bound = max(bound, -(-drive // room) if drive else 0)
        return bound

    def overflow_proof(self) -> dict[str, int]:
        """The figures that show that the accumulator cannot overflow; and, of the current form, the state's.

        ``largest_kept_state`` is missing where nothing bounds it; up to ``kept_state_max`` it does not saturate.
        """
        state, readout = self.row_bounds()
        bits = self.formats.acc_bits
        kept: dict[str, int] = {}
        if self.form == "current":
            bound = self.state_bound()
            kept = {} if bound is None else {"largest_kept_state": bound}
            kept["kept_state_max"] = self.formats.state.max_code
        return {
            "largest_state_row": int(state.max()),
            "largest_readout_row": int(readout.max()),
            "bits_needed": max(signed_bits(int(state.max())), signed_bits(int(readout.max()))),
            "accumulator_bits": bits,
            "accumulator_max": 2 ** (bits - 1) - 1,
            **kept,
        }

    def quantize_inputs(self, x: ArrayLike) -> tuple[IntArray, int]:
        """Input codes of `x` (..., inputs), saturated to the input format, and how many saturated."""
        return self.formats.x.quantize(x)

    def run(self, x: ArrayLike) -> Trajectory:
        """Run the integer model on real inputs, (batch, time, inputs) or (time, inputs), and dequantise what it gives.

        Inputs outside the range saturate; one RuntimeWarning a call says how many.
        """
        array, single = check_inputs(x, self.inputs)
        codes, outside = self.quantize_inputs(array)
        if outside:
            warnings.warn(saturation_message(self, outside, codes.size), RuntimeWarning, stacklevel=2)
        result = self.run_int(codes)
        z, h = self.formats.z.dequantize(result.z), self.formats.state.dequantize(result.h)
        return Trajectory(z[0], h[0]) if single else Trajectory(z, h)

    def run_int(self, x: ArrayLike, *, record: bool = True) -> IntTrajectory:
        """Run the integer model on input codes, (batch, time, inputs); see :func:`autapse.reference.run`."""
        from autapse.reference import run

        return run(self, np.asarray(x), record=record)

    def readout(self, x: ArrayLike) -> FloatArray:
        """z of :meth:`run`, (batch, time, outputs), for `x` (batch, time, inputs), which may saturate silently."""
        codes = self.quantize_inputs(x)[0]
        return self.formats.z.dequantize(self.run_int(codes, record=False).z)

    def model_hash(self) -> bytes:
        """Eight bytes that identify the integers, formats and tables: the start of their SHA-256."""
        digest = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        for name in (*_ARRAYS, "d", "g"):
            array = getattr(self, name)
            digest.update(f"{name}{list(array.shape)}".encode())  # or (1, 3) and (3, 1) would be the same network
            digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        return digest.digest()[:8]

    def circuit_hash(self) -> bytes:
        """Eight bytes that identify all that an upload of weights does not change: formats, table, leak and h0.

        The model hash of the same network whose weights and biases are all 0.
        """
        return replace(self, **{name: np.zeros_like(getattr(self, name)) for name in UPLOADED}).model_hash()

    def _header(self) -> dict[str, Any]:
        a = self.activation
        net = self.network  # of a rate form of one layer, nothing is added, and the hash is as it has always been
        form: dict[str, Any] = {} if net.form == "rate" else {"form": net.form}
        layers = {"layers": list(net.layers)} if net.layers else {}
        return {
            **form,
            **layers,
            "formats": self.formats.to_dict(),
            "activation": {
                **vars(a),
                "out": a.out.to_dict(),
                "segments": None if a.segments is None else vars(a.segments),
            },
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the project's .npz for quantised networks, version 1. Atomic."""
        arrays = {name: getattr(self, name) for name in (*_ARRAYS, "d", "g")}
        arrays |= {f"float_{name}": array for name, array in self.network.arrays().items()}
        header = {
            "format": "autapse-quantized",
            "version": FORMAT_VERSION,
            **self._header(),
            "network": {
                "activation": self.network.activation,
                "form": self.network.form,
                "layers": list(self.network.layers),
                "info": dict(self.network.info),
            },
            "arrays": list(arrays),
        }
        with write_beside(path) as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)


def saturation_message(q: QuantizedNetwork, outside: int, count: int) -> str:
    """What is said once of inputs outside the range."""
    return f"{outside} of {count} input values lie outside ±{q.formats.x.max_value:g} and were saturated"


def load_quantized(path: str | os.PathLike[str]) -> QuantizedNetwork:
    """Read what :meth:`QuantizedNetwork.save` wrote. Never unpickles. Raises FileFormatError for any other file."""
    from autapse.soundness import check

    header, arrays = read_npz(path, "autapse-quantized", FORMAT_VERSION)
    try:
        act = dict(header["activation"])
        segments = act.pop("segments")
        if segments is not None:
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in segments.items()}
            segments = Segments(**fields)
        activation = Activation(**{**act, "out": Format(**act["out"])}, segments=segments)
        floats = {name.removeprefix("float_"): a for name, a in arrays.items() if name.startswith("float_")}
        q = QuantizedNetwork(
            formats=Formats.from_dict(header["formats"]),
            activation=activation,
            network=Network(**floats, **header["network"]),
            **{name: _codes(name, arrays[name]) for name in (*_ARRAYS, "d", "g")},
        )
        check(q)
    except KeyError as error:
        raise FileFormatError(f"{path}: {error.args[0]} is missing from this quantised network") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError, LookupError) as error:
        raise FileFormatError(f"{path}: not a sound quantised network: {one_line(error)}") from None
    return q


def _codes(name: str, array: Any) -> IntArray:
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integer codes, not {array.dtype}")
    return np.array(array, dtype=np.int64)
