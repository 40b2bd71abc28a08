"""The states of the server: which one follows which."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

#: A frame comes in, to be checked: its header, two more bytes, and then one for each of the payload.
CHECKED = ("SEQUENCE", "COMMAND", "WANTED", "FIRST", "SECOND", "COUNT")
#: The frame comes once more, to be executed.
TAKEN = ("ECHO", "CODE", "SKIP", "STORE", "INPUT", "REST")
#: A byte of the answer is put.
PUT = ("ECHO", "CODE", "OUTPUT", "READ", "EXPECTED", "SATURATED", "SATURATED_HIGH", "CRC_LOW", "CRC_HIGH", "END")


class ServerStates(wiring.Component):
    """One register for each state, so that nothing has to be decoded.

    =================================== ===================================================================
    ZERO                                after a reset: a byte of the counters
    START                               a frame has been dealt with
    BUMP                                four times: a byte of a counter of something that has happened
    SEQUENCE COMMAND WANTED             a request comes in: its header,
    FIRST SECOND COUNT                  and the rest, two bytes of which are the CRC
    JUDGE                               shall it be executed, refused or dropped?
    STEPS                               four times: a byte of the counter of steps
    ECHO CODE SKIP                      the header, once more, into the answer
    STORE                               four times: a byte of the session
    CLEAR DUMP                          the core is told to load its state, or to give it
    INPUT OUTPUT                        a byte to or from the core
    SETTLE                              until the core is ready
    READ EXPECTED SATURATED ..          a byte of memory, the sequence number, the core's counter
    REST                                what is left of the request
    CRC_LOW CRC_HIGH END                what is left of the answer
    =================================== ===================================================================

    Members
    -------
    go : In(1)
        The next state is taken.
    end : In(1)
        It is the end token.
    happened : In(1)
        START: something is to be counted.
    admitted, refuse, refusing : In(1)
        JUDGE: the request is executed; it is not, and the host is told. The latter is what is under way.
    counted, stored, whole, last : In(1)
        This is the last byte of a counter, of a stretch of memory, of a group of elements; OUTPUT: of all groups.
    is_step, is_clear, is_set, is_dump, is_store, is_counters, is_identify : In(1)
        The command: a step; one that clears, and that sets the state; one that reads it; one that stores a session.
    """

    go: Signal
    end: Signal
    happened: Signal
    admitted: Signal
    refuse: Signal
    refusing: Signal
    counted: Signal
    stored: Signal
    whole: Signal
    last: Signal
    is_step: Signal
    is_clear: Signal
    is_set: Signal
    is_dump: Signal
    is_store: Signal
    is_counters: Signal
    is_identify: Signal

    def __init__(self) -> None:
        names = ["ZERO", "START", "BUMP", *CHECKED, "JUDGE", "STEPS", *TAKEN, "CLEAR", "DUMP", "SETTLE", *PUT]
        self._state = {name: Signal(init=name == "ZERO", name=name.lower()) for name in dict.fromkeys(names)}
        conditions = ["go", "end", "happened", "admitted", "refuse", "refusing", "counted", "stored", "whole", "last"]
        conditions += ["is_step", "is_clear", "is_set", "is_dump", "is_store", "is_counters", "is_identify"]
        super().__init__({name: In(1) for name in conditions})

    def at(self, *names: str) -> Value:
        """The state is one of these."""
        return Cat(self._state[name] for name in names).any()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        at = self._state
        skipped = at["SKIP"] | (at["CODE"] & self.refusing)
        status = ~(self.is_step | self.is_clear | self.is_dump | self.is_store)  # or another answer from the memory
        read = at["READ"] & self.stored
        follows = {
            "ZERO": at["ZERO"] & ~self.stored,
            "START": (at["ZERO"] & self.stored)
            | at["END"]
            | (at["BUMP"] & self.counted)
            | (at["JUDGE"] & ~self.admitted & ~self.refuse),
            "BUMP": (at["START"] & self.happened) | (at["BUMP"] & ~self.counted),
            "SEQUENCE": at["START"] & ~self.happened,
            "COMMAND": at["SEQUENCE"] & ~self.end,
            "WANTED": at["COMMAND"] & ~self.end,
            "FIRST": at["WANTED"] & ~self.end,
            "SECOND": at["FIRST"] & ~self.end,
            "COUNT": (at["SECOND"] | at["COUNT"]) & ~self.end,
            "JUDGE": self.at(*CHECKED) & self.end,
            "STEPS": (at["JUDGE"] & self.admitted & self.is_step) | (at["STEPS"] & ~self.counted),
            "ECHO": (at["JUDGE"] & ((self.admitted & ~self.is_step) | self.refuse)) | (at["STEPS"] & self.counted),
            "CODE": at["ECHO"],
            "SKIP": at["CODE"] & ~self.refusing,
            "STORE": (at["SKIP"] & self.is_store) | (at["STORE"] & ~self.stored),
            "CLEAR": at["SKIP"] & self.is_clear,
            "DUMP": at["SKIP"] & self.is_dump,
            "INPUT": (at["SKIP"] & self.is_step)
            | (at["CLEAR"] & self.is_set)
            | (at["INPUT"] & ~self.whole)
            | (at["OUTPUT"] & self.whole & ~self.last),
            "OUTPUT": (at["INPUT"] & self.whole & self.is_step) | at["DUMP"] | (at["OUTPUT"] & ~self.whole),
            "SETTLE": (at["CLEAR"] & ~self.is_set) | (at["INPUT"] & self.whole & self.is_set),
            "READ": (skipped & status) | (at["STORE"] & self.stored) | (at["READ"] & ~self.stored),
            "EXPECTED": read & ~self.is_identify & ~self.is_counters,
            "SATURATED": read & self.is_counters,
            "SATURATED_HIGH": at["SATURATED"],
            "REST": (read & self.is_identify)
            | at["EXPECTED"]
            | at["SATURATED_HIGH"]
            | at["SETTLE"]
            | (at["OUTPUT"] & self.whole & self.last)
            | (at["REST"] & ~(self.end | self.refusing)),
            "CRC_LOW": at["REST"] & (self.end | self.refusing),
            "CRC_HIGH": at["CRC_LOW"],
            "END": at["CRC_HIGH"],
        }
        with m.If(self.go):
            m.d.sync += [at[name].eq(before) for name, before in follows.items()]
        return m
