"""The command zoo without the simulator, and zoo:NAME in the place of a file."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from autapse.cli.circuit import circuit
from autapse.cli.theory import analyze, zoo
from autapse.zoo import CATALOGUE, catalogue, exhibit

pytest.importorskip("matplotlib")


def run(command: Any, *args: object) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    return CliRunner().invoke(app, [str(a) for a in args])


def test_the_list():
    result = run(zoo, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {name: exhibit(name).formula for name in CATALOGUE}


def test_every_network_has_its_picture_and_numbers(tmp_path):
    result = run(zoo, "all", "-o", tmp_path / "out", "--no-rtl", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert list(data) == list(CATALOGUE)
    for row in data.values():
        assert row["left_out"] == "not asked for"
        for claim in row["claims"]:
            assert claim["float"]["holds"]
            assert claim["fixed point"]["holds"]
            assert "RTL" not in claim
    files = {f"{name}.{suffix}" for name in CATALOGUE for suffix in ("png", "svg")}
    assert {p.name for p in (tmp_path / "out").iterdir()} == files | {"zoo.json"}
    for name in CATALOGUE:
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 15_000


def test_one_network_is_told():
    result = run(zoo, "mutual_inhibition", "--no-rtl")
    assert result.exit_code == 0, result.output
    assert "difference: its input 0.06 times 1 / 0.2: 0.294724; float 0.294724 (±1e-09), fixed point" in result.stdout
    assert "RTL left out: not asked for" in result.stdout


def test_a_claim_that_does_not_hold_is_an_error(monkeypatch):
    monkeypatch.setattr(catalogue, "_ROUND", -1.0)  # no value is that close
    result = run(zoo, "two_attractors", "--no-rtl")
    assert result.exit_code != 0
    assert str(result.exception).startswith("a claim does not hold: two_attractors, float: after 0.9")
    assert "NOT SO" in result.stdout


def test_an_unknown_name_is_named(tmp_path):
    assert "'bat' is not in the zoo" in str(run(zoo, "bat").exception)
    for command in (analyze, circuit):
        result = run(command, "zoo:bat", "-o", tmp_path / "out")
        assert "zoo:bat is not one of zoo:autapse" in str(result.exception)


def test_the_zoo_is_taken_in_the_place_of_a_file(tmp_path):
    pytest.importorskip("schemdraw")
    result = run(circuit, "zoo:mutual_inhibition", "-o", tmp_path / "c", "--samples", 2, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"]["gyrators"] == 0
    result = run(analyze, "zoo:two_attractors", "-o", tmp_path / "a", "--starts", 16, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["float"]["points"]["stable"] == 2
