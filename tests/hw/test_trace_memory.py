# amaranth: UnusedElaboratable=no
"""The trace of debug builds: what the host reads is what the model says, and what the emulated device answers."""

from typing import Any

import numpy as np
import pytest
from harness import random_codes, random_network
from link_harness import SHAPES, Model, Simulated, Wires, codes

from autapse.link import Device, EmulatedDevice, ModelNetwork
from autapse.network import Network
from autapse.protocol import ANSWER, REFUSAL, Command, Identity, encode_request, pack_ints
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.reference import pre_activation, saturated, step
from autapse_hw.system import System, identity_of
from autapse_hw.tiling import Tiling

DIVISOR = 4


def make_network(units: int = 5, **kind: Any) -> QuantizedNetwork:
    net = random_network(np.random.default_rng(units), units, 2, 2, h0=True, **kind)
    return quantize(net, weight_bits=6, state_bits=6, input_bits=6)


def stack() -> QuantizedNetwork:
    net = make_network().network
    parts = {name: getattr(net, name) for name in ("W", "W_in", "b", "W_out", "b_out", "h0")}
    return quantize(Network(**parts, layers=(3, 2)), weight_bits=6, state_bits=6, input_bits=6)


CASES = {
    "two-drains": (make_network(leaky=True), "2x2/2"),
    "three-states-in-turn": (make_network(3), "4x2/2*3"),
    "more-drains-than-units": (make_network(2), "4x3/3"),
    "current-form": (make_network(leaky=True, form="current"), "2"),
    "stack": (stack(), "2"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_host_reads_what_the_model_says(case: str) -> None:
    """Of every unit in every step: its number, the pre-activation, and whether that saturated."""
    q, tiling = CASES[case]
    turns = Tiling.of(tiling).sequences
    state, flags = np.tile(q.h0, (turns, 1)), []
    with Device(Wires(System(q, tiling, 12e6, DIVISOR, trace=True), DIVISOR), timeout=60.0) as device:
        assert device.identity.sum_bits == q.formats.acc_bits
        for k, x in enumerate(codes(np.random.default_rng(1), device.identity, 3).reshape(3, turns, -1)):
            device.step(x.ravel())
            trace = device.read_trace()
            sums = pre_activation(q, state, x)
            assert (trace.step.reshape(turns, -1) == turns * k + np.arange(turns)[:, None]).all()
            assert (trace.sums.reshape(turns, -1) == sums).all()
            assert (trace.saturated.reshape(turns, -1) == saturated(q, sums)).all()
            assert trace.sums.shape == device.read_state().shape
            state = step(q, state, x)[0]
            flags.append(saturated(q, sums))
        assert device.recoveries == 0
    assert q.form == "current" or 0 < np.mean(flags) < 1  # both happen


def test_the_emulated_device_answers_the_same_bytes() -> None:
    """Before the first step, after steps, when the state was set or reset, and without a session."""
    q = make_network(3)
    system = System(q, "2x2/2", 12e6, DIVISOR, trace=True)
    wires, network = Wires(system, DIVISOR), ModelNetwork(q)
    emulated = EmulatedDevice(system.identity, network)
    x, bits = random_codes(q, 3, np.random.default_rng(2)), q.formats.x.bits
    trace = (Command.READ_TRACE, b"")
    state = pack_ints(-q.h0, q.formats.state.bits)
    requests: list[tuple[Command, bytes]] = [(Command.IDENTIFY, b""), trace, (Command.OPEN, b"host")]
    for before in ((Command.RESET, b""), (Command.SET_STATE, state)):
        for rows in (x[:1], x[1:3]):
            requests += [(Command.STEP, pack_ints(rows.ravel(), bits)), trace]
        requests += [before, trace]
    requests += [(Command.STEP, pack_ints(x[0], bits)), trace]  # from the state that was set
    requests += [(Command.READ_TRACE, b"\0"), (Command.ABORT, bytes(4)), trace]
    expected, answers = 0, []
    for command, payload in requests:
        frame = encode_request(expected if command.in_sequence else 99, command, expected, payload)
        wires.write(frame)
        got = bytearray()
        while not got.endswith(b"\0"):
            got += wires.read(1.0)
        assert got == emulated.feed(frame), command
        expected += command.kept
        answers.append(bytes(got))
    traces = {answer for (c, _), answer in zip(requests, answers, strict=True) if c == Command.READ_TRACE}
    assert len(traces) == 1 + 3 + 1  # zeros, those of two frames, and of the state that was set; a refusal


@pytest.mark.parametrize("name", ["traced", "two traced sequences"])
def test_a_request_among_others(name: str) -> None:
    """It is answered whole, however slow the core is; in any session or none, without a number of its own."""
    net = SHAPES[name]
    line, model = Simulated(net, stalls=True), Model(net)
    x = codes(np.random.default_rng(3), net, 3)
    (before,) = line.ask(encode_request(7, Command.READ_TRACE, 0))
    assert (before.sequence, before.command, before.payload) == (7, Command.READ_TRACE | ANSWER, model.trace())
    line.open()
    for k, row in enumerate(x):
        request = encode_request(k, Command.STEP, k, pack_ints(row, net.input_format.bits))
        answer, trace = line.ask(request + encode_request(0xAA, Command.READ_TRACE, k))
        model.step(row)
        assert (answer.command, trace.payload) == (Command.STEP | ANSWER, model.trace())
    assert line.status().expected == len(x)
    (refusal,) = line.ask(encode_request(1, Command.READ_TRACE, 0, b"\0"))
    assert refusal.command == REFUSAL
    assert line.counters().rejected == 1


def test_without_a_trace_it_is_an_unknown_command() -> None:
    line = Simulated()
    (refusal,) = line.ask(encode_request(1, Command.READ_TRACE, 0))
    assert refusal.command == REFUSAL
    assert line.counters().rejected == 1


def test_an_identity_with_a_trace_has_room_for_it() -> None:
    net = SHAPES["traced"]
    large = Identity(net.model_hash, 300, *(2, 2), *[net.state_format] * 3, 8, 0, sum_bits=20)
    assert large.trace_bytes == 300 * 4
    assert large.longest_answer == 1204
    assert large.room == 2048


def test_a_trace_that_is_too_long_for_the_link_is_refused() -> None:
    units = 2100
    net = Network(W=np.zeros((units, units)), W_in=np.ones((units, 1)), W_out=np.ones((1, units)))
    q = quantize(net, weight_bits=8, state_bits=8)
    size = units * (1 + -(-q.formats.acc_bits // 8))
    with pytest.raises(ValueError, match=f"a trace of {units} states has {size} bytes, and the link has room for 8192"):
        identity_of(q, 1, 12e6, trace=True)
