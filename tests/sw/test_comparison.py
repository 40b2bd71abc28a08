"""Five levels of one network on one time axis: the sampling, the figures, the caption, the command without tools."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from autapse.circuit import Stimulus
from autapse.circuit.ngspice import MISSING
from autapse.cli.compare import compare as command
from autapse.comparison import Runs, caption, contributions, default_stimulus, figure, from_ode, rows, to_dict
from autapse.dynamics import RateODE
from autapse.errors import AutapseError
from autapse.network import Network
from autapse.quantize import quantize

pytest.importorskip("scipy")

app = typer.Typer()
app.command()(command)


def run(*args: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in args])


def equation(activation: str = "tanh") -> RateODE:
    rng = np.random.default_rng(5)
    return RateODE(
        W=0.7 * rng.normal(size=(3, 3)),
        W_in=rng.normal(size=(3, 2)),
        b=0.2 * rng.normal(size=3),
        W_out=rng.normal(size=(2, 3)),
        tau=np.array([0.8, 1.0, 1.7]),
        h0=np.array([0.3, -0.2, 0.1]),
        activation=activation,
    )


def runs(**changes: Any) -> Runs:
    """Curves whose differences are known: 0.1, 0.3 and 0.02 from an ODE of full scale 2."""
    ode = np.linspace(-1.0, 2.0, 8).reshape(4, 2)
    given: dict[str, Any] = {
        "dt": 0.5,
        "x": np.arange(4.0)[:, None],
        "start": np.zeros(2),
        "ode": ode,
        "discrete": ode + 0.1,
        "fixed": ode + 0.3,
        "half": ode + 0.05,
        "rounded": ode + 0.15,
        "rtl": ode + 0.3,
        "spice": ode - 0.02,
        "edges": ode - 0.015,
    }
    return Runs(**{**given, **changes})


def test_sampling_is_that_of_the_equation() -> None:
    """A step that is exact gives the solution itself at (k+1) dt, with input k held from k dt: to rounding."""
    ode, dt = equation("identity"), 0.3
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (20, 2))
    np.testing.assert_allclose(ode.discretize(dt, "exact").run(x).z, ode.solve(x, dt).z, atol=1e-9)


@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid"])
def test_discrete_converges_to_the_equation_with_order_1(activation: str) -> None:
    ode = equation(activation)
    levels = np.random.default_rng(1).uniform(-1.0, 1.0, (5, 2))
    errors = []
    for parts in (16, 32, 64, 128):
        x, dt = np.repeat(levels, parts, axis=0), 1.0 / parts
        net = ode.discretize(dt)
        again = RateODE.from_network(net, dt)
        errors.append(np.max(np.abs(net.run(x).z - again.solve(x, dt).z)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 1.0, atol=0.1)
    assert errors[-1] < 0.01


def test_the_fixed_point_converges_to_the_discrete_float() -> None:
    """Each further bit halves the quantisation, about: it is not the time step's."""
    net = equation().discretize(0.1)
    x = default_stimulus(equation(), 0.1)
    off = []
    for bits in (8, 12, 16):
        q = quantize(net, weight_bits=bits, state_bits=bits, calibrate=x[None])
        off.append(np.max(np.abs(q.run(x).z - net.run(x).z)))
    assert off[1] < off[0] / 4
    assert off[2] < off[1] / 4


def test_contributions() -> None:
    r = runs()
    assert r.full_scale == 2.0
    np.testing.assert_allclose(r.t, [0.5, 1.0, 1.5, 2.0])
    found = {c.name: c for c in contributions(r)}
    assert [c.largest for c in found.values()] == pytest.approx([0.05, 0.1, 0.0, 0.01])
    assert [c.rms for c in found.values()] == pytest.approx([0.05, 0.1, 0.0, 0.01])
    assert found["RTL"].largest == 0.0
    assert (found["quantisation"].begin, found["quantisation"].end) == ("discrete", "fixed point")
    assert (found["circuit"].begin, found["circuit"].end) == ("ODE", "SPICE")
    assert from_ode(r) == pytest.approx({"discrete": 0.05, "fixed point": 0.15, "RTL": 0.15, "SPICE": 0.01})
    text = "\n".join(caption(r, "a net"))
    for words in (
        "t = (k+1) dt, with input k held from k dt",
        "time step (ODE → discrete): 5 %: Euler steps of 0.5; steps of dt/2 give 2.5 %",
        "quantisation (discrete → fixed point): 10 %: 2.5 % by rounded weights and inputs, 7.5 % by rounded states",
        "RTL (fixed point → RTL): exactly 0: all 8 output codes of 4 steps are equal",
        "circuit (ODE → SPICE): 1 %: 0.25 % by ngspice with exact component values, 0.75 % by the edges",
        "Most comes from: quantisation.",
    ):
        assert words in text
    assert "saturate" not in text
    assert "5 that saturate" in "\n".join(caption(runs(saturated=5), "a net"))


