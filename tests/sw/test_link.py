"""The host's device against a scripted one: what it sends again, what it passes over, and what it says of failures."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from autapse.errors import AutapseError, MissingToolError
from autapse.fixed import Format, IntArray
from autapse.link import Device, EmulatedDevice, NoAnswerError, SerialTransport, TransportError
from autapse.link.transport import lower_latency
from autapse.protocol import (
    ANSWER,
    Command,
    Frame,
    Identity,
    ProtocolError,
    Status,
    decode_frame,
    decode_request,
    encode_frame,
)

NET = Identity(b"ABCDEFGH", 2, 3, 1, Format(8, 7), Format(16, 8), Format(16, 8), 1, 12)


class Sums:
    """A step's output is the sum of its inputs."""

    def __init__(self) -> None:
        self.state = np.array([-5, 6])

    def reset(self) -> None:
        self.state = np.array([-5, 6])

    def run(self, x: IntArray) -> IntArray:
        return x.sum(axis=1, keepdims=True)


class Scripted:
    """A transport to an emulated device whose answers pass through a function of them and of the request's count."""

    def __init__(self, answer: Callable[[Frame, bytes, int], bytes] = lambda frame, honest, _: honest) -> None:
        self.answer = answer
        self.board = EmulatedDevice(NET, Sums())
        self.frames: list[bytes] = []
        self.waiting = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        for part in data.split(b"\0"):
            if part:
                self.waiting += self.answer(decode_frame(part), self.board.feed(part + b"\0"), len(self.frames))
                self.frames.append(part)

    def read(self, timeout: float) -> bytes:
        data, self.waiting = self.waiting[:3], self.waiting[3:]  # in pieces, as a serial port gives them
        if not data:
            time.sleep(min(timeout, 0.002))
        return data

    def close(self) -> None:
        self.closed = True

    def commands(self) -> list[Command]:
        return [Command(decode_request(part).command) for part in self.frames]


def test_the_calls() -> None:
    transport = Scripted()
    with Device(transport, sequence=254) as device:
        assert device.identity == NET
        device.reset()
        assert device.step([1, 2, -100]).tolist() == [-97]
        assert device.run(np.arange(12).reshape(4, 3)).tolist() == [[3], [12], [21], [30]]
        assert device.read_state().tolist() == [-5, 6]
        device.set_state([7, 8])
        assert device.read_state().tolist() == [7, 8]
        counters = device.counters()
        assert (counters.accepted, counters.rejected, counters.steps) == (8, 0, 5)
        assert device.status().steps == 5
        assert device.abort().session == 0
        with pytest.raises(AutapseError, match=r"no session is open with the device: Device.open\(\) begins one"):
            device.step([1, 2, 3])
    assert transport.closed
    requests = [decode_request(part) for part in transport.frames]
    assert [r.sequence for r in requests[:6]] == [255, 0, 0, 1, 2, 3]
    assert [r.wanted for r in requests[2:6]] == [0, 1, 2, 3]


