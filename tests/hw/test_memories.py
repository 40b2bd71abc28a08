# amaranth: UnusedElaboratable=no
"""Memories: how many blocks they take, what they refuse, and the generic kind in Amaranth's simulator."""

import random

import pytest
from amaranth.sim import Simulator

from autapse_hw.block_rams import dp16kd_init, ram40_init
from autapse_hw.memories import LATENCY, Layout, Ram, Rom, blocks, layout


@pytest.mark.parametrize(
    ("width", "depth", "kind", "rom", "ram"),
    [
        (1, 1, "ice40", 1, 1),
        (16, 256, "ice40", 1, 1),
        (17, 256, "ice40", 2, 2),
        (16, 257, "ice40", 2, 2),
        (8, 2048, "ice40", 4, 4),
        (3, 1100, "ice40", 2, 2),
        (128, 200, "ice40", 8, 8),
        (18, 1024, "ecp5", 1, 1),
        (36, 512, "ecp5", 1, 2),
        (36, 513, "ecp5", 2, 2),
        (9, 2048, "ecp5", 1, 1),
        (500, 100, "ecp5", 14, 28),
        (500, 1100, "generic", 0, 0),
    ],
)
def test_blocks(width, depth, kind, rom, ram):
    assert blocks(width, depth, kind) == rom
    assert blocks(width, depth, kind, writable=True) == ram


def test_no_multiplexer_where_none_is_needed():
    """512 x 16 is two blocks either way; side by side they need no choice between banks."""
    assert layout(16, 512, "ice40") == Layout(512, 8, 1, 2)
    assert layout(18, 2048, "ecp5") == Layout(2048, 9, 1, 2)


def test_a_block_more_saves_a_wide_multiplexer():
    """5778 x 16 would be 23 banks of one block, or 3 of eight."""
    assert layout(16, 5778, "ice40") == Layout(2048, 2, 3, 8)


@pytest.mark.parametrize("width", [16, 8, 4, 2])
def test_every_bit_of_an_ice40_block_has_its_place(width):
    """A block of ones is all ones, and no two words share a bit."""
    depth = 4096 // width
    full = ram40_init(width, [(1 << width) - 1] * depth)
    assert all(value == (1 << 256) - 1 for value in full.values())
    seen = 0
    for address in random.Random(1).sample(range(depth), 100):
        init = ram40_init(width, [0] * address + [(1 << width) - 1])
        bits = sum(value << 256 * k for k, value in enumerate(init.values()))
        assert bits.bit_count() == width
        assert not seen & bits
        seen |= bits


@pytest.mark.parametrize("width", [18, 9])
def test_every_bit_of_an_ecp5_block_has_its_place(width):
    full = dp16kd_init(width, [(1 << width) - 1] * (18432 // width))
    assert sum(value.bit_count() for value in full.values()) == 18432
    assert all(value >> 18 & 3 == 0 for value in full.values())


def test_bad_arguments():
    with pytest.raises(ValueError, match="the width of a memory must be at least 1, not 0"):
        Rom(0, 4, [], "generic")
    with pytest.raises(ValueError, match="the depth of a memory must be at least 1, not -2"):
        blocks(3, -2, "ecp5")
    with pytest.raises(ValueError, match="one of generic, ice40, ecp5, logic; not 'xilinx'"):
        Ram(3, 4, [], "xilinx")
    with pytest.raises(ValueError, match="a memory of 2 words cannot hold 3"):
        Rom(3, 2, [1, 2, 3], "ice40")
    with pytest.raises(ValueError, match="a word of 3 bits cannot hold 8"):
        Rom(3, 2, [1, 8], "ice40")
    with pytest.raises(ValueError, match="a word of 3 bits cannot hold -5"):
        Rom(3, 2, [-5], "ice40")
    with pytest.raises(ValueError, match="a generic memory is not made of blocks"):
        layout(3, 2, "generic")


def test_latency():
    assert {kind: Rom(3, 2, [], kind).latency for kind in LATENCY} == {"generic": 1, "ice40": 1, "ecp5": 2, "logic": 1}


def test_generic():
    rng = random.Random(2)
    contents = [rng.randrange(-16, 16) for _ in range(20)]
    ram = Ram(5, 20, contents, "generic")
    contents = [word & 31 for word in contents]

    async def bench(ctx):
        for _ in range(300):
            at, where, word, enable = rng.randrange(20), rng.randrange(20), rng.randrange(32), rng.randrange(2)
            ctx.set(ram.addr, at)
            ctx.set(ram.w_addr, where)
            ctx.set(ram.w_data, word)
            ctx.set(ram.w_en, enable)
            await ctx.tick()
            if not (enable and at == where):
                assert ctx.get(ram.data) == contents[at]
            if enable:
                contents[where] = word

    simulator = Simulator(ram)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
