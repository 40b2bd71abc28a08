"""The server's verdict: exactly the requests that the protocol allows are executed, whatever came before them.

Frames come as tokens from the decoder, of any bytes and any length, with any pauses; `framing` has the decoder and the
checksum. The account beside the server keeps to ``docs/protocol.md``.
"""

from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value

from autapse.fixed import Format
from autapse.protocol import REQUEST_OVERHEAD, SESSION_BYTES, Command, Identity
from autapse_hw.formal.bench import Bench, Opened, implies
from autapse_hw.formal.proof import Proof
from autapse_hw.formal.streams import offer
from autapse_hw.server import Server
from autapse_hw.server_states import CHECKED, STATES

_IDENTITY = Identity(bytes(8), 3, 2, 1, Format(4, 3), Format(4, 3), Format(8, 3), 1, 1, window=3, batch=2)
#: Bytes of a payload that are told apart; longer ones are too long for each command.
_MOST = 12
#: States of the server between two requests.
_BETWEEN = ("zero", "start", "bump")
#: By state, the commands that it is a part of.
_EXECUTING = {
    "steps": (Command.STEP,),
    "skip": tuple(Command),
    "store": (Command.OPEN, Command.ABORT),
    "clear": (Command.RESET, Command.SET_STATE),
    "dump": (Command.READ_STATE,),
    "input": (Command.STEP, Command.SET_STATE),
    "output": (Command.STEP, Command.READ_STATE),
    "settle": (Command.RESET, Command.SET_STATE),
    "saturated": (Command.COUNTERS,),
    "saturated_high": (Command.COUNTERS,),
}


def _fits(command: Value, length: Value) -> Value:
    """A known command with a payload of its length."""
    net = _IDENTITY
    sizes: dict[Command, tuple[int, ...]] = {c: (0,) for c in Command if net.knows(c)}
    sizes |= {Command.OPEN: (SESSION_BYTES,), Command.ABORT: (SESSION_BYTES,), Command.SET_STATE: (net.state_bytes,)}
    sizes[Command.STEP] = tuple(k * net.step_input_bytes for k in range(1, net.batch + 1))
    return Cat((command == c) & (length == size) for c, choices in sizes.items() for size in choices).any()


class _Frame:
    """The frame that comes in, as the account has it, and what the protocol says of it.

    Attributes
    ----------
    count, sequence, command, wanted : Signal
        Its bytes so far, no more than tell it from all that are too long; its header.
    complete, executed : Signal
        It is whole; the request is executed.
    accepted, told, session, expected : Signal
        The last one was; a refusal has been told; one is open; the next sequence number.
    """

    def __init__(self, b: Bench, take: Value, token: Any, beginning: Value, match: Value) -> None:
        m, most = b.m, REQUEST_OVERHEAD + _MOST + 1
        self.count = Signal(range(most + 1), name="bytes")
        self.sequence, self.command, self.wanted = (Signal(8, name=f"frame_{k}") for k in range(3))
        self.session, self.told, self.expected = Signal(), Signal(), Signal(8)
        self.complete, self.executed, self.accepted = Signal(), Signal(), Signal()
        with m.If(take):
            m.d.sync += self.count.eq(Mux(self.count == most, most, self.count + 1))
            for k, field in enumerate((self.sequence, self.command, self.wanted)):
                with m.If(self.count == k):
                    m.d.sync += field.eq(token.data)
        with m.If(beginning):
            m.d.sync += self.count.eq(0)
        kept = (self.expected - self.wanted)[: _IDENTITY.window.bit_length()]  # answers that the host does not have
        in_turn = self.session & (self.sequence == self.expected) & (kept < _IDENTITY.window)
        m.d.comb += [
            self.complete.eq((self.count >= REQUEST_OVERHEAD) & ~token.data[0]),
            self.executed.eq(
                self.complete
                & match
                & _fits(self.command, self.count - REQUEST_OVERHEAD)
                & ((self.command < Command.READ_STATE) | in_turn)
            ),
        ]
        b.check(self.count <= most)

    def judge(self, b: Bench, judged: Value, answered: Value) -> None:
        """What follows when it is judged, and when it has been answered."""
        stores = self.is_any(Command.OPEN, Command.ABORT)
        heeded = stores | (self.command == Command.SYNC) | (self.command >= Command.READ_STATE)
        with b.m.If(judged):
            b.m.d.sync += [self.accepted.eq(self.executed), self.told.eq(~self.executed | (self.told & ~heeded))]
            with b.m.If(self.executed & stores):
                b.m.d.sync += self.session.eq(self.command == Command.OPEN)
        with b.m.If(answered & self.accepted & (self.command >= Command.RESET)):
            b.m.d.sync += self.expected.eq(self.expected + 1)

    def is_any(self, *commands: Command) -> Value:
        """It is one of these."""
        return Cat(self.command == c for c in commands).any()


