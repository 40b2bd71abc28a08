"""Multipliers of the ECP5: MULT18X18D with its input, pipeline and output registers.

Parameter meanings: Lattice, ECP5 sysDSP Usage Guide (TN1267), and nextpnr's cell of the same name.
"""

from typing import Any

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, Value
from amaranth.lib import wiring

from autapse_hw.lanes.generic import bank_members


class Mult18Bank(wiring.Component):
    """One MULT18X18D a lane. Words up to 18 bits, signed."""

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
        for lane in range(self._lanes):
            out = Signal(36, name=f"out_{lane}")
            weight = self.w.word_select(lane, self._weight_bits)
            m.submodules[f"mult_{lane}"] = _mult18(weight, self.v, out)
            m.d.comb += self.p.word_select(lane, product_bits).eq(out)
        return m


def _mult18(a: Value, b: Value, out: Signal) -> Instance:
    arguments: dict[str, Any] = {
        **{f"p_REG_{stage}_CLK": "CLK0" for stage in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")},
        **{f"i_CLK{k}": ClockSignal() if k == 0 else Const(0, 1) for k in range(4)},
        **{f"i_CE{k}": Const(int(k == 0), 1) for k in range(4)},
        **{f"i_RST{k}": Const(0, 1) for k in range(4)},
        "i_SIGNEDA": Const(1, 1),
        "i_SIGNEDB": Const(1, 1),
        "i_SOURCEA": Const(0, 1),
        "i_SOURCEB": Const(0, 1),
        **{f"i_A{k}": _bit(a, k) for k in range(18)},
        **{f"i_B{k}": _bit(b, k) for k in range(18)},
        **{f"i_C{k}": Const(0, 1) for k in range(18)},
        **{f"o_P{k}": out[k] for k in range(36)},
    }
    return Instance("MULT18X18D", **arguments)


def _bit(value: Value, k: int) -> Value:
    """Bit `k` of `value`, sign-extended."""
    return value[min(k, len(value) - 1)]
