"""The memory of the server, and the address that walks over it."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from autapse.protocol import COUNTER_BYTES, COUNTERS, IDENTITY_BYTES, OVERHEAD, Command, Identity
from autapse_hw.arithmetic import delayed
from autapse_hw.memories import Ram


class ServerMemory(wiring.Component):
    """The request from address 0 on, four bytes of the last good one, the counters and the identity.

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
    more : In(1)
        What `total` is more than the byte in the memory.
    address : Out
        Also an index of outputs and units.
    done, counted : Out(1)
        The address is `bound`, or that of a counter's last byte; a cycle after either changes.
    fetched, total : Out(8)
        The byte at the address, from the second cycle after its change on; the same plus `more`, a cycle later.
    carries : Out(1)
        With `total`: the sum was 256.

    Attributes
    ----------
    room : int
        The longest request.
    memo, accepted, rejected, steps, identity : int
        Where the parts begin, each at a multiple of four.
    last : dict[Command, int]
        The last address of each answer's elements: in the memory, or as an index.
    """

    go: Signal
    move: Signal
    jump: Signal
    target: Signal
    bound: Signal
    byte: Signal
    write: Signal
    more: Signal
    address: Signal
    done: Signal
    counted: Signal
    fetched: Signal
    total: Signal
    carries: Signal

    def __init__(self, identity: Identity, memory: str) -> None:
        self._kind = memory
        self.room = OVERHEAD + identity.request_bytes(Command.STEP)
        self.memo = -(-self.room // OVERHEAD) * OVERHEAD
        self.accepted, self.rejected, self.steps = (self.memo + OVERHEAD + k * COUNTER_BYTES for k in range(COUNTERS))
        self.identity = self.steps + COUNTER_BYTES
        self._contents = [0] * self.identity + list(identity.to_bytes())
        self.last = {
            Command.IDENTIFY: self.identity + IDENTITY_BYTES - 1,
            Command.STEP: identity.outputs - 1,
            Command.READ_STATE: identity.units - 1,
            Command.COUNTERS: self.identity - 1,
        }
        bits = bits_for(max(len(self._contents), *self.last.values()))
        inputs = {"go": 1, "move": 1, "jump": 1, "target": bits, "bound": bits, "byte": 8, "write": 1, "more": 1}
        outputs = {"address": bits, "done": 1, "counted": 1, "fetched": 8, "total": 8, "carries": 1}
        super().__init__({name: In(n) for name, n in inputs.items()} | {name: Out(n) for name, n in outputs.items()})

    def elaborate(self, platform: object) -> Module:
        """Registers on all sides of the memory, and around the adders."""
        m = Module()
        # What is read while it is written is not used.
        m.submodules.memory = memory = Ram(8, len(self._contents), self._contents, self._kind)
        address = Signal(len(self.address), reset_less=True)
        write_at = Signal(len(self.address), reset_less=True)
        write_now = Signal()
        fetched: Value = delayed(m, memory.data, 2 - memory.latency)
        total = Signal(8, reset_less=True)

        m.d.comb += [
            memory.addr.eq(address),
            memory.w_addr.eq(write_at),
            memory.w_data.eq(self.byte),
            memory.w_en.eq(write_now),
        ]
        m.d.comb += [self.address.eq(address), self.fetched.eq(fetched), self.total.eq(total)]
        m.d.sync += self.carries.eq(fetched.all() & self.more)
        m.d.sync += total.eq((Cat(1, fetched) + self.more)[1:])  # carried in from below, without a LUT of its own
        m.d.sync += [self.done.eq(address == self.bound), self.counted.eq(address[:2] == COUNTER_BYTES - 1)]
        m.d.sync += [write_at.eq(address), write_now.eq(self.go & self.write)]
        with m.If(self.go & self.move):
            m.d.sync += address.eq(Mux(self.jump, self.target, address + 1))
        return m
