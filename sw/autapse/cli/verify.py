"""The command verify: circuit, netlist, bitstream or board against the integer model."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from autapse.cli._common import (
    Json,
    Rung,
    emit,
    facts,
    network_and_baud,
    open_port,
    read_array,
    read_lanes,
    read_quantized,
    working,
)
from autapse.cli._evidence import Circuit
from autapse.cli.simulate import Seed
from autapse.errors import AutapseError
from autapse.network import check_inputs

if TYPE_CHECKING:
    from autapse.link import DeviceCheck
    from autapse.quantized import QuantizedNetwork
    from autapse_boards import MemoryCheck
    from autapse_sim import Verification

_LANES = "8"  # of a core without a board


class Family(StrEnum):
    """Whose cells the gates are."""

    ICE40 = "ice40"
    ECP5 = "ecp5"


def verify(
    source: Annotated[
        Path, typer.Argument(metavar="Q.npz|DIR", help="A quantised network, or a build folder.", show_default=False)
    ],
    level: Annotated[
        Rung, typer.Option(help="What is compared with the integer model; a bitstream is that of a build.")
    ] = Rung.RTL,
    port: Annotated[str | None, typer.Option(metavar="P", help="Compare a board instead, on this serial port.")] = None,
    baud: Annotated[
        int | None, typer.Option(help="Bits per second of the port; those of the build, or 1000000.", min=1)
    ] = None,
    board: Annotated[str | None, typer.Option(help="Build the network for this board first.", metavar="B")] = None,
    steps: Annotated[int, typer.Option(help="Steps of random inputs.", min=1)] = 200,
    inputs: Annotated[
        Path | None, typer.Option(metavar="X.npy", help="Your own inputs (batch, time, inputs) instead.")
    ] = None,
    lanes: Annotated[
        str | None, typer.Option(help="Lanes of a network's core, as for build; 8 without a board.", metavar="8|8x2")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="Lanes: generic, mac8x8, mac16, mac16sum (iCE40 UltraPlus), booth (iCE40), mult18 (ECP5).",
            metavar="FORM",
        ),
    ] = None,
    family: Annotated[
        Family | None, typer.Option(help="Whose cells generic lanes become at level gates; ice40 unless given.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare the circuit with the integer model: every state element at every step, and every output, exactly.

    Of a network, the core is simulated, as RTL or as the vendor cells that yosys makes of it, with inputs waiting and
    again with random pauses on both sides. Of a build, the netlist that was placed, or what the bitstream is decompiled
    to, is simulated between its pins, and talked to over its serial line, as is the board on a port. The memories of
    every bitstream are compared bit for bit with the network. What simulation found of a build is kept in its folder,
    for 'autapse report'.

    Example: autapse verify q.npz --steps 500 --lanes 16

    Example: autapse verify q.npz --board ice40_hx8k_b_evn --level bitstream

    Example: autapse verify build --port /dev/ttyUSB1
    """
    _check_options(source, level, port, board, {"lanes": lanes, "form": form, "family": family, "inputs": inputs})
    with working("verifying", as_json) as say, tempfile.TemporaryDirectory(prefix="autapse-verify-") as name:
        asked: dict[str, Any] = {"steps": steps, "seed": seed, "progress": say}
        if board is not None:
            from autapse_boards import build

            build(read_quantized(source), board, folder := Path(name) / "build", lanes=lanes, form=form, progress=say)
            found = _of_build(folder, level, asked)
        elif port is not None:
            found = _of_port(source, port, baud, asked)
        elif source.is_dir():
            found = _of_build(source, level, asked)
        else:
            asked |= {"level": level.value, "family": family.value if family else None}
            found = _of_core(read_quantized(source), lanes or _LANES, form or "generic", inputs, asked)
    emit(as_json, {**found.data, "ok": found.problem is None}, lambda: facts(found.rows))
    if found.problem is not None:
        raise AutapseError(found.problem)


class _Found(NamedTuple):
    """What a comparison found: for machines, for a reader, and what is wrong, if anything is."""

    data: dict[str, Any]
    rows: dict[str, Any]
    problem: str | None


def _check_options(source: Path, level: Rung, port: str | None, board: str | None, of_core: Mapping[str, Any]) -> None:
    """Refuse options that the source has settled already, or that need another source."""
    given = [name for name, value in of_core.items() if value is not None]
    if port is not None and (board is not None or given):
        raise ValueError(f"--{'board' if board else given[0]} is of a design to simulate, and --port names a board")
    if port is not None and level is not Rung.RTL:
        raise ValueError(f"--level {level.value} is of a design to simulate, and --port names a board")
    if source.is_dir() and {"lanes", "form"} & set(given):
        Circuit.of(source, of_core["lanes"], of_core["form"])  # refuses them
    if source.is_dir() and (board is not None or given):
        raise ValueError(f"{source}: a build has its own {'board' if board else given[0]}; leave the option out")
    if not source.is_dir() and board is None and port is None and level is Rung.BITSTREAM:
        raise ValueError(f"{source}: a bitstream is verified of a build folder, or with --board")
    if board is not None and (family := set(given) & {"family", "inputs"}):
        raise ValueError(f"--{min(family)} is for a core alone, without --board")


