"""Lanes of the iCE40 UltraPlus: SB_MAC16 as one 16 x 16 multiplier, with its own accumulator or without, or as two
independent 8 x 8 ones.

The blocks lie in two columns, far from most of the logic, and a wire from them takes up to 6 ns. So products that are
summed in logic get one more register there. Parameter meanings: Lattice, iCE40 Technology Library, and yosys's
simulation model of the cell.
"""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from autapse_hw.arithmetic import delayed_flag, extended, registered
from autapse_hw.lanes.accumulator import Number
from autapse_hw.lanes.generic import Bank

_TIED_LOW = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "OLOADTOP", "OLOADBOT"),
    *("ADDSUBTOP", "ADDSUBBOT", "ORSTTOP", "ORSTBOT", "CI", "ACCUMCI", "SIGNEXTIN"),
)
#: The three register stages of a 16 x 16 product behind the input registers.
_PIPELINED_16X16 = {
    "PIPELINE_16x16_MULT_REG1": 1,
    "PIPELINE_16x16_MULT_REG2": 1,
    "TOP_8x8_MULT_REG": 1,
    "BOT_8x8_MULT_REG": 1,
}


def _mac16(m: Module, name: str, a: Value, b: Value, hold: Value | None = None, **parameters: int) -> Signal:
    """The cell with both inputs registered and signed, and its output, which can be held."""
    hold = Const(0, 1) if hold is None else hold
    out = Signal(32, name=f"{name}_out")
    arguments: dict[str, Any] = {
        "p_A_REG": 1,
        "p_B_REG": 1,
        "p_A_SIGNED": 1,
        "p_B_SIGNED": 1,
        **{f"p_{key}": value for key, value in parameters.items()},
        **{f"i_{key}": Const(0, 1) for key in _TIED_LOW},
        "i_OHOLDTOP": hold,
        "i_OHOLDBOT": hold,
        "i_C": Const(0, 16),
        "i_D": Const(0, 16),
        "i_CE": Const(1, 1),
        "i_CLK": ClockSignal(),
        "i_A": a,
        "i_B": b,
        "o_O": out,
    }
    m.submodules[name] = Instance("SB_MAC16", **arguments)
    return out


class Mac16Bank(Bank):
    """One SB_MAC16 a lane for the product, registered inside; the sum in logic. Words up to 16 bits."""

    product_latency = 4

    def product(self, m: Module, row: int, col: int) -> Number:
        out = _mac16(
            m,
            f"mac_{row}_{col}",
            extended(self.weight(row, col), 16),
            extended(self.operand(col), 16),
            None,
            TOPOUTPUT_SELECT=3,
            BOTOUTPUT_SELECT=3,
            **_PIPELINED_16X16,
        )
        return Number(registered(m, out[: self.product_bits]))


class Mac16SumBank(Bank):
    """One SB_MAC16 a lane for the product and the sum, all inside. Words up to 16 bits, sums up to 32; one column."""

    product_latency = 3

    def elaborate(self, platform: object) -> Module:
        # The output register is the running sum: top and bottom adders joined by the carry, both fed with the product
        # and with the register itself, which holds unless the product counts.
        m = Module()
        hold = ~delayed_flag(m, self.enable, self.product_latency)
        sums = []
        for row in range(self.rows):
            out = _mac16(
                m,
                f"mac_{row}",
                extended(self.weight(row, 0), 16),
                extended(self.operand(0), 16),
                hold,
                TOPOUTPUT_SELECT=1,
                TOPADDSUB_LOWERINPUT=2,
                TOPADDSUB_CARRYSELECT=2,
                BOTOUTPUT_SELECT=1,
                BOTADDSUB_LOWERINPUT=2,
                **_PIPELINED_16X16,
            )
            sums.append(out[: self.acc_bits])
        m.d.comb += self.sums.eq(Cat(*sums))
        return m


class Mac8x8Bank(Bank):
    """One SB_MAC16 for the products of two lanes, registered inside; the sums in logic. Words up to 8 bits.

    The lanes are neighbours of a row, and the last one of a row of odd length that of the next.
    """

    product_latency = 3

    def products(self, m: Module) -> list[list[Number]]:
        lanes = [(row, col) for row in range(self.rows) for col in range(self.cols)]
        rows: list[list[Number]] = [[] for _ in range(self.rows)]
        for first in range(0, len(lanes), 2):
            pair = lanes[first : first + 2]
            out = _mac16(
                m,
                f"mac_{first}",
                Cat(Cat(extended(self.weight(row, col), 8) for row, col in pair), Const(0, 8))[:16],
                Cat(Cat(extended(self.operand(col), 8) for _, col in pair), Const(0, 8))[:16],
                MODE_8x8=1,
                TOP_8x8_MULT_REG=1,
                BOT_8x8_MULT_REG=1,
                TOPOUTPUT_SELECT=2,
                BOTOUTPUT_SELECT=2,
            )
            for half, (row, _) in enumerate(pair):
                rows[row].append(Number(registered(m, out.word_select(half, 16)[: self.product_bits])))
        return rows
