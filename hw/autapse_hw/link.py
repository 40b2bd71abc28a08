"""The serial link of a device: a UART, the buffers of frames, and the server that drives the core."""

from fractions import Fraction

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from autapse.protocol import Identity
from autapse_hw.core_port import CoreClient, connect_core, core_members
from autapse_hw.framing import CobsDecoder
from autapse_hw.receive import ReceiveBuffer
from autapse_hw.server import Server
from autapse_hw.transmit import TransmitBuffer
from autapse_hw.uart import UartRx, UartTx, check_divisor


def buffer_memory(memory: str) -> str:
    """Kind of the two memories for frames, beside a server's memory of that kind.

    Yosys chooses, but for an ECP5: a block RAM that answers in one cycle takes 5.8 ns for it there, and RAM in logic
    hardly less for the choice among its pieces. So it is a block RAM with its output register.
    """
    return memory if memory == "ecp5" else "logic"


class FrameLink(CoreClient):
    """The link behind its UART: bytes in, bytes out.

    Parameters
    ----------
    identity : Identity
        What the device answers when it is asked what it is, and the shapes and formats of the core.
    memory : str
        Kind of the server's memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    i, lost : In(stream.Signature(8, always_ready=True)), In(1)
        Bytes of the line, and that one was lost.
    o : Out(stream.Signature(8))
        Bytes for the line.
    x, z, clear, given, initial, dump, state, busy, saturations, cells, recall, records
        The core; see :class:`~autapse_hw.core_port.CoreClient`.
    activity : Out(1)
        Changes with each request that is executed; for an LED.
    """

    i: stream.Interface
    lost: Signal
    o: stream.Interface
    activity: Signal

    def __init__(self, identity: Identity, memory: str = "generic") -> None:
        if not isinstance(identity, Identity):
            raise TypeError(f"a link needs an Identity, not {identity!r}")
        self.identity, self._memory = identity, memory
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "lost": In(1),
                "o": Out(stream.Signature(8)),
                **core_members(identity),
                "activity": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The parts in the order of the bytes."""
        m = Module()
        buffer = buffer_memory(self._memory)
        m.submodules.receive = receive = ReceiveBuffer(self.identity.room, buffer)
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.server = server = Server(self.identity, self._memory)
        longest = self.identity.longest_answer
        m.submodules.transmit = transmit = TransmitBuffer(self.identity.slot, self.identity.window + 1, longest, buffer)

        wiring.connect(m, wiring.flipped(self.i), receive.i)
        wiring.connect(m, receive.o, decoder.i)
        wiring.connect(m, decoder.o, server.i)
        wiring.connect(m, server.o, transmit.i)
        wiring.connect(m, transmit.o, wiring.flipped(self.o))
        m.d.comb += [
            receive.lost.eq(self.lost),
            receive.rewind.eq(server.rewind),
            receive.release.eq(server.release),
            decoder.rewind.eq(server.rewind),
            server.lost.eq(self.lost),
            server.overrun.eq(receive.overrun),
            transmit.keep.eq(server.keep),
            transmit.wanted.eq(server.wanted),
            transmit.replay.eq(server.replay),
            self.activity.eq(server.activity),
        ]
        connect_core(m, server, self)
        return m


class Link(CoreClient):
    """Lets a host run the core over two wires, by the protocol of ``docs/protocol.md``.

    Parameters
    ----------
    identity : Identity
        What the device answers when it is asked what it is, and the shapes and formats of the core.
    divisor : int or Fraction
        Clock cycles per bit, from :func:`~autapse_hw.uart.divisor_for`.
    memory : str
        Kind of the server's memory: one of :data:`autapse_hw.memories.LATENCY`.

    Members
    -------
    rx, tx : In(1), Out(1)
        The serial line, asynchronous; high at rest.
    x, z, clear, given, initial, dump, state, busy, saturations, cells, recall, records
        The core; see :class:`~autapse_hw.core_port.CoreClient`.
    activity : Out(1)
        Changes with each request that is executed; for an LED.
    """

    rx: Signal
    tx: Signal
    activity: Signal

    def __init__(self, identity: Identity, divisor: int | Fraction, memory: str = "generic") -> None:
        self.divisor = check_divisor(divisor)
        if not isinstance(identity, Identity):
            raise TypeError(f"a link needs an Identity, not {identity!r}")
        self.identity, self._memory = identity, memory
        super().__init__({"rx": In(1), "tx": Out(1), **core_members(identity), "activity": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.uart_rx = uart_rx = UartRx(self.divisor)
        m.submodules.frames = frames = FrameLink(self.identity, self._memory)
        m.submodules.uart_tx = uart_tx = UartTx(self.divisor)
        wiring.connect(m, uart_rx.o, frames.i)
        wiring.connect(m, frames.o, uart_tx.i)
        m.d.comb += [uart_rx.rx.eq(self.rx), self.tx.eq(uart_tx.tx), frames.lost.eq(uart_rx.lost)]
        m.d.comb += self.activity.eq(frames.activity)
        connect_core(m, frames, self)
        return m
