"""Lanes of the iCE40 UltraPlus: SB_MAC16 as one 16 x 16 multiplier, with its own accumulator or without, or as two
independent 8 x 8 ones.

The blocks lie in two columns, far from most of the logic, and a wire from them takes up to 6 ns. So products that are
summed in logic get one more register there. Parameter meanings: Lattice, iCE40 Technology Library, and yosys's
simulation model of the cell.
"""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from autapse_hw.lanes.generic import Bank

_TIED_LOW = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "OLOADTOP", "OLOADBOT"),
    *("ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN"),
)
#: The three register stages of a 16 x 16 product behind the input registers.
_PIPELINED_16X16 = {
    "PIPELINE_16x16_MULT_REG1": 1,
    "PIPELINE_16x16_MULT_REG2": 1,
    "TOP_8x8_MULT_REG": 1,
    "BOT_8x8_MULT_REG": 1,
}


def _mac16(m: Module, name: str, a: Value, b: Value, clear: Value | None = None, **parameters: int) -> Signal:
    """The cell with both inputs registered and signed, and its output."""
    clear = Const(0, 1) if clear is None else clear
    out = Signal(32, name=f"{name}_out")
    arguments: dict[str, Any] = {
        "p_A_REG": 1,
        "p_B_REG": 1,
        "p_A_SIGNED": 1,
        "p_B_SIGNED": 1,
        **{f"p_{key}": value for key, value in parameters.items()},
        **{f"i_{key}": Const(0, 1) for key in _TIED_LOW},
        "i_ORSTTOP": clear,
        "i_ORSTBOT": clear,
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


def _extended(value: Value, bits: int) -> Value:
    """`value` sign-extended to `bits`."""
    return Cat(value, value[-1].replicate(bits - len(value)))


class Mac16Bank(Bank):
    """One SB_MAC16 a lane for the product, registered inside; the sum in logic. Words up to 16 bits."""

    latency = 5

    def elaborate(self, platform: object) -> Module:
        m = Module()
        products: list[Value] = []
        for lane in range(self.lanes):
            out = _mac16(
                m,
                f"mac_{lane}",
                _extended(self.weight(lane), 16),
                _extended(self.v, 16),
                None,
                TOPOUTPUT_SELECT=3,
                BOTOUTPUT_SELECT=3,
                **_PIPELINED_16X16,
            )
            product = Signal(self.product_bits, name=f"p_{lane}", reset_less=True)
            m.d.sync += product.eq(out)
            products.append(product)
        self.accumulate(m, products)
        return m


class Mac16SumBank(Bank):
    """One SB_MAC16 a lane for the product and the sum, all inside. Words up to 16 bits, sums up to 32."""

    latency = 4

    def elaborate(self, platform: object) -> Module:
        # The output register is the running sum: top and bottom adders joined by the carry, both fed with the product
        # and with the register itself. Its reset is asynchronous; a register drives it.
        m = Module()
        clear = Signal(init=1)
        m.d.sync += clear.eq(self.clear)
        sums = []
        for lane in range(self.lanes):
            out = _mac16(
                m,
                f"mac_{lane}",
                _extended(self.weight(lane), 16),
                _extended(self.v, 16),
                clear,
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
    """One SB_MAC16 for the products of two lanes, registered inside; the sums in logic. Words up to 8 bits."""

    latency = 4

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operand = _extended(self.v, 8)
        products: list[Value] = []
        for first in range(0, self.lanes, 2):
            pair = range(first, min(first + 2, self.lanes))
            weights = Cat(_extended(self.weight(lane), 8) for lane in pair)
            out = _mac16(
                m,
                f"mac_{first}",
                Cat(weights, Const(0, 8))[:16],
                Cat(operand, operand),
                MODE_8x8=1,
                TOP_8x8_MULT_REG=1,
                BOT_8x8_MULT_REG=1,
                TOPOUTPUT_SELECT=2,
                BOTOUTPUT_SELECT=2,
            )
            for half, lane in enumerate(pair):
                product = Signal(self.product_bits, name=f"p_{lane}", reset_less=True)
                m.d.sync += product.eq(out.word_select(half, 16))
                products.append(product)
        self.accumulate(m, products)
        return m
