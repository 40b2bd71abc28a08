# amaranth: UnusedElaboratable=no
"""The two buffers of the link: what is read twice, dropped, kept and sent again."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator
from cobs import cobs

from autapse_hw.receive import ReceiveBuffer
from autapse_hw.transmit import TransmitBuffer


class Receiver:
    """A receive buffer with a line that never waits, and a reader that is told what to do."""

    def __init__(self, room: int) -> None:
        self.dut = ReceiveBuffer(room)
        self.overruns = 0

    def run(self, bench: Any) -> None:
        async def main(ctx: Any) -> None:
            await bench(ctx, self)

        async def count(ctx: Any) -> None:
            async for _, _, overrun in ctx.tick().sample(self.dut.overrun):
                self.overruns += overrun

        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        sim.add_testbench(main)
        sim.add_testbench(count, background=True)
        sim.run()

    async def put(self, ctx: Any, data: bytes) -> None:
        for byte in data:
            ctx.set(self.dut.i.payload, byte)
            await self.strobe(ctx, self.dut.i.valid)
            await ctx.tick().repeat(4)

    async def get(self, ctx: Any, count: int) -> bytes:
        data = bytearray()
        for _ in range(count):
            for _ in range(8):
                if ctx.get(self.dut.o.valid):
                    break
                await ctx.tick()
            else:
                break
            data.append(ctx.get(self.dut.o.payload))
            await self.strobe(ctx, self.dut.o.ready)
        return bytes(data)

    async def strobe(self, ctx: Any, signal: Any) -> None:
        ctx.set(signal, 1)
        await ctx.tick()
        ctx.set(signal, 0)


def test_bytes_come_again_until_they_are_released() -> None:
    async def bench(ctx: Any, line: Receiver) -> None:
        for round_ in range(40):  # several times round the ring
            data = random.Random(round_).randbytes(7)
            await line.put(ctx, data)
            assert await line.get(ctx, 7) == data
            await line.strobe(ctx, line.dut.rewind)
            assert await line.get(ctx, 3) == data[:3]
            await line.strobe(ctx, line.dut.release)
            assert await line.get(ctx, 2) == data[3:5]
            await line.strobe(ctx, line.dut.rewind)
            assert await line.get(ctx, 9) == data[3:]
            await line.strobe(ctx, line.dut.release)
            await line.strobe(ctx, line.dut.rewind)
            assert await line.get(ctx, 1) == b""

    Receiver(16).run(bench)


def test_bytes_that_may_come_again_are_not_overwritten() -> None:
    """They have been read, but not released: there is no room for what comes now."""

    async def bench(ctx: Any, line: Receiver) -> None:
        await line.put(ctx, b"abc\0")
        assert await line.get(ctx, 4) == b"abc\0"
        await line.put(ctx, b"defghij\0")
        await line.strobe(ctx, line.dut.rewind)
        assert await line.get(ctx, 8) == b"abc\0defg"
        assert line.overruns == 1

    Receiver(8).run(bench)


def test_what_finds_no_room_takes_the_rest_of_its_frame_with_it() -> None:
    async def bench(ctx: Any, line: Receiver) -> None:
        await line.put(ctx, b"abc\0" + b"defghijklmnop\0" + b"qr\0")  # room for abc and a part of the second
        assert await line.get(ctx, 4) == b"abc\0"
        await line.strobe(ctx, line.dut.rewind)
        assert await line.get(ctx, 4) == b"abc\0"
        await line.strobe(ctx, line.dut.release)
        await line.put(ctx, b"s\0t\0")  # the zero ends the torn frame, and t is the next
        assert await line.get(ctx, 20) == b"defg\0t\0"
        assert line.overruns == 1

    Receiver(8).run(bench)


@pytest.mark.parametrize("delay", range(-3, 5))
def test_a_byte_that_comes_while_room_is_made_is_stored_or_lost_as_a_whole(delay: int) -> None:
    """Whatever the cycles between the release of a full ring and the byte."""

    async def bench(ctx: Any, line: Receiver) -> None:
        await line.put(ctx, b"abcdef\0\0")
        assert await line.get(ctx, 7) == b"abcdef\0"
        ctx.set(line.dut.i.payload, ord("g"))
        for cycle in range(-4, 6):
            ctx.set(line.dut.release, cycle == 0)
            ctx.set(line.dut.i.valid, cycle == delay)
            await ctx.tick()
        await line.put(ctx, b"h\0ij\0")
        assert await line.get(ctx, 9) == (b"\0\0ij\0" if delay < 2 else b"\0gh\0ij\0")
        assert line.overruns == (delay < 2)

    Receiver(8).run(bench)


def test_a_byte_that_is_lost_in_the_line_takes_the_rest_of_its_frame_with_it() -> None:
    async def bench(ctx: Any, line: Receiver) -> None:
        await line.put(ctx, b"ab")
        await line.strobe(ctx, line.dut.lost)
        await line.put(ctx, b"cd\0ef\0")
        assert await line.get(ctx, 20) == b"ab\0ef\0"

    Receiver(16).run(bench)


def test_a_frame_that_is_longer_than_the_ring_does_not_block_it() -> None:
    async def bench(ctx: Any, line: Receiver) -> None:
        data = bytes(range(1, 41))
        for at in range(0, 40, 4):
            await line.put(ctx, data[at : at + 4])
            assert await line.get(ctx, 4) == data[at : at + 4]
            await ctx.tick().repeat(8)  # less than a byte's time
        await line.put(ctx, b"\0z\0")
        assert await line.get(ctx, 9) == b"\0z\0"
        assert line.overruns == 0

    Receiver(8).run(bench)


class Transmitter:
    """A transmit buffer, and what it has sent, frame by frame."""

    def __init__(self, slot: int, slots: int, longest: int, seed: int | None) -> None:
        self.dut = TransmitBuffer(slot, slots, longest)
        self.sent = bytearray()
        self.rng = random.Random(seed)
        self.waits = seed is not None
        self.open = True

    def frames(self) -> list[bytes]:
        return [cobs.decode(bytes(part)) for part in bytes(self.sent).split(b"\0")[:-1]]

    def run(self, bench: Any) -> None:
        async def main(ctx: Any) -> None:
            await bench(ctx, self)

        async def drain(ctx: Any) -> None:
            while True:
                ready = self.open and not (self.waits and self.rng.random() < 0.5)
                ctx.set(self.dut.o.ready, ready)
                _, _, valid, payload = await ctx.tick().sample(self.dut.o.valid, self.dut.o.payload)
                if valid and ready:
                    self.sent.append(payload)

        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        sim.add_testbench(main)
        sim.add_testbench(drain, background=True)
        sim.run()

    async def put(self, ctx: Any, data: bytes, keep: bool) -> None:
        ctx.set(self.dut.keep, keep)
        for token in [*({"data": byte, "end": 0} for byte in data), {"data": 7, "end": 1}]:
            ctx.set(self.dut.i.payload, token)
            ctx.set(self.dut.i.valid, 1)
            await ctx.tick().until(self.dut.i.ready)
            ctx.set(self.dut.i.valid, 0)
            await ctx.tick().repeat(3)
        await ctx.tick().repeat(6)

    async def replay(self, ctx: Any, wanted: int) -> None:
        ctx.set(self.dut.wanted, wanted)
        ctx.set(self.dut.replay, 1)
        await ctx.tick()
        ctx.set(self.dut.replay, 0)


LONG = [
    b"\x00",
    b"\x11\x00\x00\x00",
    b"\xff",
    bytes(range(1, 254)),
    bytes(range(1, 255)),
    bytes(range(1, 256)),
    bytes(range(256)),
    bytes(range(1, 255)) + b"\x00",
    bytes(range(1, 255)) * 2,
    bytes(range(1, 255)) + b"\x00" + bytes(range(1, 255)) + b"\x01",
]


@pytest.mark.parametrize("seed", [None, 2])
def test_frames_are_encoded_whether_they_are_kept_or_not(seed: int | None) -> None:
    line = Transmitter(512, 2, 510, seed)

    async def bench(ctx: Any, line: Transmitter) -> None:
        for k, frame in enumerate(LONG):
            await line.put(ctx, frame, keep=k % 3 == 0)
        await ctx.tick().repeat(8000)

    line.run(bench)
    assert line.frames() == LONG


def test_kept_frames_are_sent_again_from_the_wanted_one_on() -> None:
    async def bench(ctx: Any, line: Transmitter) -> None:
        kept = [bytes([k, 0, 40 + k]) for k in range(7)]
        for frame in kept[:3]:
            await line.put(ctx, frame, keep=True)
        await line.put(ctx, b"once", keep=False)
        await ctx.tick().repeat(400)
        assert line.frames() == [*kept[:3], b"once"]
        line.sent.clear()
        await line.replay(ctx, 1)
        await line.put(ctx, b"status", keep=False)
        await ctx.tick().repeat(400)
        assert line.frames() == [*kept[1:3], b"status"]
        line.sent.clear()
        await line.replay(ctx, 3)  # nothing is wanted
        for frame in kept[3:6]:  # beyond the last slot, and round to the first
            await line.put(ctx, frame, keep=True)
        await ctx.tick().repeat(400)
        assert line.frames() == kept[3:6]
        line.sent.clear()
        await line.replay(ctx, 5 % 4)
        await ctx.tick().repeat(400)
        assert line.frames() == kept[5:6]

    Transmitter(16, 4, 30, None).run(bench)


def test_a_replay_waits_for_the_end_of_the_frame_and_leaves_out_what_is_not_wanted() -> None:
    async def bench(ctx: Any, line: Transmitter) -> None:
        line.open = False
        for k in range(3):
            await line.put(ctx, bytes([k + 1] * 5), keep=True)
        await line.replay(ctx, 2)
        line.open = True
        await ctx.tick().repeat(400)
        assert line.frames() == [b"\1" * 5, b"\3" * 5]

    Transmitter(16, 4, 30, 3).run(bench)


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="the room is a power of two, not 12"):
        ReceiveBuffer(12)
    with pytest.raises(ValueError, match="the slot is a power of two, not 0"):
        TransmitBuffer(0, 4, 1)
    with pytest.raises(ValueError, match="the number of slots is a power of two, not 3"):
        TransmitBuffer(64, 3, 1)
    with pytest.raises(ValueError, match="fits all slots together, not 255"):
        TransmitBuffer(64, 4, 255)
