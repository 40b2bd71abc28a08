"""Multiply-accumulate lanes: one contract, one form for each kind of silicon.

A form is a bank of multipliers; the accumulators behind it are the same for all. What a form can do stands in its
:class:`LaneForm`, which the schedule, the resource estimate and the core read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from amaranth.lib import wiring

from autapse_hw.lanes.accumulator import Accumulator
from autapse_hw.lanes.ecp5 import Mult18Bank
from autapse_hw.lanes.generic import GenericBank
from autapse_hw.lanes.ice40 import Mac8x8Bank, Mac16Bank

__all__ = ["FORMS", "GENERIC", "Accumulator", "LaneForm", "get_form"]


@dataclass(frozen=True)
class LaneForm:
    """A way to build the multipliers.

    Attributes
    ----------
    name
        How a user names it.
    latency
        Cycles from weights and operand to products.
    weight_bits, operand_bits
        The longest words it takes.
    segment_bits
        The longest carry chain of the accumulators; longer sums are cut into segments, a cycle apart.
    lanes_per_block
        Lanes that share a DSP block; 0 where none is used.
    bank
        ``bank(lanes, weight_bits, operand_bits)`` makes the multipliers.
    """

    name: str
    latency: int
    weight_bits: int
    operand_bits: int
    segment_bits: int
    lanes_per_block: int
    bank: Callable[[int, int, int], wiring.Component]

    def segments(self, acc_bits: int) -> int:
        """Pieces of an accumulator of that width."""
        return -(-acc_bits // self.segment_bits)

    def takes(self, weight_bits: int, operand_bits: int) -> bool:
        """Whether words of this length fit."""
        return weight_bits <= self.weight_bits and operand_bits <= self.operand_bits


GENERIC = LaneForm("generic", GenericBank.latency, 64, 64, 32, 0, GenericBank)

#: Every form by name.
FORMS: Mapping[str, LaneForm] = {
    form.name: form
    for form in (
        GENERIC,
        LaneForm("mac16", Mac16Bank.latency, 16, 16, 20, 1, Mac16Bank),
        LaneForm("mac8x8", Mac8x8Bank.latency, 8, 8, 24, 2, Mac8x8Bank),
        LaneForm("mult18", Mult18Bank.latency, 18, 18, 48, 1, Mult18Bank),
    )
}


def get_form(form: "str | LaneForm") -> LaneForm:
    """The form of that name. ValueError that lists the names for an unknown one."""
    if isinstance(form, LaneForm):
        return form
    if form not in FORMS:
        raise ValueError(f"lane form must be one of {', '.join(FORMS)}; not {form!r}")
    return FORMS[form]
