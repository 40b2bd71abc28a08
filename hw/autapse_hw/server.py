"""The device's end of the protocol, on tokens: checks requests, drives the core, writes answers."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import ANSWER, Command, Identity, code_bytes
from autapse_hw.checksum import Checksum
from autapse_hw.core_port import CoreClient, core_members
from autapse_hw.framing import TOKEN
from autapse_hw.server_elements import ServerElements
from autapse_hw.server_logic import Additions, choose, later
from autapse_hw.server_memory import ServerMemory
from autapse_hw.server_states import CHECKED, ServerStates
from autapse_hw.server_trace import add_trace
from autapse_hw.server_upload import add_uploads
from autapse_hw.server_verdict import ServerEvents, ServerVerdict
from autapse_hw.upload import Uploader


class Server(CoreClient):
    """Executes requests one after another, each only once.

    Parameters
    ----------
    identity : Identity
        What to answer, and the shapes and formats of the core.
    memory : str
        Kind of its memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        Requests, from a :class:`~autapse_hw.framing.CobsDecoder`.
    rewind, release : Out(1)
        High for one cycle: the frame is wanted once more; it is done with.
    lost, overrun : In(1)
        High for one cycle: to be counted.
    o : Out(stream.Signature(TOKEN))
        Answers, to a :class:`~autapse_hw.transmit.TransmitBuffer`.
    keep, wanted, replay : Out
        To that buffer.
    x, z, clear, given, initial, dump, state, busy, saturations, cells, recall, records
        The core; see :class:`~autapse_hw.core_port.CoreClient`.
    activity : Out(1)
        Changes with each request that is executed; for an LED.
    """

    i: stream.Interface
    rewind: Signal
    release: Signal
    lost: Signal
    overrun: Signal
    o: stream.Interface
    keep: Signal
    wanted: Signal
    replay: Signal
    activity: Signal

    def __init__(self, identity: Identity, memory: str = "generic") -> None:
        if not isinstance(identity, Identity):
            raise TypeError(f"a server needs an Identity, not {identity!r}")
        if identity.window & (identity.window + 1):
            raise ValueError(f"the window is one less than a power of two, not {identity.window}")
        self.identity, self._memory = identity, memory
        self._known = Signal()  # the command
        super().__init__(
            {
                "i": In(stream.Signature(TOKEN)),
                "rewind": Out(1),
                "release": Out(1),
                "lost": In(1),
                "overrun": In(1),
                "o": Out(stream.Signature(TOKEN)),
                "keep": Out(1),
                "wanted": Out(range(identity.window + 1)),
                "replay": Out(1),
                **core_members(identity),
                "activity": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A machine that works in beats of four cycles, and moves one byte in each.

        A request is read twice: first to check it, byte by byte as it comes in, then to execute it. In each beat `byte`
        takes a byte from the request, the memory, the core or the CRC; and during the next one it goes into the CRC,
        the memory, the answer or an element for the core:

            cycle 0   the state and `byte` are new; addresses too
            cycle 1   the next token is there; what the state waits for is looked at
            cycle 2   what the state decides is chosen
            cycle 3   `go` is high, unless the state must wait another beat

        Whatever is decided at `go` is in a register by then, and each state is a register of its own, so no path is
        longer than the few LUTs between two of the cycles.
        """
        m = Module()
        traces = self.identity.sum_bits > 0
        m.submodules.states = states = ServerStates(uploads=self.identity.upload is not None, traces=traces)
        m.submodules.elements = elements = ServerElements(self.identity)
        m.submodules.verdict = verdict = ServerVerdict(self.identity.window + 1)
        m.submodules.memory = memory = ServerMemory(self.identity, self._memory)
        m.submodules.checksum = checksum = Checksum()
        byte = Signal(8, reset_less=True)
        added = Additions()
        if self.identity.upload is not None and self.identity.memory is not None:
            loaded = self.identity.upload.loaded  # when the device is switched on
            m.submodules.uploader = uploader = Uploader(self.identity.memory, loaded=loaded)
            wiring.connect(m, uploader.port, wiring.flipped(self.cells))
            added += add_uploads(m, uploader, states, elements, memory, byte, self.busy)
        if traces:
            added += add_trace(m, states, self.recall, self.records)
        self._decode(m, states, elements, verdict)
        self._beat(m, states, verdict, added)
        self._judge(m, states, elements, verdict, checksum)
        self._count(m, states, elements, verdict, memory, byte, added)
        self._answer(m, states, elements, verdict, memory, checksum, byte, added)
        self._drive(m, states, elements, byte)
        return m

    def _decode(self, m: Module, states: ServerStates, elements: ServerElements, verdict: ServerVerdict) -> None:
        """The command, in the parts that ask for it. A refusal is answered as a command of its own, 0."""
        op = Signal(4)  # with a reset: the bounds in ZERO are those of no command
        unknown = Signal(reset_less=True)
        token = self.i.payload
        with m.If(states.go & states.at("COMMAND")):
            m.d.sync += [op.eq(token.data[: len(op)]), unknown.eq(token.data[len(op) :].any())]
        with m.If(verdict.turned_down):
            m.d.sync += op.eq(0)

        def is_any(*commands: Command) -> Signal:
            known = [op == c for c in commands if self.identity.knows(c)]
            return later(m, Cat(known).any())

        is_set, is_dump = is_any(Command.SET_STATE), is_any(Command.READ_STATE)
        is_store = is_any(Command.OPEN, Command.ABORT)
        m.d.comb += [
            states.is_step.eq(is_any(Command.STEP)),
            states.is_clear.eq(is_any(Command.RESET, Command.SET_STATE)),
            states.is_set.eq(is_set),
            states.is_dump.eq(is_dump),
            states.is_store.eq(is_store),
            states.is_counters.eq(is_any(Command.COUNTERS)),
            states.is_identify.eq(is_any(Command.IDENTIFY)),
            elements.is_step.eq(states.is_step),
            elements.is_state.eq(is_set | is_dump),
            elements.is_store.eq(is_store),
            verdict.in_sequence.eq(op[3]),
            verdict.kept.eq(later(m, op[3] & ~is_dump)),
            verdict.is_sync.eq(is_any(Command.SYNC)),
            verdict.is_open.eq(is_any(Command.OPEN)),
            verdict.is_store.eq(is_store),
            self.keep.eq(verdict.kept),
            self._known.eq(later(m, is_any(*Command) & ~unknown)),
        ]
        if self.identity.upload is not None:
            m.d.comb += [states.is_write.eq(is_any(Command.WRITE)), states.is_apply.eq(is_any(Command.APPLY))]
        if self.identity.sum_bits:
            m.d.comb += states.is_trace.eq(is_any(Command.READ_TRACE))

    def _beat(self, m: Module, states: ServerStates, verdict: ServerVerdict, added: Additions) -> None:
        """Tokens that are taken, what is waited for, and the step to the next state."""
        at, token, go = states.at, self.i.payload, states.go
        phase = Signal(2)
        continues = later(m, at(*CHECKED) & ~token.end)
        checked, taken = later(m, at(*CHECKED)), later(m, at(*states.taken) & ~verdict.refusing)
        dropped = later(m, at("JUDGE") & ~verdict.admitted)
        feeding = later(m, at("INPUT", "SETTLE"))
        offering = feeding & (self.x.valid | self.initial.valid)
        source = Mux(states.is_step, self.z.valid, self.state.valid)
        awaiting = later(
            m,
            ((checked | taken) & ~self.i.valid)
            | (at("START") & ~(self.i.valid | states.happened))
            | (at("OUTPUT") & ~source)
            | reduce(or_, added.waits, at("DUMP", "SETTLE") & self.busy),
        )
        stalled = later(m, self.o.valid)
        m.d.sync += [phase.eq(phase + 1), go.eq((phase == 2) & ~stalled & ~awaiting & ~offering)]
        m.d.comb += [self.i.ready.eq(go & (continues | taken | dropped)), states.end.eq(token.end)]
        m.d.sync += self.release.eq(go & ((at("REST") & token.end) | dropped))
        m.d.sync += self.rewind.eq(go & at("JUDGE") & verdict.admitted)

    def _judge(
        self, m: Module, states: ServerStates, elements: ServerElements, verdict: ServerVerdict, checksum: Checksum
    ) -> None:
        """The payload is counted, and the request judged."""
        at, token, go = states.at, self.i.payload, states.go
        complete = Signal(reset_less=True, name="complete_frame")
        active = Signal(reset_less=True)
        counting, checked = later(m, at("COUNT")), later(m, at(*CHECKED))
        with m.If(go & checked):
            m.d.sync += complete.eq(counting & ~token.data[0])
        single = states.is_set | states.is_store
        if self.identity.upload is not None:
            single |= states.is_write | states.is_apply
        fits = later(m, ~elements.many & Mux(states.is_step, ~elements.none, Mux(single, elements.one, elements.none)))
        m.d.comb += [
            elements.begin.eq(later(m, at("START"))),
            elements.go.eq(go),
            elements.counts.eq(later(m, at("COUNT") & ~token.end)),
            elements.moves.eq(later(m, at("INPUT", "OUTPUT", "UPLOAD"))),
            elements.giving.eq(later(m, at("OUTPUT"))),
            states.whole.eq(elements.whole),
            states.last.eq(later(m, elements.one | states.is_dump)),
            verdict.go.eq(go),
            verdict.byte.eq(token.data),
            verdict.numbered.eq(at("SEQUENCE")),
            verdict.acknowledging.eq(at("WANTED")),
            verdict.judging.eq(later(m, at("JUDGE"))),
            verdict.ended.eq(at("END")),
            verdict.sound.eq(later(m, complete & self._known & checksum.match & elements.aligned & fits)),
            states.admitted.eq(verdict.admitted),
            states.refuse.eq(verdict.refuse),
            states.refusing.eq(verdict.refusing),
            self.wanted.eq(verdict.wanted),
            self.replay.eq(verdict.replay),
            self.activity.eq(active),
        ]
        m.d.sync += active.eq(active ^ verdict.accepted)

    def _count(
        self,
        m: Module,
        states: ServerStates,
        elements: ServerElements,
        verdict: ServerVerdict,
        memory: ServerMemory,
        byte: Signal,
        added: Additions,
    ) -> None:
        """What has happened is counted in the memory; where that is read and written."""
        at, go = states.at, states.go
        tallies = (memory.accepted, memory.rejected, memory.refused, memory.framing_errors, memory.overruns)
        m.submodules.events = events = ServerEvents(len(tallies))
        down, sound = verdict.turned_down, verdict.sound
        starting = later(m, at("START"))
        carrying = later(m, at("BUMP", "STEPS"))
        walking = later(m, at("ZERO", "BUMP", "STEPS", "STORE", "READ", "HASH"))
        jumping = later(m, at("START", "JUDGE", "SKIP", "CODE") | (at("STORE") & memory.done))
        others = states.is_identify | states.is_counters | at("STORE", "ZERO", "HASH")
        more = Signal.like(memory.more, reset_less=True)
        m.d.comb += [
            events.news.eq(Cat(verdict.accepted, down & ~sound, down & sound, self.lost, self.overrun)),
            events.done.eq(go & starting),
            states.happened.eq(events.any),
            memory.go.eq(go),
            memory.byte.eq(byte),
            memory.more.eq(more),
            states.counted.eq(memory.counted),
            states.stored.eq(memory.done),
        ]
        m.d.sync += [
            memory.move.eq(walking | jumping),
            memory.jump.eq(jumping),
            memory.write.eq(reduce(or_, added.writes, at("ZERO", "BUMP", "STEPS", "STORE"))),
            memory.bound.eq(
                choose(
                    (at("STORE"), memory.last[Command.OPEN]),
                    (states.is_identify, memory.last[Command.IDENTIFY]),
                    (states.is_counters | at("ZERO"), memory.last[Command.COUNTERS]),
                    (~others, memory.last[Command.STATUS]),
                    *added.bounds,
                )
            ),
            memory.target.eq(
                choose(
                    *((at("START") & events.chosen[k], address) for k, address in enumerate(tallies)),
                    (at("JUDGE"), memory.steps),
                    (at("SKIP") & states.is_identify, memory.identity),
                    (at("SKIP") & states.is_counters, memory.steps),
                    *added.targets,
                )
            ),
        ]
        with m.If(go):
            m.d.sync += more.eq(
                choose((at("START"), 1), (at("JUDGE"), elements.steps), (carrying & ~memory.counted, memory.carries))
            )

    def _answer(
        self,
        m: Module,
        states: ServerStates,
        elements: ServerElements,
        verdict: ServerVerdict,
        memory: ServerMemory,
        checksum: Checksum,
        byte: Signal,
        added: Additions,
    ) -> None:
        """The byte of each beat, and where it goes."""
        at, token, go = states.at, self.i.payload, states.go
        end = Signal(reset_less=True)
        continues = later(m, at(*CHECKED) & ~token.end)
        checked, putting = later(m, at(*CHECKED)), later(m, at(*states.put))
        from_token = later(m, at("ECHO", "CODE", "STORE", "INPUT", "UPLOAD", "HASH") & ~verdict.refusing)
        from_memory = later(m, at("BUMP", "STEPS", "READ"))
        from_expected = later(m, at("EXPECTED") | (at("ECHO") & verdict.refusing))
        from_checksum = later(m, at("CRC_LOW", "CRC_HIGH"))
        z_bytes, h_bytes = (code_bytes(f.bits) for f in (self.identity.z_format, self.identity.state_format))
        z_word, h_word = Signal(8 * z_bytes), Signal(8 * h_bytes)
        m.d.comb += [z_word.eq(self.z.payload), h_word.eq(self.state.payload)]
        output, dumped = at("OUTPUT") & states.is_step, at("OUTPUT") & states.is_dump
        elsewhere = later(
            m,
            choose(
                *((later(m, output & (elements.part == k)), z_word.word_select(k, 8)) for k in range(z_bytes)),
                *((later(m, dumped & (elements.part == k)), h_word.word_select(k, 8)) for k in range(h_bytes)),
                (at("SATURATED"), self.saturations[:8]),
                (at("SATURATED_HIGH"), self.saturations[8:]),
            ),
        )
        with m.If(go):
            m.d.sync += byte.eq(
                choose(
                    (checked | from_token, token.data),
                    (from_memory, memory.total),
                    (from_expected, verdict.expected),
                    (from_checksum, checksum.o),
                    (at("CODE"), ANSWER),
                    *added.bytes,
                )
                | elsewhere
            )
            m.d.sync += end.eq(at("END"))
        m.d.comb += [self.o.payload.data.eq(byte), self.o.payload.end.eq(end)]
        m.d.comb += [checksum.byte.eq(byte), checksum.shift.eq(at("CRC_HIGH"))]
        m.d.sync += [
            checksum.start.eq(go & at("START", "JUDGE")),
            checksum.step.eq(go & (putting | continues)),
            self.o.valid.eq((go & putting) | (self.o.valid & ~self.o.ready)),
        ]

    def _drive(self, m: Module, states: ServerStates, elements: ServerElements, byte: Signal) -> None:
        """The core: its strobes, and its streams of codes."""
        at, go = states.at, states.go
        x_form, h_form = self.identity.input_format, self.identity.state_format
        x_bytes, h_bytes = code_bytes(x_form.bits), code_bytes(h_form.bits)
        word = Signal(8 * max(x_bytes, h_bytes), reset_less=True)  # the last bytes, in its upper part
        inputs = later(m, at("INPUT"))
        shift, complete = later(m, go & inputs), later(m, elements.ends)
        with m.If(shift):
            m.d.sync += word.eq(Cat(word[8:], byte))
        m.d.comb += self.x.payload.eq(word[-8 * x_bytes :][: x_form.bits].as_signed())
        m.d.comb += self.initial.payload.eq(word[-8 * h_bytes :][: h_form.bits].as_signed())
        taken = go & elements.giving & elements.ends
        m.d.sync += [
            self.x.valid.eq((shift & complete & states.is_step) | (self.x.valid & ~self.x.ready)),
            self.initial.valid.eq((shift & complete & states.is_set) | (self.initial.valid & ~self.initial.ready)),
            self.z.ready.eq(taken & states.is_step),
            self.state.ready.eq(taken & states.is_dump),
            self.clear.eq(go & at("CLEAR")),
            self.given.eq(go & at("CLEAR") & states.is_set),
            self.dump.eq(go & at("DUMP")),
        ]
