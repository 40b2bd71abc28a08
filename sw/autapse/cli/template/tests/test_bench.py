"""Runs the cocotb bench bench_core.py on the Verilog of this design."""

import json
import shutil
from pathlib import Path

from autapse_sim import export
from autapse_sim.simulator import run_bench
from design import plan, quantized, stimulus

HERE = Path(__file__).resolve().parent


def test_bench(tmp_path):
    q = quantized()
    export(q, tmp_path / "rtl", lanes=plan().tiling, steps=1)  # rtl/autapse_core.v: plain Verilog, for any simulator
    codes, _ = q.quantize_inputs(stimulus()[:1, :20])
    expected = q.run_int(codes).z
    vectors = {"x": codes[0].tolist(), "z": expected[0].tolist()}
    (tmp_path / "rtl" / "bench_vectors.json").write_text(json.dumps(vectors))
    shutil.copy(HERE / "bench_core.py", tmp_path / "rtl")
    run_bench(tmp_path / "rtl", top="autapse_core", module="bench_core")
    cycles = json.loads((tmp_path / "rtl" / "latency.json").read_text())
    assert len(cycles) == len(vectors["x"])
    print(f"from the last input of a step to its last output: {min(cycles)} to {max(cycles)} cycles")
