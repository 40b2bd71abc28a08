"""What the block RAMs of a design hold: in amaranth's RTLIL, in yosys's netlist, and in nextpnr's routed design.

Only block RAMs that are instances are seen (:mod:`autapse_hw.block_rams`); what yosys infers has no name to find it by.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autapse.errors import FileFormatError

#: Initial contents of one block RAM: parameter and value.
Contents = Mapping[str, int]

# The cell in the design, and what nextpnr makes of it.
_CELLS = {"ice40": "SB_RAM40_4K", "ecp5": "DP16KD"}
_PLACED = {"ice40": "ICESTORM_RAM", "ecp5": "DP16KD"}
_PARAMETER = re.compile(r"\s*parameter \\(INIT_[0-9A-F]|INITVAL_[0-9A-F]{2}) \d+'([01]+)\s*")


@dataclass(frozen=True)
class Design:
    """A design as RTLIL.

    Attributes
    ----------
    frame
        All but the contents of its block RAMs and the references to source lines.
    contents
        By the path of the block RAM, such as ``system.core.engine.weights.block_0_3``.
    """

    frame: str
    contents: Mapping[str, Contents]

    @classmethod
    def read(cls, rtlil: str, family: str, top: str = "top") -> Design:
        """The design in `rtlil`, as amaranth writes it."""
        frame: list[str] = []
        inside: dict[str, list[tuple[str, str]]] = {}  # cells of each module: name and type
        found: dict[tuple[str, str], dict[str, int]] = {}
        module = cell = ""
        for line in rtlil.splitlines():
            words = line.split()
            if not words or words[:2] == ["attribute", "\\src"]:
                continue
            if words[0] == "module":
                module = words[1]
                inside[module] = []
            elif words[0] == "cell":
                cell = words[2] if words[1] == f"\\{_CELLS[family]}" else ""
                inside[module].append((words[2], words[1]))
            if cell and (parameter := _PARAMETER.fullmatch(line)):
                found.setdefault((module, cell), {})[parameter[1]] = int(parameter[2], 2)
            else:
                frame.append(line)
        contents = {}
        todo = [(f"\\{top}", "")]
        while todo:
            module, path = todo.pop()
            for name, kind in inside.get(module, ()):
                if (module, name) in found:
                    contents[path + name.removeprefix("\\")] = found[module, name]
                elif kind in inside:
                    todo.append((kind, f"{path}{name.removeprefix(chr(92))}."))
        return cls("\n".join(frame), contents)


def without_contents(rtlil: str, family: str) -> str:
    """The same design, whatever its block RAMs hold: each has a number of its own instead of its contents.

    yosys names and orders what it makes by hashes in which the contents have a part. Synthesised like this, two designs
    that differ in contents only give the same netlist.
    """
    lines, number, inside = rtlil.split("\n"), 0, False
    for at, line in enumerate(lines):
        words = line.split()
        if words[:1] == ["cell"]:
            inside = words[1] == f"\\{_CELLS[family]}"
            number += inside
        elif inside and (parameter := _PARAMETER.fullmatch(line)):
            value = number if parameter[1] in ("INIT_0", "INITVAL_00") else 0
            lines[at] = line.replace(parameter[2], f"{value:0{len(parameter[2])}b}")
    return "\n".join(lines)


def places(routed: Path, family: str) -> dict[str, str]:
    """Where nextpnr put each block RAM, by its path, from the JSON that it writes.

    As the routed design names it: column and row on iCE40, the number of its contents on ECP5.
    """
    (design,) = json.loads(routed.read_text())["modules"].values()
    result = {}
    for name, cell in design["cells"].items():
        if cell["type"] != _PLACED[family]:
            continue
        attributes = cell["attributes"]
        path = attributes["hdlname"].replace(" ", ".") if "hdlname" in attributes else name
        if family == "ecp5":
            result[path] = str(int(attributes["WID"], 2))
        else:
            result[path] = "{} {}".format(*re.findall(r"[XY](\d+)", attributes["NEXTPNR_BEL"]))
    return result


def stored(text: str, family: str) -> dict[str, list[int]]:
    """What the block RAMs of a routed or unpacked design hold: by their :func:`places`, and in :func:`rows`."""
    keyword = _KEYWORD[family]
    found: dict[str, list[int]] = {}
    place: str | None = None
    for line in text.splitlines():
        if line.startswith("."):
            place = line.removeprefix(keyword).strip() if line.startswith(f"{keyword} ") else None
        elif place is not None and line.strip():
            values = line.split()
            found.setdefault(place, []).append(int("".join(values), 16))
    return found


def rows(contents: Contents, family: str) -> list[int]:
    """The contents of a block RAM as the routed design has them, a number for each line."""
    return [int(line.replace(" ", ""), 16) for line in _LINES[family](contents)]


def exchange_routed(text: str, family: str, places: Mapping[str, str], old: Design, new: Design) -> str:
    """The routed design with the contents of `new`; FileFormatError if it does not hold those of `old`."""
    lines = text.split("\n")
    keyword, form = _KEYWORD[family], _LINES[family]
    starts = {line: number + 1 for number, line in enumerate(lines) if line.startswith(keyword)}
    for path, place in places.items():
        if path not in new.contents:
            continue
        start = starts.get(f"{keyword} {place}")
        before, after = form(old.contents[path]), form(new.contents[path])
        if start is None or [line.strip() for line in lines[start : start + len(before)]] != before:
            raise FileFormatError(f"the routed design holds something else in {path} than the design")
        lines[start : start + len(after)] = after
    return "\n".join(lines)


def exchange_netlist(text: str, new: Design) -> str:
    """Yosys's JSON netlist with the contents of `new`."""
    lines = text.split("\n")
    wanted: Contents | None = None
    for number, line in enumerate(lines):
        if (head := re.fullmatch(r' {8}"([^"]+)": \{', line)) is not None:
            wanted = new.contents.get(head[1])
        elif wanted and (entry := re.fullmatch(r'( +"(INIT\w*)": ")([01]+)(",?)', line)) and entry[2] in wanted:
            lines[number] = f"{entry[1]}{wanted[entry[2]]:0{len(entry[3])}b}{entry[4]}"
    return "\n".join(lines)


def _ice40_lines(contents: Contents) -> list[str]:
    """INIT_0 to INIT_F as icestorm's text has them: one a line, hexadecimal."""
    return [f"{contents[f'INIT_{k:X}']:064x}" for k in range(16)]


def _ecp5_lines(contents: Contents) -> list[str]:
    """INITVAL_00 to INITVAL_3F as trellis's text has them: bytes of 9 bits, eight a line, hexadecimal."""
    rows = [contents[f"INITVAL_{k:02X}"] >> 20 * row for k in range(64) for row in range(16)]
    values = [f"{row >> shift & 0x1FF:03x}" for row in rows for shift in (0, 9)]
    return [" ".join(values[k : k + 8]) for k in range(0, len(values), 8)]


# How a routed design names the contents of a block RAM, and writes them.
_KEYWORD = {"ice40": ".ram_data", "ecp5": ".bram_init"}
_LINES = {"ice40": _ice40_lines, "ecp5": _ecp5_lines}
