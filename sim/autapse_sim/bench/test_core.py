"""Compares the core with golden vectors: every state element of every step, and every output, exactly.

Stand-alone: it needs cocotb 2 and a simulator, not Autapse. It reads `vectors.json` beside this file, which holds
input codes and what the integer model makes of them, and writes `result.json`, the counts, and `outputs.json`, what
the core sent.

Signals are driven and sampled at the falling edge of the clock, half a cycle away from every change in the design.
What is valid and ready there is transferred at the next rising edge.
"""

import json
import random
from itertools import pairwise
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, ValueChange
from cocotb.utils import get_sim_time

HERE = Path(__file__).resolve().parent
VECTORS = json.loads((HERE / "vectors.json").read_text())
PERIOD_NS = 10
DRAINS = VECTORS["drains"]
FIRST_DRAIN = VECTORS["outputs"] % DRAINS  # unit 0 leaves by it
# What comes with a new state at the retire port, and whether it is a signed number.
RETIRED = {"value": True, "step": False, "unit": False, "sum": True, "saturated": False}
OUTPUTS = []  # what the core sent, sequence after sequence, back to back
RESULT = {"steps": 0, "states": 0, "sums": 0, "outputs": 0, "mismatches": 0, "first": [], "cycles_per_step": []}


class Bench:
    """Drives a core, and records what it writes and what it sends."""

    def __init__(self, dut, seed):
        self.dut = dut
        self.rng = random.Random(seed)
        self.stall = 0.0
        self.states = [[] for _ in range(DRAINS)]
        self.times = []
        self.outputs = []

    async def start(self):
        """Start the clock, reset the core, and begin to record."""
        dut = self.dut
        for signal in (dut.given, dut.initial__valid, dut.initial__payload):
            signal.value = 0
        for signal in (dut.i__valid, dut.i__payload, dut.o__ready, dut.clear, dut.dump, dut.state__ready):
            signal.value = 0
        dut.rst.value = 1
        Clock(dut.clk, PERIOD_NS, unit="ns", impl="gpi").start()
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        cocotb.start_soon(self._record_states())
        cocotb.start_soon(self._receive())
        await self.idle()

    async def idle(self):
        """Wait until the core is not busy, so that every output has left."""
        await FallingEdge(self.dut.clk)
        while self.dut.busy.value:
            await FallingEdge(self.dut.busy)
            await FallingEdge(self.dut.clk)

    async def clear(self):
        """Have the core drop what is under way and load the initial state; forget what was recorded."""
        self.dut.clear.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.clear.value = 0
        for codes in self.states:
            codes.clear()
        self.times.clear()
        self.outputs.clear()
        await self.idle()

    async def send(self, codes):
        """Send input codes, now and then after a pause."""
        dut = self.dut
        for code in codes:
            if self.rng.random() < self.stall:
                dut.i__valid.value = 0
                for _ in range(self.rng.choice((1, 1, 2, 3, 8, 50, 400))):
                    await FallingEdge(dut.clk)
            dut.i__payload.value = code
            dut.i__valid.value = 1
            while not dut.i__ready.value:
                await RisingEdge(dut.i__ready)
                await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)
        dut.i__valid.value = 0

    async def read_state(self, count):
        """The states as the core gives them, unit after unit."""
        dut, values = self.dut, []
        dut.dump.value = 1
        await FallingEdge(dut.clk)
        dut.dump.value = 0
        dut.state__ready.value = 1
        while len(values) < count:
            if dut.state__valid.value:
                values.append(dut.state__payload.value.to_signed())
            await FallingEdge(dut.clk)
        dut.state__ready.value = 0
        return values

    async def _record_states(self):
        dut = self.dut
        signals = [getattr(dut, f"retire_{name}") for name in RETIRED]
        shapes = [(len(signal) // DRAINS, signed) for signal, signed in zip(signals, RETIRED.values(), strict=True)]
        while True:
            if retired := int(dut.retire.value):
                words = [int(signal.value) for signal in signals]
                for drain in range(DRAINS):
                    if retired >> drain & 1:
                        self.states[drain].append(
                            [slice_of(word, drain, *shape) for word, shape in zip(words, shapes, strict=True)]
                        )
                        if drain == FIRST_DRAIN:
                            self.times.append(get_sim_time("ns"))
                await FallingEdge(dut.clk)
            else:
                await ValueChange(dut.retire)
                await FallingEdge(dut.clk)

    async def _receive(self):
        dut = self.dut
        while True:
            ready = self.rng.random() >= self.stall
            dut.o__ready.value = ready
            if not ready:
                for _ in range(self.rng.choice((1, 2, 5, 60, 600))):
                    await FallingEdge(dut.clk)
            elif dut.o__valid.value:
                self.outputs.append(dut.o__payload.value.to_signed())
                await FallingEdge(dut.clk)
            else:
                await RisingEdge(dut.o__valid)
                await FallingEdge(dut.clk)
                if not dut.o__valid.value:
                    continue
                self.outputs.append(dut.o__payload.value.to_signed())
                await FallingEdge(dut.clk)


def slice_of(word, drain, bits, signed):
    """The part of a word that belongs to a drain, as a number."""
    code = word >> (drain * bits) & ((1 << bits) - 1)
    return code - (code >> (bits - 1) << bits) if signed else code


def units_of(drain):
    """The units whose states a drain writes, in order."""
    return range((drain - VECTORS["outputs"]) % DRAINS, VECTORS["units"], DRAINS)


def compare_states(number, got, sequence):
    """Compare what each drain wrote, and what came with it: which step and unit it was of, and from which sum."""
    for drain, retired in enumerate(got):
        units = units_of(drain)
        if not units:
            continue
        states = [[step[unit] for unit in units] for step in sequence["h"]]
        compare("states", number, [value for value, *_ in retired], states, units)
        origins = [
            [[k, unit, sums[unit], saturated[unit]] for unit in units]
            for k, (sums, saturated) in enumerate(zip(sequence["sums"], sequence["saturated"], strict=True))
        ]
        compare("sums", number, [origin for _, *origin in retired], origins, units)


def compare(kind, number, got, expected, labels=None):
    """Count the comparisons of one sequence, and note the first mismatches."""
    width = len(expected[0])
    flat = [value for step in expected for value in step]
    RESULT[kind] += len(flat)
    if len(got) != len(flat):
        RESULT["mismatches"] += abs(len(got) - len(flat))
        RESULT["first"].append(f"sequence {number}: {len(got)} {kind}, the model has {len(flat)}")
    for k, (a, b) in enumerate(zip(got, flat)):  # noqa: B905 - a difference in length was reported above
        if a != b:
            RESULT["mismatches"] += 1
            if len(RESULT["first"]) < 10:
                step, index = divmod(k, width)
                index = labels[index] if labels else index
                RESULT["first"].append(f"sequence {number}, step {step}, {kind}[{index}]: {difference(kind, a, b)}")


def difference(kind, got, expected):
    """Two values that differ, in words."""
    if kind == "sums":
        names = ("step", "unit", "pre-activation", "saturated")
        which = next(k for k in range(len(names)) if got[k] != expected[k])
        return f"{names[which]} {difference('', got[which], expected[which])}"
    bit = ((got ^ expected) & -(got ^ expected)).bit_length() - 1
    return f"{got}, the model has {expected}; bit {bit} is the lowest that differs"


async def run_sequence(bench, number, sequence):
    """One sequence from the initial state, with all comparisons."""
    await bench.clear()
    await bench.send([code for step in sequence["x"] for code in step])
    await bench.idle()
    RESULT["steps"] += len(sequence["x"])
    compare_states(number, bench.states, sequence)
    compare("outputs", number, bench.outputs, sequence["z"])
    state = sequence["state"]
    compare("states", number, await bench.read_state(len(state) * VECTORS["units"]), state)


def finish(mismatches_before):
    """Write the result so far, and fail on a mismatch."""
    (HERE / "result.json").write_text(json.dumps(RESULT))
    (HERE / "outputs.json").write_text(json.dumps(OUTPUTS))
    assert RESULT["mismatches"] == mismatches_before, RESULT["first"]


@cocotb.test()
async def back_to_back(dut):
    """Inputs always wait: every value is right, and every step takes the stated cycles."""
    before = RESULT["mismatches"]
    bench = Bench(dut, VECTORS["seed"])
    await bench.start()
    per_step, expected = len(units_of(FIRST_DRAIN)), VECTORS["cycles_per_step"]
    for number, sequence in enumerate(VECTORS["sequences"]):
        await run_sequence(bench, number, sequence)
        OUTPUTS.append(list(bench.outputs))
        starts = bench.times[::per_step]
        cycles = {round((b - a) / PERIOD_NS) for a, b in pairwise(starts)}
        RESULT["cycles_per_step"] = sorted(cycles | set(RESULT["cycles_per_step"]))
        assert cycles <= {expected}, f"steps of {sorted(cycles)} cycles; the schedule says {expected}"
    finish(before)


@cocotb.test()
async def random_stalls(dut):
    """Both streams pause at random; clearing in the middle of a step leaves no trace."""
    before = RESULT["mismatches"]
    bench = Bench(dut, VECTORS["seed"] + 1)
    await bench.start()
    for number, sequence in enumerate(VECTORS["stalled"]):
        bench.stall = 0.0
        codes = [code for step in sequence["x"] for code in step]
        sender = cocotb.start_soon(bench.send(codes[: bench.rng.randrange(1, len(codes) + 1)]))
        for _ in range(bench.rng.randrange(1, 3 * VECTORS["cycles_per_step"])):
            await FallingEdge(dut.clk)
        sender.cancel()
        dut.i__valid.value = 0
        bench.stall = 0.2
        await run_sequence(bench, number, sequence)
    finish(before)
