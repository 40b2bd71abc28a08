"""The states of the server: which one follows which."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from autapse_hw.server_logic import later

#: A frame comes in, to be checked: its header, two more bytes, and then one for each of the payload.
CHECKED = ("SEQUENCE", "COMMAND", "WANTED", "FIRST", "SECOND", "COUNT")
#: The frame comes once more, to be executed.
TAKEN = ("ECHO", "CODE", "SKIP", "STORE", "INPUT", "REST")
#: A byte of the answer is put.
PUT = ("ECHO", "CODE", "OUTPUT", "READ", "EXPECTED", "SATURATED", "SATURATED_HIGH", "CRC_LOW", "CRC_HIGH", "END")
#: All of them.
STATES = tuple(
    dict.fromkeys(("ZERO", "START", "BUMP", *CHECKED, "JUDGE", "STEPS", *TAKEN, "CLEAR", "DUMP", "SETTLE", *PUT))
)
#: The same of the states that only a device has whose weights can be uploaded.
UPLOAD_TAKEN, UPLOAD_PUT = ("UPLOAD", "HASH"), ("APPLIED", "LOADED")
#: The same of the state that only a device with a trace has.
TRACE_PUT = ("TRACE",)


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
    UPLOAD HASH                         a byte for the uploader; eight times: a byte of the model hash
    APPLIED LOADED                      whether the upload was right; whether the memory holds a network
    TRACE                               a byte of the trace
    =================================== ===================================================================

    Parameters
    ----------
    uploads, traces : bool
        Whether it has those from UPLOAD to LOADED; whether it has TRACE.

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
    is_write, is_apply, is_mute, uploaded, match : In(1)
        With uploads. The command: WRITE; APPLY; a step that is not made. The last byte for the uploader; the memory is
        what it should be.
    is_trace, traced : In(1)
        With a trace. The command: READ_TRACE. This is the last of its bytes.

    Attributes
    ----------
    taken, put : tuple[str, ...]
        States in which a byte of the request is taken, a byte of the answer put.
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
    is_write: Signal
    is_apply: Signal
    is_mute: Signal
    uploaded: Signal
    match: Signal
    is_trace: Signal
    traced: Signal

    def __init__(self, *, uploads: bool = False, traces: bool = False) -> None:
        self._uploads, self._traces = uploads, traces
        self.taken = (*TAKEN, *UPLOAD_TAKEN) if uploads else TAKEN
        self.put = (*PUT, *(UPLOAD_PUT if uploads else ()), *(TRACE_PUT if traces else ()))
        names = dict.fromkeys((*STATES, *self.taken, *self.put))
        self._state = {name: Signal(init=name == "ZERO", name=name.lower()) for name in names}
        conditions = ["go", "end", "happened", "admitted", "refuse", "refusing", "counted", "stored", "whole", "last"]
        conditions += ["is_step", "is_clear", "is_set", "is_dump", "is_store", "is_counters", "is_identify"]
        conditions += ["is_write", "is_apply", "is_mute", "uploaded", "match"] if uploads else []
        conditions += ["is_trace", "traced"] if traces else []
        super().__init__({name: In(1) for name in conditions})

    def at(self, *names: str) -> Value:
        """The state is one of these; those of uploads and of a trace are passed over where there are none."""
        absent = {*UPLOAD_TAKEN, *UPLOAD_PUT, *TRACE_PUT} - self._state.keys()
        return Cat(self._state[name] for name in names if name not in absent).any()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        at = self._state
        skipped = at["SKIP"] | (at["CODE"] & self.refusing)
        is_step = self.is_step & ~self.is_mute if self._uploads else self.is_step
        status = ~(self.is_step | self.is_clear | self.is_dump | self.is_store)  # or another answer from the memory
        read = at["READ"] & self.stored
        leaves = later(m, self.end | self.refusing)
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
            "STEPS": (at["JUDGE"] & self.admitted & is_step) | (at["STEPS"] & ~self.counted),
            "ECHO": (at["JUDGE"] & ((self.admitted & ~is_step) | self.refuse)) | (at["STEPS"] & self.counted),
            "CODE": at["ECHO"],
            "SKIP": at["CODE"] & ~self.refusing,
            "STORE": (at["SKIP"] & self.is_store) | (at["STORE"] & ~self.stored),
            "CLEAR": at["SKIP"] & self.is_clear,
            "DUMP": at["SKIP"] & self.is_dump,
            "INPUT": (at["SKIP"] & is_step)
            | (at["CLEAR"] & self.is_set)
            | (at["INPUT"] & ~self.whole)
            | (at["OUTPUT"] & self.whole & ~self.last),
            "OUTPUT": (at["INPUT"] & self.whole & is_step) | at["DUMP"] | (at["OUTPUT"] & ~self.whole),
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
            | (at["REST"] & ~leaves),
            "CRC_LOW": at["REST"] & leaves,
            "CRC_HIGH": at["CRC_LOW"],
            "END": at["CRC_HIGH"],
        }
        if self._uploads:
            follows |= self._with_uploads(follows)
        if self._traces:
            follows |= self._with_trace(follows)
        with m.If(self.go):
            m.d.sync += [at[name].eq(before) for name, before in follows.items()]
        return m

    def _with_uploads(self, follows: dict[str, Value]) -> dict[str, Value]:
        """What follows differently, and the further states: an APPLY that was right goes on like a RESET."""
        at = self._state
        ends = at["UPLOAD"] & self.uploaded
        hashed = at["HASH"] & self.stored
        silent = at["SKIP"] & (self.is_write | self.is_apply | self.is_mute)
        named = at["READ"] & self.stored & self.is_identify
        return {
            "READ": follows["READ"] & ~silent,
            "UPLOAD": (at["SKIP"] & (self.is_write | self.is_apply)) | (at["UPLOAD"] & ~self.uploaded),
            "HASH": (ends & self.is_apply) | (at["HASH"] & ~self.stored),
            "CLEAR": follows["CLEAR"] | (hashed & self.match),
            "APPLIED": (hashed & ~self.match) | (at["SETTLE"] & self.is_apply),
            "LOADED": named,
            "REST": (follows["REST"] & ~named & ~(at["SETTLE"] & self.is_apply))
            | (ends & self.is_write)
            | (at["SKIP"] & self.is_mute)
            | at["APPLIED"]
            | at["LOADED"],
        }

    def _with_trace(self, follows: dict[str, Value]) -> dict[str, Value]:
        """What follows differently, and the further state."""
        at = self._state
        begins = at["SKIP"] & self.is_trace
        return {
            "READ": follows["READ"] & ~begins,
            "TRACE": begins | (at["TRACE"] & ~self.traced),
            "REST": follows["REST"] | (at["TRACE"] & self.traced),
        }