def test_rtl_must_equal_the_integer_model() -> None:
    rtl = runs().fixed.copy()
    rtl[2, 1] += 2.0**-20
    with pytest.raises(AutapseError, match="circuit differs from the integer model: output 2 after step 3"):
        runs(rtl=rtl)


def test_what_is_missing_is_named() -> None:
    r = runs(spice=None, edges=None, left_out={"SPICE": MISSING})
    assert ("SPICE", "left out: ngspice is not installed: apt-get install ngspice") in list(rows(r))
    assert contributions(r)[-1].largest is None
    assert f"circuit (ODE → SPICE): left out: {MISSING}" in caption(r, "a net")
    assert to_dict(r)["from_ode"]["SPICE"] is None
    with pytest.raises(ValueError, match="SPICE needs either a curve or the reason"):
        runs(spice=None)
    with pytest.raises(ValueError, match=r"half must be \(time, outputs\) = \(4, 2\); its shape is \(3, 2\)"):
        runs(half=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="at least one step"):
        runs(x=np.zeros((0, 1)))


def test_figure_is_one_axis(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = figure(runs(), "a net")
    inputs, *curves, differences = drawn.axes
    assert len(curves) == 2
    assert {a.get_xlim() for a in drawn.axes} == {(0.0, 2.0)}
    assert [line.get_label() for line in curves[0].lines] == ["ODE", "discrete", "fixed point", "RTL", "SPICE"]
    for line in curves[0].lines[:3]:
        np.testing.assert_allclose(line.get_xdata(), [0.0, 0.5, 1.0, 1.5, 2.0])  # from the initial state on
    assert differences.get_yscale() == "log"
    assert inputs.lines[0].get_drawstyle() == "steps-post"  # held
    without = figure(runs(rtl=None, spice=None, edges=None, left_out={"RTL": "no", "SPICE": "no"}), "a net")
    assert len(without.axes[1].lines) == 3


def test_default_stimulus_is_seeded_and_held() -> None:
    ode = equation()
    x = default_stimulus(ode, 0.1, seed=3)
    np.testing.assert_array_equal(x, default_stimulus(ode, 0.1, seed=3))
    assert not np.array_equal(x, default_stimulus(ode, 0.1, seed=4))
    assert np.count_nonzero(np.any(np.diff(x, axis=0) != 0.0, axis=1)) == 9
    assert np.max(np.abs(x)) <= 1.0
    assert len(default_stimulus(ode, 100.0)) == 40  # four steps each, however long
    Stimulus.held(x, 0.1)  # what SPICE plays


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a compiler for Verilator nor ngspice."""
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_tools")
def test_the_command_draws_the_rest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("zoo:mutual_inhibition", "-o", out, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["left_out"]["SPICE"] == MISSING
    assert set(data["left_out"]) == {"RTL", "SPICE"}
    assert 0.0 < data["from_ode"]["discrete"] < 0.1
    assert sorted(p.name for p in out.iterdir()) == [
        "caption.md",
        "compare.json",
        "compare.png",
        "compare.svg",
        "curves.npz",
    ]
    table = run("zoo:mutual_inhibition", "-o", out)
    assert "left out: ngspice is not installed: apt-get install ngspice" in table.output
    smaller = json.loads(run("zoo:mutual_inhibition", "-o", out, "--dt", 0.05, "--json").stdout)
    ratio = data["from_ode"]["discrete"] / smaller["from_ode"]["discrete"]
    assert ratio == pytest.approx(2.0, abs=0.2)


@pytest.mark.usefixtures("no_tools")
def test_files_units_and_inputs(tmp_path: Path) -> None:
    net = equation().discretize(0.2)
    net.save(tmp_path / "net.npz")
    x = np.repeat(np.random.default_rng(2).uniform(-1, 1, (4, 2)), 5, axis=0)
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "out"
    result = run(tmp_path / "net.npz", "-o", out, "--inputs", tmp_path / "x.npy", "--units", "3,1", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert (data["dt"], data["steps"], data["quantity"]) == (pytest.approx(0.2), 20, "state of units 3, 1")
    with np.load(out / "curves.npz") as curves:
        np.testing.assert_allclose(curves["discrete"], net.run(x).h[:, [2, 0]])
        np.testing.assert_allclose(curves["ODE"], equation().solve(x, 0.2).h[:, [2, 0]], atol=1e-8)
    # A gain that differs goes into the unit of the state, and back out of it in the readout.
    replace(net, g=net.g * [1.0, 2.0, -0.5]).save(tmp_path / "other.npz")
    result = run(tmp_path / "other.npz", "-o", out, "--dt", 0.2, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["from_ode"]["discrete"] < 0.2
    # A quantised network is taken as it is.
    quantize(net, weight_bits=6).save(tmp_path / "q.npz")
    result = run(tmp_path / "q.npz", "-o", out, "--inputs", tmp_path / "x.npy", "--json")
    assert result.exit_code == 0, result.output
    assert "6-bit weights" in json.loads(result.stdout)["caption"][0]


@pytest.mark.usefixtures("no_tools")
def test_bad_input(tmp_path: Path) -> None:
    out = tmp_path / "out"
    Network(W=np.eye(2), W_in=np.ones((2, 1)), d=np.ones(2), g=np.full(2, 0.1)).save(tmp_path / "held.npz")
    equation().discretize(0.2).save(tmp_path / "net.npz")
    quantize(equation().discretize(0.2)).save(tmp_path / "q.npz")
    np.save(tmp_path / "three.npy", np.zeros((3, 5, 2)))
    for arguments, message in (
        (("zoo:nothing",), "zoo:nothing is not one of zoo:autapse"),
        (("zoo:mutual_excitation", "--dt", -1), "dt must be positive"),
        (("zoo:mutual_excitation", "--units", "3"), "the network has the units 1 to 2, not 3"),
        (("zoo:mutual_excitation", "--units", "a"), "numbers like 1,3"),
        ((tmp_path / "held.npz",), "d must be below 1"),
        ((tmp_path / "q.npz", "--units", "1"), "needs the float network"),
        ((tmp_path / "net.npz", "--inputs", tmp_path / "three.npy"), "one sequence"),
    ):
        result = run(*arguments, "-o", out)
        assert result.exit_code != 0
        assert message in str(result.exception)
    assert not out.exists()


def test_weights_that_are_not_square_are_named_by_every_command(tmp_path: Path) -> None:
    from autapse.cli.circuit import circuit
    from autapse.cli.theory import analyze

    header = {"format": "autapse-network", "version": 1, "activation": "tanh", "info": {}, "arrays": ["W", "W_in"]}
    np.savez(tmp_path / "net.npz", header=np.array(json.dumps(header)), W=np.ones((2, 3)), W_in=np.ones((2, 1)))
    for one in (analyze, circuit, command):
        made = typer.Typer()
        made.command()(one)
        result = CliRunner().invoke(made, [str(tmp_path / "net.npz"), "-o", str(tmp_path / "out")])
        assert "net.npz: W must be square with at least one unit" in str(result.exception)
        assert "(2, 3)" in str(result.exception)


@pytest.mark.usefixtures("no_tools")
def test_an_unstable_step_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(RuntimeWarning, match=r"dt = 1.2 makes modes grow .* largest stable dt is 1.11"):
        result = run("zoo:mutual_excitation", "-o", tmp_path / "out", "--dt", 1.2)
    assert result.exit_code == 0, result.output
