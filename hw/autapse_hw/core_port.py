"""The ports of the link towards the core."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import Identity
from autapse_hw.cells import CellInterface, cell_port
from autapse_hw.trace_memory import RECORD_BYTE


def core_members(identity: Identity) -> dict[str, wiring.Member]:
    """The ports towards the core, as :class:`CoreClient` documents them."""
    return {
        "x": Out(stream.Signature(signed(identity.input_format.bits))),
        "z": In(stream.Signature(signed(identity.z_format.bits))),
        "clear": Out(1),
        "given": Out(1),
        "initial": Out(stream.Signature(signed(identity.state_format.bits))),
        "dump": Out(1),
        "state": In(stream.Signature(signed(identity.state_format.bits))),
        "busy": In(1),
        "saturations": In(16),
        **({"cells": Out(cell_port(identity.memory))} if identity.memory is not None else {}),
        **({"recall": Out(1), "records": In(stream.Signature(RECORD_BYTE))} if identity.sum_bits else {}),
    }


class CoreClient(wiring.Component):
    """A component that drives a core.

    Members
    -------
    x : Out(stream.Signature(signed(input_bits)))
        The inputs of a step, element after element.
    z : In(stream.Signature(signed(z_bits)))
        The outputs of a step, element after element, after its inputs have been taken.
    clear, given : Out(1)
        `clear` is high for one cycle: the core drops everything and loads its state, h0 or, if `given` is high with it,
        what comes from `initial`. `busy` must be high from the next cycle on, until the core is ready.
    initial : Out(stream.Signature(signed(state_bits)))
        The state of all units, in order.
    dump : Out(1)
        High for one cycle, only while `busy` is low: the core gives its state.
    state : In(stream.Signature(signed(state_bits)))
        The state of all units, in order.
    busy : In(1)
        The core clears or computes; its state may change.
    saturations : In(16)
        Of what it computed, how much it has clipped; see :class:`~autapse_hw.trace.SaturationCounter`.
    cells : Out(cell_port)
        Its weights and biases, if they can be uploaded.
    recall : Out(1), records : In(stream.Signature(RECORD_BYTE))
        Its trace, if it has one; as `recall` and `o` of :class:`~autapse_hw.trace_memory.TraceMemory`.
    """

    identity: Identity
    x: stream.Interface
    z: stream.Interface
    clear: Signal
    given: Signal
    initial: stream.Interface
    dump: Signal
    state: stream.Interface
    busy: Signal
    saturations: Signal
    cells: CellInterface
    recall: Signal
    records: stream.Interface


def connect_core(m: Module, inner: CoreClient, outer: CoreClient) -> None:
    """Pass the ports towards the core from a part of a component to its own."""
    for name, member in core_members(inner.identity).items():
        ours, theirs = getattr(inner, name), getattr(outer, name)
        if member.is_signature:
            wiring.connect(m, ours, wiring.flipped(theirs))
        elif member.flow is Out:
            m.d.comb += theirs.eq(ours)
        else:
            m.d.comb += ours.eq(theirs)
