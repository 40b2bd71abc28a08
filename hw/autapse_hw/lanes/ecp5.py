"""Multipliers of the ECP5: MULT18X18D with its input, pipeline and output registers.

Parameter meanings: Lattice, ECP5 sysDSP Usage Guide (TN1267), and nextpnr's cell of the same name.
"""

from typing import Any

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, Value

from autapse_hw.lanes.accumulator import Number
from autapse_hw.lanes.generic import Bank


class Mult18Bank(Bank):
    """One MULT18X18D a lane for the product, the sum in logic. Words up to 18 bits."""

    product_latency = 3

    def product(self, m: Module, row: int, col: int) -> Number:
        out = Signal(36, name=f"out_{row}_{col}")
        m.submodules[f"mult_{row}_{col}"] = _mult18(self.weight(row, col), self.operand(col), out)
        return Number(out[: self.product_bits].as_signed())


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