def _of_port(source: Path, port: str, baud: int | None, asked: Mapping[str, Any]) -> _Found:
    """A board, real or virtual, over its serial line."""
    from autapse.link import Device, check_device

    q, built = network_and_baud(source)
    with Device(open_port(port, baud or built)) as device:
        result = check_device(device, q, **asked)
    first = None if result.first is None else {**asdict(result.first), "bit": result.first.bit}
    rows = {"port": port, **_counted(result)}
    if result.first is not None:
        rows["first difference"] = str(result.first)
    return _Found({**asdict(result), "first": first, "port": port}, rows, _problem("board", result))


def _of_build(folder: Path, level: Rung, asked: Mapping[str, Any]) -> _Found:
    """A build; the memories of its bitstream too, and they alone where the rest cannot be decompiled."""
    from autapse_boards import check_memories
    from autapse_sim import NotDecompilableError, verify_build

    data: dict[str, Any] = {"level": level.value}
    rows: dict[str, Any] = {"level": f"{level.value} of {folder.name}"}
    problem = None
    if level is Rung.BITSTREAM:
        memories = check_memories(folder, progress=asked["progress"])
        data["memories"] = asdict(memories)
        rows |= _of_memories(memories)
        if memories.mismatches:
            problem = f"the bitstream's memories and the network differ in {memories.mismatches} bits"
        elif not memories.ok:
            problem = "the bitstream's block RAMs hold no weights, so that these were not compared"
    try:
        result = verify_build(folder, level.value, **asked)
    except NotDecompilableError as error:
        data["not_decompiled"] = str(error)
        rows["not checked"] = f"the logic in the bitstream: {error}; level gates checks the netlist that was placed"
        return _Found(data, rows, problem)
    Circuit.of(folder).keep(result)
    return _Found(data | asdict(result), rows | _of(result), problem or _problem("circuit", result))


def _of_core(q: QuantizedNetwork, lanes: str, form: str, inputs: Path | None, asked: Mapping[str, Any]) -> _Found:
    """The core of a network, without a board around it."""
    from autapse_hw.schedule import Schedule
    from autapse_sim import verify as verify_network

    tiling = read_lanes(lanes, q)
    sequences = None
    if inputs is not None:
        x, _ = check_inputs(read_array(inputs, "inputs"), q.inputs)
        sequences = list(q.quantize_inputs(x)[0])
    result = verify_network(q, lanes=tiling, form=form, inputs=sequences, **asked)
    efficiency = Schedule.of(q, tiling, form).lane_efficiency
    figures = {"lane_efficiency": efficiency, "lanes": str(tiling), "form": form, "comparisons": result.comparisons}
    rows = {
        "level": f"{result.level} ({', '.join(filter(None, (result.family, f'{tiling} lanes', form)))})",
        **_of(result),
        "lane efficiency": f"{efficiency:.3f} (useful products / lanes / cycles)",
    }
    return _Found(asdict(result) | figures, rows, _problem("circuit", result))


def _problem(what: str, result: Verification | DeviceCheck) -> str | None:
    if result.mismatches:
        return f"the {what} and the integer model differ in {result.mismatches} values"
    return None if result.outputs else "nothing was compared"


def _of(result: Verification) -> dict[str, Any]:
    """A verification as rows of a table."""
    rows = _counted(result)
    if result.cycles_per_step is not None:
        rows["cycles per step"] = result.cycles_per_step
    return rows | {f"mismatch {k + 1}": line for k, line in enumerate(result.first)}


def _counted(result: Verification | DeviceCheck) -> dict[str, Any]:
    compared = f"{result.states:,} state elements, {result.outputs:,} outputs"
    if result.sums:
        compared += f"; {result.sums:,} origins of states (step, unit, pre-activation, saturation)"
    rows = {"steps": f"{result.steps:,}", "comparisons": compared, "mismatches": f"{result.mismatches:,}"}
    if not result.sums:
        rows["not checked"] = "pre-activations, which only a build with --trace gives"
    return rows | {"time": f"{result.seconds:.1f} s"}


def _of_memories(memories: MemoryCheck) -> dict[str, Any]:
    """A comparison of memories as rows of a table."""
    bits = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(memories.bits.items()))
    rows = {
        "memories": f"{memories.blocks} block RAMs, {sum(memories.bits.values()):,} bits compared: {bits}",
        "bits that differ": f"{memories.mismatches:,}",
    }
    return rows | {f"difference {k + 1}": line for k, line in enumerate(memories.first)}
