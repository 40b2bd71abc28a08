"""The command new: a project of the user's own, from a template."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from autapse import __version__
from autapse.cli._common import BoardName, Json, emit, float_network, out, working
from autapse.cli._zoo import HELP, read_network
from autapse.cli.model import Options
from autapse.files import folder_beside
from autapse.loading import parse_options
from autapse.network import Network
from autapse.quantized import QuantizedNetwork

if TYPE_CHECKING:
    from autapse_boards import Plan

_MARKER = "design.toml"
#: Files of the template that a package cannot hold under their own names.
_RENAMED = {"ci.yml": ".github/workflows/ci.yml", "gitignore": ".gitignore"}


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; must not exist.", show_default=False)],
    network: Annotated[str, typer.Argument(metavar="[NET]", help=f"Your network: {HELP}.")] = "gallery:xor",
    board: BoardName = "icebreaker",
    weight_bits: Annotated[int, typer.Option(help="Word length of the weights, 4 to 18.")] = 8,
    state_bits: Annotated[int, typer.Option(help="Word length of the state, 4 to 18.")] = 8,
    input_range: Annotated[
        float | None, typer.Option(help="Largest input that must not saturate; that of the network's task, or 1.")
    ] = None,
    option: Options = None,
    as_json: Json = False,
) -> None:
    """Make a project: your network, tests in fixed point and in RTL, a cocotb bench, a board build, and CI for it.

    Everything in it is yours to change; README.md says what is what.

    Example: autapse new controller model.keras --board ulx3s
    """
    from autapse_boards import fit

    if folder.exists():
        raise ValueError(f"{folder}: exists already; name a folder that does not")
    net = _network(network, option)
    reach = _reach(net) if input_range is None else input_range
    words = {"weight_bits": weight_bits, "state_bits": state_bits, "input_range": reach}
    with folder_beside(folder, _MARKER) as work, working("new project", as_json) as say:
        _copy(resources.files("autapse.cli") / "template", work)
        net.save(work / "network.npz")
        say(f"fitting it to {board}")
        q, error = _measured(net, words)
        plan = fit(q, board)  # an error now, and not in the user's CI
        (work / _MARKER).write_text(_settings(words, plan, error), encoding="utf-8")
        (work / "requirements.txt").write_text(f"autapse[sim,boards,link]=={__version__}\npytest\n", encoding="utf-8")
        files = sorted(file.relative_to(work).as_posix() for file in work.rglob("*") if file.is_file())
    emit(as_json, {"folder": str(folder), "files": files, "board": plan.board, "largest_error": error})
    if not as_json:
        out.print(f"{folder}: {', '.join(files)}", markup=False)
        out.print(f"next: cd {folder} && python -m pytest && python build.py", markup=False)


def _network(name: str, option: list[str] | None) -> Network:
    from autapse.loading import load

    if option:
        return load(Path(name), **parse_options(option))
    return float_network(read_network(name)[0])


def _reach(net: Network) -> float:
    """The input range of the task that the network names; 1 without one."""
    from autapse.tasks import TASKS

    task = TASKS.get(net.info.get("task", ""))
    return 1.0 if task is None else task.input_range


def _measured(net: Network, words: dict[str, Any]) -> tuple[QuantizedNetwork, float]:
    """The quantised network, and its largest difference from float on the template's stimulus, rounded up."""
    from autapse.quantize import quantize

    reach = words["input_range"]
    levels = np.random.default_rng(0).uniform(-reach, reach, (4, 10, net.inputs))  # as in template/design.py
    x = np.repeat(levels, 10, axis=1)
    q = quantize(net, calibrate=x, **words)
    return q, float(np.ceil(1e4 * np.abs(net.run(x).z - q.readout(x)).max()) / 1e4)


def _settings(words: dict[str, Any], plan: Plan, error: float) -> str:
    return f"""\
[network]
file = "network.npz"

[words]  # of autapse.quantize
weight_bits = {words["weight_bits"]}
state_bits = {words["state_bits"]}
input_range = {words["input_range"]!r}

[board]  # when this was made: {plan.tiling} lanes ({plan.form}), {plan.schedule.cycles_per_step} cycles a step
name = "{plan.board}"
# frequency = 12e6  # in Hz; without it the fastest clock that meets timing, in up to three runs of place and route

[test]
largest_error = {error!r}  # of the readout, fixed point against float
"""


def _copy(source: Any, target: Path) -> None:
    """The files of a template below `target`."""
    for entry in source.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                _copy(entry, target / entry.name)
            continue
        file = target / _RENAMED.get(entry.name, entry.name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.read_bytes())
