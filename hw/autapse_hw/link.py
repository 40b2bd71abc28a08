"""The serial link of a device: a UART, the framing, and the server that drives the core."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import OVERHEAD, Command, Identity
from autapse_hw.framing import CobsDecoder, CobsEncoder
from autapse_hw.server import Server, core_members
from autapse_hw.uart import UartRx, UartTx, check_divisor


class Link(wiring.Component):
    """Lets a host run the core over two wires, by the protocol of ``docs/protocol.md``.

    Parameters
    ----------
    identity : Identity
        What the device answers when it is asked what it is, and the shapes and formats of the core.
    divisor : int
        Clock cycles per bit, from :func:`~autapse_hw.uart.divisor_for`.
    memory : str
        Kind of the server's memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    rx, tx : In(1), Out(1)
        The serial line, asynchronous; high at rest.
    x, z, clear, busy, dump, state
        The core; see :class:`~autapse_hw.server.Server`.
    activity : Out(1)
        Changes with each good frame; for an LED.
    """

    rx: Signal
    tx: Signal
    x: stream.Interface
    z: stream.Interface
    clear: Signal
    busy: Signal
    dump: Signal
    state: stream.Interface
    activity: Signal

    def __init__(self, identity: Identity, divisor: int, memory: str = "generic") -> None:
        check_divisor(divisor)
        if not isinstance(identity, Identity):
            raise TypeError(f"a link needs an Identity, not {identity!r}")
        self.identity = identity
        self.divisor = divisor
        self._memory = memory
        super().__init__({"rx": In(1), "tx": Out(1), **core_members(identity), "activity": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The parts in the order of the bytes: line, UART, decoder, server, encoder, UART, line."""
        m = Module()
        m.submodules.uart_rx = uart_rx = UartRx(self.divisor)
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.server = server = Server(self.identity, self._memory)
        longest = max(self.identity.answer_bytes(command) for command in Command)
        m.submodules.encoder = encoder = CobsEncoder(OVERHEAD + longest)
        m.submodules.uart_tx = uart_tx = UartTx(self.divisor)

        wiring.connect(m, uart_rx.o, decoder.i)
        wiring.connect(m, decoder.o, server.i)
        wiring.connect(m, server.o, encoder.i)
        wiring.connect(m, encoder.o, uart_tx.i)
        wiring.connect(m, wiring.flipped(self.x), server.x)
        wiring.connect(m, wiring.flipped(self.z), server.z)
        wiring.connect(m, wiring.flipped(self.state), server.state)
        m.d.comb += [uart_rx.rx.eq(self.rx), self.tx.eq(uart_tx.tx)]
        m.d.comb += [server.lost.eq(uart_rx.lost), server.idle.eq(encoder.idle), encoder.again.eq(server.again)]
        m.d.comb += [self.clear.eq(server.clear), server.busy.eq(self.busy)]
        m.d.comb += self.dump.eq(server.dump)
        m.d.comb += self.activity.eq(server.activity)
        return m
