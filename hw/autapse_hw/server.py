"""The device's end of the protocol, on tokens: checks requests, drives the core, writes answers."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import ANSWER, OVERHEAD, Command, Identity
from autapse_hw.checksum import Checksum
from autapse_hw.framing import TOKEN
from autapse_hw.server_memory import ServerMemory
from autapse_hw.server_states import ServerStates


def core_members(identity: Identity) -> dict[str, wiring.Member]:
    """The ports towards the core, as :class:`Server` documents them."""
    return {
        "x": Out(stream.Signature(signed(identity.input_format.bits))),
        "z": In(stream.Signature(signed(identity.z_format.bits))),
        "clear": Out(1),
        "busy": In(1),
        "dump": Out(1),
        "state": In(stream.Signature(signed(identity.state_format.bits))),
    }


def choose(*choices: tuple[Value, Value | int]) -> Value:
    """All values whose conditions hold, in one OR: what a multiplexer costs when no two of them do."""
    return reduce(or_, (Mux(condition, value, 0) for condition, value in choices))


class Server(wiring.Component):
    """Executes one request at a time, each only once however often it comes in a row.

    A frame that begins or ends while another one is executed is dropped.

    Parameters
    ----------
    identity : Identity
        What to answer, and the shapes and formats of the core.
    memory : str
        Kind of its memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        Requests, from a :class:`~autapse_hw.framing.CobsDecoder`. Held back for less than 40 cycles, a byte's time,
        if they may still be accepted.
    lost : In(1)
        High for one cycle: a byte of the frame that is coming in was lost, so the frame is bad.
    o : Out(stream.Signature(TOKEN))
        Answers, to a :class:`~autapse_hw.framing.CobsEncoder`.
    again, idle : Out(1), In(1)
        To and from that encoder.
    x : Out(stream.Signature(signed(input_bits)))
        The inputs of a step, element after element.
    z : In(stream.Signature(signed(z_bits)))
        The outputs of a step, element after element, after its inputs have been taken.
    clear : Out(1)
        High for one cycle: the core loads h0 and drops everything. `busy` must be high from the next cycle on, until
        the core is ready.
    busy : In(1)
        The core clears or computes; its state may change.
    dump : Out(1), state : In(stream.Signature(signed(state_bits)))
        Strobe, while `busy` is low: the core gives the states of all units, one after another.
    activity : Out(1)
        Changes with each good frame; for an LED.
    """

    i: stream.Interface
    lost: Signal
    o: stream.Interface
    again: Signal
    idle: Signal
    x: stream.Interface
    z: stream.Interface
    clear: Signal
    busy: Signal
    dump: Signal
    state: stream.Interface
    activity: Signal

    def __init__(self, identity: Identity, memory: str = "generic") -> None:
        if not isinstance(identity, Identity):
            raise TypeError(f"a server needs an Identity, not {identity!r}")
        self.identity, self._memory = identity, memory
        super().__init__(
            {
                "i": In(stream.Signature(TOKEN)),
                "lost": In(1),
                "o": Out(stream.Signature(TOKEN)),
                "again": Out(1),
                "idle": In(1),
                **core_members(identity),
                "activity": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A machine that works in beats of four cycles, and moves one byte in each.

        One memory holds the request, what is remembered of the last one, the counters and the identity; one address
        walks over all of them, and over outputs and units. In each beat `byte` takes a byte from the request, the
        memory, an output, a state value, or the CRC; and during the next one it goes into the CRC, the memory, the
        answer or an input of the core:

            cycle 0   the state, the address and `byte` are new; `byte` is written to where the address was
            cycle 1   the memory gives the next byte; what the state waits for is looked at
            cycle 2   that byte is in `fetched`
            cycle 3   it is in `total`, perhaps plus one; `go` is high, unless the state must wait another beat

        Whatever is decided at `go` is in a register by then, and each state is a register of its own, so no path is
        longer than the few LUTs between two of the cycles.
        """
        m = Module()
        m.submodules.memory = memory = ServerMemory(self.identity, self._memory)
        m.submodules.checksum = checksum = Checksum()
        m.submodules.states = states = ServerStates(self.identity)
        at = states.at

        def later(value: Value) -> Signal:
            """The value of the cycle before."""
            signal = Signal(unsigned(len(value)), src_loc_at=1)
            m.d.sync += signal.eq(value)
            return signal

        phase = Signal(2)
        go = Signal()
        byte = Signal(8, reset_less=True)
        token = self.i.payload

        # The command.
        header = Signal()  # it has not come yet
        op = Signal(3)
        unknown = Signal()
        learn = later(go & at("RECEIVE") & header)
        with m.If(go):
            m.d.sync += header.eq(~at("RECEIVE") | (header & ~memory.address[0]))
        with m.If(learn):
            m.d.sync += [op.eq(byte), unknown.eq(byte[len(op) :].any())]
        is_step = later(op == Command.STEP)
        is_identify = later(op == Command.IDENTIFY)
        is_counters = later(op == Command.COUNTERS)
        is_read_state = later(op == Command.READ_STATE)
        is_reset = later(op == Command.RESET)
        m.d.comb += [states.is_step.eq(is_step), states.is_reset.eq(is_reset), states.is_read_state.eq(is_read_state)]
        m.d.comb += states.is_read.eq(is_identify | is_counters)
        known = later((op >= min(Command)) & (op <= max(Command)) & ~unknown)

        # The beat.
        stalled = later(self.o.valid | (at("SENDING") & ~self.idle) | (at("X0") & self.x.valid))
        awaiting = later(
            (at("RECEIVE") & ~self.i.valid)
            | (at("Z0") & ~self.z.valid)
            | (at("H0") & ~self.state.valid)
            | (at("COMMAND") & is_read_state & self.busy)
            | (at("CLEARING") & self.busy)
        )
        m.d.sync += [phase.eq(phase + 1), go.eq((phase == 2) & ~stalled & ~awaiting)]
        m.d.comb += [states.go.eq(go), memory.go.eq(go)]

        # The request. Tokens that come during an execution are lost, and with them the frame that they belong to.
        bad = Signal()  # the frame that is coming in will not be good
        sound = Signal()  # the frame that has come in was not bad
        dropped = Signal()  # a frame ended during the execution
        answering = Signal()
        repeated = Signal()
        offered = later(self.i.valid)
        dropping = later((phase == 2) & offered & answering & ~(at("SENDING") & self.idle))
        taking = go & at("RECEIVE")
        spoils = later(dropping | memory.done)
        good = later(sound & known & memory.done & checksum.match)
        differs_low = later(memory.fetched[:4] != byte[:4])
        differs_high = later(memory.fetched[4:] != byte[4:])
        m.d.comb += [states.end.eq(token.end), states.good.eq(good)]
        m.d.comb += [states.dropped.eq(dropped), states.repeated.eq(repeated)]
        m.d.sync += [
            self.i.ready.eq(taking | dropping),
            bad.eq(self.lost | (self.i.ready & ~token.end & spoils) | (bad & ~(self.i.ready & token.end))),
            dropped.eq((dropping & token.end) | (dropped & ~(go & at("START")))),
        ]
        with m.If(self.i.ready):
            m.d.sync += sound.eq(~bad & ~token.data[0])
        with m.If(go):
            m.d.sync += repeated.eq(at("JUDGE") | (repeated & ~(at("COMPARE") & (differs_low | differs_high))))
            m.d.sync += answering.eq(at("SEQUENCE") | (at("DECIDE") & repeated) | (answering & ~at("SENDING")))
            m.d.sync += self.activity.eq(self.activity ^ (at("JUDGE") & good))

        # The walks over the memory, outputs and units, and what ends them. A bound is chosen three cycles before it
        # counts, so it depends on states before the one that it is for.
        field = Signal(2)  # which of the bytes that are remembered
        counting = later(at(*states.counts))
        jumps = ("START", "JUDGE", "RECALL", "COMPARE", "DECIDE", "COMMAND")
        jumping = later(at(*jumps))
        moving = later(at(*jumps, "SEQUENCE", "READ", *states.counts, *states.x, states.z[-1], states.h[-1]))
        requested = later(at("START", "REJECTED", "RECEIVE", "JUDGE"))
        giving = later(at(*states.x, "GIVE"))
        storing = at("RECEIVE") & ~token.end & ~memory.done
        m.d.comb += [states.counted.eq(memory.counted), states.done.eq(memory.done), states.compared.eq(field == 3)]
        m.d.comb += memory.byte.eq(byte)
        m.d.sync += [
            memory.move.eq(moving | storing | (at("GIVE") & memory.done)),
            memory.jump.eq(jumping | (counting & memory.counted) | (at("GIVE") & memory.done)),
            memory.write.eq(storing | counting | at("COMPARE")),
        ]
        m.d.sync += memory.bound.eq(
            choose(
                (requested & is_step, memory.room),
                (requested & ~is_step, OVERHEAD),
                (giving, memory.room - OVERHEAD // 2),
                (is_step & ~requested & ~giving, memory.last[Command.STEP]),
                (is_read_state & ~requested, memory.last[Command.READ_STATE]),
                (is_identify & ~requested, memory.last[Command.IDENTIFY]),
                (is_counters & ~requested, memory.last[Command.COUNTERS]),
            )
        )
        m.d.sync += memory.target.eq(
            choose(
                (at("JUDGE"), Mux(good, memory.accepted, memory.rejected)),
                (at("START") & dropped, memory.rejected),
                (at("DECIDE") & is_step, memory.steps),
                (at("RECALL"), memory.memo | field),
                (at("COMPARE") & (field == 0), 1),
                (at("COMPARE") & (field == 1), Mux(is_step, memory.room - 2, OVERHEAD - 2)),
                (at("COMPARE") & (field == 2), Mux(is_step, memory.room - 1, OVERHEAD - 1)),
                (at("COMMAND") & is_step, OVERHEAD // 2),
                (at("COMMAND") & is_identify, memory.identity),
                (at("COMMAND") & is_counters, memory.accepted),
            )
        )
        with m.If(go):
            m.d.sync += field.eq(field + at("COMPARE"))
            m.d.sync += memory.more.eq(
                at("START", "JUDGE") | (at("DECIDE") & is_step) | (counting & ~memory.counted & memory.carries)
            )

        # The byte, and the answer.
        putting = later(at(*states.puts))
        from_memory = later(at("RECALL", *states.counts, *states.x, "SEQUENCE", "COMMAND", "READ"))
        from_checksum = later(at("CRC_LOW", "CRC_HIGH"))
        z_word = Signal(8 * len(states.z))
        h_word = Signal(8 * len(states.h))
        m.d.comb += [z_word.eq(self.z.payload), h_word.eq(self.state.payload)]
        from_core = later(
            choose(
                *((at(name), z_word.word_select(k, 8)) for k, name in enumerate(states.z)),
                *((at(name), h_word.word_select(k, 8)) for k, name in enumerate(states.h)),
            )
        )
        with m.If(go & ~at("COMPARE")):
            m.d.sync += byte.eq(
                choose(
                    (at("RECEIVE"), token.data),
                    (from_memory, memory.total),
                    (at("COMMAND"), ANSWER),
                    (from_checksum, checksum.o),
                )
                | from_core
            )
        m.d.comb += [checksum.byte.eq(byte), checksum.shift.eq(at("CRC_HIGH")), self.o.payload.data.eq(byte)]
        m.d.sync += [
            checksum.start.eq(go & at("START", "JUDGE")),
            checksum.step.eq(go & (putting | (at("RECEIVE") & ~token.end))),
            self.o.valid.eq((go & putting) | (self.o.valid & ~self.o.ready)),
            self.again.eq(go & at("DECIDE") & repeated),
        ]
        with m.If(go):
            m.d.sync += self.o.payload.end.eq(at("END"))

        # The core.
        bits = self.identity.input_format.bits
        x_word = Signal(8 * len(states.x), reset_less=True)
        shift = later(go & at(*states.x))
        most_negative = later(x_word[:bits] == 1 << (bits - 1))  # not in the core's range
        x = Cat(x_word[0] | most_negative, x_word[1:bits])
        m.d.comb += self.x.payload.eq(x.as_signed())
        m.d.sync += [
            self.x.valid.eq((go & at("GIVE")) | (self.x.valid & ~self.x.ready)),
            self.z.ready.eq(go & at(states.z[-1])),
            self.state.ready.eq(go & at(states.h[-1])),
            self.dump.eq(go & at("COMMAND") & is_read_state),
            self.clear.eq(go & at("CLEAR")),
        ]
        with m.If(shift):
            m.d.sync += x_word.eq(Cat(x_word[8:], byte))
        return m
