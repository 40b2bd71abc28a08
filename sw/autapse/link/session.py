"""Requests and answers in order, each exactly once, over a line that loses, damages and repeats bytes.

The window is that of docs/protocol.md: requests are numbered, and the device executes them in sequence only. Whatever
goes wrong, the remedy is the same: SYNC, until the device has said which number it expects; by then nothing is on its
way any more, all answers that it had have come once more, and the requests from that number on are sent again.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from typing import NamedTuple

from autapse.errors import AutapseError
from autapse.link.errors import DeviceResetError, NoAnswerError, SessionTakenError, TransportError
from autapse.link.transport import Transport
from autapse.protocol import (
    ANSWER,
    REFUSAL,
    SESSION_BYTES,
    Command,
    Frame,
    ProtocolError,
    Status,
    decode_frame,
    encode_request,
)

# Rounds of SYNC, in multiples of the retries, that may pass with answers of the device but without progress.
_PATIENCE = 16
_LONGEST = 4  # timeouts of a round
_REOPEN_SECONDS = 0.05
# Stands for a frame that did not decode.
_DAMAGED = Frame(0, 0, b"")


class _Pending(NamedTuple):
    """A request whose answer has not come."""

    command: Command
    payload: bytes
    steps: int


class Session:
    """The window of one host with one device.

    Parameters
    ----------
    transport
        The bytes' way.
    timeout
        Seconds to wait for something from the device while it owes an answer.
    retries
        How often in a row it is asked again without hearing from it.
    reconnect
        Seconds to wait for a transport that is gone, if it can be opened anew.
    """

    def __init__(self, transport: Transport, timeout: float, retries: int, reconnect: float, sequence: int) -> None:
        self.timeout = timeout
        self.window = 1
        self.recoveries = 0
        self._transport, self._retries, self._reconnect = transport, retries, reconnect
        self._received = bytearray()
        self._token = sequence
        self._heard = 0  # sound frames
        self._session = 0
        self._steps = 0  # of the device, after the last answer that has come
        self._next = 0  # number of the next request, not reduced to a byte
        self._wanted = 0  # of the first answer that has not come
        self._pending: deque[_Pending] = deque()
        self._answers: deque[bytes] = deque()  # that nobody has asked for yet

    @property
    def outstanding(self) -> int:
        """Requests whose answers have not been received by the caller."""
        return len(self._pending) + len(self._answers)

    @property
    def room(self) -> bool:
        """Whether a request can be sent."""
        return self.outstanding < self.window

    def drain(self) -> None:
        """Drop what a former session may have left in the line, and end a frame that it may have begun."""
        deadline = time.monotonic() + self.timeout
        while self._read(0.0) and time.monotonic() < deadline:
            pass
        self._received.clear()
        self._write(b"\0")

    def open(self) -> Status:
        """Begin: the device forgets what it kept for others."""
        self.forget()
        number = secrets.randbelow(2**32 - 1) + 1
        status = Status.from_bytes(self.ask(Command.OPEN, number.to_bytes(4, "little")))
        self._session, self._steps = number, status.steps
        self._next = self._wanted = status.expected
        return status

    def forget(self) -> None:
        """Expect no more answers."""
        self._pending.clear()
        self._answers.clear()

    def end(self) -> Status:
        """End it: what is outstanding is not waited for, and nothing more is sent until the next one is opened."""
        self.forget()
        status = Status.from_bytes(self.ask(Command.ABORT, bytes(SESSION_BYTES)))
        self._session = 0
        return status

    def ask(self, command: Command, payload: bytes = b"") -> bytes:
        """The answer to a request that can be repeated without harm. In sequence, nothing may be outstanding."""
        if not command.in_sequence:
            return self._insist(command, payload)
        self._require()
        for _ in range(self._retries + 1):
            self._write(encode_request(self._next, command, self._wanted, payload))
            if (answer := self._await({self._next & 0xFF}, command)) is not None:
                return answer
            self._recover()
        raise self._silence(command)

    def send(self, command: Command, payload: bytes = b"", steps: int = 0) -> None:
        """Send a request that is executed once; `steps` is how many steps that makes."""
        if not self.room:
            raise RuntimeError(f"{self.outstanding} requests are outstanding, and the window is {self.window}")
        self._require()
        self._pending.append(_Pending(command, payload, steps))
        self._next += 1
        self._write(encode_request(self._next - 1, command, self._wanted, payload))

    def receive(self) -> bytes:
        """The answer to the first request that is outstanding."""
        self._require()
        if not self.outstanding:
            raise RuntimeError("no request is outstanding")
        while not self._answers:
            frame = self._frame(self.timeout)
            if frame is None or not self._take(frame):
                self._recover()
        return self._answers.popleft()

    def _take(self, frame: Frame) -> bool:
        """Keep `frame` if it is the answer that is wanted next; False if one before it must have been lost."""
        ahead = (frame.sequence - self._wanted) & 0xFF
        if frame is _DAMAGED or frame.command == REFUSAL:
            return not self._pending
        if ahead >= len(self._pending) or frame.command != self._pending[ahead].command | ANSWER:
            return True  # an answer that has come before, or to something else
        if ahead:
            return False
        steps = self._pending.popleft().steps
        self._steps += steps if frame.payload else 0  # a device without a network makes none, and says nothing
        self._wanted += 1
        self._answers.append(frame.payload)
        return True

    def _await(self, numbers: set[int], command: Command) -> bytes | None:
        """The answer to this command with one of these numbers; None if the time is over."""
        deadline = time.monotonic() + self.timeout
        while (left := deadline - time.monotonic()) > 0:
            frame = self._frame(left)
            if frame is None:
                return None
            if frame.sequence in numbers and frame.command == command | ANSWER:
                return frame.payload
            if frame.command == REFUSAL and command.in_sequence:
                self._check(Status.from_bytes(frame.payload))
            self._take(frame)
        return None

    def _recover(self) -> None:
        """Make sure that nothing is on its way, and send what the device has not executed."""
        self.recoveries += 1
        for _ in range(_PATIENCE * (self._retries + 1)):
            status = Status.from_bytes(self._insist(Command.SYNC))
            self._check(status)
            executed = (status.expected - self._wanted) & 0xFF
            if executed > len(self._pending):
                raise ProtocolError(f"the device expects request {status.expected}, which has not been sent")
            if executed:
                continue  # their answers were lost once more
            if status.steps != self._steps & 0xFFFFFFFF:
                raise ProtocolError(f"the device has executed {status.steps} steps, and not {self._steps}")
            first = self._next - len(self._pending)
            for k, request in enumerate(self._pending):
                self._write(encode_request(first + k, request.command, self._wanted, request.payload))
            return
        raise self._silence(Command.SYNC)

    def _insist(self, command: Command, payload: bytes = b"") -> bytes:
        """The answer to a request outside the window, which is sent again until the device is silent for too long."""
        numbers = set()  # a late answer is as good
        silent = rounds = 0
        while silent <= self._retries and rounds < _PATIENCE * (self._retries + 1):
            self._token += 1
            numbers.add(self._token & 0xFF)
            heard = self._heard
            self._write(b"\0" + encode_request(self._token, command, self._wanted, payload))
            # Longer each time: what is asked again too early adds to what holds the line up.
            for _ in range(min(2**rounds, _LONGEST)):
                if (answer := self._await(numbers, command)) is not None:
                    return answer
            silent, rounds = silent + 1 if self._heard == heard else 0, rounds + 1
        raise self._silence(self._pending[0].command if self._pending else command)

    def _require(self) -> None:
        if not self._session:
            raise AutapseError("no session is open with the device: Device.open() begins one")

    def _check(self, status: Status) -> None:
        if status.session == self._session:
            return
        if status.session == 0:
            raise DeviceResetError("the device was reset: its state is h0 again, and the steps under way are lost")
        raise SessionTakenError("another program has opened a session with the device")

    def _silence(self, command: Command) -> NoAnswerError:
        return NoAnswerError(f"no answer to {command.name} after {self._retries + 1} attempts of {self.timeout:g} s")

    def _frame(self, timeout: float) -> Frame | None:
        """The next frame; None if the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            while (end := self._received.find(0)) >= 0:
                data = bytes(self._received[:end])
                del self._received[: end + 1]
                if not data:
                    continue
                try:
                    frame = decode_frame(data)
                except ProtocolError:
                    return _DAMAGED
                self._heard += 1
                return frame
            left = deadline - time.monotonic()
            data = self._read(left) if left > 0 else b""
            if not data:
                return None
            self._received += data

    def _read(self, timeout: float) -> bytes:
        try:
            return self._transport.read(timeout)
        except TransportError as error:
            self._reopen(error)
            return b""

    def _write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except TransportError as error:
            self._reopen(error)  # what was to be sent is missed, and sent again

    def _reopen(self, error: TransportError) -> None:
        """Open the transport anew; raises `error` if it cannot be, or not in time."""
        reopen = getattr(self._transport, "reopen", None)
        deadline = time.monotonic() + self._reconnect
        self._received.clear()
        while reopen is not None and time.monotonic() < deadline:
            try:
                reopen()
                return
            except TransportError:
                time.sleep(_REOPEN_SECONDS)
        raise error
