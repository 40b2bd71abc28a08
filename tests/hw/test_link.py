# amaranth: UnusedElaboratable=no
"""The link in front of a small core that shows every step twice taken, lost or out of order.

Most tests speak to the bytes behind the UART, which is the same hardware in a tenth of the time.
"""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.lib import crc
from amaranth.sim import Simulator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from link_harness import CYCLE, SHAPES, SMALL, Model, Simulated, codes, identity

from autapse.fixed import IntArray
from autapse.link import Device, DeviceResetError
from autapse.link.faults import FaultyTransport
from autapse.protocol import (
    ANSWER,
    REFUSAL,
    Command,
    Counters,
    Identity,
    Status,
    crc16,
    decode_frame,
    encode_frame,
    encode_request,
    pack_ints,
    unpack_ints,
    wire_bytes,
)
from autapse_hw.checksum import CRC16, Checksum
from autapse_hw.link import FrameLink, Link
from autapse_hw.server import Server

HOST = int.from_bytes(b"host", "little")
X = np.array([[100, -200], [3, 4], [-5, 6]])


def step(number: int, wanted: int, x: IntArray = X[:1]) -> bytes:
    return encode_request(number, Command.STEP, wanted, pack_ints(x.ravel(), 11))


def outputs(payload: bytes) -> list[list[int]]:
    return unpack_ints(payload, len(payload), 8).reshape(-1, 3).tolist()


@pytest.mark.parametrize("name", SHAPES)
def test_a_session(name: str) -> None:
    net = SHAPES[name]
    model, rng = Model(net), np.random.default_rng(1)
    steps = min(40, 3 * net.batch)
    with Device(Simulated(net, stalls=name == "mixed"), timeout=5.0) as device:
        assert device.identify() == net
        x = codes(rng, net, steps)
        assert device.run(x).tolist() == model.run(x).tolist()
        shape = device.read_state().shape
        assert device.read_state().ravel().tolist() == model.h.tolist()
        limit = net.state_format.max_code
        state = rng.integers(-limit, limit, size=model.units, endpoint=True)
        device.set_state(state.reshape(shape))
        model.set_state(state)
        assert device.read_state().ravel().tolist() == state.tolist()
        x = codes(rng, net, 2)
        assert device.run(x).tolist() == model.run(x).tolist()
        device.reset()
        model.reset()
        assert device.read_state().ravel().tolist() == model.h.tolist()
        assert [device.step(row).tolist() for row in x] == model.run(x).tolist()
        counters = device.counters()
        assert (counters.steps, counters.rejected, counters.refused) == (steps + 4, 0, 0)
        assert device.recoveries == 0


def test_a_session_over_the_wires() -> None:
    model, rng = Model(SMALL), np.random.default_rng(2)
    with Device(Simulated(divisor=4, stalls=True), timeout=20.0) as device:
        assert device.identity == SMALL
        x = codes(rng, SMALL, 20)
        assert device.run(x).tolist() == model.run(x).tolist()
        assert device.read_state().tolist() == model.h.tolist()


def efficiency(net: Identity, divisor: int, frames: int) -> list[float]:
    """What part of the line's bytes is payload, in and out, between the second and the last of `frames`; pytest -s
    prints it."""
    line = Simulated(net, divisor=divisor)
    model, times = Model(net), []
    x = codes(np.random.default_rng(3), net, net.batch * frames)
    with Device(line, timeout=50.0) as device:
        for row in device.stream(x):
            assert row.tolist() == model.step(x[len(times)]).tolist()
            times.append(line.now)
        assert device.recoveries == 0
    steps, first = len(x) - 2 * net.batch, 2 * net.batch - 1
    line_bytes = (times[-1] - times[first]) / (10 * divisor)
    into, out = (steps * size / line_bytes for size in (net.step_input_bytes, net.step_output_bytes))
    shape = f"{net.inputs} inputs, {net.outputs} outputs, {divisor} cycles a bit"
    print(f"\n{shape}: payload is {into:.1%} of the line in, {out:.1%} out")
    return [into, out]


