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
    NotLoadedError,
    SessionTakenError,
    TransportError,
)
from autapse.link.faults import FAULTS, FaultyTransport
from autapse.loading import load
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.reference import pre_activation

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


def test_a_trace_over_a_bad_line_is_that_of_the_last_step(q: QuantizedNetwork) -> None:
    """Whatever is lost of a request or an answer: it is repeated, and changes nothing."""
    network = ModelNetwork(q)
    board = EmulatedDevice(network.identity(lanes=8, clock_hz=48_000_000, trace=True), network)
    line = FaultyTransport(EmulatedTransport(board), RATE, 5, faults=FAULTS[:7])
    x = inputs(q, 60)
    before = np.concatenate([q.h0[None], q.run_int(x[None]).h[0]])
    with Device(line, timeout=0.1) as device:
        for k, row in enumerate(x):
            device.step(row)
            for _ in range(2):
                trace = device.read_trace()
                np.testing.assert_array_equal(trace.sums, pre_activation(q, before[k : k + 1], row[None])[0])
                assert (trace.step == k % 128).all()
        assert device.status().steps == len(x)
        assert device.recoveries > 0


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


def other(q: QuantizedNetwork) -> QuantizedNetwork:
    """Another network for the same circuit: its sums fit, since the magnitudes are the same."""
    return replace(q, W=-q.W, b=-q.b, W_out=q.W_out[::-1].copy(), b_out=q.b_out[::-1].copy())


def uploadable(q: QuantizedNetwork, seed: int, rate: float = RATE) -> tuple[EmulatedDevice, FaultyTransport]:
    network = ModelNetwork(q)
    board = EmulatedDevice(network.identity(lanes=8, upload=True), network)
    return board, FaultyTransport(EmulatedTransport(board), rate, seed, faults=FAULTS[:6])


def test_after_an_upload_over_a_bad_line_every_output_is_the_new_models(q: QuantizedNetwork) -> None:
    x = inputs(q, 300)
    _, line = uploadable(q, 4)
    told: list[int] = []
    with Device(line, timeout=0.1) as device:
        for network in (q, other(q), q):
            device.upload(network, progress=told.append)
            assert device.identity.model_hash == network.model_hash()
            np.testing.assert_array_equal(device.read_state(), network.h0)
            np.testing.assert_array_equal(device.run(x), network.run_int(x[None]).z[0])
        assert device.status().steps == 900
        assert device.recoveries > 10
    assert told == [*range(32, device.identity.memory_bytes + 1, 32)] * 3
    with Device(faulty(q, 1, ("drop",), 0.0)) as device, pytest.raises(AutapseError, match="this device are fixed"):
        device.upload(q)


@pytest.mark.parametrize("at", [1, 40, 90])
def test_a_device_whose_upload_was_cut_short_makes_no_step(q: QuantizedNetwork, at: int) -> None:
    """Also after a reset, and for another host; until all weights are there."""
    x = inputs(q, 20)
    board, _ = uploadable(q, 1, 0.0)
    before = board.identity.model_hash

    def cut(done: int) -> None:
        if done == 32 * at:
            board.reset()

    with Device(EmulatedTransport(board), timeout=0.1) as device:
        device.run(x)
        with pytest.raises(DeviceResetError):
            device.upload(other(q), progress=cut)
    with Device(EmulatedTransport(board), timeout=0.1) as device:
        assert not device.identity.upload.loaded
        assert device.identity.model_hash == before
        for _ in range(2):
            with pytest.raises(NotLoadedError, match="the device makes no steps"):
                device.run(x)
            with pytest.raises(NotLoadedError):
                device.step(x[0])
        assert device.status().steps == 0
        np.testing.assert_array_equal(device.read_state(), q.h0)
        device.upload(other(q))
        np.testing.assert_array_equal(device.run(x), other(q).run_int(x[None]).z[0])


def test_weights_that_are_not_those_that_were_sent_do_not_take_effect(q: QuantizedNetwork) -> None:
    board, line = uploadable(q, 1, 0.0)

    def spoil(done: int) -> None:
        if done == device.identity.memory_bytes:
            board._image[77] ^= 4

    with Device(line, timeout=0.1) as device:
        with pytest.raises(AutapseError, match="the weights in the device are not those that were sent"):
            device.upload(other(q), progress=spoil)
        assert not device.identify().upload.loaded
        with pytest.raises(NotLoadedError):
            device.step(inputs(q, 1)[0])
        device.upload(q)
        assert device.identity.upload.loaded


def test_unknown_faults_are_named(q: QuantizedNetwork) -> None:
    with pytest.raises(ValueError, match="no fault 'fire'; there are drop, flip"):
        faulty(q, 1, ("fire",))
