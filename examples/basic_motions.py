"""A real sensor stream, from the recordings to a board: which of four motions does the wearer of a smart watch make?

    python examples/basic_motions.py [--board icebreaker] [--out build/basic_motions]

BasicMotions (UEA archive) has 40 recordings for training and 40 for the test, each 100 samples of a 3-axis
accelerometer and a 3-axis gyroscope, while standing, walking, running, or playing badminton. It ships inside the
package aeon, whose wheel (6 MB) is fetched from the package index without its dependencies, and read as an archive.

The script trains a network of 16 leaky units, quantises it to 8 bits, builds the bitstream, and streams every test
recording through the design on the virtual board, sample by sample. It prints the accuracy in float64, of the integer
model and of the circuit, and whether every output of the circuit equals the model's. Of the seeds 0 to 2, in float64
and at 8 bits: 1.000 and 0.950, 0.975 and 0.975, 1.000 and 1.000; one recording is 0.025. Needs
`pip install 'autapse[all,train]'`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import autapse
from autapse.fixed import FloatArray
from autapse.link import Device, SerialTransport
from autapse.quantized import QuantizedNetwork
from autapse.tasks import Success, Trials
from autapse.train import TrainConfig, train
from autapse_sim import VirtualBoard

MEMBER = "aeon/datasets/data/BasicMotions/BasicMotions_{}.ts"
UNITS, SEED = 16, 2
CONFIG = TrainConfig(
    alpha=0.2, gain=1.0, input_gain=0.7, state_noise=0.05, batch=40, max_updates=1500, min_updates=1500
)
LANES = 2  # of many that would fit: a sample comes every 100 ms, and a small design is quick to place
WEARER, NOISE = 0.5, 0.1  # in training: how far the strength of a channel may vary, and noise on every sample

SOLVED = Success("accuracy", 0.9)


def wheel(folder: Path) -> Path:
    """The wheel of aeon in `folder`, fetched there unless it is."""
    if not (found := sorted(folder.glob("aeon-*.whl"))):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), "aeon"]
        subprocess.run(command, check=True)
        found = sorted(folder.glob("aeon-*.whl"))
    return found[-1]


def read(archive: Path, part: str) -> tuple[FloatArray, list[str]]:
    """The recordings of a part, TRAIN or TEST, (recordings, time, channels), and what was done in each.

    A line of the .ts format is channels joined by colons, each numbers joined by commas, and then the class.
    """
    with zipfile.ZipFile(archive) as file:
        lines = file.read(MEMBER.format(part)).decode().partition("@data")[2].split()
    rows = [line.split(":") for line in lines]
    x = np.array([[np.fromstring(channel, sep=",") for channel in row[:-1]] for row in rows])
    return x.transpose(0, 2, 1), [row[-1] for row in rows]


@dataclass(frozen=True, eq=False)
class Motions:
    """Recordings as a task: the readout of the motion's own channel should be 1, those of the others -1.

    `x` is (recordings, time, channels) within ±1, `motion` (recordings,) the readout's channel of each. The second half
    of a recording counts. Forty recordings of four people are few: training sees them shifted in time, with channels
    stronger or weaker, and with noise.
    """

    x: FloatArray
    motion: Any
    outputs: int = 4
    name: str = "basic_motions"
    summary: str = "which of four motions a smart watch sees"
    input_range: float = 1.0
    success: Success = SOLVED

    @property
    def inputs(self) -> int:
        return self.x.shape[2]

    def recordings(self, x: FloatArray, motion: Any) -> Trials:
        """These recordings with the targets and the mask."""
        y = np.where(np.arange(self.outputs) == motion[:, None], 1.0, -1.0)[:, None].repeat(x.shape[1], axis=1)
        counts = np.arange(x.shape[1])[:, None] >= x.shape[1] // 2
        return Trials(x, y, np.broadcast_to(counts, y.shape))

    def trials(self, batch: int, rng: np.random.Generator) -> Trials:
        """Draw recordings and vary them, as said above."""
        chosen = rng.integers(len(self.x), size=batch)
        steps = self.x.shape[1]
        time = (np.arange(steps) + rng.integers(steps, size=(batch, 1))) % steps
        strength = 1 + WEARER * rng.uniform(-1, 1, size=(batch, 1, self.inputs))
        x = self.x[chosen[:, None], time] * strength + NOISE * rng.standard_normal((batch, steps, self.inputs))
        return self.recordings(np.clip(x, -1, 1), self.motion[chosen])

    def score(self, z: Any, trials: Trials) -> dict[str, float]:
        """The fraction of the recordings whose own channel has the largest mean where the mask counts."""
        mean = (trials.check_readout(z) * trials.mask).sum(axis=1)
        return {"accuracy": float((mean.argmax(axis=1) == trials.y[:, -1].argmax(axis=1)).mean())}


def stream(q: QuantizedNetwork, codes: Any, build: Path) -> Any:
    """Outputs of the built design, on the virtual board, for input codes (recordings, time, channels)."""
    with VirtualBoard.from_build(build) as board, Device(SerialTransport(board.port, 1_000_000), timeout=10) as device:
        outputs = []
        for recording in codes:
            device.reset()
            outputs.append(device.run(recording))
    return np.array(outputs)


def main() -> None:
    """Parse the arguments, train, quantise, build, stream, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", default="icebreaker")
    parser.add_argument("--out", type=Path, default=Path("build/basic_motions"), help="folder of wheel and build")
    args = parser.parse_args()

    archive = wheel(args.out)
    x, motions = read(archive, "TRAIN")
    kinds = sorted(set(motions))
    scale = 3 * x.std(axis=(0, 1))  # what a front end does: 1 is three standard deviations, and more saturates
    task = Motions(np.clip(x / scale, -1, 1), np.array([kinds.index(m) for m in motions]))
    x, motions = read(archive, "TEST")
    test = task.recordings(np.clip(x / scale, -1, 1), np.array([kinds.index(m) for m in motions]))

    net = train(task, units=UNITS, seed=SEED, config=CONFIG)
    print(f"trained in {net.info['updates']} updates on {len(task.x)} recordings: {net.info['score']}")
    q = autapse.quantize(net, weight_bits=8, state_bits=8, input_range=task.input_range)
    report = autapse.build(q, board=args.board, out=args.out / args.board, lanes=LANES)
    codes, _ = q.quantize_inputs(test.x)
    model = q.run_int(codes, record=False).z
    circuit = stream(q, codes, args.out / args.board)

    print(f"test recordings: {len(codes)} of {codes.shape[1]} samples; motions: {', '.join(kinds)}")
    rows = {"float64": net.run(test.x).z, "integer model": q.formats.z.dequantize(model)}
    rows["circuit"] = q.formats.z.dequantize(circuit)
    for name, z in rows.items():
        print(f"accuracy, {name:14} {task.score(z, test)['accuracy']:.3f}")
    same = (circuit == model).all(axis=(1, 2))
    print(f"circuit equal to the model in {same.sum()} of {same.size} recordings, every output of every sample")
    print(
        f"{report.board}: {report.tiling} lanes, {report.clock_hz / 1e6:.2f} MHz, {report.cycles_per_step} cycles and "
        f"{1e6 / report.steps_per_second:.2f} µs a sample; the watch takes 100,000 µs"
    )


if __name__ == "__main__":
    main()
