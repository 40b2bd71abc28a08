"""How a difference between a device and the integer model is named."""

from __future__ import annotations

from dataclasses import dataclass

#: What is compared, in the order in which a step makes it.
KINDS = ("step", "pre-activation", "saturation", "state", "output")


@dataclass(frozen=True)
class Difference:
    """A value that a device has, and the model has not.

    Attributes
    ----------
    sequence, step
        Of the check; step 0 is the first after the reset, and -1 the reset itself.
    kind
        One of :data:`KINDS`.
    index
        Number of the unit, or of the output; those of a second state in turn follow the first one's.
    got, expected
        Codes; of a step its number, modulo 128, as the trace has it; of a saturation 0 or 1.
    """

    sequence: int
    step: int
    kind: str
    index: int
    got: int
    expected: int

    @property
    def bit(self) -> int:
        """The lowest bit that differs."""
        difference = self.got ^ self.expected
        return (difference & -difference).bit_length() - 1

    @property
    def order(self) -> tuple[int, int, int, int]:
        """By what the first difference is found: the earliest step; what it makes first; the first unit."""
        return self.sequence, self.step, KINDS.index(self.kind), self.index

    def __str__(self) -> str:
        what = {"state": "unit", "output": "output"}.get(self.kind, f"{self.kind} of unit")
        return (
            f"sequence {self.sequence}, step {self.step}, {what} {self.index}: "
            f"{self.got}, the model has {self.expected}; bit {self.bit} is the lowest that differs"
        )
