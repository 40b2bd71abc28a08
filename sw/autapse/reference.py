"""The integer model: what the hardware must compute, bit for bit. docs/numerics.md says the same in prose.

`step` is the contract, one update in plain int64 arithmetic. `run` gives the same integers at the speed of a float
matrix product: an integer sum of products is exact in float32 while no partial sum reaches 2**24, and in float64 below
2**53. Which of them holds is decided from the row bounds of the network, never assumed. Where numba is installed, long
runs use `autapse.compiled`, which does the same operations on the same floats.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from autapse.errors import MissingToolError
from autapse.fixed import Format, IntArray, shift_round
from autapse.kernel import Kernel
from autapse.quantized import QuantizedNetwork

if TYPE_CHECKING:
    from autapse.compiled import CompiledKernel

#: Sequences that run side by side. Their buffers fit the cache, and products of this size keep a BLAS from handing half
#: of the work to a second thread, which costs far more than it gains where the other cores are busy.
CHUNK = 256

KernelChoice = Literal["auto", "numpy", "compiled"]

# Roughly what a step costs in NumPy, its calls and each of its products, and what loading the compiled kernel costs.
_STEP_SECONDS = 7e-6
_PRODUCT_SECONDS = 6e-11
_LOAD_SECONDS = 0.5
_asked = 0.0  # seconds that the automatic runs of this process would take in NumPy


class IntTrajectory(NamedTuple):
    """Codes of a run.

    Attributes
    ----------
    z
        Readout, (batch, time, outputs).
    h
        Kept state after each step, (batch, time, units), or (batch, 0, units) if it was not recorded.
    last
        Kept state after the last step, (batch, units).
    """

    z: IntArray
    h: IntArray
    last: IntArray


def operand(q: QuantizedNetwork, state: IntArray) -> IntArray:
    """The multiplied state of the kept `state`: rounded by the guard bits, and saturated or, in the current form,
    activated."""
    if q.form == "current":
        return np.asarray(q.activation.evaluate(shift_round(state, q.formats.guard)))
    return _clip(shift_round(state, q.formats.guard), q.formats.h) if q.leaky else state


def pre_activation(q: QuantizedNetwork, state: IntArray, x: IntArray) -> IntArray:
    """The exact sums (batch, units) of a step before they are rounded; kept state and inputs as of :func:`step`."""
    return _update(q, state, x)[1]


def saturated(q: QuantizedNetwork, sums: IntArray) -> NDArray[np.bool_]:
    """Which pre-activations (batch, units) are at the end of what they pass first: of the activation, where it is
    constant, or, in the current form, of the format of the rounded sum."""
    return np.asarray(q.first_activation.saturated(shift_round(sums, q.pre_shift)))


def step(q: QuantizedNetwork, state: IntArray, x: IntArray) -> tuple[IntArray, IntArray]:
    """One step: kept state (batch, units) and input codes (batch, inputs) to the new kept state and the readout."""
    new, _ = _update(q, state, x)
    z = q.b_out + (operand(q, new) << q.formats.h_shift) @ q.W_out.T
    return new, z


def _update(q: QuantizedNetwork, state: IntArray, x: IntArray) -> tuple[IntArray, IntArray]:
    """The new kept state, and the sums from which it was made."""
    f = q.formats
    x = np.asarray(x, dtype=np.int64)  # a narrower type would wrap in the shift
    new = np.array(state)
    sums = np.empty_like(new)
    for part in q.network.parts:  # a layer sees the new states of those before it
        a = q.b[part] + (operand(q, new) << f.h_shift) @ q.W[part].T + (x << f.x_shift) @ q.W_in[part].T
        y = shift_round(a, q.pre_shift)
        if q.form == "rate":
            y = q.activation.evaluate(y)
        if f.leak is not None:
            y = _clip(shift_round(q.d[part] * new[:, part] + ((q.g[part] * y) << q.gain_shift), f.leak.frac), f.state)
        new[:, part], sums[:, part] = y, a
    return new, sums


def run(
    q: QuantizedNetwork,
    x: IntArray,
    *,
    state: IntArray | None = None,
    record: bool = True,
    kernel: KernelChoice = "auto",
    threads: int | None = None,
) -> IntTrajectory:
    """Run the model over input codes `x`, (batch, time, inputs), from `state` (batch, units) or h0.

    `kernel` and `threads` change the speed and nothing else. ``auto`` is NumPy until this process has run for about as
    long as loading the compiled kernel takes, and from then on the compiled one, if numba is installed. The compiled
    kernel shares the chunks of a large batch among `threads`, by default one for each core that the process may use.

    Raises ValueError for a wrong shape, codes outside the format of the inputs or of the kept state, or codes that are
    not integers; MissingToolError where the compiled kernel is asked for and numba is missing.
    """
    x = np.asarray(x)
    _check_codes("input", x, (None, None, q.inputs), q.formats.x)
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")
    batch, steps, _ = x.shape
    kept = np.tile(q.h0, (batch, 1))
    if state is not None:
        state = np.asarray(state)
        _check_codes("state", state, (batch, q.units), q.formats.state)
        kept[:] = state
    maker = _choose(kernel, steps, batch, q.units)
    made = _KERNELS.setdefault(q, {})
    if maker not in made:
        made[maker] = maker(q)
    z = np.empty((batch, steps, q.outputs), np.int64)
    h = np.empty((batch, steps if record else 0, q.units), np.int64)

    def part(first: int) -> None:
        some = slice(first, first + CHUNK)
        made[maker].run(x[some], kept[some], z[some], h[some] if record else None)

    firsts = range(0, batch, CHUNK)
    workers = 1 if maker is Kernel else min(len(firsts), threads or cores())
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(part, firsts))
    else:
        for first in firsts:
            part(first)
    return IntTrajectory(z, h, kept)


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


@cache
def compiled_kernel() -> type[CompiledKernel] | None:
    """The compiled kernel, or None where numba is missing or does not go with this NumPy."""
    try:
        from autapse.compiled import CompiledKernel
    except ImportError:
        return None
    return CompiledKernel


def _choose(kernel: KernelChoice, steps: int, batch: int, units: int) -> type[Kernel]:
    """The class that runs `steps` of `batch` sequences."""
    global _asked
    if kernel not in ("auto", "numpy", "compiled"):
        raise ValueError(f"kernel must be auto, numpy or compiled, not {kernel!r}")
    if kernel == "auto":
        _asked += steps * (_STEP_SECONDS + _PRODUCT_SECONDS * batch * units * units)
    if kernel == "numpy" or (kernel == "auto" and _asked < _LOAD_SECONDS):
        return Kernel
    found = compiled_kernel()
    if found is None and kernel == "compiled":
        raise MissingToolError("the compiled kernel needs numba: pip install 'autapse[fast]'")
    return found or Kernel


#: The kernels of the networks that are alive, by class; making one costs more than a short run.
_KERNELS: WeakKeyDictionary[QuantizedNetwork, dict[type[Kernel], Kernel]] = WeakKeyDictionary()


def _clip(codes: IntArray, form: Format) -> IntArray:
    return np.clip(codes, -form.max_code, form.max_code)


def _check_codes(what: str, codes: NDArray[Any], shape: tuple[int | None, ...], form: Format) -> None:
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{what} codes must be integers, not {codes.dtype}; quantise real numbers first")
    if codes.ndim != len(shape) or any(e is not None and e != n for e, n in zip(shape, codes.shape, strict=True)):
        expected = ", ".join(["batch", "time"][i] if e is None else str(e) for i, e in enumerate(shape))
        raise ValueError(f"{what} codes must be ({expected}); their shape is {codes.shape}")
    top = form.max_code
    if codes.size and (codes.max() > top or codes.min() < -top):
        worst = int(codes.max()) if codes.max() > top else int(codes.min())
        raise ValueError(f"{what} code {worst} is outside ±{top}, the range of {form.bits} bits")