def test_the_line_is_full_both_ways() -> None:
    """At the highest rate: four cycles a bit, frames back to back in both directions."""
    rates = efficiency(identity(5, 3, 3, 8, 8, 8), 4, 9)
    limit = 57 / wire_bytes(57 + 5)
    assert min(rates) > 0.97 * limit
    assert min(rates) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("divisor", [4, 8])
@pytest.mark.parametrize("inputs", range(1, 9))
def test_the_line_is_full_both_ways_for_every_shape(inputs: int, divisor: int) -> None:
    assert min(efficiency(identity(5, inputs, inputs, 8, 8, 8), divisor, 14)) > 0.85


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_no_step_is_lost_or_doubled_on_a_bad_line(seed: int) -> None:
    model, rng = Model(SMALL), np.random.default_rng(3)
    faults = ("drop", "flip", "insert", "duplicate", "break", "stall")
    bad = FaultyTransport(Simulated(), 1 / 100, seed, faults=faults)
    with Device(bad, timeout=5.0, retries=20) as device:
        x = codes(rng, SMALL, 60)
        assert np.array(list(device.stream(x, batch=3))).tolist() == model.run(x).tolist()
        assert device.read_state().tolist() == model.h.tolist()
        assert device.status().steps == 60
        assert device.recoveries > 3


def test_a_repeated_request_is_not_executed_and_sync_repeats_its_answer() -> None:
    line, model = Simulated(), Model(SMALL)
    assert line.open() == Status(HOST, 0, 0)
    (first,) = line.ask(step(0, 0))
    (second,) = line.ask(step(1, 0, X[1:]))
    assert (first.sequence, first.command) == (0, Command.STEP | ANSWER)
    assert outputs(first.payload) + outputs(second.payload) == model.run(X).tolist()
    (refusal,) = line.ask(step(0, 0))
    assert (refusal.command, Status.from_bytes(refusal.payload)) == (REFUSAL, Status(HOST, 3, 2))
    assert line.ask(step(1, 0)) == []  # it is told once
    first_again, second_again, answer = line.ask(encode_request(77, Command.SYNC, 0))
    assert (first_again, second_again) == (first, second)
    assert (answer.sequence, Status.from_bytes(answer.payload)) == (77, Status(HOST, 3, 2))
    assert line.ask(encode_request(78, Command.SYNC, 1))[:-1] == [second]
    assert line.ask(encode_request(79, Command.SYNC, 2))[:-1] == []
    (third,) = line.ask(step(2, 2))
    assert outputs(third.payload) == [model.step(X[0]).tolist()]
    assert line.counters().steps == 4


def test_the_window_ends_where_answers_are_wanted() -> None:
    """A request is refused if the oldest answer that the host wants would be lost for it."""
    line, model = Simulated(), Model(SMALL)
    line.open()
    answers = line.ask(b"".join(step(k, 0) for k in range(SMALL.window + 1)))
    assert [a.command for a in answers] == [Command.STEP | ANSWER] * SMALL.window + [REFUSAL]
    z = model.run(np.repeat(X[:1], SMALL.window, axis=0)).tolist()
    assert [outputs(a.payload)[0] for a in answers[:-1]] == z
    again = line.ask(encode_request(0, Command.SYNC, 0))
    assert again[:-1] == answers[:-1]
    (more,) = line.ask(step(SMALL.window, 1))
    assert more.command == Command.STEP | ANSWER


def test_numbers_go_round() -> None:
    line, model = Simulated(identity(1, 1, 1, 8, 8, 8)), Model(identity(1, 1, 1, 8, 8, 8))
    x = np.ones((300, 1), dtype=int)
    with Device(line, timeout=5.0) as device:
        assert np.array(list(device.stream(x, batch=1))).tolist() == model.run(x).tolist()
        assert device.status().expected == 300 % 256


