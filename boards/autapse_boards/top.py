"""The design of a board: clock and reset, and the system between its pins."""

from typing import Any

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from autapse.quantized import QuantizedNetwork
from autapse_boards.board import Board
from autapse_boards.clock import ClockGenerator
from autapse_boards.pll import Clocking
from autapse_hw.system import System
from autapse_hw.tiling import Tiling
from autapse_hw.uart import divisor_for


class Top(Elaboratable):
    """A network on a board, for the board's platform.

    Parameters
    ----------
    q, tiling, form
        The network, and the multiply-accumulators that compute it; see :class:`autapse_hw.core.Core`.
    board
        Where it runs.
    clocking
        Settings of the PLL, from :func:`autapse_boards.pll.settings`; the UART's divisor follows from them.
    """

    def __init__(self, q: QuantizedNetwork, tiling: Tiling, form: str, board: Board, clocking: Clocking) -> None:
        self.q = q
        self.tiling = tiling
        self.form = form
        self.board = board
        self.clocking = clocking

    def elaborate(self, platform: Any) -> Module:
        """The pins are requested raw: their buffers are ours, and their synchronisers those of the parts."""
        m = Module()
        m.domains.sync = ClockDomain("sync")
        frequency = float(self.clocking.frequency)
        clock = platform.request(self.board.clock, dir="-")
        m.submodules.clock = ClockGenerator(self.clocking, clock, pad=self.board.pad_pll)
        divisor = divisor_for(frequency, self.board.baud)
        m.submodules.system = system = System(self.q, self.tiling, frequency, divisor, self.form)

        uart = platform.request(*self.board.uart, dir="-")
        m.submodules.rx = rx = io.Buffer(io.Direction.Input, uart.rx)
        m.submodules.tx = tx = io.Buffer(io.Direction.Output, uart.tx)
        m.submodules.led = led = io.Buffer(io.Direction.Output, platform.request(*self.board.led, dir="-"))
        m.d.comb += [system.rx.eq(rx.i), tx.o.eq(system.tx), led.o.eq(system.activity)]
        return m
