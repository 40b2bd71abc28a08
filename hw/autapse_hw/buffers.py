"""Registers in streams: they cut long logic paths, and lose, double and reorder nothing."""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StreamRegister(wiring.Component):
    """One register in a stream, so that no logic path leads through it in either direction; every other cycle at best.

    Members
    -------
    i, o : In, Out stream of `shape`
        What comes in goes out.
    clear : In(1)
        Drop what is held.
    """

    i: stream.Interface
    o: stream.Interface
    clear: Signal

    def __init__(self, shape: Shape) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "clear": In(1)})

    def elaborate(self, platform: object) -> Module:
        # Full or empty; it fills only when empty.
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid)
        with m.If(~self.o.valid):
            m.d.sync += self.o.payload.eq(self.i.payload)
        m.d.sync += self.o.valid.eq(Mux(self.o.valid, ~self.o.ready, self.i.valid) & ~self.clear)
        return m


class SkidBuffer(wiring.Component):
    """Two registers in a stream: `ready` and `valid` both come from registers, and one value passes a cycle.

    Members
    -------
    i, o : In, Out stream of `shape`
        What comes in goes out, a cycle later at the earliest.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, shape: Shape) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        # A value goes into the front register if that is free or leaves now, else into the spare one behind it. Ready
        # is the state of the spare.
        m = Module()
        spare = Signal.like(self.o.payload, reset_less=True)
        full = Signal()
        m.d.comb += self.i.ready.eq(~full)
        with m.If(~self.o.valid | self.o.ready):
            with m.If(full):
                m.d.sync += [self.o.payload.eq(spare), full.eq(0)]
            with m.Else():
                m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
        with m.Elif(self.i.valid & self.i.ready):
            m.d.sync += [spare.eq(self.i.payload), full.eq(1)]
        return m
