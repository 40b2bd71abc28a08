"""Multipliers of the ECP5: MULT18X18D with its input, pipeline and output registers.

Parameter meanings: Lattice, ECP5 sysDSP Usage Guide (TN1267), and nextpnr's cell of the same name.
"""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, Value

from autapse_hw.lanes.accumulator import Number
from autapse_hw.lanes.generic import Bank


class Mult18Bank(Bank):
    """One MULT18X18D a lane for the product, the sum in logic. Words up to 18 bits."""

    product_latency = 3

    def product(self, m: Module, row: int, col: int) -> Number:
        out = Signal(36, name=f"out_{row}_{col}")
        m.submodules[f"mult_{row}_{col}"] = _mult18(self.weight(row, col), self.operand(col), out)
        return Number(out[35 - self.product_bits : 35].as_signed())


def _mult18(a: Value, b: Value, out: Signal) -> Instance:
    # Short words are at the top of the inputs, and the product at the top of the output: the bits below them are
    # constants that the block has itself, whereas each bit of a sign above them would be a wire. Constants at the
    # control inputs come over wires from one source on the chip, so those of registers that are not used stay open.
    arguments: dict[str, Any] = {
        **{f"p_REG_{stage}_CLK": "CLK0" for stage in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")},
        "i_CLK0": ClockSignal(),
        "i_CE0": Const(1, 1),
        "i_RST0": Const(0, 1),
        "i_SIGNEDA": Const(1, 1),
        "i_SIGNEDB": Const(1, 1),
        "i_SOURCEA": Const(0, 1),
        "i_SOURCEB": Const(0, 1),
        **{f"i_A{k}": bit for k, bit in enumerate(_at_top(a))},
        **{f"i_B{k}": bit for k, bit in enumerate(_at_top(b))},
        **{f"i_C{k}": Const(0, 1) for k in range(18)},
        **{f"o_P{k}": out[k] for k in range(36)},
    }
    return Instance("MULT18X18D", **arguments)


def _at_top(value: Value) -> Value:
    """The 18 bits of an input with `value` in the highest of them."""
    return Cat(Const(0, 18 - len(value)), value)
