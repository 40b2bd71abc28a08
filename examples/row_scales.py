"""Would a scale of its own for each unit's weights save a bit? Measured on the gallery.

    python examples/row_scales.py [--trials 1000] [NETWORK ...]

Quantisation gives W one power of two for all units, and W_in another. With a power of two per unit, each row of W and
W_in would use its whole word. The script rounds the weights both ways to words of so many bits, all else alike, and
runs the integer model of what results: it holds the rounded weights exactly, in longer words with the finest of the
rows' scales, so that its sums are those that a core with one scale per unit would have. States and inputs have as many
bits as the weights. Two things favour the rows: biases are never rounded to a coarser scale, and each row may shift its
operands by itself, which the multipliers of the core cannot. For each network it prints the deciding figure of its task
by word length, per tensor and per row, and the shortest word from which on each reaches the task's threshold; a dash
where none does.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from autapse import gallery
from autapse.fixed import FloatArray, Format, largest_frac
from autapse.loading import load
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import MAX_BITS, MAX_OPERAND_BITS
from autapse.tasks import TASKS
from autapse.train.fixed_point import quantize_for

BITS = (7, 6, 5, 4)


def main() -> None:
    """Parse the arguments, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=gallery.names(), metavar="NETWORK")
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2026)
    args = parser.parse_args()
    print("| network | " + " | ".join(f"{b} bits" for b in BITS) + " | shortest: tensor | row |")
    print("| --- " * (len(BITS) + 3) + "|")
    saved = []
    for name in args.networks:
        net = load(gallery.path(name))
        scores = {per_row: score(net, args.trials, args.seed, per_row) for per_row in (False, True)}
        success = TASKS[net.info["task"]].success
        least = [shortest([success.reached({success.metric: s}) for s in scores[per_row]]) for per_row in (False, True)]
        cells = [f"{a:.3f}, {b:.3f}" for a, b in zip(scores[False], scores[True], strict=True)]
        print(f"| {name} | " + " | ".join(cells) + f" | {least[0] or '-'} | {least[1] or '-'} |", flush=True)
        saved.append((least[0] or BITS[0] + 1) - (least[1] or BITS[0] + 1))
    print(f"\nA scale per row saves a bit or more on {sum(s > 0 for s in saved)} of {len(saved)} networks,")
    print(f"costs one or more on {sum(s < 0 for s in saved)}; {np.mean(saved):+.2f} bits on average.")


def score(net: Network, trials: int, seed: int, per_row: bool) -> list[float]:
    """The deciding figure of the network's task at each word length."""
    task = TASKS[net.info["task"]]
    drawn = task.trials(trials, np.random.default_rng(seed))
    found = []
    for bits in BITS:
        formats = quantize_for(net, task, bits, drawn.x).formats
        rounded = replace(net, **rounded_weights(net, bits, formats.h.frac, formats.x.frac, per_row))
        words = {"weight_bits": MAX_BITS, "state_bits": bits, "operand_bits": MAX_OPERAND_BITS}
        q = quantize(rounded, **words, input_range=task.input_range, calibrate=drawn.x)
        for name in ("W", "W_in", "W_out"):
            form = getattr(q.formats, name)
            if not np.array_equal(form.dequantize(getattr(q, name)), getattr(rounded, name)):
                raise RuntimeError(f"{MAX_BITS} bits do not hold the rounded {name} of {net.info['task']}")
        found.append(task.score(q.readout(drawn.x), drawn)[task.success.metric])
    return found


def rounded_weights(net: Network, bits: int, h_frac: int, x_frac: int, per_row: bool) -> dict[str, FloatArray]:
    """W, W_in and W_out in words of `bits`; the two products of a row have one scale, as in :func:`quantize`."""
    groups = [[k] for k in range(net.units)] if per_row else [list(range(net.units))]
    W, W_in = np.empty_like(net.W), np.empty_like(net.W_in)
    cap = max(16, bits) - bits  # the operands' shift takes up a difference between the scales of both products
    for rows in groups:
        w, w_in = (largest_frac(float(np.abs(m[rows]).max()), bits) for m in (net.W, net.W_in))
        gap = (w + h_frac) - (w_in + x_frac)
        w, w_in = w - max(gap - cap, 0), w_in - max(-gap - cap, 0)
        for values, frac, to in ((net.W, w, W), (net.W_in, w_in, W_in)):
            form = Format(bits, frac)
            to[rows] = form.dequantize(form.quantize(values[rows])[0])
    form = Format(bits, largest_frac(float(np.abs(net.W_out).max()), bits))
    return {"W": W, "W_in": W_in, "W_out": form.dequantize(form.quantize(net.W_out)[0])}


def shortest(reached: list[bool]) -> int:
    """The word from which on all longer ones reach the threshold; 0 if the longest does not."""
    count = next((k for k, good in enumerate(reached) if not good), len(reached))
    return BITS[count - 1] if count else 0


if __name__ == "__main__":
    main()
