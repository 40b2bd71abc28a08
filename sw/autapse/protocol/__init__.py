"""The frames of the serial link, as pure functions; `docs/protocol.md` is the specification.

A frame is COBS-encoded and ends with a zero byte. Its body is a sequence number, a command, in a request the number of
the next answer that is wanted, a payload, and a CRC-16 (X-25) with the low byte first. The answer has the request's
sequence number and ``command | ANSWER``.
"""

from autapse.protocol.codes import (
    code_bytes,
    pack_ints,
    unpack_ints,
)
from autapse.protocol.frames import (
    ANSWER,
    ANSWER_OVERHEAD,
    CRC_FINAL,
    CRC_INITIAL,
    CRC_POLYNOMIAL,
    REFUSAL,
    REQUEST_OVERHEAD,
    Frame,
    ProtocolError,
    Request,
    cobs_decode,
    cobs_encode,
    crc16,
    decode_frame,
    decode_request,
    encode_frame,
    encode_request,
    wire_bytes,
)
from autapse.protocol.identity import (
    IDENTITY_BYTES,
    PROTOCOL_VERSION,
    Identity,
)
from autapse.protocol.messages import (
    APPLIED_BYTES,
    COUNTER_BYTES,
    COUNTERS_BYTES,
    SESSION_BYTES,
    STATUS_BYTES,
    Command,
    Counters,
    Features,
    Status,
)
from autapse.protocol.trace import (
    STEP_MARKS,
    TRACE_BYTES,
    Trace,
    record_bytes,
)
from autapse.protocol.upload import (
    APPLY_BYTES,
    UPLOAD_BYTES,
    WRITE_BYTES,
    Upload,
    apply_payload,
    block_offset,
    write_payloads,
)

__all__ = [
    "ANSWER",
    "ANSWER_OVERHEAD",
    "APPLIED_BYTES",
    "APPLY_BYTES",
    "COUNTERS_BYTES",
    "COUNTER_BYTES",
    "CRC_FINAL",
    "CRC_INITIAL",
    "CRC_POLYNOMIAL",
    "IDENTITY_BYTES",
    "PROTOCOL_VERSION",
    "REFUSAL",
    "REQUEST_OVERHEAD",
    "SESSION_BYTES",
    "STATUS_BYTES",
    "STEP_MARKS",
    "TRACE_BYTES",
    "UPLOAD_BYTES",
    "WRITE_BYTES",
    "Command",
    "Counters",
    "Features",
    "Frame",
    "Identity",
    "ProtocolError",
    "Request",
    "Status",
    "Trace",
    "Upload",
    "apply_payload",
    "block_offset",
    "cobs_decode",
    "cobs_encode",
    "code_bytes",
    "crc16",
    "decode_frame",
    "decode_request",
    "encode_frame",
    "encode_request",
    "pack_ints",
    "record_bytes",
    "unpack_ints",
    "wire_bytes",
    "write_payloads",
]
