"""A cocotb bench that uses the core as a controller would: send the inputs of a step, and wait for its outputs.

test_bench.py copies it beside the Verilog and runs it. The streams `i` and `o` transfer a code at a rising edge of the
clock with valid and ready both high; here everything is driven and read at the falling edge, half a cycle away.
"""

import json
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, with_timeout
from cocotb.utils import get_sim_time

HERE = Path(__file__).resolve().parent
VECTORS = json.loads((HERE / "bench_vectors.json").read_text())
PERIOD_NS = 10


async def send(dut, codes):
    """One code after the other into the stream `i`."""
    for code in codes:
        dut.i__payload.value = code
        dut.i__valid.value = 1
        while not dut.i__ready.value:
            await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
    dut.i__valid.value = 0


async def receive(dut, count):
    """So many codes of the stream `o`."""
    codes = []
    dut.o__ready.value = 1
    while len(codes) < count:
        if dut.o__valid.value:
            codes.append(dut.o__payload.value.to_signed())
        await FallingEdge(dut.clk)
    dut.o__ready.value = 0
    return codes


@cocotb.test()
async def every_step_is_answered(dut):
    for port in (dut.i__valid, dut.i__payload, dut.o__ready, dut.clear, dut.dump, dut.state__ready):
        port.value = 0
    for port in (dut.given, dut.initial__valid, dut.initial__payload):
        port.value = 0
    dut.rst.value = 1
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    latency = []
    for k, (x, z) in enumerate(zip(VECTORS["x"], VECTORS["z"], strict=True)):
        await send(dut, x)
        sent = get_sim_time("ns")
        answer = await with_timeout(receive(dut, len(z)), 1, "ms")
        latency.append(round((get_sim_time("ns") - sent) / PERIOD_NS))
        assert answer == z, f"step {k}: {answer}, the model has {z}"
    (HERE / "latency.json").write_text(json.dumps(latency))
