"""Which requests are executed: sequence numbers, sessions, and what the host is told."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from autapse_hw.arithmetic import incremented
from autapse_hw.server_logic import later


class ServerVerdict(wiring.Component):
    """Judges requests, and remembers what follows from it.

    Parameters
    ----------
    slots : int
        One more than the window; a power of two.

    Members
    -------
    go, numbered, acknowledging, judging, ended : In(1)
        At `go`, `byte` is a sequence number, or that of the next answer that is wanted; the request is judged; its
        answer is complete. High from a cycle before the `go` on.
    byte : In(8)
        Of the request.
    sound : In(1)
        The request is well formed; three cycles before it is judged.
    in_sequence, kept, is_sync, is_open, is_store : In(1)
        The command: executed in sequence; once, and the answer is kept; sync; open; open or abort.
    admitted, refuse : Out(1)
        While `judging`: the request is executed; it is not, and the host is told.
    refusing : Out(1)
        Two cycles after the judgement and until the next, where acceptance ends it at once: the host is told.
    accepted, turned_down : Out(1)
        High in the cycle after the judgement: it was executed; it was not.
    expected : Out(8)
        The sequence number that is next.
    wanted : Out(range(slots))
        Slot of the first kept answer that the host wants.
    replay : Out(1)
        High for one cycle, when `wanted` is new: kept answers are sent again from there on.
    """

    go: Signal
    numbered: Signal
    acknowledging: Signal
    judging: Signal
    ended: Signal
    byte: Signal
    sound: Signal
    in_sequence: Signal
    kept: Signal
    is_sync: Signal
    is_open: Signal
    is_store: Signal
    admitted: Signal
    refuse: Signal
    refusing: Signal
    accepted: Signal
    turned_down: Signal
    expected: Signal
    wanted: Signal
    replay: Signal

    def __init__(self, slots: int) -> None:
        inputs = ("go", "numbered", "acknowledging", "judging", "ended", "sound")
        commands = ("in_sequence", "kept", "is_sync", "is_open", "is_store")
        outputs = ("admitted", "refuse", "refusing", "accepted", "turned_down", "replay")
        super().__init__(
            {
                **{name: In(1) for name in (*inputs, *commands)},
                "byte": In(8),
                **{name: Out(1) for name in outputs},
                "expected": Out(8),
                "wanted": Out(range(slots)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """All that follows from a judgement, follows a cycle or two later: the next state takes four."""
        m = Module()
        matches = Signal(reset_less=True)
        wanted = Signal.like(self.wanted, reset_less=True, name="asked")
        opened = Signal()
        told = Signal()
        refusing = Signal(reset_less=True)

        agrees = later(m, self.byte == self.expected)
        with m.If(self.go & self.numbered):
            m.d.sync += matches.eq(agrees)
        with m.If(self.go & self.acknowledging):
            m.d.sync += wanted.eq(self.byte[: len(wanted)])
        room = later(m, incremented(self.expected[: len(wanted)]) != wanted)
        welcome = later(m, ~self.in_sequence | (opened & matches & room))
        m.d.comb += self.admitted.eq(later(m, self.sound & welcome))
        m.d.comb += self.refuse.eq(later(m, ~self.admitted & ~told))

        judged = self.go & self.judging
        tells = later(m, self.refuse)
        heeds, recalls = later(m, self.in_sequence | self.is_sync | self.is_store), self.is_sync | self.is_store
        heeding = later(m, self.accepted & heeds)
        m.d.comb += [
            self.accepted.eq(later(m, judged & self.admitted)),
            self.turned_down.eq(later(m, judged & ~self.admitted)),
            self.replay.eq(later(m, later(m, self.accepted & later(m, recalls)))),
        ]
        m.d.sync += [
            refusing.eq((self.turned_down & tells) | (refusing & ~self.accepted & ~self.turned_down)),
            told.eq(self.turned_down | (told & ~heeding)),
            opened.eq(Mux(self.accepted & self.is_store, self.is_open, opened)),
        ]
        with m.If(heeding):
            m.d.sync += self.wanted.eq(Mux(self.is_store, self.expected, wanted))
        with m.If(self.go & self.ended & self.kept):
            m.d.sync += self.expected.eq(self.expected + 1)
        # Of a request that is executed the first byte is waited for at once, so `refusing` must not last a cycle more.
        m.d.comb += self.refusing.eq(refusing & ~self.accepted)
        return m


class ServerEvents(wiring.Component):
    """What has happened and has not been counted yet; one is dealt with at a time, the lowest first.

    Members
    -------
    news : In(count)
        Each high for one cycle when it happens.
    done : In(1)
        High for one cycle: what was chosen has been dealt with.
    chosen : Out(count)
        At most one of them; stays for a cycle after it was dealt with.
    any : Out(1)
        One was chosen in the cycle before.
    """

    news: Signal
    done: Signal
    chosen: Signal
    any: Signal

    def __init__(self, count: int) -> None:
        super().__init__({"news": In(count), "done": In(1), "chosen": Out(count), "any": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        events = Signal.like(self.news)
        dealt, any_dealt = later(m, self.chosen), later(m, self.chosen.any())
        m.d.comb += self.chosen.eq(later(m, Cat(events[k] & ~events[:k].any() for k in range(len(events)))))
        m.d.sync += events.eq((events & ~Mux(self.done, dealt, 0)) | self.news)
        m.d.comb += self.any.eq(any_dealt)
        return m
