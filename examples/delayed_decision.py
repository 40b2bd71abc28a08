"""A network that somebody else trained in Keras, from its file to a bitstream, judged by its task at every level.

    python examples/delayed_decision.py MODEL.hdf5 [--board icebreaker --board ulx3s_85f]

MODEL is a network for the delayed decision (`autapse.tasks.DelayedDecision`): one input, one output. The script prints
success and timing error of the float network, of the integer model and of the simulated circuit, on the same trials,
with the pulse smoothed and with a rectangular one: the timing depends on it, in float already. With --board it also
builds bitstreams.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import autapse
from autapse.tasks import DelayedDecision
from autapse_sim import simulate


def main() -> None:
    """Parse the arguments, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--weight-bits", type=int, default=9)
    parser.add_argument("--state-bits", type=int, default=9)
    parser.add_argument("--table", default="auto", help="activation table; linear saves the icebreaker a block RAM")
    parser.add_argument("--trials", type=int, default=80, help="trials for float and model")
    parser.add_argument("--rtl-trials", type=int, default=10, help="of these, how many the circuit runs too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--board", action="append", default=[], help="build a bitstream; may be repeated")
    args = parser.parse_args()

    net = autapse.load(args.model)
    q = autapse.quantize(
        net,
        weight_bits=args.weight_bits,
        state_bits=args.state_bits,
        input_range=DelayedDecision().input_range,
        table=args.table,
    )
    f = q.formats
    print(f"{args.model.name}: {net.units} units; fraction bits: W {f.W.frac}, W_in {f.W_in.frac}, h {f.h.frac}")
    for smoothing in (0, 10):
        task = DelayedDecision(smoothing=smoothing)
        trials = task.trials(args.trials, np.random.default_rng(args.seed))
        codes, _ = q.quantize_inputs(trials.x)
        model = q.run_int(codes, record=False).z
        few = slice(0, args.rtl_trials)
        circuit = simulate(q, codes[few], lanes=q.units + q.outputs)
        same = bool((circuit == model[few]).all())
        rows = {"float64": net.run(trials.x).z, "integer model": f.z.dequantize(model)}
        print(f"pulse {'smoothed by a Hann window of 10 points' if smoothing else 'rectangular'}:")
        for name, z in rows.items():
            score = task.score(z, trials)
            print(f"  {name:14} success {score['success']:.3f}, timing error {score['timing_error']:.3f} steps")
        print(f"  circuit        {args.rtl_trials} trials, outputs {'equal to' if same else 'DIFFER FROM'} the model's")
    for board in args.board:
        with tempfile.TemporaryDirectory() as folder:
            report = autapse.build(q, board=board, out=Path(folder) / board, progress=print)
        clock = f"{report.clock_hz / 1e6:.2f} MHz (timing allows {report.fmax_hz / 1e6:.2f})"
        speed = f"{report.cycles_per_step} cycles a step, {report.steps_per_second:,.0f} steps/s"
        print(f"{board}: {report.lanes} lanes, {clock}, {speed}")


if __name__ == "__main__":
    main()
