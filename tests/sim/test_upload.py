# amaranth: UnusedElaboratable=no
"""Uploads over the pins of the Verilated design: outputs are the new model's, and none is of a half-written memory."""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness import random_codes, random_network
from line_harness import BIT, Verilated, compile_line

from autapse.link import Device, DeviceResetError, NotLoadedError
from autapse.link.faults import FAULTS, FaultyTransport
from autapse.protocol import Command, apply_payload, encode_request, write_payloads
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse_hw.system import System
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage

pytestmark = pytest.mark.slow


def make_pair(leaky: bool = False, bits: int = 8) -> tuple[QuantizedNetwork, QuantizedNetwork]:
    """Two networks for one circuit: their magnitudes are the same, so that the sums of both fit."""
    net = random_network(np.random.default_rng(11), 9, 3, 2, leaky=leaky, h0=True)
    q = quantize(net, weight_bits=bits, state_bits=bits, operand_bits=bits)
    changes = {"W": -q.W, "W_in": q.W_in[:, ::-1].copy(), "W_out": q.W_out[::-1].copy()}
    return q, replace(q, b=-q.b, b_out=q.b_out[::-1].copy(), **changes)


def board(folder: Path, q: QuantizedNetwork, tiling: str, form: str = "generic") -> Verilated:
    return Verilated(compile_line(folder, System(q, tiling, 12e6, BIT, form, Storage.UPLOAD)))


@pytest.mark.parametrize(
    ("form", "tiling", "leaky", "bits"),
    [("generic", "6x3/3*2", True, 8), ("mac8x8", "4x2", False, 8), ("mult18", "2x4/2", False, 18)],
)
def test_after_an_upload_every_output_is_the_new_models(
    tmp_path: Path, form: str, tiling: str, leaky: bool, bits: int
) -> None:
    """For each kind of memory, over a line that loses, damages and repeats bytes."""
    first, second = make_pair(leaky, bits)
    turns, steps = Tiling.of(tiling).sequences, 60
    codes = np.stack([random_codes(first, steps, np.random.default_rng(k)) for k in range(turns)])
    x = np.swapaxes(codes, 0, 1).reshape(steps, -1)
    line = FaultyTransport(board(tmp_path, first, tiling, form), 1 / 200, 3, faults=FAULTS[:6])
    with Device(line, timeout=10.0) as device:
        for q in (first, second, first):
            if device.status().steps:
                device.upload(q)
            assert device.identity.upload.loaded
            assert device.identity.model_hash == q.model_hash()
            np.testing.assert_array_equal(device.read_state().reshape(turns, -1), np.tile(q.h0, (turns, 1)))
            model = q.run_int(codes)
            np.testing.assert_array_equal(device.run(x), np.swapaxes(model.z, 0, 1).reshape(steps, -1))
            np.testing.assert_array_equal(device.read_state().reshape(turns, -1), model.last)
        assert device.status().steps == 3 * steps
        assert device.recoveries > 5


def test_weights_in_spram_come_by_upload_alone(tmp_path: Path) -> None:
    """So many that each stripe takes two SPRAMs; the device makes no step before."""
    rng = np.random.default_rng(5)
    q = quantize(random_network(rng, 128, 3, 2), weight_bits=8, state_bits=8, operand_bits=8)
    x = random_codes(q, 6, rng)
    system = System(q, "1", 12e6, BIT, "mac8x8", Storage.SPRAM)
    assert system.identity.memory.weights.depth > 1 << 14
    line = Verilated(compile_line(tmp_path, system))
    line.cycles = 1_000_000
    with Device(line, timeout=30.0) as device:
        assert not device.identity.upload.loaded
        with pytest.raises(NotLoadedError, match="not all weights of a network"):
            device.step(x[0])
        device.upload(q)
        assert device.identity.upload.loaded
        np.testing.assert_array_equal(device.run(x), q.run_int(x[None]).z[0])
        line.reset()
        device.open()
        np.testing.assert_array_equal(device.run(x), q.run_int(x[None]).z[0])


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    system = System(make_pair()[0], "4", 12e6, BIT, storage=Storage.UPLOAD)
    return compile_line(tmp_path_factory.mktemp("line"), system)


@pytest.fixture
def line(program: Path) -> Iterator[Verilated]:
    running = Verilated(program)
    yield running
    running.close()


def ask(device: Device, command: Command, payload: bytes) -> bytes:
    """One request of an upload, and its answer."""
    return device._execute(command, payload)


