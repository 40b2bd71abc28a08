"""Multipliers of the iCE40 UltraPlus: SB_MAC16 as one 16 x 16, or as two independent 8 x 8 multipliers.

The blocks lie in two columns, far from most of the logic, and a wire to it takes up to 6 ns; so the products get one
more register in the logic.

Parameter meanings: Lattice, iCE40 Technology Library, and yosys's simulation model of the cell.
"""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring

from autapse_hw.lanes.generic import bank_members

_UNUSED_INPUTS = (
    *("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP", "OLOADBOT"),
    *("ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN"),
)


def _mac16(a: Value, b: Value, out: Value, **parameters: int) -> Instance:
    """The cell with both inputs registered and signed, and everything that is not a multiplier left alone."""
    arguments: dict[str, Any] = {
        "p_A_REG": 1,
        "p_B_REG": 1,
        "p_A_SIGNED": 1,
        "p_B_SIGNED": 1,
        **{f"p_{name}": value for name, value in parameters.items()},
        **{f"i_{name}": Const(0, 1) for name in _UNUSED_INPUTS},
        "i_C": Const(0, 16),
        "i_D": Const(0, 16),
        "i_CE": Const(1, 1),
        "i_CLK": ClockSignal(),
        "i_A": a,
        "i_B": b,
        "o_O": out,
    }
    return Instance("SB_MAC16", **arguments)


def _extended(value: Value, bits: int) -> Value:
    """`value` sign-extended to `bits`."""
    return Cat(value, value[-1].replicate(bits - len(value)))


class Mac16Bank(wiring.Component):
    """One SB_MAC16 a lane: inputs, partial products and product registered inside the block. Words up to 16 bits."""

    latency = 4

    w: Signal
    v: Signal
    p: Signal

    def __init__(self, lanes: int, weight_bits: int, operand_bits: int) -> None:
        self._lanes, self._weight_bits = lanes, weight_bits
        super().__init__(bank_members(lanes, weight_bits, operand_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product_bits = len(self.p) // self._lanes
        products = Signal.like(self.p, reset_less=True)
        m.d.comb += self.p.eq(products)
        for lane in range(self._lanes):
            out = Signal(32, name=f"out_{lane}")
            m.submodules[f"mac_{lane}"] = _mac16(
                _extended(self.w.word_select(lane, self._weight_bits), 16),
                _extended(self.v, 16),
                out,
                PIPELINE_16x16_MULT_REG1=1,
                PIPELINE_16x16_MULT_REG2=1,
                TOP_8x8_MULT_REG=1,
                BOT_8x8_MULT_REG=1,
                TOPOUTPUT_SELECT=3,
                BOTOUTPUT_SELECT=3,
            )
            m.d.sync += products.word_select(lane, product_bits).eq(out)
        return m


class Mac8x8Bank(wiring.Component):
    """One SB_MAC16 for two lanes: two 8 x 8 multipliers, inputs and products registered inside the block."""

    latency = 3

    w: Signal
    v: Signal
    p: Signal

    def __init__(self, lanes: int, weight_bits: int, operand_bits: int) -> None:
        self._lanes, self._weight_bits = lanes, weight_bits
        super().__init__(bank_members(lanes, weight_bits, operand_bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product_bits = len(self.p) // self._lanes
        products = Signal.like(self.p, reset_less=True)
        m.d.comb += self.p.eq(products)
        operand = _extended(self.v, 8)
        for first in range(0, self._lanes, 2):
            pair = range(first, min(first + 2, self._lanes))
            weights = [_extended(self.w.word_select(lane, self._weight_bits), 8) for lane in pair]
            out = Signal(32, name=f"out_{first}")
            m.submodules[f"mac_{first}"] = _mac16(
                Cat(*weights)[:16] if len(weights) == 2 else Cat(*weights, Const(0, 8)),
                Cat(operand, operand),
                out,
                MODE_8x8=1,
                TOP_8x8_MULT_REG=1,
                BOT_8x8_MULT_REG=1,
                TOPOUTPUT_SELECT=2,
                BOTOUTPUT_SELECT=2,
            )
            for half, lane in enumerate(pair):
                m.d.sync += products.word_select(lane, product_bits).eq(out.word_select(half, 16))
        return m
