"""How fast the integer model runs on this machine, beside the float network in NumPy and in PyTorch, in one process.

docs/numerics.md, section 11, has the figures of one machine and of the designs that were tried.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autapse.network import Network
from autapse.quantize import quantize
from autapse.reference import KernelChoice, compiled_kernel, cores, run

LOOP = "NumPy loop, float32"
RNN = "PyTorch nn.RNN, float32"
NO_TORCH = "not installed: pip install torch"
LEAST_SECONDS = 0.1  # of a turn: more than a time slice of the operating system


@dataclass(frozen=True)
class HostSpeed:
    """One candidate at one batch size. A batch of B sequences of T steps is B * T steps.

    Attributes
    ----------
    what
        The candidate; one of the integer model has `bits` of weight and state, and ran by `kernel`.
    batch, steps
        B and T.
    steps_per_second
        Of the median time; None for a candidate that is `missing`.
    first_seconds
        The first call, not part of the median: it makes tables, and loads or compiles code.
    cores
        Processor time a second of the median run: how many cores it had, or got on a busy machine.
    over_loop, over_rnn
        Speed against that of the NumPy loop and of nn.RNN, the median of the ratios within one repetition.
    missing
        Why there are no figures, and what helps.
    """

    what: str
    batch: int
    steps: int
    bits: int | None = None
    kernel: str | None = None
    steps_per_second: float | None = None
    first_seconds: float | None = None
    cores: float | None = None
    over_loop: float | None = None
    over_rnn: float | None = None
    missing: str | None = None


@dataclass(frozen=True)
class HostBenchmark:
    """The speeds of one network, measured in one run.

    Attributes
    ----------
    units, inputs, outputs
        N, M, O.
    repetitions
        Repetitions, in which the candidates take turns.
    threads
        Threads that the integer model and PyTorch may use. The threads of NumPy's BLAS are set from outside, as by
        OPENBLAS_NUM_THREADS.
    speeds
        By batch size, then by candidate.
    """

    units: int
    inputs: int
    outputs: int
    repetitions: int
    threads: int
    speeds: tuple[HostSpeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)


def host_benchmark(
    *,
    batches: Sequence[int] = (1, 1024),
    bits: Sequence[int] = (8, 16),
    steps: int | None = None,
    units: int = 50,
    inputs: int = 2,
    outputs: int = 1,
    repetitions: int = 7,
    threads: int | None = None,
    kernel: KernelChoice = "auto",
    seed: int = 0,
) -> HostBenchmark:
    """Measure a random orthogonal tanh network, in some seconds.

    `steps` is 200, or enough for 2000 in the batch. `threads` is one for each core; ``auto`` is the compiled kernel
    where numba is installed.
    """
    threads = cores() if threads is None else threads
    for name, value in (*(("batch", b) for b in batches), ("repetitions", repetitions), ("threads", threads)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if kernel == "auto":
        kernel = "numpy" if compiled_kernel() is None else "compiled"
    rng = np.random.default_rng(seed)
    net = random_network(rng, units, inputs, outputs)
    speeds: list[HostSpeed] = []
    for batch in batches:
        x = rng.uniform(-1.0, 1.0, (batch, steps or max(200, 2000 // batch), inputs))
        speeds += _measure(net, x, bits, kernel, threads, repetitions)
    return HostBenchmark(units, inputs, outputs, repetitions, threads, tuple(speeds))


def random_network(rng: np.random.Generator, units: int = 50, inputs: int = 2, outputs: int = 1) -> Network:
    """The tanh network that all benchmarks measure: orthogonal recurrent weights, the others normal."""
    return Network(
        np.linalg.qr(rng.normal(size=(units, units)))[0],
        rng.normal(size=(units, inputs)),
        0.1 * rng.normal(size=units),
        rng.normal(size=(outputs, units)) / np.sqrt(units),
        rng.normal(size=outputs),
    )


def _measure(
    net: Network, x: NDArray[np.float64], bits: Sequence[int], kernel: KernelChoice, threads: int, repetitions: int
) -> list[HostSpeed]:
    """The candidates on one batch of inputs."""
    batch, steps, _ = x.shape
    rows: list[dict[str, Any]] = []
    candidates: list[Callable[[], object]] = []
    for word in bits:
        q = quantize(net, weight_bits=word, state_bits=word)
        codes = q.quantize_inputs(x)[0]
        rows.append({"what": f"integer model, {word} bits", "bits": word, "kernel": kernel})
        candidates.append(partial(run, q, codes, record=False, kernel=kernel, threads=threads))
    rows.append({"what": LOOP})
    candidates.append(partial(_float_loop, net, x.astype(np.float32)))
    rnn = _torch_rnn(net, x.astype(np.float32), threads)
    if rnn is not None:
        rows.append({"what": RNN})
        candidates.append(rnn)
    first, wall, used = _turns(candidates, repetitions, LEAST_SECONDS)
    over_loop = np.median(wall[:, [len(bits)]] / wall, axis=0).tolist()
    over_rnn = [None] * len(rows) if rnn is None else np.median(wall[:, [-1]] / wall, axis=0).tolist()
    speeds = [
        HostSpeed(
            **row,
            batch=batch,
            steps=steps,
            steps_per_second=float(batch * steps / np.median(wall[:, k])),
            first_seconds=float(first[k]),
            cores=float(np.median(used[:, k] / wall[:, k])),
            over_loop=over_loop[k],
            over_rnn=over_rnn[k],
        )
        for k, row in enumerate(rows)
    ]
    return speeds if rnn is not None else [*speeds, HostSpeed(RNN, batch, steps, missing=NO_TORCH)]


def _turns(
    candidates: Sequence[Callable[[], object]], repetitions: int, least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of the first call, and wall and processor seconds of a call, (repetitions, candidates).

    The candidates take turns of at least `least` seconds, so that a change of the machine's clock or load meets all of
    them, and so that none is short enough to slip through between the other processes of a busy machine.
    """
    first = np.array([_seconds(candidate, 1)[0] for candidate in candidates])
    calls = [math.ceil(max(1.0, least / _seconds(candidate, 1)[0])) for candidate in candidates]
    turns = [[_seconds(*pair) for pair in zip(candidates, calls, strict=True)] for _ in range(repetitions)]
    wall, used = np.moveaxis(np.array(turns), -1, 0)
    return first, wall, used


