"""A network in closed loop: each input is computed from the last output, on a board that everybody has.

    python examples/closed_loop.py [--steps 10000] [--build DIR] [--port PORT]

The network is the 3-bit flip-flop that ships with Autapse. The controller watches its output; as soon as all three bits
have settled, it flips the one that has rested longest by a pulse. So what comes next depends on when the network is
done, and no input can be sent ahead.

Without --port the board is the virtual one: of the build in DIR if there is one, else of the network on 13 lanes. The
script prints how long a step takes from the input's first byte to the output's last, split into wire and core, on that
board and at the clock and the baud rate of the real one, and whether all outputs equal the integer model's.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import autapse
from autapse.gallery import path
from autapse.link import Device, SerialTransport
from autapse.protocol import Command
from autapse.quantized import QuantizedNetwork
from autapse.tasks import TASKS
from autapse_boards import Report, fit, get_board
from autapse_sim import VirtualBoard

SETTLED = 0.7  # of the target of 1, as in the task
REST = 8  # steps for which an output must have been there
WIDTH = 4  # steps of a pulse
BOARD, CLOCK = "icebreaker", 60e6


class Controller:
    """Flips the bit that has rested longest, whenever all bits have settled."""

    def __init__(self, bits: int) -> None:
        self.target = np.zeros(bits)  # signs that the network should hold; 0 before the first pulse
        self.rested = np.zeros(bits, dtype=int)
        self.order = list(range(bits))
        self.left = 0
        self.flips = 0
        self.settling: list[int] = []
        self.begun = 0

    def __call__(self, step: int, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """The input (bits,) that follows the output `z` (bits,)."""
        there = (self.target == 0) | (self.target * z > SETTLED)
        self.rested = np.where(there, self.rested + 1, 0)
        if self.left == 0 and (self.rested >= REST).all():
            if self.flips:
                self.settling.append(step - REST - self.begun)
            bit = self.order.pop(0)
            self.order.append(bit)
            self.target[bit] = -self.target[bit] or 1.0
            self.rested[:] = 0
            self.left, self.begun, self.flips = WIDTH, step, self.flips + 1
        pulse = np.zeros_like(z)
        if self.left:
            self.left -= 1
            pulse[self.order[-1]] = self.target[self.order[-1]]
        return pulse


def run(device: Device, q: QuantizedNetwork, steps: int) -> tuple[Controller, NDArray[np.float64], bool]:
    """The loop, from h0 on: the controller, seconds of each step, and whether every output equals the model's."""
    controller = Controller(q.inputs)
    inputs = np.empty((steps, q.inputs), dtype=np.int64)
    outputs = np.empty((steps, q.outputs), dtype=np.int64)
    seconds = np.empty(steps)
    z = np.zeros(q.outputs)
    for t in range(steps):
        inputs[t] = q.quantize_inputs(controller(t, z)[None, None])[0][0, 0]
        began = time.perf_counter()
        outputs[t] = device.step(inputs[t])
        seconds[t] = time.perf_counter() - began
        z = q.formats.z.dequantize(outputs[t])
    model = q.run_int(inputs[None], record=False).z[0]
    return controller, seconds, bool((model == outputs).all())


def main() -> None:
    """Parse the arguments, run the loop, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--build", type=Path, help="a build of the flip-flop, from 'autapse demo' or 'autapse build'")
    parser.add_argument("--port", help="a real board's serial port instead")
    args = parser.parse_args()

    task = TASKS["flipflop"]
    if args.build:
        q = autapse.load_quantized(args.build / "q.npz")
        report = Report.load(args.build)
        clock, baud, name = report.clock_hz, report.baud, report.board
        board = VirtualBoard.from_build(args.build)
    else:
        net = autapse.load(path("flipflop_3bit"))
        q = autapse.quantize(net, weight_bits=8, state_bits=8, input_range=task.input_range, operand_bits=8)
        plan = fit(q, BOARD)
        clock, name = CLOCK, BOARD
        baud = get_board(BOARD).bridge.best_rate(clock) or 0
        board = VirtualBoard(q, lanes=plan.tiling, form=plan.form, clock_hz=clock)

    with contextlib.ExitStack() as stack:
        port = args.port or stack.enter_context(board).port
        device = stack.enter_context(Device(SerialTransport(port, baud), timeout=5.0))
        device.reset()
        before = None if args.port else board.counters()
        controller, seconds, exact = run(device, q, args.steps)
        after = None if args.port else board.counters()
        identity = device.identity

    print(f"{args.steps:,} steps, outputs {'equal to' if exact else 'DIFFER FROM'} the integer model's")
    settling = f"{np.median(controller.settling):.0f} steps to settle, in the median" if controller.settling else ""
    print(f"{controller.flips} bits flipped, each when the last one had settled; {settling}")
    print(f"step on {port}: median {np.median(seconds) * 1e6:.0f} µs, 99 % {np.quantile(seconds, 0.99) * 1e6:.0f} µs")
    if before is None or after is None:
        return
    bits = 10 * (after.received + after.sent - before.received - before.sent) / args.steps
    core = (after.turnaround_cycles - before.turnaround_cycles) / (after.turnarounds - before.turnarounds)
    payload = identity.request_bytes(Command.STEP) + identity.answer_bytes(Command.STEP)
    wire = bits * board.divisor
    print(f"in cycles: wire {wire:.0f} ({bits / 10:.1f} bytes, {payload} of them codes), core and frames {core:.0f}")
    print(
        f"on {name} at {clock / 1e6:g} MHz and {baud:,} baud: "
        f"{bits / baud * 1e6:.1f} µs wire + {core / clock * 1e6:.1f} µs core and frames "
        f"= {(bits / baud + core / clock) * 1e6:.1f} µs a step, and what USB adds"
    )


if __name__ == "__main__":
    main()
