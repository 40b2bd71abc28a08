"""What a sweep covers: networks x word lengths x boards x lanes x seeds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autapse.network import Network
from autapse_boards.board import get_board
from autapse_hw.tiling import Tiling

#: In the place of lanes: the tiling with the fewest cycles that fits.
AUTO = "auto"


@dataclass(frozen=True, order=True)
class Words:
    """Word lengths of weights, states and inputs."""

    weight_bits: int
    state_bits: int
    input_bits: int

    @classmethod
    def of(cls, text: str) -> tuple[Words, ...]:
        """Those that a text means: ``8`` for all three, ``6-8`` for three of these, ``8/10`` weights/states, or
        ``8/10/6`` weights/states/inputs."""
        if match := re.fullmatch(r"(\d+)-(\d+)", text):
            low, high = int(match[1]), int(match[2])
            if low <= high:
                return tuple(cls(bits, bits, bits) for bits in range(low, high + 1))
        elif re.fullmatch(r"\d+(/\d+){0,2}", text):
            bits = [int(part) for part in text.split("/")]
            return (cls(*bits, *[bits[-1]] * (3 - len(bits))),)
        raise ValueError(f"word lengths must be like 8, 6-8, 8/10 (weights/states) or 8/10/6 (inputs), not {text!r}")

    def __str__(self) -> str:
        return f"{self.weight_bits}/{self.state_bits}/{self.input_bits}"


@dataclass(frozen=True)
class Point:
    """One design of a sweep: the name of a network, and what is made of it."""

    network: str
    words: Words
    board: str
    lanes: str
    seed: int


@dataclass(frozen=True)
class Space:
    """All combinations of these.

    Attributes
    ----------
    networks
        Float networks by the names that the table gives them.
    words, boards, lanes, seeds
        Word lengths, names of :data:`autapse_boards.BOARDS`, tilings as text or ``auto``, seeds of the placement.

    Raises
    ------
    ValueError
        For an empty axis, lanes that are no tiling, or a negative seed; AutapseError for an unknown board.
    """

    networks: Mapping[str, Network]
    words: tuple[Words, ...] = (Words(8, 8, 8),)
    boards: tuple[str, ...] = ("icebreaker",)
    lanes: tuple[str, ...] = (AUTO,)
    seeds: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        for name in ("networks", "words", "boards", "lanes", "seeds"):
            if not getattr(self, name):
                raise ValueError(f"a sweep needs at least one of its {name}")
        for board in self.boards:
            get_board(board)
        for lanes in self.lanes:
            if lanes != AUTO:
                Tiling.of(lanes)
        if min(self.seeds) < 0:
            raise ValueError(f"seeds must not be negative, not {min(self.seeds)}")

    def points(self) -> Iterator[Point]:
        """Every combination once, in order."""
        words, boards, seeds = dict.fromkeys(self.words), dict.fromkeys(self.boards), dict.fromkeys(self.seeds)
        for n, w, b, lanes, s in itertools.product(self.networks, words, boards, dict.fromkeys(self.lanes), seeds):
            yield Point(n, w, b, lanes, s)
