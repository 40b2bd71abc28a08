"""The client against the Verilated design, at its pins, over a line that fails: every output is the model's."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.gallery import path
from autapse.link import Device
from autapse.link.faults import FAULTS, FaultyTransport
from autapse.loading import load
from autapse.quantize import quantize
from autapse_hw.link import Link
from autapse_hw.system import System
from autapse_sim.simulator import compile_program
from autapse_sim.verilog import to_verilog

sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))
from link_harness import SMALL, FakeCore, Model, codes

pytestmark = pytest.mark.slow
BIT = 4  # cycles
RATE = 1 / 200


class Verilated:
    """A compiled design as a transport; its time passes only while it is read."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._waiting = b""
        self.cycles = 20_000
        self.reset()

    def write(self, data: bytes) -> None:
        self._waiting += self._run(0, data)

    def read(self, timeout: float) -> bytes:
        data, self._waiting = self._waiting, b""
        return data + self._run(0 if data or not timeout else self.cycles, b"")

    def reset(self) -> None:
        self._run(0, b"", 1)

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _run(self, cycles: int, data: bytes, reset: int = 0) -> bytes:
        ours, theirs = self._process.stdin, self._process.stdout
        assert ours is not None
        assert theirs is not None
        ours.write(struct.pack("<4I", cycles, BIT, reset, len(data)) + data)
        ours.flush()
        return theirs.read(*struct.unpack("<I", theirs.read(4)))


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
    def build(component: wiring.Component) -> Path:
        main = (Path(__file__).parent / "line.cpp").read_text()
        source = to_verilog(component, "line")
        return compile_program(tmp_path_factory.mktemp("line"), "line", source, main, "the line did not compile")

    return build


def test_the_design_on_a_bad_line(compiled: Callable[[wiring.Component], Path]) -> None:
    q = quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5, operand_bits=8)
    steps = 3000
    rng = np.random.default_rng(7)
    top = q.formats.x.max_code
    x = rng.integers(-top, top, size=(steps, q.inputs), endpoint=True) * (rng.random((steps, q.inputs)) < 0.05)
    design = Verilated(compiled(System(q, 8, 12e6, BIT)))
    line = FaultyTransport(design, RATE, 8, faults=FAULTS[:7])
    with Device(line, timeout=10.0) as device:
        np.testing.assert_array_equal(device.run(x), q.run_int(x[None]).z[0])
        assert device.status().steps == steps
        assert device.recoveries > 20
        assert set(line.happened) == set(FAULTS[:7])


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
