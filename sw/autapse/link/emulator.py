"""A device in Python: the protocol of docs/protocol.md over the integer model, for tests and for want of a board."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from autapse.link.errors import TransportError
from autapse.link.model import Network
from autapse.protocol import (
    ANSWER,
    REFUSAL,
    Command,
    Counters,
    Identity,
    ProtocolError,
    Request,
    Status,
    Trace,
    apply_payload,
    block_offset,
    code_bytes,
    decode_request,
    encode_frame,
    pack_ints,
    unpack_ints,
)


class EmulatedDevice:
    """Answers frames as the gateware does, in no time; only its counter of saturations stays 0.

    Parameters
    ----------
    identity
        What it says of itself.
    network
        What it drives.
    """

    def __init__(self, identity: Identity, network: Network) -> None:
        self.identity, self.network = identity, network
        self._image = bytearray(network.image(identity.memory) if identity.memory is not None else b"")
        zeros = np.zeros(identity.states, np.int64)
        self._trace = Trace(zeros, zeros, zeros.astype(bool))
        self.reset()

    def reset(self) -> None:
        """What the reset button does. What the memories hold, stays."""
        self._clear()
        self._partial = bytearray()
        self._kept: deque[tuple[int, bytes]] = deque()
        self._session = self._expected = 0
        self._told = False
        self._accepted = self._rejected = self._refused = self._steps = 0

    def feed(self, data: bytes) -> bytes:
        """What the device sends when it receives `data`."""
        self._partial += data
        *frames, rest = self._partial.split(b"\0")
        self._partial = bytearray(rest)
        return b"".join(self._answer(bytes(frame)) for frame in frames if frame)

    def _answer(self, frame: bytes) -> bytes:
        try:
            request = decode_request(frame)
            command = Command(request.command)
            if not self._fits(command, request.payload):
                raise ProtocolError("a payload of the wrong length")
        except ValueError:
            self._rejected += 1
            return self._refuse()
        if command.in_sequence and not self._is_next(request):
            self._refused += 1
            return self._refuse()
        self._accepted += 1
        if command.in_sequence or command == Command.SYNC:
            self._forget(request.wanted)
        again = b"".join(answer for _, answer in self._kept) if command == Command.SYNC else b""
        answer = encode_frame(request.sequence, command | ANSWER, self._execute(command, request.payload))
        if command.kept:
            self._kept.append((self._expected, answer))
            self._expected = (self._expected + 1) & 0xFF
        return again + answer

    def _fits(self, command: Command, payload: bytes) -> bool:
        identity = self.identity
        if command == Command.STEP:
            steps, rest = divmod(len(payload), identity.step_input_bytes)
            return not rest and 1 <= steps <= identity.batch
        if not identity.knows(command):
            return False
        return len(payload) == identity.request_bytes(command)

    def _is_next(self, request: Request) -> bool:
        retained = (self._expected - request.wanted) & 0xFF
        return bool(self._session) and request.sequence == self._expected and retained < self.identity.window

    def _forget(self, wanted: int) -> None:
        while self._kept and self._kept[0][0] != wanted:
            self._kept.popleft()

    def _refuse(self) -> bytes:
        """Tell the host once, until it has done something about it."""
        if self._told:
            return b""
        self._told = True
        return encode_frame(self._expected, REFUSAL, self._status())

    def _status(self) -> bytes:
        return Status(self._session, self._steps & 0xFFFFFFFF, self._expected).to_bytes()

    def _execute(self, command: Command, payload: bytes) -> bytes:
        identity = self.identity
        if command.in_sequence or command in (Command.SYNC, Command.OPEN, Command.ABORT):
            self._told = False
        match command:
            case Command.IDENTIFY:
                return identity.to_bytes()
            case Command.OPEN | Command.ABORT:
                self._kept.clear()
                self._session = int.from_bytes(payload, "little") if command == Command.OPEN else 0
            case Command.COUNTERS:
                return Counters(self._accepted - 1, self._rejected, self._steps, self._refused).to_bytes()
            case Command.READ_STATE:
                return pack_ints(self.network.state.ravel(), identity.state_format.bits)
            case Command.READ_TRACE:
                return self._trace.to_bytes(identity.sum_bits)
            case Command.RESET:
                self._clear()
                return b""
            case Command.SET_STATE:
                self._turns = 0
                state = unpack_ints(payload, identity.states, identity.state_format.bits)
                self.network.state = state.reshape(np.shape(self.network.state))
                return b""
            case Command.STEP:
                return self._step(payload)
            case Command.WRITE:
                self._write(payload)
                return b""
            case Command.APPLY:
                return bytes([self._apply(payload)])
        return self._status()

    def _clear(self) -> None:
        """Set the state to h0, and count the steps anew."""
        self.network.reset()
        self._turns = 0  # rounds of all sequences

    @property
    def _loaded(self) -> bool:
        return self.identity.upload is None or self.identity.upload.loaded

    def _step(self, payload: bytes) -> bytes:
        if not self._loaded:
            return b""
        identity, bits = self.identity, self.identity.input_format.bits
        x = unpack_ints(payload, len(payload) // code_bytes(bits), bits)
        z = self.network.run(x.reshape(-1, identity.step_inputs))
        self._steps += len(z)
        self._turns += len(z)
        if identity.sum_bits:
            turns = np.arange(identity.sequences) + (self._turns - 1) * identity.sequences
            self._trace = Trace(np.repeat(turns, identity.units), *self.network.origins())
        return pack_ints(z.ravel(), identity.z_format.bits)

    def _write(self, payload: bytes) -> None:
        """Put a block into the memory, which is not whole any more."""
        memory, upload = self.identity.memory, self.identity.upload
        assert memory is not None
        assert upload is not None
        self.identity = replace(self.identity, upload=replace(upload, loaded=False))
        offset, data = block_offset(memory, payload)
        if offset is not None:
            self._image[offset : offset + len(data)] = data

    def _apply(self, payload: bytes) -> bool:
        """Take what the memory holds into use, if that is what the host thinks."""
        memory, upload = self.identity.memory, self.identity.upload
        assert memory is not None
        assert upload is not None
        model_hash = payload[-8:]
        if payload != apply_payload(bytes(self._image), model_hash):
            return False
        self.network.load(memory, bytes(self._image))
        self._clear()
        self.identity = replace(self.identity, model_hash=model_hash, upload=replace(upload, loaded=True))
        return True


class EmulatedTransport:
    """A device in this process as a transport. Its time does not pass: what has not come will not come."""

    def __init__(self, device: EmulatedDevice) -> None:
        self.device = device
        self._waiting = b""
        self._closed = False

    def write(self, data: bytes) -> None:
        """Give `data` to the device."""
        if self._closed:
            raise TransportError("the emulated port is closed")
        self._waiting += self.device.feed(data)

    def read(self, timeout: float) -> bytes:
        """What the device has sent."""
        if self._closed:
            raise TransportError("the emulated port is closed")
        data, self._waiting = self._waiting, b""
        return data

    def reopen(self) -> None:
        """Open it anew; what was on its way is gone."""
        self._closed, self._waiting = False, b""

    def close(self) -> None:
        """Close it."""
        self._closed = True
