# amaranth: UnusedElaboratable=no
"""The uploader and its memories without a link; with one in tests/sim/test_upload.py."""

import zlib
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from harness import random_network

from autapse.protocol import write_payloads
from autapse.quantize import quantize
from autapse.weight_memory import WeightMemory
from autapse_hw.cells import CellMemory
from autapse_hw.core import Core
from autapse_hw.upload import Uploader
from autapse_hw.weights import Storage

# Weights of 3 stripes and 35 words, biases of 2 stripes and 15 words: none fills its last stripe, or its last block.
MEMORY = WeightMemory(units=11, inputs=2, outputs=2, rows=3, cols=2, drains=1, weight_bits=7, acc_bits=17)


class Bench:
    """An uploader with its memories, driven as the server does it."""

    def __init__(self, *, loaded: bool = True) -> None:
        m = Module()
        m.submodules.uploader = self.uploader = Uploader(MEMORY, loaded=loaded)
        parts = ((MEMORY.weights, 0), (MEMORY.biases, MEMORY.weights.stripes))
        self.memories = [CellMemory(part, first, MEMORY.stripes, [], "logic") for part, first in parts]
        port = self.uploader.port
        for k, memory in enumerate(self.memories):
            m.submodules[f"memory_{k}"] = memory
            memory.attach(m, port)
            m.d.sync += memory.addr.eq(port.word)  # the core's register on the way
        m.d.comb += port.cell.eq(self.memories[0].cell | self.memories[1].cell)
        self.simulator = Simulator(m)
        self.simulator.add_clock(1e-6)

    async def request(self, ctx: Any, payload: bytes, *, applying: bool) -> None:
        up = self.uploader
        ctx.set(up.applying, applying)
        await self.pulse(ctx, up.begin)
        for byte in payload:
            await ctx.tick().repeat(2)
            while ctx.get(up.busy):
                await ctx.tick()
            ctx.set(up.byte, byte)
            await self.pulse(ctx, up.push)
        await ctx.tick().repeat(2)
        while ctx.get(up.busy):
            await ctx.tick()
        await ctx.tick().repeat(2)
        await self.pulse(ctx, up.release)

    async def pulse(self, ctx: Any, signal: Any) -> None:
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)

    def run(self, bench: Any) -> None:
        self.simulator.add_testbench(bench)
        self.simulator.run()


def make_image() -> bytes:
    """Random words of both parts."""
    rng = np.random.default_rng(1)
    parts = (MEMORY.weights, MEMORY.biases)
    return b"".join(p.image([int.from_bytes(rng.bytes(8)) >> 64 - p.width for _ in range(p.depth)]) for p in parts)


def test_what_is_written_is_read_and_has_the_crc_of_zlib() -> None:
    image, bench = make_image(), Bench()
    up = bench.uploader

    async def drive(ctx: Any) -> None:
        assert ctx.get(up.loaded)
        for payload in list(write_payloads(MEMORY, image))[::-1]:
            await bench.request(ctx, payload, applying=False)
            assert not ctx.get(up.loaded)
        for crc, match in ((zlib.crc32(image) ^ 1, 0), (zlib.crc32(image), 1), (0, 0)):
            await bench.request(ctx, crc.to_bytes(4, "little"), applying=True)
            assert ctx.get(up.match) == match
            assert not ctx.get(up.loaded)
        await bench.pulse(ctx, up.accept)
        assert ctx.get(up.loaded)
        # The whole words, as the core reads them: port.word is their address while the uploader rests.
        for part, memory, words in zip(
            (MEMORY.weights, MEMORY.biases),
            bench.memories,
            (MEMORY.weights.words(image[: MEMORY.weights.size]), MEMORY.biases.words(image[MEMORY.weights.size :])),
            strict=True,
        ):
            block, at = divmod(part.depth - 16, 16)
            await bench.request(ctx, bytes(2) + block.to_bytes(2, "little"), applying=False)
            assert at == 0
            await ctx.tick().repeat(4)
            assert ctx.get(memory.data) == words[part.depth - 16]

    bench.run(drive)


@pytest.mark.parametrize("loaded", [True, False])
def test_what_the_memory_holds_at_first_is_known(loaded: bool) -> None:
    bench = Bench(loaded=loaded)

    async def drive(ctx: Any) -> None:
        assert ctx.get(bench.uploader.loaded) == loaded
        await bench.request(ctx, zlib.crc32(bytes(MEMORY.size)).to_bytes(4, "little"), applying=True)
        assert ctx.get(bench.uploader.match)
        assert ctx.get(bench.uploader.loaded) == loaded

    bench.run(drive)


def test_a_core_with_fixed_weights_has_no_port_for_them() -> None:
    q = quantize(random_network(np.random.default_rng(1), 4))
    assert "cells" not in Core(q, 4).signature.members
    assert "cells" in Core(q, 4, storage=Storage.UPLOAD).signature.members