def test_nothing_is_executed_outside_a_session() -> None:
    line = Simulated()
    (refusal,) = line.ask(step(0, 0))
    assert (refusal.command, Status.from_bytes(refusal.payload)) == (REFUSAL, Status(0, 0, 0))
    line.open()
    assert [a.command for a in line.ask(step(0, 0))] == [Command.STEP | ANSWER]
    (aborted,) = line.ask(encode_request(1, Command.ABORT, 0, bytes(4)))
    assert Status.from_bytes(aborted.payload) == Status(0, 1, 1)
    (refusal,) = line.ask(step(1, 1))
    assert refusal.command == REFUSAL
    assert line.status() == Status(0, 1, 1)
    assert line.open() == Status(HOST, 1, 1)


def test_a_second_host_learns_what_the_first_has_done() -> None:
    line, model = Simulated(), Model(SMALL)
    line.open()
    line.write(step(0, 0) + step(1, 0)[:-3])  # and then it is gone
    with Device(line, timeout=5.0) as device:
        assert device.status().steps == 1
        model.run(X[:1])
        assert device.read_state().tolist() == model.h.tolist()
        assert device.run(X).tolist() == model.run(X).tolist()


def spoilt(frame: bytes, at: int, bits: int) -> bytes:
    return frame[:at] + bytes([frame[at] ^ bits]) + frame[at + 1 :]


STEP = step(0, 0)
LONG = encode_request(0, Command.STEP, 0, pack_ints(np.zeros(2 * (SMALL.batch + 1), dtype=int), 11))
BAD = {
    "payload bit": spoilt(STEP, 5, 0x10),
    "CRC bit": spoilt(STEP, len(STEP) - 2, 0x80),
    "last COBS block cut": STEP[:-2] + b"\0",
    "one byte": b"\x02\x01\0",
    "empty body": b"\x01\0",
    "CRC alone": b"\x03\xff\xff\0",
    "no number of the next answer": encode_frame(0, Command.RESET),
    "short step": encode_request(0, Command.STEP, 0, bytes(3)),
    "long step": encode_request(0, Command.STEP, 0, bytes(5)),
    "too many steps": LONG,
    "more than fits": encode_request(0, Command.STEP, 0, bytes(range(256)) * 3),
    "empty step": encode_request(0, Command.STEP, 0),
    "reset with payload": encode_request(0, Command.RESET, 0, b"\x01"),
    "reset with 64 bytes": encode_request(0, Command.RESET, 0, bytes(64)),
    "state with a step's length": encode_request(0, Command.READ_STATE, 0, bytes(4)),
    "half a state": encode_request(0, Command.SET_STATE, 0, bytes(9)),
    "two states": encode_request(0, Command.SET_STATE, 0, bytes(30)),
    "a short session number": encode_request(0, Command.OPEN, 0, bytes(3)),
    "two session numbers": encode_request(0, Command.OPEN, 0, bytes(8)),
    **{f"command {c:#x}": encode_request(0, c, 0) for c in (0, 7, 12, 13, 14, 15, 16, 0x1A, 0x80, 0x81, 0x8A)},
}


def test_bad_frames_are_counted_and_refused_once() -> None:
    line = Simulated()
    line.open()
    for count, (name, frame) in enumerate(BAD.items()):
        assert [a.command for a in line.ask(frame)] == [REFUSAL] * (count == 0), name
    counters = line.counters()
    assert (counters.accepted, counters.rejected, counters.refused, counters.steps) == (1, len(BAD), 0, 0)
    assert [a.command for a in line.ask(STEP)] == [Command.STEP | ANSWER]


def test_every_single_bit_error_and_truncation_is_rejected() -> None:
    line = Simulated()
    line.open()
    bad = [spoilt(STEP, at, 1 << bit) for at in range(len(STEP) - 1) for bit in range(8)]
    bad += [STEP[:length] + b"\0" for length in range(1, len(STEP) - 1)]
    line.ask(b"".join(bad))
    counters = line.counters()
    assert counters.steps == 0
    assert counters.accepted == 1
    assert counters.rejected >= len(bad)  # a bit error can make a zero, and two frames of one


