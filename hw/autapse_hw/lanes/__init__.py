"""Multiply-accumulate lanes: one contract, one form for each kind of silicon.

A form is a bank of lanes. What it can do stands in its :class:`LaneForm`, which the schedule, the resource estimate
and the core read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from autapse_hw.lanes.ecp5 import Mult18Bank
from autapse_hw.lanes.generic import Bank, GenericBank
from autapse_hw.lanes.ice40 import Mac8x8Bank, Mac16Bank, Mac16SumBank
from autapse_hw.lanes.ice40_logic import BoothBank
from autapse_hw.tiling import Tiling

__all__ = ["FORMS", "GENERIC", "Bank", "LaneForm", "get_form"]


@dataclass(frozen=True)
class LaneForm:
    """A way to build the lanes.

    Attributes
    ----------
    name
        How a user names it.
    bank
        The component.
    weight_bits, operand_bits, acc_bits
        The longest words it takes.
    segment_bits
        The longest carry chain of the sums; longer ones are cut into segments, a cycle apart.
    lanes_per_block
        Lanes that share a DSP block; 0 where none is used.
    memory
        Kind of the block RAMs, of :data:`autapse_hw.memories.LATENCY`.
    columns
        Columns of lanes that it can have.
    band_lanes
        Lanes that take their operands together, about; with more of them the rows are cut into bands, a cycle apart.
    """

    name: str
    bank: type[Bank]
    weight_bits: int
    operand_bits: int
    acc_bits: int
    segment_bits: int
    lanes_per_block: int
    memory: str
    columns: int = 1 << 30
    band_lanes: int = 1 << 30

    def latency(self, cols: int) -> int:
        """Cycles from weights and operands to a sum of `cols` products that contains theirs."""
        return self.bank.latency(cols)

    def segments(self, acc_bits: int) -> int:
        """Pieces of a sum of that width."""
        return -(-acc_bits // self.segment_bits)

    def bands(self, tiling: Tiling) -> tuple[range, ...]:
        """The rows of each band, one after another: whole groups of rows that leave the lanes together."""
        groups = -(-tiling.rows // tiling.drains)
        bands = min(groups, -(-tiling.lanes // self.band_lanes))
        ends = [min(tiling.rows, -(-groups * k // bands) * tiling.drains) for k in range(bands + 1)]
        return tuple(range(begin, end) for begin, end in pairwise(ends))

    def shortage(self, weight_bits: int, operand_bits: int, acc_bits: int) -> str | None:
        """Why words of these lengths do not fit, or None."""
        for what, needed, taken in (
            ("weights", weight_bits, self.weight_bits),
            ("operands", operand_bits, self.operand_bits),
            ("sums", acc_bits, self.acc_bits),
        ):
            if needed > taken:
                return f"lane form {self.name} takes {what} of up to {taken} bits, not {needed}"
        return None


GENERIC = LaneForm("generic", GenericBank, 64, 64, 64, 32, 0, "generic")

#: Every form by name.
FORMS: Mapping[str, LaneForm] = {
    form.name: form
    for form in (
        GENERIC,
        LaneForm("mac16", Mac16Bank, 16, 16, 64, 20, 1, "ice40"),
        LaneForm("mac16sum", Mac16SumBank, 16, 16, 32, 32, 1, "ice40", columns=1),
        LaneForm("mac8x8", Mac8x8Bank, 8, 8, 64, 20, 2, "ice40"),
        LaneForm("booth", BoothBank, 12, 12, 64, 32, 0, "ice40"),
        LaneForm("mult18", Mult18Bank, 18, 18, 64, 48, 1, "ecp5", band_lanes=28),
    )
}


def get_form(form: str | LaneForm) -> LaneForm:
    """The form of that name. ValueError that lists the names for an unknown one."""
    if isinstance(form, LaneForm):
        return form
    if form not in FORMS:
        raise ValueError(f"lane form must be one of {', '.join(FORMS)}; not {form!r}")
    return FORMS[form]
