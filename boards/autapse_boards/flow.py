"""The stages of a build, each timed and logged: amaranth writes the design, our tools do the rest."""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from autapse.errors import MissingToolError
from autapse.quantized import QuantizedNetwork
from autapse_boards.board import Board
from autapse_boards.contents import Design, exchange_netlist, places, without_contents
from autapse_boards.limits import limits
from autapse_boards.parts import Part
from autapse_boards.pll import Clocking
from autapse_boards.timing import Timing, read_timing
from autapse_boards.tools import INSTALL, Progress, Tool, find, run
from autapse_hw.lanes import GENERIC
from autapse_hw.names import plain_names
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage


class _Tools(NamedTuple):
    """How the tools of a family are called: files, nextpnr's options for them, and the packer with its arguments."""

    constraints: str
    constraints_option: str
    routed: str
    routed_option: str
    packer: str
    pack: tuple[str, ...]
    bitstream: str
    unpacker: str
    unpack: tuple[str, ...]


_FAMILIES = {
    "ice40": _Tools(
        constraints="top.pcf",
        constraints_option="--pcf",
        routed="top.asc",
        routed_option="--asc",
        packer="icepack",
        pack=("top.asc", "top.bin"),
        bitstream="top.bin",
        unpacker="iceunpack",
        unpack=("top.bin", "unpacked.txt"),
    ),
    "ecp5": _Tools(
        constraints="top.lpf",
        constraints_option="--lpf",
        routed="top.config",
        routed_option="--textcfg",
        packer="ecppack",
        pack=("--compress", "--input", "top.config", "--bit", "top.bit"),
        bitstream="top.bit",
        unpacker="ecpunpack",
        unpack=("--input", "top.bit", "--textcfg", "unpacked.txt"),
    ),
}
# nextpnr's default, router1, ends on an ECP5 with 153 lanes only by luck. With 26 lanes and two seeds it reached
# 165 and 200 MHz, and router2 122 and 137.
_ROUTER2_LANES = 64


class Flow:
    """Runs the stages for one network on one board; collects times and names of files.

    Making one finds the tools, and raises MissingToolError if one is not there.
    """

    logs = ("synthesis.log", "place_route.log", "pack.log")

    def __init__(
        self,
        q: QuantizedNetwork,
        board: Board,
        tiling: Tiling,
        form: str,
        tell: Progress,
        storage: Storage = Storage.FIXED,
        *,
        trace: bool = False,
    ) -> None:
        self.q, self.board, self.tiling, self.form, self.tell = q, board, tiling, form, tell
        self.storage, self.trace = storage, trace
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._names = _FAMILIES[board.family]
        self.tools: dict[str, Tool] = {
            "yosys": find("yosys"),
            "nextpnr": find(f"nextpnr-{board.family}"),
            "pack": find(self._names.packer),
        }

    @property
    def files(self) -> dict[str, str]:
        """What a build keeps beside bitstream, network and report."""
        return {
            "design": "top.il",
            "constraints": self._names.constraints,
            "netlist": "top.json",
            "routed": self._names.routed,
            "timing": "timing.json",
            "memories": "memories.json",
        }

    def elaborate(self, clocking: Clocking, folder: Path) -> None:
        """Write ``top.il`` and the constraints, by amaranth's platform for this board."""
        from autapse_boards.top import Top

        self.tell(f"elaborate: {self.tiling} lanes ({self.form}) at {float(clocking.frequency) / 1e6:.2f} MHz")
        start = time.monotonic()
        try:
            platform = self.board.platform()
        except ImportError as error:
            raise MissingToolError(f"the board files need {error.name}: {INSTALL}") from error
        top = Top(self.q, self.tiling, self.form, self.board, clocking, self.storage, trace=self.trace)
        plan = platform.prepare(top, "top", emit_src=False)
        for name in ("top.il", self._names.constraints):
            text = plan.files[name]
            (folder / name).write_text(plain_names(text) if name == "top.il" else text)
        self.seconds["elaborate"] += time.monotonic() - start

    def synthesise(self, folder: Path) -> None:
        """yosys: ``top.il`` to the netlist ``top.json``."""
        self.tell("synthesis")
        # Without the contents of the block RAMs, so that the netlist does not depend on them; they are put in behind.
        design, netlist, family = folder / "top.il", folder / "top.json", self.board.family
        text = design.read_text()
        design.write_text(without_contents(text, family))
        self.seconds["synthesis"] += synthesise(self.tools["yosys"], self.board.part, self.form, folder, self.tell)
        design.write_text(text)
        netlist.write_text(exchange_netlist(netlist.read_text(), Design.read(text, family)))

    def place_route(self, folder: Path, seed: int) -> Timing:
        """nextpnr: netlist to the routed design, in place of that of another seed.

        Missed timing is no error here: it is read from the report.
        """
        self.tell("place and route")
        constraints = (self._names.constraints_option, self._names.constraints)
        args = (*constraints, "--write", "routed.json", *router(self.board.part, self.tiling.lanes))
        self.seconds["place_route"] += place_route(
            self.tools["nextpnr"], self.board.part, seed, args, folder, self.tell
        )
        # Where the block RAMs are: what `reweight` needs to know, out of a file that is large.
        found = places(folder / "routed.json", self.board.family)
        (folder / "routed.json").unlink()
        (folder / "memories.json").write_text(json.dumps(found, indent=1) + "\n")
        return read_timing(folder / "timing.json", self.board.family, limits(self.board.part, folder / "top.json"))

    def pack(self, folder: Path) -> str:
        """The bitstream of a routed design; returns its name."""
        self.tell("pack the bitstream")
        self.seconds["pack"] += run(self.tools["pack"], self._names.pack, folder, "pack.log", self.tell)
        return self._names.bitstream