def server(b: Bench) -> None:
    block = Server(_IDENTITY)
    opened = b.open(block)
    offer(b, block.i, unless=block.rewind)
    for name in ("lost", "overrun", "busy", "saturations"):
        b.drive(getattr(block, name), name)
    for stream in (block.z, block.state):
        b.drive(stream.valid, "valid")
        b.drive(stream.payload, "payload")
    for stream in (block.x, block.initial, block.o):
        b.drive(stream.ready, "ready")
    token, take = block.i.payload, block.i.valid & block.i.ready
    state = {name.lower(): opened[f"states.{name.lower()}"] for name in STATES}
    checked = Cat(state[name.lower()] for name in CHECKED).any()
    go, judging = opened["go"], state["judge"]

    match = opened["checksum.match"]
    frame = _Frame(b, take & checked, token, state["start"], match)
    judged = go & judging
    frame.judge(b, judged, go & state["end"])
    b.check(implies(judging, block.i.valid & token.end))
    b.check(implies(judged, opened["verdict.admitted"] == frame.executed))
    b.check(implies(judged, opened["verdict.refuse"] == (~frame.executed & ~frame.told)))
    b.check(opened["verdict.expected"] == frame.expected)
    answering = ~(checked | judging | Cat(state[name] for name in _BETWEEN).any())

    # Each frame is judged once, as a whole: it begins where another has ended.
    boundary = Signal(init=1)
    with b.m.If(take | block.rewind):
        b.m.d.sync += boundary.eq(token.end | block.rewind)
    late = b.past(judged) & ~b.first
    b.check(implies(~checked & ~judging & ~(answering & frame.accepted) & ~late, boundary))
    b.check(implies(Cat(state[name] for name in ("crc_low", "crc_high", "end")).any(), boundary))
    b.check(implies(checked | judging, boundary == (frame.count == 0)))

    # The checksum begins with the frame, and takes each of its bytes once.
    fed = b.past(take & checked) & ~b.first
    new = Signal()
    b.m.d.sync += new.eq((new | opened["start"]) & ~opened["step"])
    b.check(implies((checked | judging) & ~b.first, opened["step"] == fed))
    b.check(implies(fed, opened["byte"] == b.past(token.data)))
    b.check(implies(checked, opened["start"] | new | (frame.count != 0)))
    b.check(implies((checked | judging) & opened["start"], frame.count == 0))
    b.check(implies(judged, match == b.past(match)))
    _keep_states(b, opened, state, frame, answering)
    _keep_verdict(b, opened, state, frame, answering, late)
    _keep_length(b, opened, frame, checked, state["count"] | judging)


def _keep_states(b: Bench, opened: Opened, state: dict[str, Signal], frame: _Frame, answering: Value) -> None:
    """For the induction: the state is one, and fits what has come and what is executed."""
    states = Cat(state.values())
    b.check((states != 0) & ((states & (states - 1)) == 0))
    b.check(implies(opened["go"], opened["phase"] == 3))
    for k, name in enumerate(CHECKED[:-1]):
        b.check(implies(state[name.lower()], frame.count == k))
    b.check(implies(state["count"], frame.count >= REQUEST_OVERHEAD))
    b.check(implies(state["judge"], opened["complete_frame"] == frame.complete))
    for name, commands in _EXECUTING.items():
        b.check(implies(state[name], frame.accepted & frame.is_any(*commands)))
    b.check(implies(answering & frame.accepted, frame.is_any(*(c for c in Command if _IDENTITY.knows(c)))))
    b.check(implies(state["read"] & frame.accepted, frame.command < Command.READ_STATE))


def _keep_verdict(
    b: Bench, opened: Opened, state: dict[str, Signal], frame: _Frame, answering: Value, late: Value
) -> None:
    """For the induction: what is remembered of the request, and of the judgement some cycles after it."""
    arrived = ~answering & ~Cat(state[name] for name in _BETWEEN).any()
    op, unknown = opened["op"], opened["unknown"]
    known = (op == frame.command[:4]) & (unknown == frame.command[4:].any())
    b.check(implies(arrived & (frame.count >= 1), opened["verdict.matches"] == (frame.sequence == frame.expected)))
    b.check(implies(arrived & (frame.count >= 2), known))
    b.check(implies(arrived & (frame.count >= 3), opened["verdict.asked"] == frame.wanted[:2]))
    later = b.past(late)
    settled = ~(late | later | b.past(later))
    b.check(implies(settled, (opened["verdict.opened"] == frame.session) & (opened["verdict.told"] == frame.told)))
    b.check(implies(answering & frame.accepted, known & ~unknown & ~opened["refusing"]))
    b.check(implies(answering & ~frame.accepted & ~late & ~later, (op == 0) & opened["refusing"]))


def _keep_length(b: Bench, opened: Opened, frame: _Frame, checked: Value, counted: Value) -> None:
    """For the induction: bytes of the payload, in groups as long as the command has them."""
    net, length, size = _IDENTITY, frame.count - REQUEST_OVERHEAD, Signal(range(_MOST), init=1)
    sizes = {Command.STEP: net.step_input_bytes, Command.OPEN: SESSION_BYTES, Command.ABORT: SESSION_BYTES}
    sizes |= {Command.SET_STATE: net.state_bytes, Command.READ_STATE: net.state_bytes}
    with b.m.Switch(frame.command[:4]):
        for command, number in sizes.items():
            with b.m.Case(command):
                b.m.d.comb += size.eq(number)
    position, steps, many = (opened[f"elements.{name}"] for name in ("position", "steps", "many"))
    counted = counted & (frame.count >= REQUEST_OVERHEAD)
    for number in {1, *sizes.values()}:
        with b.m.If(counted & (size == number) & (length <= _MOST)):
            b.check((many == (length >= (net.batch + 1) * number)) & (position == length % number))
            b.check(implies(~many, steps == length // number))
    b.check(implies(counted & (length > _MOST), many))
    b.check(implies(checked & (frame.count < REQUEST_OVERHEAD), Cat(many, position, steps) == 0))


PROOFS = [
    Proof(
        "server-verdict",
        "Server",
        "exactly the requests that the protocol allows are executed, and what is not is refused once",
        server,
        depth=9,
        parameters=f"{_IDENTITY.units} units, {_IDENTITY.inputs} inputs, up to {_IDENTITY.batch} steps to a frame",
    )
]
