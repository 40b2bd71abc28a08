"""The trace's request on the link, among others; and what of a trace is refused."""

import numpy as np
import pytest
from link_harness import SHAPES, Model, Simulated, codes

from autapse.network import Network
from autapse.protocol import ANSWER, REFUSAL, Command, Identity, encode_request, pack_ints
from autapse.quantize import quantize
from autapse_hw.system import identity_of


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
