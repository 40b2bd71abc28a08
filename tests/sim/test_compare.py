"""The whole command compare on a network of three units: Verilator and, where it is installed, ngspice."""

import json
import shutil

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from autapse.circuit.ngspice import MISSING
from autapse.cli.compare import compare as command
from autapse.network import Network

pytest.importorskip("scipy")
pytest.importorskip("matplotlib")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The figures and the folder of one run, on a leaky network with time constants of its own."""
    folder = tmp_path_factory.mktemp("compare")
    rng = np.random.default_rng(11)
    dt, tau = 0.1, np.array([0.7, 1.0, 1.6])
    Network(
        W=0.8 * rng.normal(size=(3, 3)),
        W_in=rng.normal(size=(3, 2)),
        b=0.2 * rng.normal(size=3),
        d=1.0 - dt / tau,
        g=np.full(3, dt),
        h0=np.array([0.2, 0.0, -0.3]),
    ).save(folder / "net.npz")
    app = typer.Typer()
    app.command()(command)
    out = folder / "out"
    result = CliRunner().invoke(app, [str(folder / "net.npz"), "-o", str(out), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), out


def test_rtl_is_the_integer_model(compared):
    data, out = compared
    chain = {c["name"]: c for c in data["contributions"]}
    assert chain["RTL"]["largest"] == 0.0
    assert chain["RTL"]["rms"] == 0.0
    with np.load(out / "curves.npz") as curves:
        np.testing.assert_array_equal(curves["RTL"], curves["fixed_point"])
        assert np.ptp(curves["RTL"]) > 0.1


def test_each_step_has_its_size(compared):
    data, out = compared
    chain = {c["name"]: c for c in data["contributions"]}
    assert 1e-3 < chain["time step"]["largest"] < 0.1
    assert 1e-4 < chain["quantisation"]["largest"] < 0.1
    assert (out / "compare.png").stat().st_size > 50_000
    assert data["caption"] == (out / "caption.md").read_text(encoding="utf-8").strip().split("\n\n")


def test_spice_follows_the_equation(compared):
    data, _ = compared
    if shutil.which("ngspice") is None:
        assert data["left_out"]["SPICE"] == MISSING
        pytest.skip(MISSING)
    assert data["left_out"] == {}
    assert 0.0 < data["from_ode"]["SPICE"] < 2e-3
    assert data["from_ode"]["SPICE"] < data["from_ode"]["discrete"] / 5  # continuous time, although at sampled inputs