def test_a_reset_leaves_the_identity_whatever_was_asked_last() -> None:
    line = Simulated()
    for command in (Command.IDENTIFY, Command.COUNTERS, Command.OPEN):
        line.ask(encode_request(1, command, 0, bytes(SMALL.request_bytes(command))))
        line.reset()
        (answer,) = line.ask(encode_request(2, Command.IDENTIFY, 0))
        assert Identity.from_bytes(answer.payload) == SMALL, command
        assert line.counters() == Counters(1, 0, 0, saturations=0x1234)


@pytest.mark.parametrize("command", [Command.SYNC, Command.RESET, Command.SET_STATE])
def test_what_follows_a_refusal_at_once_is_executed_whole(command: Command) -> None:
    line = Simulated()
    line.open()
    state = bytes(range(1, 16))[: SMALL.request_bytes(command)]
    refusal, answer = line.ask(BAD["short step"] + encode_request(0, command, 0, state))
    assert refusal.command == REFUSAL
    assert (answer.sequence, answer.command) == (0, command | ANSWER)
    if command == Command.SET_STATE:
        (answer,) = line.ask(encode_request(1, Command.READ_STATE, 1))
        assert answer.payload == pack_ints(unpack_state(state), 20)


def unpack_state(payload: bytes) -> IntArray:
    """What the device makes of it: the lowest 20 bits of each code."""
    codes = np.frombuffer(payload, np.uint8).reshape(-1, 3).astype(int) @ [1, 1 << 8, 1 << 16]
    return (codes + (1 << 19)) % (1 << 20) - (1 << 19)


def test_counters_carry() -> None:
    line = Simulated(gap=40)
    line.ask(b"\x01\0" * 515)
    assert line.counters() == Counters(0, 515, 0, saturations=0x1234)


def test_steps_carry() -> None:
    net = identity(1, 1, 1, 8, 8, 8)
    with Device(Simulated(net), timeout=5.0) as device:
        device.run(np.ones((600, 1), dtype=int))
        assert device.counters().steps == 600


@pytest.mark.parametrize("divisor", [None, 4])
def test_recovery_from_garbage(divisor: int | None) -> None:
    rng = random.Random(5)
    line = Simulated(divisor=divisor)
    for _ in range(3):
        line.ask(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 60))))
        assert line.ask(b"\0" + encode_request(1, Command.IDENTIFY, 0))[-1].payload == SMALL.to_bytes()


def test_more_garbage_than_there_is_room_does_not_block() -> None:
    line = Simulated(gap=8)
    line.ask(b"\x03\x01" * SMALL.room)
    (answer,) = line.ask(b"\0" + encode_request(1, Command.IDENTIFY, 0))[-1:]
    assert answer.payload == SMALL.to_bytes()


def test_a_frame_with_a_lost_byte_is_rejected_and_the_next_is_not() -> None:
    line = Simulated(divisor=4)
    frame = step(0, 0)
    line.open()
    line.write(frame[:5])
    while line.to_device:
        line.run(20)
    line.stop_bit = 0
    line.write(frame[5:6])
    line.run(60)
    line.stop_bit = 1
    assert [a.command for a in line.ask(frame[6:])] == [REFUSAL]
    assert [a.command for a in line.ask(frame)] == [Command.STEP | ANSWER]
    counters = line.counters()
    assert (counters.rejected, counters.framing_errors, counters.steps) == (1, 1, 1)