def _seconds(candidate: Callable[[], object], calls: int) -> tuple[float, float]:
    """Wall and processor seconds of a call, the mean of `calls`."""
    start, used = time.perf_counter(), time.process_time()
    for _ in range(calls):
        candidate()
    return (time.perf_counter() - start) / calls, (time.process_time() - used) / calls


def _float_loop(net: Network, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The plain loop over x (batch, time, inputs); gives the readouts."""
    W, W_in, b, W_out, b_out = (a.astype(np.float32) for a in (net.W, net.W_in, net.b, net.W_out, net.b_out))
    h = np.zeros((x.shape[0], net.units), np.float32)
    z = np.empty((*x.shape[:2], net.outputs), np.float32)
    for t in range(x.shape[1]):
        h = np.tanh(h @ W.T + x[:, t] @ W_in.T + b)
        z[:, t] = h @ W_out.T + b_out
    return z


def _torch_rnn(net: Network, x: NDArray[np.float32], threads: int) -> Callable[[], NDArray[np.float32]] | None:
    """A run of nn.RNN and nn.Linear with the weights of `net`, without gradients; None where torch is missing.

    Time is the first axis inside, the default of nn.RNN, because it is the faster layout; the result is (batch, time,
    outputs).
    """
    try:
        import torch
    except ImportError:
        return None
    rnn = torch.nn.RNN(net.inputs, net.units)
    head = torch.nn.Linear(net.units, net.outputs)
    weights = (net.W_in, net.W, net.b, np.zeros(net.units), net.W_out, net.b_out)
    with torch.no_grad():
        for parameter, values in zip([*rnn.parameters(), *head.parameters()], weights, strict=True):
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    inputs = torch.from_numpy(np.ascontiguousarray(x.swapaxes(0, 1)))

    def infer() -> NDArray[np.float32]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                z: NDArray[np.float32] = head(rnn(inputs)[0]).numpy().swapaxes(0, 1)
        finally:
            torch.set_num_threads(before)
        return z

    return infer
