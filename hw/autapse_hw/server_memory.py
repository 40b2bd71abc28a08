"""What the server counts and says of itself, and the address that walks over it."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from autapse.protocol import COUNTER_BYTES, COUNTERS_BYTES, IDENTITY_BYTES, SESSION_BYTES, Command, Identity


class ServerMemory(wiring.Component):
    """The session, the counters and the identity, in the order of the answers.

    All that happens, happens at `go`, which is high every fourth cycle at most.

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
    session, steps, accepted, rejected, refused, framing_errors, overruns, identity : int
        Where the parts begin.
    last : dict[Command, int]
        The last address of each answer.
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

    def __init__(self, identity: Identity) -> None:
        counters = range(SESSION_BYTES, SESSION_BYTES + COUNTERS_BYTES - 2, COUNTER_BYTES)
        self.session = 0
        self.steps, self.accepted, self.rejected, self.refused, self.framing_errors, self.overruns = counters
        self.identity = counters.stop
        self._contents = [0] * self.identity + list(identity.to_bytes())
        self.last = {
            Command.IDENTIFY: self.identity + IDENTITY_BYTES - 1,
            Command.STATUS: self.steps + COUNTER_BYTES - 1,
            Command.OPEN: SESSION_BYTES - 1,
            Command.COUNTERS: self.identity - 1,
        }
        bits = bits_for(len(self._contents))
        more = bits_for(identity.batch)
        inputs = {"go": 1, "move": 1, "jump": 1, "target": bits, "bound": bits, "byte": 8, "write": 1, "more": more}
        outputs = {"done": 1, "counted": 1, "total": 8, "carries": 1}
        super().__init__({name: In(n) for name, n in inputs.items()} | {name: Out(n) for name, n in outputs.items()})

    def elaborate(self, platform: object) -> Module:
        """Registers on all sides of the memory, and behind the adder."""
        m = Module()
        # What is read while it is written is not used. Yosys can be told so for a port whose register is outside, and
        # then it adds no bypass to the block RAM of an iCE40.
        memory: Memory[Any, Any] = Memory(
            shape=8, depth=len(self._contents), init=self._contents, attrs={"no_rw_check": "1"}
        )
        m.submodules.memory = memory
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        address = Signal(len(self.target))
        write_at = Signal.like(address)
        write_now = Signal()
        read_out = Signal(8, reset_less=True)
        fetched = Signal(8, reset_less=True)
        total = Signal(9, reset_less=True)

        m.d.comb += read.addr.eq(address)
        m.d.comb += [write.addr.eq(write_at), write.data.eq(self.byte), write.en.eq(write_now)]
        m.d.comb += [self.total.eq(total), self.carries.eq(total[-1])]
        m.d.sync += [read_out.eq(read.data), fetched.eq(read_out), total.eq(fetched + self.more)]
        m.d.sync += [self.done.eq(address == self.bound), self.counted.eq(address[:2] == COUNTER_BYTES - 1)]
        m.d.sync += [write_at.eq(address), write_now.eq(self.go & self.write)]
        with m.If(self.go & self.move):
            m.d.sync += address.eq(Mux(self.jump, self.target, address + 1))
        return m
