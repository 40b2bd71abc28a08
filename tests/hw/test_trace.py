"""The retire port: every state with its step, unit, pre-activation and saturation; and nothing where it is not used."""

import json

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator
from harness import random_codes, random_network

import autapse_hw.core
from autapse.quantize import quantize
from autapse.reference import pre_activation, saturated, step
from autapse_hw.core import Core
from autapse_hw.trace import STEP_BITS, Trace, unit_bits
from autapse_sim.verilog import run_yosys, to_verilog


def traced(core, codes):
    """Send codes (steps, inputs), after a step and `clear`; what retires since: (step, unit, sum, over, state)."""
    f, drains = core.q.formats, core.schedule.tiling.drains
    widths = (STEP_BITS, unit_bits(core.q), f.acc_bits, 1, f.state.bits)
    signed = (False, False, True, False, True)
    retired, done = [], [False]

    def part(word, drain, bits, is_signed):
        code = word >> drain * bits & ((1 << bits) - 1)
        return code - (code >> (bits - 1) << bits) if is_signed else code

    async def drive(ctx):
        for x in ([codes[0]], codes):
            for code in np.ravel(x).tolist():
                ctx.set(core.i.payload, code)
                ctx.set(core.i.valid, 1)
                await ctx.tick().until(core.i.ready)
            ctx.set(core.i.valid, 0)
            await ctx.tick()
            await ctx.tick().until(~core.busy)
            if x is not codes:
                ctx.set(core.clear, 1)
                await ctx.tick()
                ctx.set(core.clear, 0)
                retired.clear()
        done[0] = True

    async def record(ctx):
        ctx.set(core.o.ready, 1)
        ports = (core.retire_step, core.retire_unit, core.retire_sum, core.retire_saturated, core.retire_value)
        while not done[0]:
            *_, flags = sampled = await ctx.tick().sample(*ports, core.retire)
            words = sampled[-1 - len(ports) : -1]
            for drain in range(drains):
                if flags >> drain & 1:
                    values = zip(words, widths, signed, strict=True)
                    retired.append(tuple(part(word, drain, bits, s) for word, bits, s in values))

    simulator = Simulator(core)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(record, background=True)
    simulator.run()
    return retired


def expected(q, codes, turns):
    """The same of the model, in order."""
    states, rows = [q.h0] * turns, []
    for k, x in enumerate(codes):
        before = states[k % turns][None]
        sums = pre_activation(q, before, x[None])[0]
        over = saturated(q, sums)
        states[k % turns] = step(q, before, x[None])[0][0]
        rows += [(k, j, int(sums[j]), int(over[j]), int(states[k % turns][j])) for j in range(q.units)]
    return rows


CASES = [
    ("tanh", False, "3"),
    ("tanh", True, "2x2/2"),
    ("sigmoid", False, "4x2/2*2"),
    ("relu", False, "6"),
    ("hardtanh", True, "1"),
]


@pytest.mark.parametrize(("activation", "leaky", "lanes"), CASES)
def test_every_state_with_its_origin(activation, leaky, lanes):
    rng = np.random.default_rng(len(activation))
    net = random_network(rng, 5, 2, 2, activation, leaky=leaky, h0=True)
    q = quantize(net, weight_bits=6, state_bits=6, input_bits=6, state_range=1.0)
    core = Core(q, lanes)
    codes = random_codes(q, 12, rng)
    rows = expected(q, codes, core.schedule.tiling.sequences)
    assert sorted(traced(core, codes)) == rows
    assert {over for *_, over, _ in rows} == {0, 1}  # both happen


class Closed(wiring.Component):
    """A core whose retire port nobody sees."""

    def __init__(self, core):
        self._core = core
        names = ("i", "o", "clear", "given", "initial", "dump", "state", "busy")
        super().__init__({name: core.signature.members[name] for name in names})

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self._core
        for name in ("i", "initial"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(core, name))
        for name in ("o", "state"):
            wiring.connect(m, getattr(core, name), wiring.flipped(getattr(self, name)))
        m.d.comb += [core.clear.eq(self.clear), core.given.eq(self.given), core.dump.eq(self.dump)]
        m.d.comb += self.busy.eq(core.busy)
        return m


class NoTrace(Trace):
    """The same ports, and nothing behind them."""

    def elaborate(self, platform):
        return Module()


def cells(folder, component):
    """The cells of a component by type, after yosys has removed what drives nothing."""
    folder.mkdir()
    (folder / "top.v").write_text(to_verilog(component, "top"))
    script = "read_verilog top.v; hierarchy -top top; proc; flatten; opt -purge; tee -o stat.json stat -json"
    run_yosys(folder, "log", script, "yosys fails")
    text = (folder / "stat.json").read_text()
    return json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]


def test_costs_nothing_where_it_is_not_used(tmp_path, monkeypatch):
    q = quantize(random_network(np.random.default_rng(1), 5, leaky=True), weight_bits=6, state_bits=6)
    closed = cells(tmp_path / "closed", Closed(Core(q, "2")))
    used = cells(tmp_path / "used", Core(q, "2"))
    monkeypatch.setattr(autapse_hw.core, "Trace", NoTrace)
    without = cells(tmp_path / "without", Closed(Core(q, "2")))
    assert sum(used.values()) > sum(without.values())
    assert closed == without
