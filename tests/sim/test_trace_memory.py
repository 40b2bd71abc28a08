# amaranth: UnusedElaboratable=no
"""The trace of debug builds, at the pins of the Verilated design: what the host reads is what the model says."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import random_codes, random_network
from line_harness import BIT, Verilated, compile_line
from link_harness import codes

from autapse.link import Device, EmulatedDevice, ModelNetwork
from autapse.network import Network
from autapse.protocol import Command, encode_request, pack_ints
from autapse.quantize import quantize
from autapse.quantized import QuantizedNetwork
from autapse.reference import pre_activation, saturated, step
from autapse_hw.system import System
from autapse_hw.tiling import Tiling

pytestmark = pytest.mark.slow
STEPS = 40


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
def test_the_host_reads_what_the_model_says(tmp_path: Path, case: str) -> None:
    """Of every unit in every step: its number, the pre-activation, and whether that saturated."""
    q, tiling = CASES[case]
    turns = Tiling.of(tiling).sequences
    state, flags = np.tile(q.h0, (turns, 1)), []
    line = Verilated(compile_line(tmp_path, System(q, tiling, 12e6, BIT, trace=True)))
    with Device(line, timeout=10.0) as device:
        assert device.identity.sum_bits == q.formats.acc_bits
        for k, x in enumerate(codes(np.random.default_rng(1), device.identity, STEPS).reshape(STEPS, turns, -1)):
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


def test_the_emulated_device_answers_the_same_bytes(tmp_path: Path) -> None:
    """Before the first step, after steps, when the state was set or reset, and without a session."""
    q = make_network(3)
    system = System(q, "2x2/2", 12e6, BIT, trace=True)
    line = Verilated(compile_line(tmp_path, system))
    emulated = EmulatedDevice(system.identity, ModelNetwork(q))
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
    with closing(line):
        for command, payload in requests:
            frame = encode_request(expected if command.in_sequence else 99, command, expected, payload)
            line.write(frame)
            got = bytearray()
            while not got.endswith(b"\0"):
                got += line.read(1.0)
            assert got == emulated.feed(frame), command
            expected += command.kept
            answers.append(bytes(got))
    traces = {answer for (c, _), answer in zip(requests, answers, strict=True) if c == Command.READ_TRACE}
    assert len(traces) == 1 + 3 + 1  # zeros, those of two frames, and of the state that was set; a refusal
