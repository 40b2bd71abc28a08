"""The command zoo with the circuit on Verilator."""

import json

import pytest
import typer
from typer.testing import CliRunner

from autapse.cli.theory import zoo

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.slow


def test_a_network_of_the_zoo_as_a_circuit(tmp_path):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(zoo)
    result = CliRunner().invoke(app, ["sequence", "-o", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)["sequence"]
    assert data["left_out"] is None
    for claim in data["claims"]:
        assert claim["RTL"]["holds"]
        assert claim["RTL"]["value"] == claim["fixed point"]["value"]
    assert (tmp_path / "out" / "sequence.png").stat().st_size > 15_000
