"""How the lanes are laid over the matrix: rows x columns, and what stands behind them."""

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tiling:
    """The shape of a core.

    Attributes
    ----------
    rows, cols
        Lanes: so many rows of the matrix at a time, and so many columns of each. The products of a row are added by a
        tree. Each column of lanes has its own operand memory.
    drains
        Rows that leave the lanes in a cycle, each through bias, rounding and activation of its own. Divides `cols`,
        and `rows` unless all rows of the network are one tile.
    sequences
        Independent states that take turns step by step, so that one computes while the others wait for theirs.
    """

    rows: int
    cols: int = 1
    drains: int = 1
    sequences: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "drains", "sequences"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{_NOUNS[name]} must be an integer, not {value!r}")
            if value < 1:
                raise ValueError(f"{_NOUNS[name]} must be at least 1, not {value}")
        if self.cols % self.drains:
            raise ValueError(f"drains must divide the {self.cols} columns of lanes; {self.drains} do not")

    @classmethod
    def of(cls, value: "int | str | Tiling") -> "Tiling":
        """A tiling from a number of lanes, each with a row of its own; or from text: ``8``, ``8x2``, ``51x3/3``,
        ``51x3/3*2`` for two sequences."""
        if isinstance(value, Tiling):
            return value
        if not isinstance(value, str):
            return cls(value)
        match = re.fullmatch(r"(\d+)(?:x(\d+))?(?:/(\d+))?(?:\*(\d+))?", value.strip())
        if match is None:
            raise ValueError(
                f"lanes must be like 8, 8x2 (rows x columns) or 51x3/3*2 (drains, sequences); not {value!r}"
            )
        return cls(*(int(part or 1) for part in match.groups()))

    def within(self, rows: int) -> "Tiling":
        """The same, with no more than so many rows if it has one column: a number of lanes is an upper bound."""
        return replace(self, rows=min(self.rows, rows)) if self.cols == 1 else self

    @property
    def lanes(self) -> int:
        """Multiply-accumulators."""
        return self.rows * self.cols

    def __str__(self) -> str:
        text = f"{self.rows}x{self.cols}" if self.cols > 1 else str(self.rows)
        text += f"/{self.drains}" if self.drains > 1 else ""
        return text + (f"*{self.sequences}" if self.sequences > 1 else "")


_NOUNS = {"rows": "lanes", "cols": "columns of lanes", "drains": "drains", "sequences": "sequences"}
