"""Build the bitstream: `python build.py` writes the folder build, and `autapse flash build` loads it."""

import autapse
from design import BOARD, FREQUENCY, HERE, plan, quantized

if __name__ == "__main__":
    chosen = plan()
    report = autapse.build(
        quantized(),
        board=BOARD,
        out=HERE / "build",
        lanes=chosen.tiling,
        form=chosen.form,
        frequency=FREQUENCY,
        progress=print,
    )
    print(f"{report.clock_hz / 1e6:.2f} MHz, {report.steps_per_second:,.0f} steps/s, {report.allowed}")
