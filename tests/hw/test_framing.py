# amaranth: UnusedElaboratable=no
"""The COBS components against the `cobs` package, with random waits on both sides."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from amaranth.sim import Simulator
from cobs import cobs

from autapse_hw.framing import CobsDecoder, CobsEncoder

END = (0, 1)
BROKEN = (1, 1)


def stream_through(
    dut: CobsDecoder | CobsEncoder,
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


@pytest.mark.parametrize("seed", [None, 2])
def test_encoder(seed: int | None) -> None:
    tokens = [t for frame in FRAMES for t in [*({"data": byte, "end": 0} for byte in frame), {"data": 7, "end": 1}]]
    out: list[int] = []

    async def wait(ctx: Any) -> None:
        await ctx.tick().repeat(2500)

    out = stream_through(CobsEncoder(max(len(frame) for frame in FRAMES)), tokens, int, seed, wait)
    assert bytes(out) == b"".join(cobs.encode(frame) + b"\0" for frame in FRAMES)


def test_encoder_sends_its_frame_again() -> None:
    frame = b"\x01\x00\x02" + bytes(range(1, 255))
    dut = CobsEncoder(len(frame))
    tokens = [*({"data": byte, "end": 0} for byte in frame), {"data": 0, "end": 1}]

    async def twice_again(ctx: Any) -> None:
        for _ in range(2):
            await ctx.tick().until(dut.idle)
            ctx.set(dut.again, 1)
            await ctx.tick()
            ctx.set(dut.again, 0)
        await ctx.tick().until(dut.idle)
        await ctx.tick().repeat(5)

    out = stream_through(dut, tokens, int, 4, twice_again)
    assert bytes(out) == (cobs.encode(frame) + b"\0") * 3


def test_bad_room_is_named() -> None:
    with pytest.raises(ValueError, match="1 byte or more, not 0"):
        CobsEncoder(0)