def test_frames_within_the_credits_wait_for_a_core_that_is_held() -> None:
    """And what is beyond them is dropped, counted, and does no harm."""
    line, model = Simulated(gap=10), Model(SMALL)
    x = codes(np.random.default_rng(6), SMALL, SMALL.window * SMALL.batch).reshape(SMALL.window, -1, 2)
    line.open()
    line.hold = True
    assert line.ask(b"".join(step(k, 0, rows) for k, rows in enumerate(x))) == []
    line.hold = False
    answers = line.ask(b"", 3000)
    assert [outputs(a.payload) for a in answers] == [model.run(rows).tolist() for rows in x]
    assert line.counters().overruns == 0

    line.hold = True
    line.ask(b"".join(step(SMALL.window + k, SMALL.window, x[k % len(x)]) for k in range(2 * SMALL.window)))
    line.hold = False
    line.ask(b"", 3000)
    line.ask(b"\0")
    counters, status = line.counters(), line.status()
    assert counters.overruns > 0
    done = status.expected - SMALL.window
    assert status.steps == (SMALL.window + done) * SMALL.batch
    for rows in x[:done]:
        model.run(rows)
    (answer,) = line.ask(encode_request(status.expected, Command.READ_STATE, status.expected))
    assert unpack_ints(answer.payload, 5, 20).tolist() == model.h.tolist()


def test_a_reset_of_the_device_is_noticed() -> None:
    line = Simulated()
    with Device(line, timeout=5.0) as device:
        device.run(X)
        line.sim.reset()
        line.now = 0
        with pytest.raises(DeviceResetError):
            device.run(X)
        assert device.open() == Status(device.status().session, 0, 0)
        assert device.run(X).tolist() == Model(SMALL).run(X).tolist()


@pytest.mark.slow
def test_large_shapes() -> None:
    net = identity(512, 6, 300, 12, 24, 17)
    model = Model(net)
    with Device(Simulated(net, gap=6, patience=12_000), timeout=30.0) as device:
        x = codes(np.random.default_rng(4), net, 2)
        assert device.run(x).tolist() == model.run(x).tolist()
        assert device.read_state().tolist() == model.h.tolist()
        device.set_state(-model.h)
        assert device.read_state().tolist() == (-model.h).tolist()


COMMANDS = st.sampled_from([*Command, 0x00, 0x0E, 0x8A])
TRACED = replace(SMALL, sum_bits=19)
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["flip", "drop", "double", "insert"]), st.integers(0), st.integers(0, 255))
)
FRAMES = st.builds(encode_request, st.integers(0, 3), COMMANDS, st.integers(0, 3), st.binary(max_size=12))


def mutated(frame: bytes, mutations: list[tuple[str, int, int]]) -> bytes:
    data = bytearray(frame)
    for kind, at, byte in mutations[:3]:
        at %= len(data) + 1
        match kind:
            case "flip":
                data[at : at + 1] = bytes(b ^ (byte or 1) for b in data[at : at + 1])
            case "drop":
                del data[at : at + 1]
            case "double":
                data[at:at] = data[at : at + 1]
            case "insert":
                data[at:at] = bytes([byte])
    return bytes(data)


@settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.binary(max_size=30), st.builds(mutated, FRAMES, MUTATIONS)), min_size=1, max_size=8))
def test_whatever_comes_the_state_changes_by_sound_requests_only(pieces: list[bytes]) -> None:
    """A model of the device decides what of it is sound; the hardware must end in the same place, and answer."""
    fuzz(pieces)
    fuzz(pieces, TRACED)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.binary(max_size=30), st.builds(mutated, FRAMES, MUTATIONS)), min_size=1, max_size=12))
def test_whatever_comes_the_state_changes_by_sound_requests_only_at_length(pieces: list[bytes]) -> None:
    fuzz(pieces)


