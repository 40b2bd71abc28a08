"""What the server counts and says of itself, and the address that walks over it."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from autapse.protocol import COUNTER_BYTES, COUNTERS_BYTES, SESSION_BYTES, Command, Identity
from autapse_hw.arithmetic import delayed
from autapse_hw.memories import Ram


class ServerMemory(wiring.Component):
    """The session, the counters and the identity, in the order of the answers.

    All that happens, happens at `go`, which is high every fourth cycle at most.

    Parameters
    ----------
    identity
        Of the device.
    memory
        Kind of the memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    go, move, jump, target : In
        At `go`, the address increases by one if `move` is high, or becomes `target` if `jump` is high, too.
    bound : In
        An address; see `done`.
    byte, write : In(8), In(1)
        If `write` is high at `go`, then `byte`, as it is one cycle later, is written to the address before the `go`.
    more : In
        What `total` is more than the byte in the memory.
    done, counted : Out(1)
        The address is `bound`, or that of a counter's last byte; a cycle after either changes.
    total : Out(8)
        The byte at the address plus `more`, from the third cycle after its change on.
    carries : Out(1)
        With `total`: the sum was 256 or more.

    Attributes
    ----------
    session, steps, accepted, rejected, refused, framing_errors, overruns, identity, model_hash : int
        Where the parts begin.
    last : dict[Command, int]
        The last address of each answer; of APPLY that of the model hash.
    """

    go: Signal
    move: Signal
    jump: Signal
    target: Signal
    bound: Signal
    byte: Signal
    write: Signal
    more: Signal
    done: Signal
    counted: Signal
    total: Signal
    carries: Signal

    def __init__(self, identity: Identity, memory: str) -> None:
        self._kind = memory
        counters = range(SESSION_BYTES, SESSION_BYTES + COUNTERS_BYTES - 2, COUNTER_BYTES)
        self.session = 0
        self.steps, self.accepted, self.rejected, self.refused, self.framing_errors, self.overruns = counters
        self.identity = counters.stop
        self.model_hash = self.identity + 1
        # Whether weights are loaded, the last byte where they can be, comes from elsewhere.
        stored = identity.to_bytes()[: identity.length - (identity.upload is not None)]
        self._contents = [0] * self.identity + list(stored)
        self.last = {
            Command.IDENTIFY: len(self._contents) - 1,
            Command.STATUS: self.steps + COUNTER_BYTES - 1,
            Command.OPEN: SESSION_BYTES - 1,
            Command.COUNTERS: self.identity - 1,
            Command.APPLY: self.model_hash + len(identity.model_hash) - 1,
        }
        bits = bits_for(len(self._contents))
        more = bits_for(identity.batch)
        inputs = {"go": 1, "move": 1, "jump": 1, "target": bits, "bound": bits, "byte": 8, "write": 1, "more": more}
        outputs = {"done": 1, "counted": 1, "total": 8, "carries": 1}
        super().__init__({name: In(n) for name, n in inputs.items()} | {name: Out(n) for name, n in outputs.items()})

    def elaborate(self, platform: object) -> Module:
        """Registers on all sides of the memory, and behind the adder."""
        m = Module()
        # What is read while it is written is not used.
        m.submodules.memory = memory = Ram(8, len(self._contents), self._contents, self._kind)
        address = Signal(len(self.target))
        write_at = Signal.like(address)
        write_now = Signal()
        fetched: Value = delayed(m, memory.data, 2 - memory.latency)
        total = Signal(9, reset_less=True)
        m.d.comb += [
            memory.addr.eq(address),
            memory.w_addr.eq(write_at),
            memory.w_data.eq(self.byte),
            memory.w_en.eq(write_now),
            self.total.eq(total),
            self.carries.eq(total[-1]),
        ]
        m.d.sync += total.eq(fetched + self.more)
        m.d.sync += [self.done.eq(address == self.bound), self.counted.eq(address[:2] == COUNTER_BYTES - 1)]
        m.d.sync += [write_at.eq(address), write_now.eq(self.go & self.write)]
        with m.If(self.go & self.move):
            m.d.sync += address.eq(Mux(self.jump, self.target, address + 1))
        return m