def test_from_the_first_write_to_the_right_crc_no_step_is_made(line: Verilated) -> None:
    """Steps are answered empty, whatever comes between; the state stays, and the host learns what the device has."""
    first, second = make_pair()
    x = random_codes(first, 4, np.random.default_rng(1))
    device = Device(line, timeout=10.0)
    device.open()
    device.run(x)
    memory, old = device.identity.memory, first.run_int(x[None]).last[0]
    image = memory.image(second)
    *payloads, last = write_payloads(memory, image)

    def refuses() -> None:
        with pytest.raises(NotLoadedError):
            device.run(x)
        assert not device.identify().upload.loaded
        assert device.identity.model_hash == first.model_hash()
        assert device.status().steps == 4
        np.testing.assert_array_equal(device.read_state(), old)

    assert ask(device, Command.APPLY, apply_payload(image, second.model_hash())) == b"\0"  # nothing was written
    assert device.identify().upload.loaded
    np.testing.assert_array_equal(device.read_state(), old)
    for payload in payloads:
        assert ask(device, Command.WRITE, payload) == b""
        refuses()
    assert ask(device, Command.APPLY, apply_payload(image, second.model_hash())) == b"\0"
    refuses()
    for written, crc, answer in (
        (last[:-32] + bytes([last[-32] ^ 1]) + last[-31:], zlib.crc32(image), b"\0"),
        (last, zlib.crc32(image) ^ 1 << 31, b"\0"),
        (last, zlib.crc32(image), b"\1"),
    ):
        ask(device, Command.WRITE, written)
        refuses()
        assert ask(device, Command.APPLY, crc.to_bytes(4, "little") + second.model_hash()) == answer
    assert device.identify().upload.loaded
    assert device.identity.model_hash == second.model_hash()
    np.testing.assert_array_equal(device.run(x), second.run_int(x[None]).z[0])
    assert device.counters().rejected == 0


@pytest.mark.parametrize("at", [1, 7])
def test_a_reset_in_the_middle_does_not_hide_it(line: Verilated, at: int) -> None:
    first, second = make_pair()
    x = random_codes(first, 20, np.random.default_rng(2))
    device = Device(line, timeout=10.0)
    device.open()
    with pytest.raises(DeviceResetError):
        device.upload(second, progress=lambda done: line.reset() if done == 32 * at else None)
    device.open()
    assert not device.identity.upload.loaded
    with pytest.raises(NotLoadedError):
        device.step(x[0])
    device.upload(second)
    line.reset()
    device.open()
    assert device.identity.upload.loaded
    assert device.identity.model_hash == second.model_hash()
    np.testing.assert_array_equal(device.run(x), second.run_int(x[None]).z[0])


def test_a_write_that_comes_twice_is_made_once(line: Verilated) -> None:
    """A WRITE whose answer was lost must not undo what another has written since."""
    first, second = make_pair()
    device = Device(line, timeout=10.0)
    status = device.open()
    memory = device.identity.memory
    number, image = status.expected, memory.image(second)
    payloads = list(write_payloads(memory, image))
    spoilt = payloads[0][:4] + bytes(32)
    for k, payload in enumerate((spoilt, *payloads)):
        line.write(encode_request(number + k, Command.WRITE, number + k, payload))
    assert device.status().expected == (number + 1 + len(payloads)) & 0xFF
    line.write(encode_request(number, Command.WRITE, number, spoilt))
    assert device.counters().refused == 1
    device.open()
    assert ask(device, Command.APPLY, apply_payload(image, second.model_hash())) == b"\1"
    x = random_codes(first, 5, np.random.default_rng(4))
    np.testing.assert_array_equal(device.run(x), second.run_int(x[None]).z[0])


def test_payloads_of_another_length_are_rejected(line: Verilated) -> None:
    device = Device(line, timeout=10.0)
    number = device.open().expected
    good = next(write_payloads(device.identity.memory, bytes(device.identity.memory_bytes)))
    for k, (command, payload) in enumerate(
        (
            (Command.WRITE, good[:-1]),
            (Command.WRITE, good + b"\0"),
            (Command.WRITE, good * 2),
            (Command.WRITE, b""),
            (Command.APPLY, bytes(11)),
            (Command.APPLY, bytes(24)),
        )
    ):
        line.write(encode_request(number, command, number, payload))
        assert device.counters().rejected == k + 1, (command, len(payload))
    assert device.identify().upload.loaded