def fuzz(pieces: list[bytes], net: Identity = SMALL) -> None:
    line, model = Simulated(net, gap=8), Model(net)
    line.open()
    data = b"".join(pieces) + b"\0"
    session, expected, steps, number = HOST, 0, 0, 0
    for part in data.split(b"\0"):
        try:
            frame = decode_frame(part)
            command, wanted, payload = Command(frame.command), frame.payload[0], frame.payload[1:]
        except (ValueError, IndexError):
            continue
        in_turn = session and frame.sequence == expected and (expected + 1 - wanted) % 8
        if command in (Command.OPEN, Command.ABORT) and len(payload) == 4:
            session = int.from_bytes(payload, "little") if command == Command.OPEN else 0
            number = int.from_bytes(payload, "little")
        elif command == Command.STEP and in_turn and payload and len(payload) % 4 == 0:
            x = wrapped(np.frombuffer(payload, "<i2").astype(np.int64), 11).reshape(-1, 2)
            model.run(x)
            expected, steps = expected + 1, steps + len(x)
        elif command == Command.RESET and in_turn and not payload:
            model.reset()
            expected += 1
    line.ask(data)
    assert line.status() == Status(number if number or not session else session, steps, expected)
    line.open()
    (answer,) = line.ask(encode_request(expected, Command.READ_STATE, expected))
    assert unpack_ints(answer.payload, 5, 20).tolist() == model.h.tolist()
    if net.sum_bits:
        (answer,) = line.ask(encode_request(expected, Command.READ_TRACE, expected))
        assert answer.payload == model.trace()


def wrapped(values: IntArray, bits: int) -> IntArray:
    return (values + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def test_the_crc_is_the_hosts() -> None:
    rng = random.Random(6)
    for length in range(20):
        data = rng.randbytes(length)
        assert crc16(data) == CRC16(8).compute(data) == crc.catalog.CRC16_X25(8).compute(data)


def one_bit_off(data: bytes) -> list[bytes]:
    """Two bytes behind `data` for each bit of the register: after them it is one bit off what it should be."""
    check = crc16(data).to_bytes(2, "little")
    right = crc16(data + check)
    candidates = (value.to_bytes(2, "little") for value in range(1 << 16))
    return [two for two in candidates if (crc16(data + two) ^ right).bit_count() == 1]


def test_the_crc_in_hardware() -> None:
    """Bytes at random distances, each there for two cycles; then the CRC, and a match after its own two bytes."""
    dut, rng = Checksum(), random.Random(7)

    async def feed(ctx: Any, data: bytes) -> None:
        for byte in data:
            ctx.set(dut.byte, byte)
            ctx.set(dut.step, 1)
            await ctx.tick()
            ctx.set(dut.step, 0)
            await ctx.tick()
            ctx.set(dut.byte, rng.randrange(256))
            await ctx.tick().repeat(rng.randrange(1, 4))

    async def bench(ctx: Any) -> None:
        for length in (0, 1, 2, 9, 30):
            data = rng.randbytes(length)
            check = crc16(data).to_bytes(2, "little")
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await feed(ctx, data)
            assert ctx.get(dut.o) == check[0]
            await feed(ctx, check)
            await ctx.tick()
            assert ctx.get(dut.match) == 1
            for wrong in one_bit_off(data):
                ctx.set(dut.start, 1)
                await ctx.tick()
                ctx.set(dut.start, 0)
                await feed(ctx, data + wrong)
                await ctx.tick()
                assert ctx.get(dut.match) == 0
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await feed(ctx, data)
            ctx.set(dut.shift, 1)
            await feed(ctx, b"\0")
            ctx.set(dut.shift, 0)
            assert ctx.get(dut.o) == check[1]
            assert ctx.get(dut.match) == 0

    sim = Simulator(dut)
    sim.add_clock(CYCLE)
    sim.add_testbench(bench)
    sim.run()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(TypeError, match="a link needs an Identity, not 3"):
        Link(3, 4)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a link needs an Identity, not 3"):
        FrameLink(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 4 cycles per bit, not 2"):
        Link(SMALL, 2)
    with pytest.raises(TypeError, match="a server needs an Identity, not None"):
        Server(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one less than a power of two, not 5"):
        Server(identity(1, 1, 1, 8, 8, 8, window=5))