def unpack(bitstream: Path, family: str, work: Path) -> str:
    """What a bitstream says, as the text of the family's tools; `work` is a folder for intermediate files."""
    names = _FAMILIES[family]
    shutil.copy(bitstream, work / names.bitstream)
    run(find(names.unpacker), names.unpack, work, "unpack.log")
    return (work / "unpacked.txt").read_text()


def synthesise(
    yosys: Tool, part: Part, form: str, folder: Path, tell: Progress | None = None, options: Sequence[str] = ()
) -> float:
    """``top.il`` to ``top.json``, for lanes of that form, with further `options`; returns the seconds."""
    # ice40_dsp in yosys 0.70 takes SB_MAC16 that are there already for its own, packs what stands behind them into
    # the block, and loses lanes: so it runs only where multipliers are to be inferred.
    inferred = form == GENERIC.name and part.key == "up5k"
    given = " ".join((*part.synth, *(("-dsp",) if inferred else ()), *options))
    script = f"read_rtlil top.il\nsynth_{part.family} {given} -top top -json top.json\nstat\n"
    (folder / "synthesis.ys").write_text(script)
    return run(yosys, ("-q", "-l", "synthesis.log", "-s", "synthesis.ys"), folder, "synthesis.log", tell)


def router(part: Part, lanes: float) -> tuple[str, ...]:
    """nextpnr's options for the router that suits so many lanes."""
    return ("--router", "router2") if part.family == "ecp5" and lanes > _ROUTER2_LANES else ()


def place_route(
    nextpnr: Tool, part: Part, seed: int, options: Sequence[str], folder: Path, tell: Progress | None = None
) -> float:
    """``top.json`` to the routed design and ``timing.json``, with further `options`; returns the seconds."""
    names = _FAMILIES[part.family]
    args = (
        *part.nextpnr,
        *("--json", "top.json"),
        *(names.routed_option, names.routed),
        *("--report", "timing.json"),
        *("--log", "place_route.log", "--quiet"),
        *("--seed", str(seed), "--timing-allow-fail"),
        *options,
    )
    return run(nextpnr, args, folder, "place_route.log", tell)
