"""The device's end of the protocol, on tokens: checks requests, drives the core, writes answers."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import crc, stream, wiring  # type: ignore[attr-defined]  # the stubs lack crc
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from autapse.protocol import (
    ANSWER,
    COUNTER_BYTES,
    COUNTERS,
    CRC_FINAL,
    CRC_INITIAL,
    CRC_POLYNOMIAL,
    IDENTITY_BYTES,
    OVERHEAD,
    Command,
    Identity,
    code_bytes,
)
from autapse_hw.framing import TOKEN

#: The CRC of `autapse.protocol`.
CRC16 = crc.Algorithm(
    crc_width=16,
    polynomial=CRC_POLYNOMIAL,
    initial_crc=CRC_INITIAL,
    reflect_input=True,
    reflect_output=True,
    xor_output=CRC_FINAL,
)


def core_members(identity: Identity) -> dict[str, wiring.Member]:
    """The ports towards the core, as :class:`Server` documents them."""
    return {
        "x": Out(stream.Signature(signed(identity.input_format.bits))),
        "z": In(stream.Signature(signed(identity.z_format.bits))),
        "clear": Out(1),
        "busy": In(1),
        "state_index": Out(range(max(2, identity.units))),
        "state_value": In(signed(identity.state_format.bits)),
    }


class Server(wiring.Component):
    """Executes one request at a time, each only once however often it comes in a row.

    A frame that begins or ends while another one is executed is dropped.

    Parameters
    ----------
    identity : Identity
        What to answer, and the shapes and formats of the core.

    Members
    -------
    i : In(stream.Signature(TOKEN))
        Requests, from a :class:`~autapse_hw.framing.CobsDecoder`. Held back for less than 40 cycles, a byte's time.
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
    state_index, state_value : Out(range(max(2, units))), In(signed(state_bits))
        A unit, and its state two cycles later while `busy` is low.
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
    state_index: Signal
    state_value: Signal
    activity: Signal

    def __init__(self, identity: Identity) -> None:
        if not isinstance(identity, Identity):
            raise TypeError(f"a server needs an Identity, not {identity!r}")
        self.identity = identity
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
        """One memory holds the request, the counters and the identity; one address walks over all of them.

        A request is written from address 0 on while its CRC is computed, and nothing of it is used before its end
        was found good. An answer is made element by element: a byte of memory, an output or a state value goes into
        `word` (so that no logic follows a memory in the same cycle), and out of it byte by byte, through the same
        CRC, which a frame coming in and one going out never need at the same time.

        Two state machines take turns: the first receives, judges, counts, and compares the frame with the last good
        one; the second answers. One machine of all states was 5 MHz slower on the UP5K.
        """
        m = Module()
        identity = self.identity
        formats = (identity.input_format, identity.z_format, identity.state_format)
        x_bytes, z_bytes, h_bytes = (code_bytes(f.bits) for f in formats)
        room = OVERHEAD + identity.request_bytes(Command.STEP)
        counters_at = -(-room // COUNTER_BYTES) * COUNTER_BYTES  # aligned: the low bits tell a counter's last byte
        identity_at = counters_at + COUNTERS * COUNTER_BYTES
        contents = [0] * identity_at + list(identity.to_bytes())
        accepted, rejected, steps = range(COUNTERS)
        # Where the elements of an answer come from, and how many they are.
        elements = {
            Command.IDENTIFY: ("READ", IDENTITY_BYTES),
            Command.STEP: ("Z", identity.outputs),
            Command.READ_STATE: ("STATE", identity.units),
            Command.COUNTERS: ("READ", COUNTERS * COUNTER_BYTES),
        }

        memory: Memory[Any, Any] = Memory(shape=8, depth=len(contents), init=contents)
        m.submodules.memory = memory
        write = memory.write_port()
        read = memory.read_port()
        m.submodules.crc = check = crc.Processor(CRC16(8))

        address = Signal(range(len(contents) + 1))
        # The request, and what is remembered of the last good one: sequence number, command, CRC.
        command, memo = Signal(8), Signal(32)
        recalled, repeated = Signal(range(4)), Signal()
        remembered = Signal()
        bad = Signal()  # the frame that is coming in will not be good
        sound = Signal()  # the frame that has come in was not bad
        dropped = Signal()  # a frame ended during an execution
        known, complete, good = Signal(), Signal(), Signal()
        counting = Signal(range(COUNTERS))  # the counter that counts
        # The answer.
        word = Signal(8 * max(z_bytes, h_bytes))
        left = Signal(range(max(z_bytes, h_bytes)))  # bytes of `word` behind the one that goes out
        index = Signal(range(max(identity.inputs, *(number for _, number in elements.values()))))
        limit = Signal.like(index)
        last = Signal()  # the element in `word` is the last one
        x_word, x_left = Signal(8 * x_bytes), Signal(range(x_bytes))
        # What the state is for.
        receiving, checking, execute, done = Signal(), Signal(), Signal(), Signal()

        token = self.i.payload
        op = command[:3]  # enough once the command is known
        free = ~self.o.valid
        idle = Signal()  # a cycle late, which SENDING allows for
        m.d.sync += idle.eq(self.idle)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        m.d.comb += [read.addr.eq(address), write.addr.eq(address)]
        m.d.comb += [self.state_index.eq(index), self.x.payload.eq(x_word[: identity.input_format.bits].as_signed())]
        m.d.comb += self.i.ready.eq(~checking)
        # All bytes go through the CRC, and after those of a good frame's own CRC it holds a known residue.
        m.d.comb += check.data.eq(Mux(receiving, token.data, self.o.payload.data))
        m.d.comb += check.valid.eq(Mux(receiving, self.i.valid & ~token.end, self.o.valid & self.o.ready))
        m.d.comb += known.eq((command >= min(Command)) & (command <= max(Command)))
        m.d.comb += complete.eq(address == Mux(op == Command.STEP, room, OVERHEAD))
        with m.Switch(op):
            for code, (_, number) in elements.items():
                with m.Case(code):
                    m.d.comb += limit.eq(number - 1)

        def count(counter: int) -> None:
            m.d.sync += [address.eq(counters_at + counter * COUNTER_BYTES), counting.eq(counter)]
            m.next = "COUNT"

        def put(value: Value) -> None:
            with m.If(free):
                m.d.sync += [self.o.valid.eq(1), self.o.payload.end.eq(0), self.o.payload.data.eq(value)]

        with m.FSM():
            with m.State("RECEIVE"):
                m.d.comb += [receiving.eq(1), write.data.eq(token.data)]
                with m.If(self.i.valid & ~token.end):
                    with m.If(address == room):
                        m.d.sync += bad.eq(1)
                    with m.Else():
                        m.d.comb += write.en.eq(1)
                        m.d.sync += address.eq(address + 1)
                    with m.If(address == 1):
                        m.d.sync += command.eq(token.data)
                with m.Elif(self.i.valid):
                    m.d.sync += [sound.eq(~bad & ~token.data[0]), bad.eq(0)]
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += checking.eq(1)
                m.d.sync += good.eq(sound & known & complete & check.match_detected)
                m.next = "JUDGE"
            with m.State("JUDGE"):
                m.d.comb += checking.eq(1)
                count(rejected)
                with m.If(good):
                    m.d.sync += self.activity.eq(~self.activity)
                    count(accepted)

            with m.State("COUNT"):
                m.d.comb += [checking.eq(1), check.start.eq(1)]
                m.next = "COUNT_READ"
            with m.State("COUNT_READ"):
                m.d.comb += checking.eq(1)
                m.d.sync += word[:8].eq(read.data)
                m.next = "COUNT_WRITE"
            with m.State("COUNT_WRITE"):
                m.d.comb += [checking.eq(1), write.data.eq(word[:8] + 1), write.en.eq(1)]
                with m.If((word[:8] == 255) & (address[:2] != COUNTER_BYTES - 1)):
                    m.d.sync += address.eq(address + 1)
                    m.next = "COUNT"
                with m.Else():
                    m.d.sync += address.eq(0)
                    with m.If(counting == rejected):
                        m.next = "RECEIVE"
                    with m.Elif(counting == accepted):
                        m.d.sync += repeated.eq(remembered)
                        m.next = "RECALL"
                    with m.Else():
                        m.next = "EXECUTE"

            with m.State("RECALL"):
                m.d.comb += checking.eq(1)
                m.next = "RECALL_READ"
            with m.State("RECALL_READ"):
                m.d.comb += checking.eq(1)
                m.d.sync += [word[:8].eq(read.data), address.eq(address + 1), recalled.eq(recalled + 1)]
                with m.If((recalled == 1) & (op == Command.STEP)):
                    m.d.sync += address.eq(room - 2)
                m.next = "RECALL_COMPARE"
            with m.State("RECALL_COMPARE"):
                m.d.comb += checking.eq(1)
                m.d.sync += [memo.eq(Cat(memo[8:], word[:8])), remembered.eq(1)]
                with m.If(word[:8] != memo[:8]):
                    m.d.sync += repeated.eq(0)
                m.next = "RECALL"
                with m.If(recalled == 0):
                    m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.comb += checking.eq(1)
                m.next = "EXECUTE"
                with m.If((op == Command.STEP) & ~repeated):
                    count(steps)
            with m.State("EXECUTE"):
                m.d.comb += [checking.eq(1), execute.eq(1)]
                m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(done):
                    m.d.sync += address.eq(0)
                    m.next = "RECEIVE"
                    with m.If(dropped):
                        m.d.sync += dropped.eq(0)
                        count(rejected)

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.again.eq(execute & repeated)
                with m.If(execute):
                    m.next = "SEQUENCE"
                    with m.If(repeated):
                        m.next = "SENDING"
            with m.State("SEQUENCE"):
                put(memo[:8])
                with m.If(free):
                    m.next = "COMMAND"
            with m.State("COMMAND"):
                put(command | ANSWER)
                m.d.sync += [index.eq(0), last.eq(0), x_left.eq(x_bytes - 1)]
                m.d.sync += address.eq(Mux(op == Command.COUNTERS, counters_at, identity_at))
                with m.If(op == Command.STEP):
                    m.d.sync += address.eq(OVERHEAD // 2)
                with m.If(free):
                    m.next = "CLEAR"
                    with m.Switch(op):
                        for code, (state, _) in elements.items():
                            with m.Case(code):
                                m.next = "X" if code == Command.STEP else state

            with m.State("CLEAR"):
                m.d.comb += self.clear.eq(1)
                m.next = "CLEARING"
            with m.State("CLEARING"):
                with m.If(~self.busy):
                    m.next = "CRC_LOW"

            with m.State("X"):
                m.d.sync += address.eq(address + 1)
                m.next = "X_BYTE"
            with m.State("X_BYTE"):
                m.d.sync += [x_word.eq(Cat(x_word[8:], read.data)), x_left.eq(x_left - 1)]
                m.next = "X"
                with m.If(x_left == 0):
                    m.d.sync += [x_left.eq(x_bytes - 1), last.eq(index == identity.inputs - 1)]
                    m.next = "X_LIMIT"
            with m.State("X_LIMIT"):  # the most negative code is not in the core's range
                with m.If(self.x.payload == -(1 << (identity.input_format.bits - 1))):
                    m.d.sync += x_word[0].eq(1)
                m.next = "X_GIVE"
            with m.State("X_GIVE"):
                m.d.comb += self.x.valid.eq(1)
                with m.If(self.x.ready):
                    m.d.sync += index.eq(index + 1)
                    m.next = "X"
                    with m.If(last):
                        m.d.sync += index.eq(0)
                        m.next = "Z"

            with m.State("Z"):
                m.d.comb += self.z.ready.eq(1)
                m.d.sync += [word.eq(self.z.payload), left.eq(z_bytes - 1), last.eq(index == limit)]
                with m.If(self.z.valid):
                    m.next = "PUT"
            with m.State("STATE"):
                with m.If(~self.busy):
                    m.next = "STATE_WAIT"
            with m.State("STATE_WAIT"):
                m.next = "STATE_TAKE"
            with m.State("STATE_TAKE"):
                m.d.sync += [word.eq(self.state_value), left.eq(h_bytes - 1), last.eq(index == limit)]
                m.next = "PUT"
            with m.State("READ"):
                m.d.sync += address.eq(address + 1)
                m.next = "READ_TAKE"
            with m.State("READ_TAKE"):
                m.d.sync += [word[:8].eq(read.data), left.eq(0), last.eq(index == limit)]
                m.next = "PUT"
            with m.State("PUT"):
                put(word[:8])
                with m.If(free):
                    m.d.sync += [word.eq(word[8:]), left.eq(left - 1)]
                    with m.If(left == 0):
                        m.d.sync += index.eq(index + 1)
                        with m.Switch(op):
                            for code, (state, _) in elements.items():
                                with m.Case(code):
                                    m.next = state
                        with m.If(last):
                            m.next = "CRC_LOW"

            with m.State("CRC_LOW"):
                put(check.crc[:8])
                m.d.sync += word[:8].eq(check.crc[8:])  # the low byte goes through the CRC, too, and changes it
                with m.If(free):
                    m.next = "CRC_HIGH"
            with m.State("CRC_HIGH"):
                put(word[:8])
                with m.If(free):
                    m.next = "END"
            with m.State("END"):
                put(word[:8])
                with m.If(free):
                    m.d.sync += self.o.payload.end.eq(1)
                    m.next = "SENDING"
            with m.State("SENDING"):  # the encoder has got the end when this token is gone
                with m.If(free):
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += check.start.eq(1)
                with m.If(idle):
                    m.d.comb += done.eq(1)
                    m.next = "IDLE"

        # Tokens that come during an execution are lost, and with them the frame that they belong to.
        with m.If(self.i.valid & ~receiving & ~checking):
            m.d.sync += bad.eq(~token.end)
            with m.If(token.end):
                m.d.sync += dropped.eq(1)
        with m.If(self.lost):
            m.d.sync += bad.eq(1)
        return m
