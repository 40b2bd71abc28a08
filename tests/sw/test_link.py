"""The host's device against a scripted one: what it sends again, what it passes over, and what it says of failures."""

import os
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from autapse.errors import AutapseError, MissingToolError
from autapse.fixed import Format
from autapse.link import Device, NoAnswerError, SerialTransport
from autapse.protocol import ANSWER, Command, Frame, Identity, ProtocolError, decode_frame, encode_frame, pack_ints

NET = Identity(b"ABCDEFGH", 2, 3, 1, Format(8, 7), Format(16, 8), Format(16, 8), 1, 12)


def honest(frame: Frame) -> bytes:
    """Answers everything; a step's output is the sum of its inputs."""
    total = sum(np.frombuffer(frame.payload, dtype=np.int8).tolist()) if frame.command == Command.STEP else 0
    payload = {
        Command.IDENTIFY: NET.to_bytes(),
        Command.STEP: pack_ints([total], 16),
        Command.READ_STATE: pack_ints([-5, 6], 16),
        Command.COUNTERS: bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]),
    }.get(Command(frame.command), b"")
    return encode_frame(frame.sequence, frame.command | ANSWER, payload)


class Scripted:
    """A transport that answers each frame by a function of it and of how many frames came before."""

    def __init__(self, answer: Callable[[Frame, int], bytes] = lambda frame, _: honest(frame)) -> None:
        self.answer = answer
        self.frames: list[bytes] = []
        self.waiting = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        for part in data.split(b"\0"):
            if part:
                self.waiting += self.answer(decode_frame(part), len(self.frames))
                self.frames.append(part)

    def read(self, timeout: float) -> bytes:
        data, self.waiting = self.waiting[:3], self.waiting[3:]  # in pieces, as a serial port gives them
        if not data:
            time.sleep(min(timeout, 0.002))
        return data

    def close(self) -> None:
        self.closed = True


def test_the_calls() -> None:
    transport = Scripted()
    with Device(transport, sequence=255) as device:
        assert device.identity == NET
        device.reset()
        assert device.step([1, 2, -100]).tolist() == [-97]
        assert device.run(np.arange(12).reshape(4, 3)).tolist() == [[3], [12], [21], [30]]
        assert device.read_state().tolist() == [-5, 6]
        assert device.counters() == (1, 2, 3)
    assert transport.closed
    assert [decode_frame(part).sequence for part in transport.frames] == [255, *range(8)]


def test_a_frame_is_sent_again_unchanged() -> None:
    transport = Scripted(lambda frame, count: b"" if count in (1, 2) else honest(frame))
    with Device(transport, timeout=0.02, retries=2) as device:
        assert device.step([1, 2, 3]).tolist() == [6]
    assert transport.frames[1] == transport.frames[2] == transport.frames[3]
    assert len(transport.frames) == 4


def test_stale_answers_and_noise_are_passed_over() -> None:
    def answer(frame: Frame, count: int) -> bytes:
        if frame.command != Command.STEP:
            return honest(frame)
        wrong = encode_frame(frame.sequence, frame.command | ANSWER, b"\7\0")
        stale = encode_frame(frame.sequence - 1 & 255, frame.command | ANSWER, b"\7\0")
        other = encode_frame(frame.sequence, Command.RESET | ANSWER)
        return stale + other + b"noise\0\0\0" + wrong[:-2] + b"\0" + honest(frame)

    with Device(Scripted(answer)) as device:
        assert device.step([1, 1, 1]).tolist() == [3]


def test_what_a_former_session_left_is_dropped() -> None:
    transport = Scripted()
    transport.waiting = encode_frame(7, Command.IDENTIFY | ANSWER, b"not an identity")
    with Device(transport, sequence=7) as device:
        assert device.identity == NET


def test_no_answer_is_an_error_that_says_what_to_do() -> None:
    transport = Scripted(lambda frame, _: b"" if frame.command == Command.STEP else honest(frame))
    with (
        Device(transport, timeout=0.01, retries=2) as device,
        pytest.raises(NoAnswerError, match=r"no answer to STEP after 3 attempts of 0.01 s.*reset the device"),
    ):
        device.step([1, 2, 3])
    assert len(transport.frames) == 4
    silent = Scripted(lambda *_: b"")
    with pytest.raises(NoAnswerError, match="IDENTIFY"), Device(silent, timeout=0.01, retries=0):
        pass
    assert silent.closed


def test_bad_arguments_and_answers_are_named() -> None:
    with Device(Scripted()) as device:
        with pytest.raises(ValueError, match=r"a step takes 3 input codes, not an array of shape \(2,\)"):
            device.step([1, 2])
        with pytest.raises(ValueError, match=r"codes of shape \(time, 3\), not \(3,\)"):
            device.run([1, 2, 3])
        with pytest.raises(ValueError, match="code 128 is outside"):
            device.step([1, 2, 128])
    with pytest.raises(ValueError, match="positive, not 0"):
        Device(Scripted(), timeout=0)
    with pytest.raises(ValueError, match="0 or more, not -1"):
        Device(Scripted(), retries=-1)
    short = Scripted(lambda frame, _: encode_frame(frame.sequence, frame.command | ANSWER, b"\1"))
    with pytest.raises(ProtocolError, match="27 bytes, not 1"), Device(short):
        pass


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