def test_a_stream_keeps_the_window_full_and_yields_in_order() -> None:
    transport = Scripted()
    x = np.random.default_rng(1).integers(-127, 128, size=(500, 3))
    with Device(transport) as device:
        rows = device.stream(x)
        assert next(rows).tolist() == [x[0].sum()]
        assert transport.commands().count(Command.STEP) == NET.window
        assert [row.tolist() for row in rows] == x[1:].sum(axis=1, keepdims=True).tolist()
        sizes = [len(decode_request(part).payload) // 3 for part in transport.frames[2:]]
        assert set(sizes[:-1]) == {NET.batch}
        assert sum(sizes) == 500


def test_a_window_under_way_can_be_abandoned() -> None:
    """Abort takes its turn: what was sent before it has been executed, and its status says how far that is."""
    line = Scripted()
    x = np.arange(3 * 200).reshape(200, 3) % 100
    with Device(line, timeout=0.1) as device:
        rows = device.stream(x, batch=2)
        assert next(rows) == [x[0].sum()]
        status = device.abort()
        assert (status.session, status.steps) == (0, 2 * device.identity.window)
        for more in (lambda: device.step(x[0]), device.read_state, lambda: list(rows)):
            with pytest.raises(AutapseError, match="no session is open"):
                more()
        assert device.open().steps == status.steps
        assert device.run(x).ravel().tolist() == x.sum(axis=1).tolist()


def test_an_iterable_that_has_nothing_gets_all_outputs_first() -> None:
    """As a closed loop needs it: each input is computed from the last output."""
    seen: list[int] = []

    def inputs() -> Iterator[list[int] | None]:
        for k in range(20):
            assert len(seen) == k
            yield [k, sum(seen[-1:]) % 50, 0]
            yield None

    with Device(Scripted()) as device:
        for row in device.stream(inputs()):
            seen.append(int(row[0]))
        expected = 0
        for k in range(20):
            expected = k + expected % 50
            assert seen[k] == expected
        assert [row.tolist() for row in device.stream(iter([[1, 1, 1]] * 7), batch=3)] == [[3]] * 7


def test_a_stream_that_is_left_does_no_harm() -> None:
    with Device(Scripted()) as device:
        for _ in device.stream(np.ones((400, 3), dtype=int)):
            break
        assert device.step([1, 2, 3]).tolist() == [6]
        assert device.counters().steps > 1


def test_what_is_lost_is_asked_for_again() -> None:
    transport = Scripted(lambda frame, honest, count: b"" if count in (2, 3) else honest)
    with Device(transport, timeout=0.02, retries=2) as device:
        assert device.step([1, 2, 3]).tolist() == [6]
        assert device.recoveries == 1
        assert device.status().steps == 1
    assert transport.commands()[2:5] == [Command.STEP, Command.SYNC, Command.SYNC]


def test_stale_answers_and_noise_are_passed_over() -> None:
    def answer(frame: Frame, honest: bytes, count: int) -> bytes:
        if frame.command != Command.STEP:
            return honest
        stale = encode_frame(frame.sequence - 1 & 255, frame.command | ANSWER, b"\7\0")
        other = encode_frame(frame.sequence, Command.RESET | ANSWER)
        return stale + other + b"\0\0" + honest

    with Device(Scripted(answer)) as device:
        assert device.step([1, 1, 1]).tolist() == [3]
        assert device.recoveries == 0


def test_what_a_former_session_left_is_dropped() -> None:
    transport = Scripted()
    transport.waiting = encode_frame(8, Command.IDENTIFY | ANSWER, b"not an identity")
    with Device(transport, sequence=7) as device:
        assert device.identity == NET


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"expected": 5}, "expects request 5, which has not been sent"),
        ({"steps": 7}, "has executed 7 steps, and not 0"),
        ({"session": 99}, "another program"),
        ({"session": 0}, "the device was reset"),
    ],
)
def test_a_device_that_contradicts_what_is_known_is_an_error(fields: dict[str, int], message: str) -> None:
    def answer(frame: Frame, honest: bytes, count: int) -> bytes:
        if frame.command == Command.STEP:
            return b""
        if frame.command != Command.SYNC:
            return honest
        status = Status.from_bytes(decode_frame(honest[:-1].split(b"\0")[-1]).payload)
        wrong = status._replace(**{"expected": 0, "steps": 0, **fields})
        return encode_frame(frame.sequence, frame.command | ANSWER, wrong.to_bytes())

    with Device(Scripted(answer), timeout=0.02) as device, pytest.raises(AutapseError, match=message):
        device.step([1, 2, 3])


def test_no_answer_is_an_error_that_says_so() -> None:
    silent = Scripted(lambda *_: b"")
    device = Device(silent, timeout=0.01, retries=0)
    with pytest.raises(NoAnswerError, match=r"no answer to IDENTIFY after 1 attempts of 0.01 s"), device:
        pass
    assert silent.closed
    mute = Scripted(lambda frame, honest, _: b"" if frame.command in (Command.STEP, Command.SYNC) else honest)
    with (
        Device(mute, timeout=0.01, retries=2) as device,
        pytest.raises(NoAnswerError, match=r"no answer to STEP after 3 attempts of 0.01 s"),
    ):
        device.step([1, 2, 3])


def test_timeouts_follow_from_the_baud_rate() -> None:
    seconds = {}
    for baud in (9600, 1_000_000):
        transport = Scripted()
        transport.baud = baud  # type: ignore[attr-defined]
        with Device(transport) as device:
            seconds[baud] = device._session.timeout
    assert 2 * 10 * NET.room / 9600 < seconds[9600] < 2
    assert 0.25 < seconds[1_000_000] < 0.4


