# amaranth: UnusedElaboratable=no
"""The COBS components against the `cobs` package, with random waits on both sides."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from amaranth.sim import Simulator
from cobs import cobs

from autapse_hw.framing import CobsDecoder

END = (0, 1)
BROKEN = (1, 1)


def stream_through(
    dut: CobsDecoder,
    items: Sequence[Any],
    convert: Callable[[Any], Any],
    seed: int | None,
    extra: Callable[[Any], Any] | None = None,
) -> list[Any]:
    """Put `items` into ``dut.i``, and return what comes out of ``dut.o``; waits are random if there is a seed."""
    out: list[Any] = []
    rng = random.Random(seed)
    waits = seed is not None

    async def feed(ctx: Any) -> None:
        for item in items:
            while waits and rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.i.payload, item)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(50)
        if extra is not None:
            await extra(ctx)

    async def drain(ctx: Any) -> None:
        held: Any = None
        while True:
            ready = int(not waits or rng.random() < 0.6)
            ctx.set(dut.o.ready, ready)
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            assert held is None or (valid, payload) == (1, held), "a payload changed while it waited"
            held = payload if valid and not ready else None
            if valid and ready:
                out.append(convert(payload))

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(feed)
    sim.add_testbench(drain, background=True)
    sim.run()
    return out


def token(payload: Any) -> tuple[int, int]:
    return payload.data, payload.end


FRAMES = [
    b"\x00",
    b"\x00\x00",
    b"\x11\x00\x00\x00",
    b"\x11\x22\x00\x33",
    b"\xff",
    bytes(range(1, 254)),
    bytes(range(1, 255)),
    bytes(range(1, 256)),
    bytes(range(256)),
    bytes(range(1, 255)) + b"\x00",
    bytes(range(1, 255)) * 2,
    bytes(range(1, 255)) + b"\x00" + bytes(range(1, 255)) + b"\x01",
]


@pytest.mark.parametrize("seed", [None, 1])
def test_decoder(seed: int | None) -> None:
    encoded = b"\0\0" + b"\0".join(cobs.encode(frame) for frame in FRAMES) + b"\0\0"
    expected = [t for frame in FRAMES for t in [*((byte, 0) for byte in frame), END]]
    assert stream_through(CobsDecoder(), list(encoded), token, seed) == expected


def test_decoder_tells_truncated_frames_and_recovers() -> None:
    encoded = b"\x05\x11\x22\0" + b"\x02\0" + b"\xff\x01\0" + cobs.encode(b"ok\0ay") + b"\0"
    expected = [(0x11, 0), (0x22, 0), BROKEN, BROKEN, (1, 0), BROKEN, *((byte, 0) for byte in b"ok\0ay"), END]
    assert stream_through(CobsDecoder(), list(encoded), token, 3) == expected


def test_decoder_begins_again_with_a_frame_that_it_is_given_once_more() -> None:
    dut, out = CobsDecoder(), []

    async def bench(ctx: Any) -> None:
        for again in (0, 1):
            for byte in cobs.encode(b"a\0b") + b"\0":
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            await ctx.tick().until(dut.o.valid & dut.o.payload.end)
            if not again:
                ctx.set(dut.rewind, 1)
                await ctx.tick()
                ctx.set(dut.rewind, 0)

    async def drain(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)
        while True:
            _, _, valid, payload = await ctx.tick().sample(dut.o.valid & ~dut.o.payload.end, dut.o.payload)
            ctx.set(dut.o.ready, ~ctx.get(dut.o.payload.end) & 1)
            if valid:
                out.append(payload.data)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.add_testbench(drain, background=True)
    sim.run()
    assert bytes(out) == b"a\0ba\0b"
