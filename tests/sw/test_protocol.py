"""Frames and payloads: round trips, errors, and the worked example of the specification."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from autapse.fixed import Format
from autapse.protocol import (
    ANSWER,
    ANSWER_OVERHEAD,
    REQUEST_OVERHEAD,
    Command,
    Counters,
    Features,
    Identity,
    ProtocolError,
    Status,
    Trace,
    Upload,
    cobs_decode,
    cobs_encode,
    code_bytes,
    crc16,
    decode_frame,
    decode_request,
    encode_frame,
    encode_request,
    pack_ints,
    unpack_ints,
    wire_bytes,
)

# Long frames with few zeros are where COBS has its corners.
BYTES = st.binary(max_size=40) | st.lists(
    st.sampled_from([b"\0", b"\1", bytes(range(1, 254)), bytes(range(1, 255)), bytes(range(1, 256))]), max_size=4
).map(b"".join)
FORMATS = st.builds(Format, st.integers(2, 62), st.integers(-128, 127))
COUNT = st.integers(1, 0xFFFF)
UPLOADS = st.builds(
    Upload, st.just(1), COUNT, *[st.integers(1, 255)] * 2, st.binary(min_size=8, max_size=8), st.booleans()
)


def identities(count: st.SearchStrategy[int], upload: st.SearchStrategy[Upload | None]) -> st.SearchStrategy[Identity]:
    return st.builds(
        Identity,
        st.binary(min_size=8, max_size=8),
        *[count] * 3,
        *[FORMATS] * 3,
        count,
        st.integers(0, 2**32 - 1),
        sequences=st.integers(1, 255),
        features=st.integers(0, 255).map(lambda bits: bits & ~(Features.UPLOAD | Features.TRACE)),
        upload=upload,
        sum_bits=st.integers(0, 62),
    )


# A memory has a number of bytes that fits into four.
IDENTITIES = identities(COUNT, st.none()) | identities(st.integers(1, 999), UPLOADS)


@given(BYTES)
def test_cobs_is_the_cobs_of_everyone(data: bytes) -> None:
    assert cobs_encode(data) == cobs.encode(data)
    assert cobs_decode(cobs.encode(data)) == data


@given(BYTES)
def test_cobs_decode_accepts_what_the_package_accepts(data: bytes) -> None:
    try:
        expected = cobs.decode(data)
    except cobs.DecodeError:
        with pytest.raises(ProtocolError):
            cobs_decode(data)
    else:
        assert cobs_decode(data) == expected


def test_crc_check_value() -> None:
    assert crc16(b"123456789") == 0x906E
    assert crc16(b"") == 0


@given(st.integers(0, 255), st.integers(0, 255), BYTES)
def test_frames_round_trip(sequence: int, command: int, payload: bytes) -> None:
    frame = encode_frame(sequence, command, payload)
    assert frame.index(0) == len(frame) - 1
    assert decode_frame(frame[:-1]) == (sequence, command, payload)


@given(st.binary(max_size=30), st.data())
def test_corrupted_frames_are_rejected(payload: bytes, data: st.DataObject) -> None:
    """Up to two wrong bits in the body, and every truncation that leaves valid COBS."""
    body = bytearray(cobs_decode(encode_frame(1, 3, payload)[:-1]))
    for bit in data.draw(st.sets(st.integers(0, 8 * len(body) - 1), min_size=1, max_size=2)):
        body[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError, match="wrong CRC"):
        decode_frame(cobs_encode(bytes(body)))
    frame = encode_frame(1, 3, payload)[:-1]
    with pytest.raises(ProtocolError):
        decode_frame(frame[: data.draw(st.integers(0, len(frame) - 1))])


def test_the_errors_say_what_is_wrong() -> None:
    for data, message in [
        (b"\x03\x00\x01", "a zero byte inside a frame"),
        (b"\x04\x01", "ends inside a COBS block"),
        (b"\x03\x01\x01", "at least 4 bytes, not 2"),
        (b"\x05\x01\x01\x01\x01", "wrong CRC"),
    ]:
        with pytest.raises(ProtocolError, match=message):
            decode_frame(data)


@given(st.integers(2, 62), st.data())
def test_codes_round_trip(bits: int, data: st.DataObject) -> None:
    limit = 2 ** (bits - 1) - 1
    codes = data.draw(st.lists(st.integers(-limit, limit), max_size=20))
    packed = pack_ints(np.array(codes, dtype=np.int64), bits)
    assert packed == b"".join(code.to_bytes(code_bytes(bits), "little", signed=True) for code in codes)
    back = unpack_ints(packed, len(codes), bits)
    assert back.dtype == np.int64
    assert back.tolist() == codes


def test_codes_outside_are_named() -> None:
    assert pack_ints([-127, 127], 8) == b"\x81\x7f"
    with pytest.raises(ValueError, match="code -128 is outside ±127, the range of 8 bits"):
        pack_ints([5, -128], 8)
    with pytest.raises(ValueError, match="vector of integers, not float64 of shape"):
        pack_ints([0.5], 8)
    assert unpack_ints(b"\xff\x07\x00\xfc", 2, 12).tolist() == [2047, -1024]
    with pytest.raises(ProtocolError, match="does not fit the 12 bits"):
        unpack_ints(b"\x00\x08", 1, 12)
    with pytest.raises(ProtocolError, match="2 codes of 12 bits have 4 bytes, not 3"):
        unpack_ints(b"\0\0\0", 2, 12)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), BYTES)
def test_requests_round_trip(sequence: int, command: int, wanted: int, payload: bytes) -> None:
    frame = encode_request(sequence, command, wanted, payload)
    assert decode_request(frame[:-1]) == (sequence, command, wanted, payload)
    assert len(frame) <= wire_bytes(REQUEST_OVERHEAD + len(payload))
    with pytest.raises(ProtocolError, match="at least 5 bytes, not 4"):
        decode_request(encode_frame(sequence, command)[:-1])


@given(BYTES)
def test_no_other_exception_than_the_documented_one(data: bytes) -> None:
    """Whatever a line delivers between two zeros, and whatever a sound frame claims."""
    for decode in (decode_frame, decode_request, Identity.from_bytes, Status.from_bytes, Counters.from_bytes):
        with contextlib.suppress(ProtocolError):
            decode(data)


@given(IDENTITIES)
def test_identities_round_trip(identity: Identity) -> None:
    length = 35 + (identity.upload is not None) * 15 + (identity.sum_bits > 0)
    assert len(identity.to_bytes()) == identity.length == length
    assert Identity.from_bytes(identity.to_bytes()) == identity


@given(IDENTITIES)
def test_a_full_frame_fits_its_slot_and_a_full_window_the_room(identity: Identity) -> None:
    request = wire_bytes(REQUEST_OVERHEAD + identity.batch * identity.step_input_bytes)
    answer = wire_bytes(ANSWER_OVERHEAD + identity.batch * identity.step_output_bytes)
    assert max(request, answer) <= identity.slot
    assert identity.room == identity.slot * (identity.window + 1)
    assert wire_bytes(REQUEST_OVERHEAD + identity.state_bytes) < identity.room or identity.window == 127
    assert 3 <= identity.window <= 127


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("bits", [8, 16, 24])
def test_payload_is_85_percent_of_a_full_frame(count: int, bits: int) -> None:
    f = Format(bits, 0)
    identity = Identity(b"ABCDEFGH", 50, count, count, f, f, f, 8, 0)
    payload = identity.batch * identity.step_input_bytes
    assert payload / wire_bytes(REQUEST_OVERHEAD + payload) >= 0.85
    assert identity.room == 512  # one block RAM


def test_identity_has_the_offsets_of_the_specification() -> None:
    x, h, z = Format(8, 5), Format(16, -2), Format(24, 12)
    identity = Identity(b"ABCDEFGH", 0x0102, 2, 3, x, h, z, 0x0708, 0x090A0B0C, sequences=4)
    head = "02" + "4142434445464748" + "020102000300" + "080510fe180c" + "08070c0b0a09"
    assert identity.to_bytes().hex() == head + "04" + "1f03" + "01" + "00000000"
    assert (identity.window, identity.batch) == (31, 3)
    assert [identity.request_bytes(c) for c in Command] == [0, 0, 0, 4, 4, 0, 0, 0, 0, 8, 2064, 36, 12]
    assert [identity.answer_bytes(c) for c in Command] == [35, 9, 9, 9, 9, 26, 0, 2064, 0, 36, 0, 0, 1]


def test_the_identity_of_a_device_for_uploads_is_longer() -> None:
    x, h, z = Format(8, 5), Format(16, -2), Format(24, 12)
    upload = Upload(2, 1, 8, 24, b"circuit!", loaded=False)
    identity = Identity(b"ABCDEFGH", 6, 2, 3, x, h, z, 6, 12, upload=upload)
    # 3 tiles of 3 rows, of 4 slots each: a block of each stripe of 48 bits, and one of each of 24.
    size = (3 + 2) * 32
    tail = "03" + f"{size:02x}000000" + "02000100" + "0818" + b"circuit!".hex() + "00"
    assert identity.to_bytes().hex()[60:] == tail
    assert identity.length == len(identity.to_bytes()) == 50
    assert identity.answer_bytes(Command.IDENTIFY) == 50
    assert Identity.from_bytes(identity.to_bytes()) == identity
    good = identity.to_bytes()
    for data, message in [
        (good[:35], "50 bytes, not 35"),
        (good[:31] + b"\x21" + good[32:], "a memory of 33 bytes, where its parts have 160"),
        (good[:35] + b"\4" + good[36:], "6 lanes do not lie in 4 columns"),
        (good[:39] + b"\0" + good[40:], "weight_bits must be 1 to 255, not 0"),
    ]:
        with pytest.raises(ProtocolError, match=message):
            Identity.from_bytes(data)
    with pytest.raises(ValueError, match="says how: `upload` is missing"):
        Identity(b"ABCDEFGH", 6, 2, 3, x, h, z, 6, 12, features=3)


def test_the_identity_of_a_device_with_a_trace_says_how_long_its_sums_are() -> None:
    x = Format(8, 5)
    identity = Identity(b"ABCDEFGH", 6, 2, 3, x, x, x, 6, 12, sequences=2, sum_bits=20)
    assert identity.to_bytes().hex()[60:] == "05" + "00000000" + "14"
    assert identity.answer_bytes(Command.READ_TRACE) == 2 * 6 * 4
    good = identity.to_bytes()
    for data, message in [
        (good[:-1], "36 bytes, not 35"),
        (good[:-1] + b"\0", "says how long its sums are: `sum_bits` is missing"),
        (good[:-1] + b"\x3f", "sum_bits must be 0 to 62, not 63"),
    ]:
        with pytest.raises(ProtocolError, match=message):
            Identity.from_bytes(data)


def test_traces_round_trip() -> None:
    trace = Trace(np.array([0, 127, 300]), np.array([-3, 1000, 0]), np.array([True, False, True]))
    data = trace.to_bytes(12)
    assert data.hex() == "80fdff" + "7fe803" + "ac0000"
    back = Trace.from_bytes(data, (3,), 12)
    assert (back.step.tolist(), back.sums.tolist(), back.saturated.tolist()) == (
        [0, 127, 300 % 128],
        [-3, 1000, 0],
        [True, False, True],
    )
    with pytest.raises(ProtocolError, match="a trace of 2 states has 6 bytes, not 9"):
        Trace.from_bytes(data, (2, 1), 12)
    with pytest.raises(ProtocolError, match="does not fit the 10 bits"):
        Trace.from_bytes(data, (3,), 10)


def test_bad_identities_are_named() -> None:
    x = Format(8, 5)
    good = Identity(b"ABCDEFGH", 1, 1, 1, x, x, x, 1, 12).to_bytes()
    for data, message in [
        (good[:-1], "35 bytes, not 34"),
        (b"\1" + good[1:27], "protocol version 1, this program 2"),
        (good[:9] + b"\0\0" + good[11:], "units must be 1 to 65535, not 0"),
        (good[:15] + b"\x7f" + good[16:], "2 to 62 bits, not 127"),
        (good[:28] + b"\0" + good[29:], "sequences, window and batch must not be 0"),
        (good[:28] + b"\x80" + good[29:], "window and batch must be 1 to 127 and 255, not 128"),
    ]:
        with pytest.raises(ProtocolError, match=message):
            Identity.from_bytes(data)
    with pytest.raises(ValueError, match="8 bytes, not 3"):
        Identity(b"ABC", 1, 1, 1, x, x, x, 1, 12)
    with pytest.raises(ValueError, match="z_format must be -128 to 127, not 200"):
        Identity(b"ABCDEFGH", 1, 1, 1, x, x, Format(8, 200), 1, 12)
    with pytest.raises(ValueError, match="sequences must be 1 to 255, not 0"):
        Identity(b"ABCDEFGH", 1, 1, 1, x, x, x, 1, 12, sequences=0)


def test_counters_and_status_round_trip() -> None:
    counters = Counters(1, 0x01020304, 2**32 - 1, 5, 6, 7, 8)
    assert counters.to_bytes().hex() == "ffffffff" + "01000000" + "04030201" + "050000000600000007000000" + "0800"
    assert Counters.from_bytes(counters.to_bytes()) == counters
    with pytest.raises(ProtocolError, match="26 bytes, not 25"):
        Counters.from_bytes(bytes(25))
    status = Status(0x01020304, 2**32 - 2, 255)
    assert status.to_bytes().hex() == "04030201" + "feffffff" + "ff"
    assert Status.from_bytes(status.to_bytes()) == status
    with pytest.raises(ProtocolError, match="9 bytes, not 10"):
        Status.from_bytes(bytes(10))


def test_worked_example() -> None:
    """The hex in docs/protocol.md is what the functions give."""
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    example = dict(re.findall(r"^((?:request|answer) (?:body|on wire)) +([0-9a-f ]+)$", text, re.MULTILINE))
    frames = {
        "request": encode_request(0x2A, Command.STEP, 0x29, pack_ints([100, 0, -100], 8)),
        "answer": encode_frame(0x2A, Command.STEP | ANSWER, pack_ints([1000, -1, 0], 16)),
    }
    assert len(example) == 4
    for name, frame in frames.items():
        assert bytes.fromhex(example[f"{name} on wire"]) == frame
        assert bytes.fromhex(example[f"{name} body"]) == cobs.decode(frame[:-1])
