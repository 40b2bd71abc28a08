"""The client against the Verilated design, at its pins, over a line that fails: every output is the model's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from line_harness import BIT, Verilated, compile_line
from link_harness import SMALL, FakeCore, Model, codes

from autapse.gallery import path
from autapse.link import Device
from autapse.link.faults import FAULTS, FaultyTransport
from autapse.loading import load
from autapse.quantize import quantize
from autapse_hw.formal.networks import small
from autapse_hw.link import Link
from autapse_hw.system import System

pytestmark = pytest.mark.slow
RATE = 1 / 200


class Small(wiring.Component):
    """A link with a core that can be given a state."""

    def __init__(self) -> None:
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(SMALL, BIT)
        m.submodules.core = core = FakeCore(SMALL)
        for ours, theirs in (
            (link.x, core.x),
            (link.initial, core.initial),
            (core.z, link.z),
            (core.state, link.state),
        ):
            wiring.connect(m, ours, theirs)
        m.d.comb += [core.clear.eq(link.clear), core.given.eq(link.given), core.dump.eq(link.dump)]
        m.d.comb += [link.busy.eq(core.busy), link.saturations.eq(core.saturations)]
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[wiring.Component], Path]:
    return lambda component: compile_line(tmp_path_factory.mktemp("line"), component)


@pytest.mark.parametrize("form", ["generic", "mult18"])  # the latter with memories that answer a cycle later
def test_the_design_on_a_bad_line(compiled: Callable[[wiring.Component], Path], form: str) -> None:
    q = quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5, operand_bits=8)
    steps = 3000
    rng = np.random.default_rng(7)
    top = q.formats.x.max_code
    x = rng.integers(-top, top, size=(steps, q.inputs), endpoint=True) * (rng.random((steps, q.inputs)) < 0.05)
    design = Verilated(compiled(System(q, 8, 12e6, BIT, form)))
    line = FaultyTransport(design, RATE, 8, faults=FAULTS[:7])
    with Device(line, timeout=10.0) as device:
        np.testing.assert_array_equal(device.run(x), q.run_int(x[None]).z[0])
        assert device.status().steps == steps
        assert device.recoveries > 20
        assert set(line.happened) == set(FAULTS[:7])


def test_100_000_steps_of_the_design_with_all_faults(compiled: Callable[[wiring.Component], Path]) -> None:
    """No output but the model's, whatever was lost, doubled, unplugged or reset; a small network, for its speed."""
    q, steps = small(8, 2, 1, 8), 100_000
    top = q.formats.x.max_code
    x = np.random.default_rng(11).integers(-top, top, size=(steps, q.inputs), endpoint=True)
    design = Verilated(compiled(System(q, 4, 12e6, BIT)))
    design.cycles = 5_000  # its longest request takes less
    line = FaultyTransport(design, RATE, 12, reset=design.reset)
    with Device(line, timeout=10.0) as device:
        np.testing.assert_array_equal(device.run(x, checkpoint=500), q.run_int(x[None], record=False).z[0])
    assert set(line.happened) == set(FAULTS)
    assert line.happened.total() / line.bytes == pytest.approx(RATE, rel=0.1)


def test_resets_on_a_bad_line(compiled: Callable[[wiring.Component], Path]) -> None:
    design, model = Verilated(compiled(Small())), Model(SMALL)
    x = codes(np.random.default_rng(9), SMALL, 4000)
    line = FaultyTransport(design, RATE, 10, reset=design.reset, rare=4)
    with Device(line, timeout=10.0) as device:
        got = device.run(x, checkpoint=100)
        # The fake core adds the steps since its state was set, which the state does not hold, to all outputs alike.
        expected = model.run(x)
        assert line.happened["reset"] > 3
        np.testing.assert_array_equal(device.read_state(), model.h)
        difference = (got - expected) % 256
        assert (difference == difference[:, :1]).all()
