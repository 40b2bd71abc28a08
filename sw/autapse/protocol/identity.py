"""What a device says of itself, and what follows from it: payloads, slots and windows."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from autapse.fixed import Format
from autapse.protocol.codes import code_bytes
from autapse.protocol.frames import ANSWER_OVERHEAD, REQUEST_OVERHEAD, ProtocolError, wire_bytes
from autapse.protocol.messages import APPLIED_BYTES, COUNTERS_BYTES, SESSION_BYTES, STATUS_BYTES, Command, Features
from autapse.protocol.trace import TRACE_BYTES, record_bytes
from autapse.protocol.upload import APPLY_BYTES, UPLOAD_BYTES, WRITE_BYTES, Upload
from autapse.weight_memory import WeightMemory

PROTOCOL_VERSION = 2

_IDENTITY = struct.Struct("<B8sHHHBbBbBbHIBBBBI")
#: Without what a device says only of its trace, and of the weights that can be uploaded.
IDENTITY_BYTES = _IDENTITY.size
_FEATURES = 30  # where the features are
# The least room for frames each way: a block RAM of an iCE40. Frames are kept in slots of at least 64 bytes.
_ROOM = 512
_SLOT = 64
_SLOTS = 128  # sequence numbers have one byte, and windows less than half of its values
_PAYLOAD = 40  # a request with so much has less than 15 % of overhead


def _length(features: int) -> int:
    """Bytes of the identity of a device with these features."""
    trace = TRACE_BYTES if features & Features.TRACE else 0
    return IDENTITY_BYTES + trace + (UPLOAD_BYTES if features & Features.UPLOAD else 0)


@dataclass(frozen=True)
class Identity:
    """What a device says of itself, and all that either end needs to pack and unpack payloads.

    Attributes
    ----------
    model_hash
        Eight bytes that name the quantised network.
    units, inputs, outputs
        Shapes, each 1 to 65535.
    input_format, state_format, z_format
        Number formats of inputs, state and outputs; fraction bits from -128 to 127.
    lanes
        Multiply-accumulators in the core.
    clock_hz
        Clock of the core.
    version
        Protocol version.
    sequences
        Independent sequences that the core interleaves: a step has the inputs, outputs and states of all.
    window
        Frames that may be on their way: the credits. One less than a power of two; as many as fit if left out.
    batch
        Steps that one frame may hold; computed.
    features
        Bits of :class:`Features`; those of `upload` and `sum_bits` are set if these are given.
    upload
        What else must be known to upload weights; None if they are fixed.
    sum_bits
        Bits of a pre-activation in the trace; 0 if there is none.
    """

    model_hash: bytes
    units: int
    inputs: int
    outputs: int
    input_format: Format
    state_format: Format
    z_format: Format
    lanes: int
    clock_hz: int
    version: int = field(default=PROTOCOL_VERSION)
    sequences: int = 1
    window: int = 0
    batch: int = 0
    features: int = Features.SET_STATE
    upload: Upload | None = None
    sum_bits: int = 0

    def __post_init__(self) -> None:
        if len(self.model_hash) != 8:
            raise ValueError(f"a model hash has 8 bytes, not {len(self.model_hash)}")
        for name in ("units", "inputs", "outputs", "lanes"):
            if not 1 <= getattr(self, name) <= 0xFFFF:
                raise ValueError(f"{name} must be 1 to 65535, not {getattr(self, name)}")
        for name in ("input_format", "state_format", "z_format"):
            if not -128 <= getattr(self, name).frac <= 127:
                raise ValueError(f"fraction bits of {name} must be -128 to 127, not {getattr(self, name).frac}")
        if not 1 <= self.sequences <= 0xFF:
            raise ValueError(f"sequences must be 1 to 255, not {self.sequences}")
        for name, limit in (("clock_hz", 0xFFFFFFFF), ("version", 0xFF), ("sum_bits", 62)):
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(f"{name} must be 0 to {limit}, not {getattr(self, name)}")
        if self.upload is not None:
            self.upload.check(self.lanes)
            object.__setattr__(self, "features", self.features | Features.UPLOAD)
            if self.memory_bytes > 0xFFFFFFFF:
                raise ValueError(f"a memory has up to 2**32 - 1 bytes, not {self.memory_bytes}")
        elif self.features & Features.UPLOAD:
            raise ValueError("a device whose weights can be uploaded says how: `upload` is missing")
        if self.sum_bits:
            object.__setattr__(self, "features", self.features | Features.TRACE)
        elif self.features & Features.TRACE:
            raise ValueError("a device with a trace says how long its sums are: `sum_bits` is missing")
        object.__setattr__(self, "batch", self.batch or self._batch(self.slot))
        object.__setattr__(self, "window", self.window or min(_SLOTS, self._least_room // self.slot) - 1)
        if not 1 <= self.window < _SLOTS or not 1 <= self.batch <= 0xFF:
            raise ValueError(f"window and batch must be 1 to {_SLOTS - 1} and 255, not {self.window} and {self.batch}")

    @property
    def step_inputs(self) -> int:
        """Input codes of a step, of all sequences."""
        return self.sequences * self.inputs

    @property
    def step_outputs(self) -> int:
        """Output codes of a step, of all sequences."""
        return self.sequences * self.outputs

    @property
    def states(self) -> int:
        """State codes, of all sequences."""
        return self.sequences * self.units

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Shape of an array of them: (units,), or (sequences, units) where there are several."""
        return (self.units,) if self.sequences == 1 else (self.sequences, self.units)

    @property
    def step_input_bytes(self) -> int:
        """Payload of a request for one step."""
        return self.step_inputs * code_bytes(self.input_format.bits)

    @property
    def step_output_bytes(self) -> int:
        """Payload of the answer to one step."""
        return self.step_outputs * code_bytes(self.z_format.bits)

    @property
    def state_bytes(self) -> int:
        """Payload with the state of all units."""
        return self.states * code_bytes(self.state_format.bits)

    @property
    def trace_bytes(self) -> int:
        """Payload with the trace of all units; 0 if there is none."""
        return self.states * record_bytes(self.sum_bits) if self.sum_bits else 0

    @property
    def memory(self) -> WeightMemory | None:
        """The memory of weights and biases that can be uploaded."""
        if self.upload is None:
            return None
        u, rows = self.upload, self.lanes // self.upload.cols
        shape = (self.units, self.inputs, self.outputs)
        return WeightMemory(*shape, rows, u.cols, u.drains, u.weight_bits, u.acc_bits)

    @property
    def memory_bytes(self) -> int:
        """Bytes of its image; 0 if there is none."""
        return 0 if self.memory is None else self.memory.size

    @property
    def length(self) -> int:
        """Bytes of :meth:`to_bytes`."""
        return _length(self.features)

    @property
    def slot(self) -> int:
        """Bytes that the device has for one frame of a window, in either direction."""
        slot = _SLOT
        largest = max(self.step_input_bytes, self.step_output_bytes)
        while (batch := self._batch(slot)) < 1 or batch * largest < _PAYLOAD:
            slot *= 2
        return slot

    @property
    def room(self) -> int:
        """Bytes that the device has for frames in either direction."""
        return self.slot * (self.window + 1)

    @property
    def longest_answer(self) -> int:
        """Bytes of the longest body of an answer."""
        states = (self.state_bytes, self.trace_bytes)
        payloads = (self.batch * self.step_output_bytes, *states, self.length, COUNTERS_BYTES)
        return ANSWER_OVERHEAD + max(payloads)

    @property
    def _least_room(self) -> int:
        answers = ANSWER_OVERHEAD + max(self.length, self.trace_bytes)
        longest = max(REQUEST_OVERHEAD + self.state_bytes, answers)
        room = max(_ROOM, 4 * self.slot)
        while wire_bytes(longest) >= room:
            room *= 2
        return room

    def _batch(self, slot: int) -> int:
        """Steps in a frame that fits a slot, both as a request and as an answer."""
        body = slot - 2 - slot // 255  # without the delimiter, and the lengths of COBS
        requests = (body - REQUEST_OVERHEAD) // self.step_input_bytes
        return min(requests, (body - ANSWER_OVERHEAD) // self.step_output_bytes, 0xFF)

    def to_bytes(self) -> bytes:
        """The payload of the answer to :attr:`Command.IDENTIFY`, :attr:`length` long."""
        formats = (self.input_format, self.state_format, self.z_format)
        numbers = [number for f in formats for number in (f.bits, f.frac)]
        shapes = (self.units, self.inputs, self.outputs)
        link = (self.sequences, self.window, self.batch, self.features, self.memory_bytes)
        head = _IDENTITY.pack(self.version, self.model_hash, *shapes, *numbers, self.lanes, self.clock_hz, *link)
        trace = bytes([self.sum_bits]) if self.sum_bits else b""
        return head + trace + (b"" if self.upload is None else self.upload.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Identity:
        """The identity in a payload; ProtocolError if it has a wrong length, another version or impossible values."""
        if data and data[0] != PROTOCOL_VERSION:
            raise ProtocolError(f"the device speaks protocol version {data[0]}, this program {PROTOCOL_VERSION}")
        if len(data) != (length := _length(data[_FEATURES] if len(data) > _FEATURES else 0)):
            raise ProtocolError(f"an identity has {length} bytes, not {len(data)}")
        version, model_hash, units, inputs, outputs, *numbers = _IDENTITY.unpack(data[:IDENTITY_BYTES])
        lanes, clock_hz, sequences, window, batch, features, memory_bytes = numbers[6:]
        try:
            upload = Upload.from_bytes(data[-UPLOAD_BYTES:]) if features & Features.UPLOAD else None
            sum_bits = data[IDENTITY_BYTES] if features & Features.TRACE else 0
            if 0 in (sequences, window, batch):
                raise ValueError("sequences, window and batch must not be 0")
            x, h, z = (Format(*numbers[k : k + 2]) for k in (0, 2, 4))
            link = (sequences, window, batch, features, upload, sum_bits)
            identity = cls(model_hash, units, inputs, outputs, x, h, z, lanes, clock_hz, version, *link)
            if memory_bytes != identity.memory_bytes:
                raise ValueError(f"a memory of {memory_bytes} bytes, where its parts have {identity.memory_bytes}")
            return identity
        except ValueError as error:
            raise ProtocolError(f"the device's identity makes no sense: {error}") from error

    def knows(self, command: Command) -> bool:
        """Whether the device knows the command."""
        return self.features & command.feature == command.feature

    def request_bytes(self, command: Command) -> int:
        """Length of the payload of a request: of a STEP with one step."""
        return {
            Command.STEP: self.step_input_bytes,
            Command.SET_STATE: self.state_bytes,
            Command.OPEN: SESSION_BYTES,
            Command.ABORT: SESSION_BYTES,
            Command.WRITE: WRITE_BYTES,
            Command.APPLY: APPLY_BYTES,
        }.get(command, 0)

    def answer_bytes(self, command: Command) -> int:
        """Length of the payload of an answer: of a STEP with one step."""
        if command in (Command.STATUS, Command.SYNC, Command.OPEN, Command.ABORT):
            return STATUS_BYTES
        return {
            Command.IDENTIFY: self.length,
            Command.COUNTERS: COUNTERS_BYTES,
            Command.READ_STATE: self.state_bytes,
            Command.READ_TRACE: self.trace_bytes,
            Command.STEP: self.step_output_bytes,
            Command.APPLY: APPLIED_BYTES,
        }.get(command, 0)
