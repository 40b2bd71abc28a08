"""The states of the server: which one follows which."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from autapse.protocol import Identity, code_bytes


class ServerStates(wiring.Component):
    """One register for each state, so that nothing has to be decoded.

    ======================== ==============================================================================
    START                    an execution has ended, or the device begins
    RECEIVE                  a token of a request
    JUDGE                    was it good?
    ACCEPTED REJECTED STEPS  four times each: a byte of this counter, from the lowest on
    RECALL COMPARE           four times: a byte of the request, and the one that is remembered in its place
    DECIDE                   execute the request, or send the last answer again
    CLEAR CLEARING           the core loads its initial state
    X0 .. GIVE               the bytes of an input, and the input to the core
    SEQUENCE COMMAND         the header of the answer
    READ, Z0 .., H0 ..       a byte of memory; the bytes of an output; those of a state value
    CRC_LOW CRC_HIGH END     the rest of the answer
    SENDING                  the encoder has got all of it
    ======================== ==============================================================================

    Members
    -------
    go : In(1)
        The next state is taken.
    end, good, dropped, repeated : In(1)
        RECEIVE: it is the end token. JUDGE: the request is good. START: other frames came in during the execution.
        DECIDE: the request is the last one once more.
    counted, compared, done : In(1)
        This is the last byte of a counter, of what is remembered, or of the elements.
    is_step, is_reset, is_read_state, is_read : In(1)
        The command; the last one is any that reads the memory.

    Attributes
    ----------
    x, z, h : list[str]
        The states of the bytes of an input, an output and a state value.
    counts, puts : list[str]
        The states that count, and those that make a token of the answer.
    """

    go: Signal
    end: Signal
    good: Signal
    dropped: Signal
    repeated: Signal
    counted: Signal
    compared: Signal
    done: Signal
    is_step: Signal
    is_reset: Signal
    is_read_state: Signal
    is_read: Signal

    def __init__(self, identity: Identity) -> None:
        formats = {"X": identity.input_format, "Z": identity.z_format, "H": identity.state_format}
        self.x, self.z, self.h = ([f"{letter}{k}" for k in range(code_bytes(f.bits))] for letter, f in formats.items())
        self.counts = ["ACCEPTED", "REJECTED", "STEPS"]
        self.puts = ["SEQUENCE", "COMMAND", "READ", *self.z, *self.h, "CRC_LOW", "CRC_HIGH", "END"]
        names = ["START", "RECEIVE", "JUDGE", *self.counts, "RECALL", "COMPARE", "DECIDE"]
        names += ["CLEAR", "CLEARING", *self.x, "GIVE", *self.puts, "SENDING"]
        self._state = {name: Signal(init=name == "START", name=name.lower()) for name in names}
        conditions = ["go", "end", "good", "dropped", "repeated", "counted", "compared", "done"]
        conditions += ["is_step", "is_reset", "is_read_state", "is_read"]
        super().__init__({name: In(1) for name in conditions})

    def at(self, *names: str) -> Value:
        """The state is one of these."""
        return Cat(self._state[name] for name in names).any()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        at = self._state
        x_last, z_last, h_last = at[self.x[-1]], at[self.z[-1]], at[self.h[-1]]
        new = at["DECIDE"] & ~self.repeated
        follows = {
            "START": at["SENDING"],
            "RECEIVE": (at["START"] & ~self.dropped) | (at["RECEIVE"] & ~self.end) | (at["REJECTED"] & self.counted),
            "JUDGE": at["RECEIVE"] & self.end,
            "REJECTED": (at["START"] & self.dropped) | (at["JUDGE"] & ~self.good) | (at["REJECTED"] & ~self.counted),
            "ACCEPTED": (at["JUDGE"] & self.good) | (at["ACCEPTED"] & ~self.counted),
            "RECALL": (at["ACCEPTED"] & self.counted) | (at["COMPARE"] & ~self.compared),
            "COMPARE": at["RECALL"],
            "DECIDE": at["COMPARE"] & self.compared,
            "STEPS": (new & self.is_step) | (at["STEPS"] & ~self.counted),
            "SEQUENCE": (new & ~self.is_step) | (at["STEPS"] & self.counted),
            "COMMAND": at["SEQUENCE"],
            "CLEAR": at["COMMAND"] & self.is_reset,
            "CLEARING": at["CLEAR"],
            "X0": (at["COMMAND"] & self.is_step) | (at["GIVE"] & ~self.done),
            "GIVE": x_last,
            "Z0": (at["GIVE"] & self.done) | (z_last & ~self.done),
            "H0": (at["COMMAND"] & self.is_read_state) | (h_last & ~self.done),
            "READ": (at["COMMAND"] & self.is_read) | (at["READ"] & ~self.done),
            "CRC_LOW": at["CLEARING"] | ((at["READ"] | z_last | h_last) & self.done),
            "CRC_HIGH": at["CRC_LOW"],
            "END": at["CRC_HIGH"],
            "SENDING": (at["DECIDE"] & self.repeated) | at["END"],
        }
        for names in (self.x, self.z, self.h):
            follows |= {after: at[before] for before, after in pairwise(names)}
        with m.If(self.go):
            m.d.sync += [at[name].eq(before) for name, before in follows.items()]
        return m
