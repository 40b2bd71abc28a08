"""The design of a board: clock and reset, and the system between its pins."""

from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from autapse.quantized import QuantizedNetwork
from autapse_boards.board import Board, baud_rate
from autapse_boards.clock import ClockGenerator
from autapse_boards.pll import Clocking
from autapse_hw.system import System
from autapse_hw.tiling import Tiling
from autapse_hw.uart import divisor_for
from autapse_hw.weights import Storage


class Top(Elaboratable):
    """A network on a board, for the board's platform.

    Parameters
    ----------
    q, tiling, form, storage, trace
        The network, and the multiply-accumulators that compute it; see :class:`autapse_hw.system.System`.
    board
        Where it runs.
    clocking
        Settings of the PLL, from :func:`autapse_boards.pll.settings`; the UART's divisor follows from them.
    """

    def __init__(
        self,
        q: QuantizedNetwork,
        tiling: Tiling,
        form: str,
        board: Board,
        clocking: Clocking,
        storage: Storage = Storage.FIXED,
        *,
        trace: bool = False,
    ) -> None:
        self.q = q
        self.tiling = tiling
        self.form = form
        self.board = board
        self.clocking = clocking
        self.storage = storage
        self.trace = trace

    def elaborate(self, platform: Any) -> Module:
        """The pins are requested raw: their buffers are ours, and their synchronisers those of the parts."""
        m = Module()
        m.domains.sync = ClockDomain("sync", reset_less=True)
        frequency = float(self.clocking.frequency)
        clock = platform.request(self.board.clock, dir="-")
        m.submodules.clock = generator = ClockGenerator(self.clocking, clock, pad=self.board.pad_pll)
        divisor = divisor_for(frequency, baud_rate(self.board, frequency))
        m.submodules.system = system = System(
            self.q, self.tiling, frequency, divisor, self.form, self.storage, trace=self.trace
        )

        uart = platform.request(*self.board.uart, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.d.comb += [system.reset.eq(generator.reset), system.rx.eq(rx.i), tx.o.eq(system.tx)]
        if self.board.led is not None:
            name, number, *colour = self.board.led
            port = platform.request(name, number, dir="-")
            m.submodules.led = led = io.Buffer(io.Direction.Output, getattr(port, colour[0]) if colour else port)
            m.d.comb += led.o.eq(system.activity)
        if self.board.reset is not None:
            m.submodules.button = button = io.Buffer(io.Direction.Input, platform.request(*self.board.reset, dir="-"))
            m.d.comb += generator.restart.eq(button.i)
        return m
