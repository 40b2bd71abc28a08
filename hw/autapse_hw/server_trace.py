"""What a trace adds to the server."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream

from autapse_hw.server_logic import Additions
from autapse_hw.server_states import ServerStates


def add_trace(m: Module, states: ServerStates, recall: Signal, records: stream.Interface) -> Additions:
    """Ask for the records when their request is executed, and put each of their bytes into the answer.

    The outputs of a step are given after its records are written, so there is nothing to wait for.
    """
    at, go = states.at, states.go
    m.d.sync += recall.eq(go & at("SKIP") & states.is_trace)
    m.d.comb += [records.ready.eq(go & at("TRACE")), states.traced.eq(records.payload.last)]
    return Additions(
        waits=(at("TRACE") & ~records.valid,),
        bytes=((at("TRACE"), records.payload.data),),
    )
