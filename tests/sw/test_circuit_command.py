"""The command circuit, its schematics and its report."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from autapse.circuit import Equation, synthesize
from autapse.circuit.ngspice import MISSING
from autapse.circuit.schematic import draw, drawn_as
from autapse.circuit.schematic_parallel import pack
from autapse.cli.circuit import circuit as command
from autapse.network import Network

pytest.importorskip("matplotlib")
pytest.importorskip("schemdraw")

app = typer.Typer()
app.command()(command)


def run(*args: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in args])


@pytest.fixture
def net(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    W, W_in = 0.5 * rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    Network(W=W, W_in=W_in, d=0.9, g=np.float64(0.1)).save(tmp_path / "net.npz")  # type: ignore[arg-type]
    return tmp_path / "net.npz"


def equation(n: int, m: int = 1, activation: str = "tanh") -> Equation:
    rng = np.random.default_rng(n)
    return Equation(
        W=rng.normal(size=(n, n)), W_in=rng.normal(size=(n, m)), b=rng.normal(size=n), activation=activation
    )


def test_files(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(net, "-o", out, "--samples", 5, "--form", "series", "--json")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in out.iterdir()) == [
        "circuit.cir",
        "components.csv",
        "report.json",
        "report.md",
        "schematic.png",
        "schematic.svg",
    ]
    data = json.loads(result.stdout)
    assert data["form"] == "series"
    assert data["counts"]["gyrators"] == 3
    assert data["simulation"] is None
    assert [row["samples"] for row in data["monte_carlo"]] == [5, 5, 5]
    assert {**json.loads((out / "report.json").read_text()), "folder": str(out)} == data
    assert "| gyrators | 3 | |" in (out / "report.md").read_text()
    assert (out / "schematic.svg").read_text().lstrip().startswith("<?xml")
    again = run(net, "-o", out, "--samples", 5)  # its own folder is replaced
    assert again.exit_code == 0
    assert "parallel form, 3 units, 3 amplifiers" in again.output


def test_simulation(net: Path, tmp_path: Path) -> None:
    if shutil.which("ngspice") is None:
        pytest.skip(MISSING)
    pytest.importorskip("scipy")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).uniform(-1, 1, (40, 2)))
    out = tmp_path / "out"
    result = run(net, "-o", out, "--simulate", "--samples", 2, "--inputs", tmp_path / "x.npy", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["simulation"]["agrees"]
    assert data["simulation"]["error"] < 5e-3
    assert (out / "comparison.png").stat().st_size > 10_000
    rounded = run(net, "-o", out, "--simulate", "--samples", 2, "--values", "E24", "--json")
    assert rounded.exit_code == 0  # the difference is reported, and is no error: it was asked for
    assert json.loads(rounded.stdout)["simulation"]["error"] > data["simulation"]["error"]


def test_errors(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(net, "-o", tmp_path / "out", "--dt", 0.5)
    assert result.exit_code != 0
    assert "not an Euler step of dt = 0.5" in str(result.exception)
    result = run(net, "-o", tmp_path / "out", "--storage", "reciprocal")
    assert "no choice of capacitors" in str(result.exception)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(net, "-o", tmp_path / "out", "--simulate")
    assert str(result.exception) == MISSING
    assert not (tmp_path / "out").exists()


@pytest.fixture
def broken_ngspice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ngspice that fails, first on PATH."""
    program = tmp_path / "bin" / "ngspice"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Fatal error: no licence for the moon'\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.usefixtures("broken_ngspice")
def test_a_failing_ngspice_is_quoted(net: Path, tmp_path: Path) -> None:
    result = run(net, "-o", tmp_path / "out", "--simulate", "--samples", 2)
    assert str(result.exception) == "ngspice failed (exit code 3): Fatal error: no licence for the moon"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("W", [np.zeros((2, 2)), np.array([[0.5, 1.0], [0.0, 0.5]])])
def test_singular_and_defective_matrices_are_built(W: Any, tmp_path: Path) -> None:
    Network(W=W, W_in=np.eye(2), d=0.9, g=np.float64(0.1)).save(tmp_path / "net.npz")  # type: ignore[arg-type]
    result = run(tmp_path / "net.npz", "-o", tmp_path / "out", "--samples", 2, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["exact"]["W"] < 1e-12


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--dt", 0), "dt must be positive, not 0"), (("--dt", -1), "dt must be positive, not -1")],
)
def test_steps_that_are_none(net: Path, tmp_path: Path, arguments: Any, message: str) -> None:
    assert message in str(run(net, "-o", tmp_path / "out", *arguments).exception)


@pytest.mark.parametrize("form", ["parallel", "series"])
@pytest.mark.parametrize(("n", "m", "activation"), [(1, 1, "identity"), (2, 2, "relu"), (6, 1, "tanh"), (7, 1, "tanh")])
def test_schematic(form: Any, n: int, m: int, activation: str, tmp_path: Path) -> None:
    c = synthesize(equation(n, m, activation), form)
    draw(c, tmp_path / "a.png", tmp_path / "a.svg", title="a net")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "a.svg").stat().st_size > 5_000
    assert (drawn_as(c) == "every element") == (n <= 6)


def test_too_large_to_draw() -> None:
    assert drawn_as(synthesize(equation(50))) == "as blocks: 50 units, and single elements are drawn up to 6"
    assert drawn_as(synthesize(equation(2, 9))) == "as blocks: 9 inputs, and single elements are drawn up to 6"


def test_columns_do_not_overlap() -> None:
    pairs = [(j, k) for j in range(6) for k in range(j + 1, 6)]
    columns, placed = pack(pairs)
    assert columns == 11  # the pairs that pass the third rail or end on it
    for (a, b), c in placed:
        for (j, k), other in placed:
            assert (a, b) == (j, k) or c != other or b < j or k < a
