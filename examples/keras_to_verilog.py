"""From a Keras file to Verilog that is proved: the file of the tutorial, or your own.

    python examples/keras_to_verilog.py [MODEL.keras] [-o build/verilog] [--bits 8] [--input-range 1.5] [--lanes 8]

Writes the folder of `autapse export`: Verilog-2001, golden vectors, a cocotb test, and `run.py`, which runs it; nothing
in it needs Autapse. The script then runs it, as your own CI would, and prints the figures. Needs
`pip install 'autapse[keras,sim]'`; Keras is not needed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import autapse
from autapse_hw.schedule import Schedule
from autapse_sim import export


def main() -> None:
    """Parse the arguments, export, run the test of the export, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=Path(__file__).parent / "flipflop.keras")
    parser.add_argument("-o", "--out", type=Path, default=Path("build/verilog"))
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--input-range", type=float, default=1.5)
    parser.add_argument("--lanes", default="8", help="rows, or rows x columns: 8x2")
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()

    net = autapse.load(args.model)
    print(f"{args.model.name}: {net.info['layers']}; {net.info['format']}")
    q = autapse.quantize(net, weight_bits=args.bits, state_bits=args.bits, input_range=args.input_range)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    export(q, args.out, lanes=args.lanes, steps=args.steps)

    schedule = Schedule.of(q, args.lanes)
    lines = len((args.out / "autapse_core.v").read_text().splitlines())
    print(
        f"{args.out / 'autapse_core.v'}: {lines:,} lines, {args.lanes} lanes, {schedule.cycles_per_step} cycles a step"
    )
    test = subprocess.run([sys.executable, str(args.out / "run.py")], capture_output=True, text=True, check=False)
    compared = args.steps * (q.units + q.outputs)
    print(
        f"its test: {'passed' if test.returncode == 0 else 'FAILED'}; {args.steps} steps, {compared:,} values at least"
    )
    if test.returncode:
        sys.exit(test.stdout + test.stderr)


if __name__ == "__main__":
    main()
