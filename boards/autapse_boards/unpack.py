"""The memories of a finished bitstream against the network, bit for bit.

What a bitstream is told beside them, its logic, only a decompiler can compare (:mod:`autapse_sim.decompile`). Where
there is none, this is as far as the open tools go.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autapse.errors import FileFormatError
from autapse_boards.board import Board
from autapse_boards.contents import Contents, Design, rows, stored
from autapse_boards.flow import unpack
from autapse_boards.reweight import elaborate_again, flow_of, load_build
from autapse_boards.tools import Progress

# What a block RAM holds, by a part of its path.
_KINDS = {".weights.": "weights", ".biases.": "biases", ".table.": "tables"}
_OTHERS = "others"
# Memory bits in a line of the unpacked text: an ECP5's has eight words of nine.
_LINE_BITS = {"ice40": 256, "ecp5": 72}
_SHOWN = 10


@dataclass(frozen=True)
class MemoryCheck:
    """What a comparison of a bitstream's memories found.

    Attributes
    ----------
    blocks
        Block RAMs in the bitstream that the design uses.
    bits
        Bits that were compared, by what they are: ``weights``, ``biases``, ``tables``, and ``others``: operands and
        buffers, and the blocks that the design does not use.
    mismatches
        Bits that differ.
    first
        The first of them in words.
    """

    blocks: int
    bits: Mapping[str, int]
    mismatches: int
    first: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing differed, and weights were compared."""
        return self.mismatches == 0 and self.bits.get("weights", 0) > 0


def check_memories(
    folder: str | os.PathLike[str], *, board: str | Board | None = None, progress: Progress | None = None
) -> MemoryCheck:
    """Unpack the bitstream of a build, and compare what each block RAM in it holds with what the network says.

    What is expected is made anew from ``q.npz``: the design is elaborated, and its block RAMs have initial contents. A
    memory that yosys inferred has none there, and those of the netlist count. A block that is not used must be empty.

    Parameters
    ----------
    folder
        Of a build.
    board
        The board, if it is none of :data:`BOARDS`.

    Raises
    ------
    FileFormatError
        The folder holds no build, or one that was changed; MissingToolError and ToolFailedError from the tools.
    """
    folder, tell = Path(folder), progress or (lambda line: None)
    report, q = load_build(folder)
    flow = flow_of(report, q, board, tell)
    family = flow.board.family
    with tempfile.TemporaryDirectory(prefix="autapse-unpack-") as name:
        work = Path(name)
        elaborate_again(flow, report.clock_hz, work)
        contents = Design.read((work / report.files["design"]).read_text(), family).contents
        tell("unpack the bitstream")
        text = unpack(folder / report.files["bitstream"], family, work)
    try:
        places: dict[str, str] = json.loads((folder / report.files["memories"]).read_text())
        cells = json.loads((folder / report.files["netlist"]).read_text())["modules"]["top"]["cells"]
        expected = {path: _expected(path, contents, cells, family) for path in places}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{folder}: not as the build left it: {error!r}") from None
    if missing := contents.keys() - places.keys():
        raise FileFormatError(f"{folder}: the bitstream has no place for {min(missing)}")
    return _compare(stored(text, family), places, expected, family)


def _expected(path: str, contents: Mapping[str, Contents], cells: Mapping[str, Any], family: str) -> list[int]:
    """The rows of a block RAM: those of the design, or of the netlist's cell of that name."""
    if path in contents:
        return rows(contents[path], family)
    parameters = cells[path.removesuffix("_RAM")]["parameters"]  # nextpnr adds it to what it packs
    return rows({k: int(v.replace("x", "0"), 2) for k, v in parameters.items() if k.startswith("INIT")}, family)


def _compare(
    found: Mapping[str, Sequence[int]], places: Mapping[str, str], expected: Mapping[str, list[int]], family: str
) -> MemoryCheck:
    bits: Counter[str] = Counter()
    mismatches, first = 0, list[str]()
    paths = {place: path for path, place in places.items()}
    for place in sorted({*found, *paths}):
        path = paths.get(place, f"the unused block {place}")
        wanted = expected.get(path) or [0] * len(found[place])
        held = found.get(place) or [0] * len(wanted)  # the text leaves out what is empty
        kind = next((kind for part, kind in _KINDS.items() if part in path), _OTHERS)
        bits[kind] += _LINE_BITS[family] * len(wanted)
        for row, (a, b) in enumerate(zip(held, wanted, strict=True)):
            if a != b:
                mismatches += (a ^ b).bit_count()
                first.append(f"{path}: row {row} is {a:#x}, the network has {b:#x}")
    return MemoryCheck(len(paths), dict(bits), mismatches, tuple(first[:_SHOWN]))