def test_bad_arguments_and_answers_are_named() -> None:
    with Device(Scripted()) as device:
        with pytest.raises(ValueError, match=r"a step takes 3 input codes, not an array of shape \(2,\)"):
            device.step([1, 2])
        with pytest.raises(ValueError, match=r"codes of shape \(time, 3\), not \(3,\)"):
            device.run([1, 2, 3])
        with pytest.raises(ValueError, match=r"codes of shape \(time, 3\), not \(1, 2\)"):
            device.stream(np.ones((1, 2), dtype=int))
        with pytest.raises(ValueError, match=r"a step takes 3 input codes, not an array of shape \(1,\)"):
            next(device.stream(iter([[1]])))
        with pytest.raises(ValueError, match="code 128 is outside"):
            device.step([1, 2, 128])
        with pytest.raises(ValueError, match="1 to 19 steps, not 20"):
            device.stream([[1, 2, 3]], batch=20)
        with pytest.raises(ValueError, match="1 step or more, not 0"):
            device.stream([[1, 2, 3]], checkpoint=0)
        with pytest.raises(ValueError, match=r"shape \(2,\), not \(3,\)"):
            device.set_state([1, 2, 3])
    with pytest.raises(ValueError, match="positive, not 0"):
        Device(Scripted(), timeout=0)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        Device(Scripted(), retries=-1)
    short = Scripted(lambda frame, honest, _: encode_frame(frame.sequence, frame.command | ANSWER, b"\2"))
    with pytest.raises(ProtocolError, match="35 bytes, not 1"), Device(short):
        pass


def test_the_latency_timer_of_an_ftdi_bridge_is_set(tmp_path: Path) -> None:
    assert lower_latency("/dev/ttyUSB7", tmp_path) == ""
    timer = tmp_path / "ttyUSB7" / "latency_timer"
    timer.parent.mkdir()
    timer.write_text("16\n")
    assert lower_latency("/dev/ttyUSB7", tmp_path) == ""
    assert timer.read_text() == "1"
    event = timer.with_name("event_char")
    assert not event.exists()
    event.write_text("0")
    assert lower_latency("/dev/ttyUSB7", tmp_path) == ""
    assert event.read_text() == "256"  # on, at a zero


def test_where_the_latency_timer_cannot_be_set_a_hint_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timer = tmp_path / "ttyUSB7" / "latency_timer"
    timer.parent.mkdir()
    timer.write_text("16\n")

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert f"up to 16 ms; as root: echo 1 > {timer}" in lower_latency("/dev/ttyUSB7", tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a Unix thing")
def test_serial_transport_on_a_pseudo_terminal() -> None:
    master, slave = os.openpty()
    transport = SerialTransport(os.ttyname(slave), 115200)
    try:
        assert transport.read(0.0) == b""
        start = time.monotonic()
        assert transport.read(0.05) == b""
        assert time.monotonic() - start >= 0.045
        sent = bytes(range(256))  # with all the bytes that a terminal would interpret
        os.write(master, sent)
        received = b""
        while len(received) < len(sent) and (data := transport.read(1.0)):
            received += data
        assert received == sent
        transport.write(sent)
        echoed = b""
        while len(echoed) < len(sent):
            echoed += os.read(master, 1000)
        assert echoed == sent
    finally:
        transport.close()
        os.close(master)
        os.close(slave)


def test_serial_transport_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AutapseError, match="/dev/nonesuch: cannot be opened at 9600 baud"):
        SerialTransport("/dev/nonesuch", 9600)
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(MissingToolError, match=r"pip install 'autapse\[link\]'"):
        SerialTransport("/dev/ttyUSB0", 9600)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a Unix thing")
def test_a_port_that_goes_away_is_told_and_can_come_back(tmp_path: Path) -> None:
    link = tmp_path / "port"
    master, slave = os.openpty()
    link.symlink_to(os.ttyname(slave))
    transport = SerialTransport(str(link), 115200)
    os.close(slave)
    os.close(master)
    link.unlink()
    with pytest.raises(TransportError, match="port"):
        transport.read(0.01)
    with pytest.raises(TransportError, match="cannot be opened"):
        transport.reopen()
    master, slave = os.openpty()
    link.symlink_to(os.ttyname(slave))
    transport.reopen()
    os.write(master, b"here again")
    assert transport.read(1.0)[:1] == b"h"
    transport.close()
    os.close(master)
    os.close(slave)
