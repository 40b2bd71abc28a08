"""The FPGAs on the boards: what they have, and how the tools are told about them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autapse.errors import AutapseError


@dataclass(frozen=True)
class Resources:
    """What a device has, or a design needs.

    Attributes
    ----------
    logic
        Logic cells: a four-input table and a flip-flop each.
    dsps
        Multiplier blocks: SB_MAC16 (16x16 or two 8x8) on iCE40 UltraPlus, MULT18X18D on ECP5.
    rams
        Block RAMs.
    sprams
        SPRAMs of 16 Ki words of 16 bits, which only iCE40 UltraPlus has. The bitstream cannot fill them.
    """

    logic: int
    dsps: int
    rams: int
    sprams: int = 0


@dataclass(frozen=True)
class Part:
    """An FPGA.

    Attributes
    ----------
    name
        As its maker calls it.
    family
        ``ice40`` or ``ecp5``: which tools, and which PLL.
    resources
        What it has.
    ram_shapes
        Depth and width of the ways in which a block RAM can be used as simple dual-port memory.
    synth
        Options of yosys' ``synth_ice40`` or ``synth_ecp5``.
    nextpnr
        Options of nextpnr that name the device.
    forms
        Forms of lanes that it can have, from :data:`autapse_hw.lanes.FORMS`: the preferred first, and among them one
        that takes all words.
    speed
        Speed grade of ECP5, 6 to 8; ``u``, ``hx`` or ``lp`` of iCE40.
    """

    name: str
    family: str
    resources: Resources
    ram_shapes: tuple[tuple[int, int], ...]
    synth: tuple[str, ...]
    nextpnr: tuple[str, ...]
    forms: tuple[str, ...]
    speed: str

    @property
    def key(self) -> str:
        """The kind of device: ``up5k``, ``hx8k`` or ``ecp5``; iCE40s with and without multipliers differ in speed."""
        return self.family if self.family == "ecp5" else "up5k" if self.resources.dsps else "hx8k"


#: Simple dual-port shapes of the 4 kbit block RAM of iCE40, and of the 18 kbit one of ECP5.
ICE40_RAM_SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))
ECP5_RAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))

# Logic cells, SB_MAC16, block RAMs, SPRAMs, as icestorm has them: a 4K is an 8K with another name.
_ICE40 = {
    "LP384": Resources(384, 0, 0),
    "LP1K": Resources(1280, 0, 16),
    "LP4K": Resources(7680, 0, 32),
    "LP8K": Resources(7680, 0, 32),
    "HX1K": Resources(1280, 0, 16),
    "HX4K": Resources(7680, 0, 32),
    "HX8K": Resources(7680, 0, 32),
    "UP3K": Resources(2800, 4, 20, 4),
    "UP5K": Resources(5280, 8, 30, 4),
}
# Four-input tables, MULT18X18D, block RAMs. The open tools treat the 12F as the 25F that it is made from.
_ECP5 = {
    "12F": Resources(24_288, 28, 56),
    "25F": Resources(24_288, 28, 56),
    "45F": Resources(43_848, 72, 108),
    "85F": Resources(83_640, 156, 208),
}
_ECP5_PACKAGES = {
    "BG256": "CABGA256",
    "MG285": "CSFBGA285",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
}


def ice40(device: str, package: str) -> Part:
    """An iCE40 by the names that amaranth uses, as ``iCE40UP5K`` and ``SG48``; AutapseError if there is none."""
    size = device.removeprefix("iCE40")
    if size not in _ICE40:
        raise AutapseError(f"no iCE40 {device!r}; there are {', '.join(_ICE40)}")
    resources = _ICE40[size]
    kind = "u" if size.startswith("UP") else size[:2].lower()
    return Part(
        name=f"iCE40{size}-{package}",
        family="ice40",
        resources=resources,
        ram_shapes=ICE40_RAM_SHAPES,
        synth=("-device", kind),
        nextpnr=(f"--{size.lower()}", "--package", package.lower()),
        # Booth lanes on a part with multipliers leave those alone: a bitstream without them can be decompiled.
        forms=("mac8x8", "mac16sum", "mac16", "generic", "booth") if resources.dsps else ("booth", "generic"),
        speed=kind,
    )


def ecp5(device: str, package: str, speed: str) -> Part:
    """An ECP5 by the names that amaranth uses, as ``LFE5U-25F``, ``BG381`` and ``6``; AutapseError if there is none."""
    match = re.fullmatch(r"LFE5(U|UM|UM5G)-(12F|25F|45F|85F)", device)
    if match is None or package not in _ECP5_PACKAGES or speed not in ("6", "7", "8"):
        raise AutapseError(f"no ECP5 {device!r} in package {package!r} of speed grade {speed!r}")
    kind = {"U": "", "UM": "um-", "UM5G": "um5g-"}[match[1]]
    return Part(
        name=f"{device}-{speed}{package}",
        family="ecp5",
        resources=_ECP5[match[2]],
        ram_shapes=ECP5_RAM_SHAPES,
        synth=(),
        nextpnr=(f"--{kind}{match[2][:2]}k", "--package", _ECP5_PACKAGES[package], "--speed", speed),
        forms=("mult18", "generic"),
        speed=speed,
    )
