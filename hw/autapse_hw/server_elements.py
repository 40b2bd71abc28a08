"""Counting the bytes of payloads: within a code, within the codes of a step, and steps."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import APPLY_BYTES, SESSION_BYTES, WRITE_BYTES, Identity, code_bytes
from autapse_hw.arithmetic import incremented
from autapse_hw.server_logic import choose, later


class ServerElements(wiring.Component):
    """Counts bytes in codes, and in groups; and groups. A group is all the inputs, or all the outputs, of a step.

    Members
    -------
    begin : In(1)
        All counts are 0.
    go, counts, moves, giving : In(1)
        At `go`, if `counts` is high, a byte of a request's payload has come in; if `moves` is, a byte goes to or comes
        from the core; if `giving` is, it comes from there. `giving` is high from two cycles before the `go` on.
    is_step, is_state, is_store : In(1)
        What a group is: of a step; all states; a session number; else a byte that should not be there.
    is_write, is_apply : In(1)
        With uploads: a WRITE; an APPLY.
    part : Out
        Which byte of a code.
    ends, whole : Out(1)
        It is the last byte of its code, of its group; two cycles after `part` has changed.
    fourth : Out(1)
        It is the fourth byte of its group; two cycles later, too. With uploads only.
    steps : Out(range(batch + 1))
        Groups that have come in and not been given.
    aligned, none, one, many : Out(1)
        No group is begun; there is none, one, or were more than a request may hold. A cycle later.
    """

    begin: Signal
    go: Signal
    counts: Signal
    moves: Signal
    giving: Signal
    is_step: Signal
    is_state: Signal
    is_store: Signal
    is_write: Signal
    is_apply: Signal
    part: Signal
    ends: Signal
    whole: Signal
    fourth: Signal
    steps: Signal
    aligned: Signal
    none: Signal
    one: Signal
    many: Signal

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        formats = (identity.input_format, identity.z_format, identity.state_format)
        self._sizes = [code_bytes(f.bits) for f in formats]
        inputs = ["begin", "go", "counts", "moves", "giving", "is_step", "is_state", "is_store"]
        outputs = ["ends", "whole", "aligned", "none", "one", "many"]
        if identity.upload is not None:
            inputs += ["is_write", "is_apply"]
            outputs += ["fourth"]
        super().__init__(
            {
                **{name: In(1) for name in inputs},
                "part": Out(range(max(2, *self._sizes))),
                "steps": Out(range(identity.batch + 1)),
                **{name: Out(1) for name in outputs},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        net = self.identity
        x_bytes, z_bytes, h_bytes = self._sizes
        groups = [net.step_input_bytes, net.step_output_bytes, net.state_bytes, SESSION_BYTES]
        taking, giving = self.is_step & ~self.giving, self.is_step & self.giving
        conditions: list[Value] = [taking, giving, self.is_state, self.is_store]
        if net.upload is not None:
            groups += [WRITE_BYTES, APPLY_BYTES]
            conditions += [self.is_write, self.is_apply]
        part = Signal.like(self.part, reset_less=True)
        position = Signal(range(max(groups)), reset_less=True)
        bound = Signal.like(position)
        steps = Signal.like(self.steps, reset_less=True)
        many = Signal(reset_less=True)

        m.d.sync += bound.eq(choose(*((c, size - 1) for c, size in zip(conditions, groups, strict=True))))
        lasts = ((taking, x_bytes), (giving, z_bytes), (self.is_state, h_bytes))
        full = later(m, steps == net.batch)
        m.d.comb += [
            self.whole.eq(later(m, position == bound)),
            self.ends.eq(later(m, choose(*((c, part == size - 1) for c, size in lasts)))),
            self.aligned.eq(later(m, position == 0)),
            self.none.eq(later(m, steps == 0)),
            self.one.eq(later(m, steps == 1)),
            self.part.eq(part),
            self.steps.eq(steps),
            self.many.eq(many),
        ]
        if net.upload is not None:
            m.d.comb += self.fourth.eq(later(m, position == 3))

        with m.If(self.go & (self.counts | self.moves)):
            m.d.sync += position.eq(Mux(self.whole, 0, position + 1))
        with m.If(self.go & self.moves):
            m.d.sync += part.eq(Mux(self.ends, 0, incremented(part)))
        counted = later(m, self.counts & self.whole)  # both are there two cycles before `go`
        with m.If(self.go & counted):
            m.d.sync += [steps.eq(incremented(steps)), many.eq(many | full)]
        with m.If(self.go & self.giving & self.whole):
            m.d.sync += steps.eq(~incremented(~steps))
        with m.If(self.begin):
            m.d.sync += [position.eq(0), steps.eq(0), many.eq(0), part.eq(0)]
        return m
