"""Train the 3-bit flip-flop that ships with Autapse: 50 tanh units, a fixed seed.

    python examples/train_flipflop.py [-o OUT.npz]

Needs `pip install 'autapse[train]'`. Prints the score on fresh trials in float64, and with weights and states rounded
to 7 fraction bits.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from autapse.fixed import FloatArray, Format
from autapse.network import Network
from autapse.tasks import FlipFlop
from autapse.train import Progress, TrainConfig, format_score, train

SEED = 3
CONFIG = TrainConfig(state_noise=0.05, min_updates=3000)


def run_rounded(network: Network, x: FloatArray, weights: Format, state: Format) -> FloatArray:
    """The readout when weights, inputs and every state are rounded (and saturated); sums and biases stay exact."""
    rounded = {name: weights.dequantize(weights.quantize(getattr(network, name))[0]) for name in ("W", "W_in", "W_out")}
    net = replace(network, **rounded)
    x = replace(state, bits=12).dequantize(replace(state, bits=12).quantize(x)[0])
    h = np.zeros((x.shape[0], net.units))
    z = np.empty((*x.shape[:2], net.outputs))
    for t in range(x.shape[1]):
        h = state.dequantize(state.quantize(np.tanh(h @ net.W.T + x[:, t] @ net.W_in.T + net.b))[0])
        z[:, t] = h @ net.W_out.T + net.b_out
    return z


def main() -> None:
    """Train, judge, save."""
    parser = argparse.ArgumentParser(description="Train the 3-bit flip-flop that ships with Autapse.")
    parser.add_argument(
        "-o", "--output", metavar="OUT.npz", help="where to write the network; without it, only the scores are printed"
    )
    output = parser.parse_args().output
    task = FlipFlop()

    def show(now: Progress) -> None:
        print(f"update {now.update:5d}  loss {now.loss:.5f}  {format_score(now.score)}", flush=True)

    began = time.monotonic()
    network = train(task, units=50, seed=SEED, config=CONFIG, progress=show)
    print(f"trained in {time.monotonic() - began:.0f} s, largest weight {abs(network.W).max():.3f}")

    trials = task.trials(1000, np.random.default_rng(SEED + 1))
    score = format_score(task.score(network.run(trials.x).z, trials))
    eight = Format(8, 7)
    rounded = format_score(task.score(run_rounded(network, trials.x, eight, eight), trials))
    print(f"1000 fresh trials, float64:          {score}")
    print(f"1000 fresh trials, 7 fraction bits:  {rounded}")
    if output is None:
        return
    network.with_info(
        name="3-bit flip-flop",
        command="python examples/train_flipflop.py",
        licence="BSD-2-Clause",
        score=f"{score} (1000 fresh trials, float64)",
    ).save(output)
    print(f"wrote {output}")


if __name__ == "__main__":
    main()
