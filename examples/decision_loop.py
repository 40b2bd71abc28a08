"""A perceptual decision in closed loop: the evidence ends when the network has decided.

    python examples/decision_loop.py [--trials 60] [--threshold 0.4] [--port PORT]

Two noisy channels; the network says which has the larger mean, by the sign of its output. In a reaction-time
experiment it also says when: as soon as the output leaves ±threshold, the stimulus is switched off, and the answer has
to stand without it. So the length of each trial depends on the network, and no input can be sent ahead.

The network is the one of the gallery, on the virtual board unless a port is given. The script prints, for each
coherence, how often the decision was right, how long it took, and how often it stood; and whether every output equals
the integer model's.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass

import numpy as np

import autapse
from autapse.fixed import IntArray
from autapse.gallery import path
from autapse.link import Device, SerialTransport
from autapse.quantized import QuantizedNetwork
from autapse.tasks import PerceptualDecision

LONGEST, AFTER = 150, 30  # steps of evidence at most; steps without it in which the answer must stand


@dataclass(frozen=True)
class Trial:
    """What happened: the choice, -1, 0 or 1; the step of the decision; whether it stood; and whether it was exact."""

    choice: float
    steps: int
    stood: bool
    exact: bool


def run_trial(
    device: Device, q: QuantizedNetwork, means: tuple[float, float], noise: float, threshold: float, seed: int
) -> Trial:
    """One trial from the initial state on: evidence with these means until the decision, then noise alone."""
    rng = np.random.default_rng(seed)
    device.reset()
    inputs: list[IntArray] = []
    outputs: list[IntArray] = []

    def step(mean: tuple[float, float]) -> float:
        codes, _ = q.quantize_inputs((np.array(mean) + noise * rng.standard_normal(2))[None, None])
        inputs.append(codes[0, 0])
        outputs.append(device.step(codes[0, 0]))
        return float(q.formats.z.dequantize(outputs[-1])[0])

    z = 0.0
    while abs(z) < threshold and len(inputs) < LONGEST:
        z = step(means)
    choice, steps = (np.sign(z) if abs(z) >= threshold else 0.0), len(inputs)
    stood = all([np.sign(step((0.0, 0.0))) == choice for _ in range(AFTER)])
    model = q.run_int(np.array(inputs)[None], record=False).z[0]
    return Trial(choice, steps, stood, bool((model == np.array(outputs)).all()))


def main() -> None:
    """Parse the arguments, run the trials, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60, help="for each coherence")
    parser.add_argument("--threshold", type=float, default=0.4)
    parser.add_argument("--port", help="a real board's serial port; its build is of the same network at 8 bits")
    parser.add_argument("--baud", type=int, default=1_000_000)
    args = parser.parse_args()

    task = PerceptualDecision()
    q = autapse.quantize(autapse.load(path("perceptual_decision")), input_range=task.input_range)
    exact = []
    with contextlib.ExitStack() as stack:
        port = args.port or stack.enter_context(autapse.VirtualBoard(q, lanes="17x2")).port
        device = stack.enter_context(Device(SerialTransport(port, args.baud), timeout=5.0))
        for c in task.coherences:
            sides = np.where(np.arange(args.trials) % 2, 1.0, -1.0)
            trials = [
                run_trial(device, q, (0.5 + s * c / 2, 0.5 - s * c / 2), task.noise, args.threshold, seed)
                for seed, s in enumerate(sides)
            ]
            right = np.mean([t.choice == s for t, s in zip(trials, sides, strict=True)])
            steps = np.median([t.steps for t in trials])
            stood = np.mean([t.stood for t in trials])
            print(f"coherence {c:.1f}: {right:.3f} right, {steps:.0f} steps to decide (median), {stood:.3f} stood")
            exact += [t.exact for t in trials]
    print(f"outputs equal to the integer model's in {sum(exact)} of {len(exact)} trials")


if __name__ == "__main__":
    main()
