"""New weights in a built bitstream: the contents of its block RAMs exchanged, without synthesis and place-and-route."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from autapse.errors import AutapseError, FileFormatError
from autapse.evidence import EVIDENCE_FILE
from autapse.files import folder_beside
from autapse.quantized import QuantizedNetwork, load_quantized
from autapse_boards.board import Board, get_board
from autapse_boards.contents import Design, exchange_netlist, exchange_routed
from autapse_boards.flow import Flow
from autapse_boards.page import PAGE_FILE
from autapse_boards.pll import nearest
from autapse_boards.report import REPORT_FILE, Report
from autapse_boards.tools import Progress
from autapse_hw.tiling import Tiling
from autapse_hw.weights import Storage


def reweight(
    folder: str | os.PathLike[str],
    q: QuantizedNetwork,
    *,
    board: str | Board | None = None,
    progress: Progress | None = None,
) -> Report:
    """Put `q` into the build in `folder`, which is exchanged as a whole, or left as it is if something fails.

    The result is bit for bit what :func:`autapse_boards.build` of `q` with the same options makes: the design of `q`
    is elaborated, and must be that of the folder in everything but the contents of its block RAMs.

    Parameters
    ----------
    folder
        Of a build.
    q
        A network of the same shape and formats, as ``autapse.quantize(net, like=...)`` gives it.
    board
        The board, if it is none of :data:`BOARDS`.
    progress
        Called with a line at each stage.

    Raises
    ------
    AutapseError
        `q` differs in something else than what the block RAMs hold; the message says in what.
    FileFormatError
        The folder holds no build, or one that was changed; MissingToolError and ToolFailedError from the tools.
    """
    start = time.monotonic()
    folder = Path(folder)
    report, current = load_build(folder)
    if report.storage == Storage.SPRAM:
        raise AutapseError(f"{folder}: its weights are in SPRAM, which no bitstream fills; use 'autapse upload'")
    _check_shape(folder, current, q)
    tell = progress or (lambda line: None)
    flow = flow_of(report, q, board, tell)
    family, names = flow.board.family, report.files
    with folder_beside(folder, REPORT_FILE) as work:
        shutil.copytree(folder, work, dirs_exist_ok=True)
        elaborate_again(flow, report.clock_hz, work)
        old, new = (Design.read((at / names["design"]).read_text(), family) for at in (folder, work))
        _check_design(folder, current, q, old, new)
        flow.tell(f"exchange the contents of {len(new.contents)} block RAMs")
        routed, netlist = work / names["routed"], work / names["netlist"]
        try:
            places = json.loads((folder / names["memories"]).read_text())
            routed.write_text(exchange_routed(routed.read_text(), family, places, old, new))
        except ValueError as error:
            raise FileFormatError(f"{folder}: not as the build left it: {error}") from None
        netlist.write_text(exchange_netlist(netlist.read_text(), new))
        flow.pack(work)
        q.save(work / names["network"])
        for name in (PAGE_FILE, EVIDENCE_FILE):  # they are about the network that was there
            (work / name).unlink(missing_ok=True)
        report = replace(
            report,
            model_hash=q.model_hash().hex(),
            overflow_proof=q.overflow_proof(),
            seconds={**report.seconds, "reweight": round(time.monotonic() - start, 3)},
        )
        report.save(work)
    return report


def load_build(folder: Path) -> tuple[Report, QuantizedNetwork]:
    """The report and the network of a build; FileFormatError if it does not say where its memories are."""
    report = Report.load(folder)
    if "memories" not in report.files:
        raise FileFormatError(f"{folder}: does not say where its memories are; build it anew")
    return report, load_quantized(folder / report.files["network"])


def flow_of(report: Report, q: QuantizedNetwork, board: str | Board | None, tell: Progress) -> Flow:
    """The flow that made a build, for the network `q`; the board is the report's unless given."""
    at = get_board(board or report.board)
    return Flow(q, at, Tiling.of(report.tiling), report.lane_form, tell, report.storage, trace=report.trace)


def elaborate_again(flow: Flow, clock_hz: float, work: Path) -> None:
    """Write the design of the flow's network, and only that: constraints and PLL are those of the build."""
    clocking = nearest(flow.board.family, flow.board.clock_hz, clock_hz)
    if float(clocking.frequency) != clock_hz:
        raise AutapseError(f"{flow.board.name} makes no clock of {clock_hz / 1e6:g} MHz; build it anew")
    with tempfile.TemporaryDirectory(dir=work) as name:
        flow.elaborate(clocking, Path(name))
        (Path(name) / flow.files["design"]).replace(work / flow.files["design"])


def _check_shape(folder: Path, current: QuantizedNetwork, q: QuantizedNetwork) -> None:
    """Refuse another shape or other formats."""
    for what in ("units", "inputs", "outputs"):
        has, wanted = getattr(current, what), getattr(q, what)
        if has != wanted:
            raise AutapseError(f"{folder}: built for {has} {what}, and the network has {wanted}; build it anew")
    ours, theirs = current.formats.to_dict(), q.formats.to_dict()
    differing = [name for name in ours if ours[name] != theirs.get(name)]
    if differing:
        name = differing[0]
        raise AutapseError(
            f"{folder}: built with {name} = {_brief(ours[name])}, and the network has {_brief(theirs[name])}: "
            f"quantise it with --like {folder / 'q.npz'}, or build it anew"
        )


def _check_design(folder: Path, current: QuantizedNetwork, q: QuantizedNetwork, old: Design, new: Design) -> None:
    """Refuse a design that differs outside the block RAMs, with the likely reason."""
    if not old.contents:
        raise AutapseError(f"{folder}: its weights are not in block RAMs that can be told apart; build it anew")
    if old.frame == new.frame and old.contents.keys() == new.contents.keys():
        return
    reasons = {
        "activation": vars(current.activation) == vars(q.activation),
        "decay d": np.array_equal(current.d, q.d),
        "gain g": np.array_equal(current.g, q.g),
        "initial state h0": np.array_equal(current.h0, q.h0),
    }
    differing = [name for name, same in reasons.items() if not same]
    if differing:
        raise AutapseError(f"{folder}: built for another {differing[0]}, which is part of the circuit; build it anew")
    raise AutapseError(f"{folder}: built by another version of this program; build it anew")


def _brief(value: object) -> str:
    return json.dumps(value).replace('"', "")
