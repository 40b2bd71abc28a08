"""The client against a device behind a line that fails: every output is the model's, and no step is lost or doubled."""

from dataclasses import replace

import numpy as np
import pytest

from autapse.errors import AutapseError
from autapse.gallery import path
from autapse.link import (
    Device,
    DeviceResetError,
    EmulatedDevice,
    EmulatedTransport,
    ModelNetwork,
    NoAnswerError,
    SessionTakenError,
    TransportError,
)
from autapse.link.faults import FAULTS, FaultyTransport
from autapse.loading import load
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork

RATE = 1 / 200


@pytest.fixture(scope="module")
def q() -> QuantizedNetwork:
    """The trained network that keeps three bits: whatever is lost stays visible."""
    return quantize(load(path("flipflop_3bit")), weight_bits=8, state_bits=8, input_range=1.5)


def inputs(q: QuantizedNetwork, steps: int) -> np.ndarray:
    rng = np.random.default_rng(steps)
    top = q.formats.x.max_code
    return rng.integers(-top, top, size=(steps, q.inputs), endpoint=True) * (rng.random((steps, q.inputs)) < 0.05)


def faulty(q: QuantizedNetwork, seed: int, faults: tuple[str, ...], rate: float = RATE) -> FaultyTransport:
    network = ModelNetwork(q)
    device = EmulatedDevice(network.identity(lanes=8, clock_hz=48_000_000), network)
    return FaultyTransport(EmulatedTransport(device), rate, seed, faults=faults, reset=device.reset)


def survive(q: QuantizedNetwork, steps: int, seed: int, faults: tuple[str, ...] = FAULTS) -> FaultyTransport:
    x = inputs(q, steps)
    expected = q.run_int(x[None], record=False).z[0]
    line = faulty(q, seed, faults)
    checkpoint = 200 if "reset" in faults else None
    with Device(line, timeout=1.0) as device:
        got = device.run(x, checkpoint=checkpoint)
        np.testing.assert_array_equal(got, expected)
        if checkpoint is None:
            assert device.status().steps == steps
        assert device.recoveries > 0
    return line


@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "reset"])
def test_each_fault_alone(q: QuantizedNetwork, fault: str) -> None:
    survive(q, 500, 1, (fault,))


def test_all_faults_together(q: QuantizedNetwork) -> None:
    line = survive(q, 5_000, 2)
    assert set(line.happened) == set(FAULTS)


@pytest.mark.slow
def test_all_faults_together_for_100_000_steps(q: QuantizedNetwork) -> None:
    line = survive(q, 100_000, 3)
    assert min(line.happened[fault] for fault in FAULTS) > 10
    assert line.happened.total() / line.bytes == pytest.approx(RATE, rel=0.1)


def test_a_reset_is_never_passed_over(q: QuantizedNetwork) -> None:
    """Without a checkpoint it is an error, whatever was under way; the next session starts from h0."""
    x = inputs(q, 300)
    expected = q.run_int(x[None]).z[0]
    for seed in range(20):
        network = ModelNetwork(q)
        board = EmulatedDevice(network.identity(), network)
        with Device(EmulatedTransport(board), timeout=0.1) as device:
            rows = device.stream(x)
            got = [next(rows) for _ in range(1 + 10 * seed)]
            board.reset()
            with pytest.raises(DeviceResetError, match="the device was reset"):
                got.extend(rows)
            np.testing.assert_array_equal(got, expected[: len(got)])
            with pytest.raises(DeviceResetError):
                device.read_state()
            assert device.open().steps == 0
            np.testing.assert_array_equal(device.run(x), expected)


@pytest.mark.parametrize("left", [0, 1, 57, 250])
def test_a_host_that_comes_back_learns_how_far_the_device_got(q: QuantizedNetwork, left: int) -> None:
    x = inputs(q, 300)
    expected = q.run_int(x[None])
    network = ModelNetwork(q)
    board = EmulatedDevice(network.identity(), network)
    first = Device(EmulatedTransport(board), timeout=0.1)
    first.open()
    for _ in zip(range(left), first.stream(x), strict=False):
        pass  # and then it is gone, with frames under way
    with Device(EmulatedTransport(board), timeout=0.1) as device:
        steps = device.status().steps
        assert left <= steps <= left + (device.identity.window + 1) * device.identity.batch
        state = expected.h[0, steps - 1] if steps else q.h0
        np.testing.assert_array_equal(device.read_state(), state)
        np.testing.assert_array_equal(device.run(x[steps:]), expected.z[0, steps:])
    with pytest.raises(SessionTakenError, match="another program"):
        first.read_state()


def test_a_line_that_stays_dead_is_an_error(q: QuantizedNetwork) -> None:
    line = faulty(q, 1, ("drop",), rate=0.0)
    with Device(line, timeout=0.05, retries=2, reconnect=0.1) as device:
        line._rate = 1.0
        with pytest.raises(NoAnswerError, match=r"no answer to STEP after 3 attempts of 0.05 s"):
            device.step(np.zeros(q.inputs, int))
        line._rate = 0.0
        device.open()
        line._faults, line._weights, line._rate = ("disconnect",), [1.0], 1.0
        with pytest.raises(TransportError, match="unplugged"):
            device.run(inputs(q, 100))


def test_upload_takes_effect_only_when_all_of_it_has_arrived(q: QuantizedNetwork) -> None:
    network = ModelNetwork(q)
    identity = replace(network.identity(), memory_bytes=3000, features=3)
    image = np.random.default_rng(1).bytes(3000)
    board = EmulatedDevice(identity, network)
    line = FaultyTransport(EmulatedTransport(board), RATE, 4, faults=FAULTS[:6])
    with Device(line, timeout=0.1) as device:
        device.upload(image)
        assert board.weights == image
        with pytest.raises(ValueError, match="3000 bytes, not 10"):
            device.upload(image[:10])
        board._shadow[7] ^= 1
        device._session.send(0x0D, b"\0\0\0\0")  # type: ignore[arg-type]
        assert device._session.receive() == b"\0"
        assert board.weights == image
    with Device(faulty(q, 1, ("drop",), 0.0)) as device, pytest.raises(AutapseError, match="cannot be uploaded"):
        device.upload(image)


def test_unknown_faults_are_named(q: QuantizedNetwork) -> None:
    with pytest.raises(ValueError, match="no fault 'fire'; there are drop, flip"):
        faulty(q, 1, ("fire",))
