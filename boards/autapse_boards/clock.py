"""The clock of a design: the phase-locked loop as a circuit, and the reset that waits for it."""

from typing import Any

from amaranth.hdl import ClockSignal, Const, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer  # type: ignore[import-untyped]

from autapse_boards.pll import Clocking, Ecp5Pll, Ice40Pll, NoPll

#: Reset is held this long after lock; iCE40 block RAMs read as zeros for some 3 µs after configuration.
HOLD_SECONDS = 15e-6


class ClockGenerator(Elaboratable):
    """Drives the ``sync`` domain, which the design declares without a reset, by a PLL.

    Parameters
    ----------
    clocking
        Settings from :mod:`autapse_boards.pll`.
    port
        Port of the board's clock, an :class:`amaranth.lib.io.SingleEndedPort`.
    pad
        iCE40 only: the clock pin is the PLL's own pad, which nothing else may then read (SB_PLL40_PAD).

    Attributes
    ----------
    restart
        A signal, asynchronous: while it is high, as while a button is pressed, and 15 µs longer, reset lasts.
    reset
        A register of ``sync``: high until 15 µs after the PLL has locked.
    """

    def __init__(self, clocking: Clocking, port: Any, *, pad: bool = False) -> None:
        self.clocking = clocking
        self.port = port
        self.pad = pad
        self.restart = Signal()
        self.reset = Signal(init=1)

    def elaborate(self, platform: object) -> Module:
        """The PLL, and a timer that is cleared while it is not locked."""
        m = Module()
        clk = Signal()
        locked = Signal()
        m.d.comb += ClockSignal("sync").eq(clk)

        if isinstance(self.clocking, Ice40Pll) and self.pad:
            m.submodules.pll = Instance(
                "SB_PLL40_PAD", io_PACKAGEPIN=self.port.io, **_ice40(self.clocking, clk, locked)
            )
        else:
            m.submodules.buffer = buffer = io.Buffer(io.Direction.Input, self.port)
            match self.clocking:
                case Ice40Pll():
                    pll = Instance("SB_PLL40_CORE", i_REFERENCECLK=buffer.i, **_ice40(self.clocking, clk, locked))
                    m.submodules.pll = pll
                case Ecp5Pll():
                    m.submodules.pll = _ecp5(self.clocking, buffer.i, clk, locked)
                case NoPll():
                    m.d.comb += [clk.eq(buffer.i), locked.eq(1)]

        steady = Signal()
        m.submodules.lock = FFSynchronizer(locked & ~self.restart, steady)
        cycles = int(HOLD_SECONDS * self.clocking.frequency) + 1
        top = 1 << cycles.bit_length()  # whose bit is all that has to be looked at
        timer = Signal(range(2 * top))  # not steady at first, so it is set then; a first value would cost inverters
        with m.If(~steady):
            m.d.sync += [timer.eq(top - cycles), self.reset.eq(1)]
        with m.Elif(timer[-1]):
            m.d.sync += self.reset.eq(0)
        with m.Else():
            m.d.sync += timer.eq(timer + 1)
        return m


def _ice40(s: Ice40Pll, clk: Signal, locked: Signal) -> dict[str, Any]:
    return {
        "p_FEEDBACK_PATH": "SIMPLE",
        "p_DIVR": Const(s.divr, 4),
        "p_DIVF": Const(s.divf, 7),
        "p_DIVQ": Const(s.divq, 3),
        "p_FILTER_RANGE": Const(s.filter_range, 3),
        "i_RESETB": Const(1),
        "i_BYPASS": Const(0),
        "o_PLLOUTGLOBAL": clk,
        "o_LOCK": locked,
    }


def _ecp5(s: Ecp5Pll, clk_in: Any, clk: Signal, locked: Signal) -> Instance:
    # The attributes tune the loop filter, and are what ecppll writes for every frequency.
    return Instance(
        "EHXPLLL",
        a_ICP_CURRENT="12",
        a_LPF_RESISTOR="8",
        a_MFG_ENABLE_FILTEROPAMP="1",
        a_MFG_GMCREF_SEL="2",
        p_PLLRST_ENA="DISABLED",
        p_INTFB_WAKE="DISABLED",
        p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA",
        p_OUTDIVIDER_MUXB="DIVB",
        p_OUTDIVIDER_MUXC="DIVC",
        p_OUTDIVIDER_MUXD="DIVD",
        p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=s.in_div,
        p_CLKFB_DIV=s.fb_div,
        p_CLKOP_ENABLE="ENABLED",
        p_CLKOP_DIV=s.out_div,
        p_CLKOP_CPHASE=s.phase,
        p_CLKOP_FPHASE=0,
        i_CLKI=clk_in,
        i_CLKFB=clk,
        i_RST=Const(0),
        i_STDBY=Const(0),
        i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0),
        i_PHASEDIR=Const(1),
        i_PHASESTEP=Const(1),
        i_PHASELOADREG=Const(1),
        i_PLLWAKESYNC=Const(0),
        i_ENCLKOP=Const(0),
        o_CLKOP=clk,
        o_LOCK=locked,
    )
