"""The device's end of the protocol, on tokens: checks requests, drives the core, writes answers."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import ANSWER, SESSION_BYTES, Command, Features, Identity, code_bytes
from autapse_hw.checksum import Checksum
from autapse_hw.framing import TOKEN
from autapse_hw.server_memory import ServerMemory
from autapse_hw.server_states import CHECKED, PUT, TAKEN, ServerStates


def core_members(identity: Identity) -> dict[str, wiring.Member]:
    """The ports towards the core, as :class:`Server` documents them."""
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
    }


class CoreClient(wiring.Component):
    """A component with the ports of :func:`core_members`."""

    x: stream.Interface
    z: stream.Interface
    clear: Signal
    given: Signal
    initial: stream.Interface
    dump: Signal
    state: stream.Interface
    busy: Signal
    saturations: Signal


def choose(*choices: tuple[Value, Value | int]) -> Value:
    """All values whose conditions hold, in one OR: what a multiplexer costs when no two of them do."""
    return reduce(or_, (Mux(condition, value, 0) for condition, value in choices))


class Server(CoreClient):
    """Executes requests one after another, each only once.

    Parameters
    ----------
    identity : Identity
        What to answer, and the shapes and formats of the core.

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
        What the core has clipped.
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

    def __init__(self, identity: Identity) -> None:
        if not isinstance(identity, Identity):
            raise TypeError(f"a server needs an Identity, not {identity!r}")
        if identity.window & (identity.window + 1):
            raise ValueError(f"the window is one less than a power of two, not {identity.window}")
        self.identity = identity
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
        net = self.identity
        m.submodules.memory = memory = ServerMemory(net)
        m.submodules.checksum = checksum = Checksum()
        m.submodules.states = states = ServerStates()
        at = states.at
        token = self.i.payload

        def later(value: Value) -> Signal:
            """The value of the cycle before."""
            signal = Signal(unsigned(len(value)), reset_less=True, src_loc_at=1)
            m.d.sync += signal.eq(value)
            return signal

        phase = Signal(2)
        go = Signal()
        byte = Signal(8, reset_less=True)
        refusing = Signal(reset_less=True)

        # The command.
        op = Signal(4, reset_less=True)
        unknown = Signal(reset_less=True)
        known = [c for c in Command if not _absent(c, net)]
        with m.If(go & at("COMMAND")):
            m.d.sync += [op.eq(token.data[: len(op)]), unknown.eq(token.data[len(op) :].any())]

        def is_any(*commands: Command) -> Signal:
            present = [c for c in commands if c in known]
            return later(Cat(op == c for c in present).any())

        is_step = is_any(Command.STEP)
        is_set = is_any(Command.SET_STATE)
        is_clear = is_any(Command.RESET, Command.SET_STATE)
        is_dump = is_any(Command.READ_STATE)
        is_open = is_any(Command.OPEN)
        is_store = is_any(Command.OPEN, Command.ABORT)
        is_sync = is_any(Command.SYNC)
        is_counters = is_any(Command.COUNTERS)
        is_identify = is_any(Command.IDENTIFY)
        is_known = later(is_any(*Command) & ~unknown)
        in_sequence = op[3]
        kept = later(in_sequence & ~is_dump)
        m.d.comb += [
            states.is_step.eq(is_step),
            states.is_clear.eq(is_clear),
            states.is_set.eq(is_set),
            states.is_dump.eq(is_dump),
            states.is_store.eq(is_store),
            states.is_counters.eq(is_counters),
            states.is_identify.eq(is_identify),
        ]

        # The beat: tokens that are taken, and what is waited for.
        continues = later(at(*CHECKED) & ~token.end)
        checked, taken = later(at(*CHECKED)), later(at(*TAKEN) & ~refusing)
        dropped = later(at("JUDGE") & ~states.admitted)
        feeding = later(at("INPUT", "SETTLE"))
        offering = feeding & (self.x.valid | self.initial.valid)
        source = Mux(is_step, self.z.valid, self.state.valid)
        awaiting = later(
            ((checked | taken) & ~self.i.valid)
            | (at("START") & ~(self.i.valid | states.happened))
            | (at("OUTPUT") & ~source)
            | (at("DUMP", "SETTLE") & self.busy)
        )
        stalled = later(self.o.valid)
        m.d.sync += [phase.eq(phase + 1), go.eq((phase == 2) & ~stalled & ~awaiting & ~offering)]
        m.d.comb += [
            self.i.ready.eq(go & (continues | taken | dropped)),
            states.go.eq(go),
            states.end.eq(token.end),
            memory.go.eq(go),
        ]
        m.d.sync += self.release.eq(go & ((at("REST") & token.end) | dropped))
        m.d.sync += self.rewind.eq(go & at("JUDGE") & states.admitted)

        # Elements: bytes of a code, codes of a group, groups. A group is all the inputs, or all the outputs, of a step.
        x_bytes, z_bytes, h_bytes = (code_bytes(f.bits) for f in (net.input_format, net.z_format, net.state_format))
        part = Signal(range(max(2, x_bytes, z_bytes, h_bytes)), reset_less=True)
        groups = (net.step_input_bytes, net.step_output_bytes, net.state_bytes, SESSION_BYTES)
        position = Signal(range(max(groups)), reset_less=True)
        bound = Signal.like(position)
        steps = Signal(range(net.batch + 1), reset_less=True)
        giving = later(at("OUTPUT"))
        m.d.sync += bound.eq(
            choose(
                (is_step & ~giving, net.step_input_bytes - 1),
                (is_step & giving, net.step_output_bytes - 1),
                (is_set | is_dump, net.state_bytes - 1),
                (is_store, SESSION_BYTES - 1),
            )
        )
        whole = later(position == bound)
        ends = later(
            choose(
                (is_step & ~giving, part == x_bytes - 1),
                (is_step & giving, part == z_bytes - 1),
                (is_set | is_dump, part == h_bytes - 1),
            )
        )
        counting, counts = later(at("COUNT")), later(at("COUNT") & ~token.end)
        moves = later(at("INPUT", "OUTPUT"))
        none, one, full = later(steps == 0), later(steps == 1), later(steps == net.batch)
        many = Signal(reset_less=True)
        with m.If(go & (counts | moves)):
            m.d.sync += position.eq(Mux(whole, 0, position + 1))
        with m.If(go & moves):
            m.d.sync += part.eq(Mux(ends, 0, part + 1))
        with m.If(go & counts & whole):
            m.d.sync += [steps.eq(steps + 1), many.eq(many | full)]
        with m.If(go & giving & whole):
            m.d.sync += steps.eq(steps - 1)
        with m.If(at("START")):
            m.d.sync += [position.eq(0), steps.eq(0), many.eq(0), part.eq(0)]
        m.d.comb += [states.whole.eq(whole), states.last.eq(later(one | is_dump))]

        # The verdict.
        expected = Signal(8)
        wanted = Signal.like(self.wanted, reset_less=True)
        heeded = Signal.like(wanted)
        opened = Signal()
        told = Signal()
        complete = Signal(reset_less=True)
        active = Signal(reset_less=True)
        matches = Signal(reset_less=True)
        agrees = later(token.data == expected)
        with m.If(go & at("SEQUENCE")):
            m.d.sync += matches.eq(agrees)
        with m.If(go & at("WANTED")):
            m.d.sync += wanted.eq(token.data[: len(wanted)])
        with m.If(go & checked):
            m.d.sync += complete.eq(counting & ~token.data[0])
        fits = later(~many & Mux(is_step, ~none, Mux(is_set | is_store, one, none)))
        sound = later(complete & is_known & checksum.match & (position == 0) & fits)
        room = later((expected + 1)[: len(wanted)] != wanted)
        welcome = later(~in_sequence | (opened & matches & room))
        admitted = later(sound & welcome)
        m.d.comb += [states.admitted.eq(admitted), states.refuse.eq(later(~admitted & ~told))]
        m.d.comb += [states.refusing.eq(refusing)]
        heeds = later(in_sequence | is_sync | is_store)
        recalls = later(is_sync | is_store)
        judging = later(at("JUDGE"))
        accepted, turned_down = later(go & judging & admitted), later(go & judging & ~admitted)
        tells = later(states.refuse)
        heeding = later(accepted & heeds)
        m.d.sync += [
            active.eq(active ^ accepted),
            refusing.eq((turned_down & tells) | (refusing & ~accepted & ~turned_down)),
            told.eq(turned_down | (told & ~heeding)),
            opened.eq(Mux(accepted & is_store, is_open, opened)),
            self.replay.eq(later(accepted & recalls)),
        ]
        with m.If(turned_down):
            m.d.sync += op.eq(0)
        with m.If(heeding):
            m.d.sync += heeded.eq(Mux(is_store, expected, wanted))
        m.d.comb += self.activity.eq(active)
        with m.If(go & at("END") & kept):
            m.d.sync += expected.eq(expected + 1)
        m.d.comb += [self.keep.eq(kept), self.wanted.eq(heeded)]

        # What is counted, and where the memory is read and written.
        news = Cat(accepted, turned_down & ~sound, turned_down & sound, self.lost, self.overrun)
        events = Signal(len(news))
        chosen = later(Cat(events[k] & ~events[:k].any() for k in range(len(events))))  # one is dealt with at a time
        dealt = later(chosen)
        starting = later(at("START"))
        m.d.sync += events.eq((events & ~Mux(go & starting, dealt, 0)) | news)
        m.d.comb += states.happened.eq(dealt.any())
        tallies = (memory.accepted, memory.rejected, memory.refused, memory.framing_errors, memory.overruns)
        carrying = later(at("BUMP", "STEPS"))
        walking = later(at("ZERO", "BUMP", "STEPS", "STORE", "READ"))
        jumping = later(at("START", "JUDGE", "SKIP", "CODE") | (at("STORE") & memory.done))
        m.d.comb += [memory.byte.eq(byte), states.counted.eq(memory.counted), states.stored.eq(memory.done)]
        m.d.sync += [
            memory.move.eq(walking | jumping),
            memory.jump.eq(jumping),
            memory.write.eq(at("ZERO", "BUMP", "STEPS", "STORE")),
            memory.bound.eq(
                choose(
                    (at("STORE"), memory.last[Command.OPEN]),
                    (is_identify, memory.last[Command.IDENTIFY]),
                    (is_counters | at("ZERO"), memory.last[Command.COUNTERS]),
                    (~(is_identify | is_counters | at("STORE") | at("ZERO")), memory.last[Command.STATUS]),
                )
            ),
            memory.target.eq(
                choose(
                    *((at("START") & chosen[k], address) for k, address in enumerate(tallies)),
                    (at("JUDGE"), memory.steps),
                    (at("SKIP") & is_identify, memory.identity),
                    (at("SKIP") & is_counters, memory.steps),
                )
            ),
        ]
        more = Signal.like(memory.more, reset_less=True)
        m.d.comb += memory.more.eq(more)
        with m.If(go):
            m.d.sync += more.eq(
                choose((at("START"), 1), (at("JUDGE"), steps), (carrying & ~memory.counted, memory.carries))
            )

        # The byte, and the answer.
        end = Signal(reset_less=True)
        putting = later(at(*PUT))
        from_token = later(at("ECHO", "CODE", "STORE", "INPUT") & ~refusing)
        from_memory = later(at("BUMP", "STEPS", "READ"))
        from_expected = later(at("EXPECTED") | (at("ECHO") & refusing))
        from_checksum = later(at("CRC_LOW", "CRC_HIGH"))
        z_word, h_word = Signal(8 * z_bytes), Signal(8 * h_bytes)
        m.d.comb += [z_word.eq(self.z.payload), h_word.eq(self.state.payload)]
        outputs = later(at("OUTPUT") & is_step), later(at("OUTPUT") & is_dump)
        elsewhere = later(
            choose(
                *((outputs[0] & (part == k), z_word.word_select(k, 8)) for k in range(z_bytes)),
                *((outputs[1] & (part == k), h_word.word_select(k, 8)) for k in range(h_bytes)),
                (at("SATURATED"), self.saturations[:8]),
                (at("SATURATED_HIGH"), self.saturations[8:]),
            )
        )
        with m.If(go):
            m.d.sync += byte.eq(
                choose(
                    (checked | from_token, token.data),
                    (from_memory, memory.total),
                    (from_expected, expected),
                    (from_checksum, checksum.o),
                    (at("CODE"), ANSWER),
                )
                | elsewhere
            )
            m.d.sync += end.eq(at("END"))
        m.d.comb += [checksum.byte.eq(byte), checksum.shift.eq(at("CRC_HIGH")), self.o.payload.data.eq(byte)]
        m.d.comb += self.o.payload.end.eq(end)
        m.d.sync += [
            checksum.start.eq(go & at("START", "JUDGE")),
            checksum.step.eq(go & (putting | continues)),
            self.o.valid.eq((go & putting) | (self.o.valid & ~self.o.ready)),
        ]

        # The core.
        word = Signal(8 * max(x_bytes, h_bytes), reset_less=True)
        inputs = later(at("INPUT"))
        shift = later(go & inputs)
        complete_word = later(ends)
        with m.If(shift):
            m.d.sync += word.eq(Cat(word[8:], byte))
        bits = net.input_format.bits
        m.d.comb += self.x.payload.eq(word[-8 * x_bytes :][:bits].as_signed())
        m.d.comb += self.initial.payload.eq(word[-8 * h_bytes :][: net.state_format.bits].as_signed())
        m.d.sync += [
            self.x.valid.eq((shift & complete_word & is_step) | (self.x.valid & ~self.x.ready)),
            self.initial.valid.eq((shift & complete_word & is_set) | (self.initial.valid & ~self.initial.ready)),
            self.z.ready.eq(go & giving & ends & is_step),
            self.state.ready.eq(go & giving & ends & is_dump),
            self.clear.eq(go & at("CLEAR")),
            self.given.eq(go & at("CLEAR") & is_set),
            self.dump.eq(go & at("DUMP")),
        ]
        return m


def _absent(command: Command, identity: Identity) -> bool:
    """Whether a device with this identity does not know the command."""
    upload = command in (Command.WRITE, Command.APPLY)
    return upload or (command == Command.SET_STATE and not identity.features & Features.SET_STATE)
