"""The analysis: its numbers against known networks, its words, its folder, its command."""

import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from autapse.analysis import Mode, analyze, stimulus
from autapse.analysis.changes import match
from autapse.analysis.numbers import principal, shown, time_constant
from autapse.analysis.page import notes, page, rows
from autapse.analysis.pictures import PICTURES
from autapse.cli.theory import analyze as command
from autapse.errors import AutapseError, MissingToolError
from autapse.gallery import path
from autapse.loading import load
from autapse.network import Network
from autapse.quantize import quantize
from autapse.zoo import integrator, mutual, two_attractors


def rotation(size: float = 0.9, angle: float = 0.3) -> Network:
    c, s = size * math.cos(angle), size * math.sin(angle)
    return Network(W=np.array([[c, -s], [s, c]]), W_in=np.eye(2))


def test_the_dominant_mode_of_a_rotation():
    a = analyze(rotation(), starts=32)
    m = a.float_side.mode
    assert abs(m.value) == pytest.approx(0.9)
    assert m.frequency == pytest.approx(math.tan(0.3) / (2 * math.pi))  # Im / (2 pi Re)
    assert m.cycles_per_step == pytest.approx(0.3 / (2 * math.pi))
    assert m.time_constant == pytest.approx(-1 / math.log(0.9))
    # It really turns so: one period of the linear step brings a state back to the same direction.
    net = replace(rotation(), activation="identity", h0=np.array([1.0, 0.0]))
    turned = net.run(np.zeros((21, 2))).h[20]  # 21 steps of 0.3 are 6.3, a turn
    assert np.arctan2(turned[1], turned[0]) == pytest.approx(21 * 0.3 - 2 * math.pi)


@pytest.mark.parametrize("layers", [(), (2, 3)])
@pytest.mark.parametrize("form", ["rate", "current"])
def test_eigenvalues_are_those_of_a_step(layers, form):
    """At slope 1; in a stack whose first layer sees the second one, they are not those of d + g W."""
    rng = np.random.default_rng(4)
    net = Network(rng.uniform(-1, 1, (5, 5)), rng.uniform(-1, 1, (5, 1)), d=0.8, g=0.2, form=form, layers=layers)
    linear = replace(net, activation="identity")
    steps = np.array([replace(linear, h0=unit).run(np.zeros((1, 1))).h[0] for unit in np.eye(5)]).T
    found = analyze(net, x=np.zeros((1, 20, 1)), starts=8).float_side.values
    wanted = np.linalg.eigvals(steps)
    assert max(np.abs(wanted - value).min() for value in found) < 1e-12
    same = max(np.abs(np.linalg.eigvals(0.8 * np.eye(5) + 0.2 * net.W) - value).min() for value in found) < 1e-12
    assert same == (not layers)


def test_modes_at_the_limits():
    assert Mode.dominant(np.array([-0.5 + 0j])).cycles_per_step == pytest.approx(0.5)
    assert math.isinf(Mode.dominant(np.array([0.5j, -0.5j])).frequency)
    assert Mode.dominant(np.array([0.5j, -0.5j])).to_dict()["frequency"] is None
    assert math.isinf(time_constant(1.0))
    assert time_constant(0.0) == 0.0
    assert time_constant(2.0) < 0
    assert (shown(1.5 + 0j), shown(0.25 - 0.5j, 2)) == ("1.500", "0.25-0.50j")


def test_leaky_networks_are_seen_as_their_step():
    a = analyze(mutual(0.8).discretize(0.1), starts=32)
    np.testing.assert_allclose(sorted(a.float_side.values.real), [0.9 - 0.08, 0.9 + 0.08])


def test_eigenvalues_are_paired_with_their_nearest():
    one = np.array([1.0 + 0j, 0.5, -0.3 + 0.2j])
    np.testing.assert_array_equal(match(one, one[[2, 0, 1]] + 0.01), one + 0.01)
    # Each is given away once: 0.9 belongs to 1, which is closer to it than 0 is.
    np.testing.assert_array_equal(match(np.array([0j, 1]), np.array([0.9 + 0j, 5])), [5, 0.9])


def test_principal_components_of_a_plane():
    rng = np.random.default_rng(1)
    h = rng.normal(size=(500, 2)) @ np.array([[3.0, 0, 0, 0], [0, 1.0, 0, 0]]) + 5
    mean, directions, shares = principal(h, 3)
    np.testing.assert_allclose(mean, h.mean(axis=0))
    np.testing.assert_allclose(np.abs(directions[0]), [1, 0, 0, 0], atol=0.05)
    assert shares[0] == pytest.approx(0.9, abs=0.02)
    assert shares.sum() == pytest.approx(1)
    assert principal(np.zeros((4, 1)), 3)[1].shape == (3, 1)  # fewer units than components


def test_two_attractors_are_two_places_of_rest():
    a = analyze(two_attractors())
    for side in a.sides:
        assert side.kinds() == {"stable": 2, "saddle": 0, "unstable": 1, "marginal": 0, "slow": 0}
    assert a.resting.moving == 0
    assert a.resting.places == 3  # from exactly 0 it does not leave 0


def test_the_flip_flop_keeps_its_27_points_and_8_memories():
    a = analyze(load(path("flipflop_3bit")))
    assert [side.kinds()["stable"] for side in a.sides] == [8, 8]
    assert [side.kinds()["saddle"] for side in a.sides] == [19, 19]
    assert a.resting.places == 8
    assert a.resting.moving == 0


def test_what_moved_most_comes_first_and_is_true():
    net = load(path("flipflop_3bit"))
    coarse, fine = (analyze(net, weight_bits=b, state_bits=b, starts=64) for b in (5, 14))
    for a in (coarse, fine):
        sizes = [change.relative for change in a.changes]
        assert sizes == sorted(sizes, reverse=True)
        by_name = {change.name: change for change in a.changes}
        error = a.fixed_side.net.W - a.float_side.net.W
        relative = np.sqrt(np.mean(error**2)) / np.sqrt(np.mean(a.float_side.net.W**2))
        assert by_name["rounding error of W"].relative == pytest.approx(relative)
        assert f"{100 * relative:.2g} %" in by_name["rounding error of W"].words
        gone = np.count_nonzero((a.fixed_side.net.W == 0) & (a.float_side.net.W != 0))
        assert (f"{gone} of 2500 weights became 0" in by_name["rounding error of W"].words) == (gone > 0)
    assert coarse.changes[0].relative > 10 * fine.changes[0].relative
    assert all(change.words.endswith(".") for change in coarse.changes)


def test_a_lost_mode_is_told():
    """An eigenvalue above 1 that rounding moves to 1 or below: growth is lost, and the words say so."""
    net = Network(W=np.array([[1.02, 0.0], [0.0, 0.3]]), W_in=np.eye(2))
    a = analyze(net, weight_bits=4, state_bits=8)  # steps of 1/4: 1.02 becomes 1
    words = [change.words for change in a.changes]
    assert any(w == "There were 1 eigenvalues outside the unit circle, and there are 0 now." for w in words)
    assert any("time constant of the dominant mode went from -50.5 steps to inf steps" in w for w in words)
    json.dumps(a.to_dict(), allow_nan=False)


def test_a_quantised_network_is_taken_as_it_is():
    q = quantize(rotation(), weight_bits=6, state_bits=7)
    a = analyze(q, weight_bits=12)
    assert a.q is q
    assert a.to_dict()["weight_bits"] == 6


def test_defective_matrices_and_lines_of_rest_are_noted():
    jordan = Network(W=np.array([[0.5, 1.0], [0.0, 0.5]]), W_in=np.eye(2))
    assert any("defective" in note for note in notes(analyze(jordan, starts=16)))
    line = analyze(integrator(4, None))
    assert any("a line or a surface" in note for note in notes(line))
    assert line.float_side.kinds()["marginal"] > 200
    assert len(line.to_dict()["float"]["point_list"]) == 200


def test_the_stimulus_is_seeded_and_stays_in_its_range():
    x = stimulus(3, 0.5, seed=4)
    np.testing.assert_array_equal(x, stimulus(3, 0.5, seed=4))
    assert not np.array_equal(x, stimulus(3, 0.5, seed=5))
    assert 0.4 < np.abs(x).max() <= 0.5


def test_a_float_network_without_bounds_is_named():
    net = Network(W=[[9.0]], W_in=[[1.0]], activation="identity")
    q = quantize(net, state_range=1.0)
    with pytest.raises(ValueError, match="grows beyond all numbers"):
        analyze(q, x=np.ones((400, 1)))


def test_bad_stimuli_are_named():
    with pytest.raises(ValueError, match="x must be"):
        analyze(rotation(), x=np.zeros((5, 3)))
    with pytest.raises(ValueError, match="the stimulus holds no sample"):
        analyze(rotation(), x=np.zeros((0, 2)))


@pytest.fixture
def one_picture(monkeypatch):
    """Draw one picture only, where the pictures are not the point."""
    for name in list(PICTURES)[1:]:
        monkeypatch.delitem(PICTURES, name)


@pytest.mark.parametrize("net", [two_attractors(), pytest.param(mutual(0.8).discretize(0.1), marks=pytest.mark.slow)])
def test_the_folder_is_whole_and_the_page_needs_nothing_else(tmp_path, net):
    a = analyze(net, starts=32)
    files = a.write(tmp_path / "out")
    pictures = {"eigenvalues", "fixed_points", "weights", "connectivity", "trajectories", "activity"}
    drawn = {f"{name}.{suffix}" for name in pictures for suffix in ("png", "svg")}
    assert set(files) == drawn | {"index.html", "analysis.json"}
    for name in pictures:
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert ElementTree.parse(tmp_path / "out" / f"{name}.svg").getroot().tag.endswith("}svg")
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert html.count('src="data:image/png;base64,') == len(pictures)
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert json.loads((tmp_path / "out" / "analysis.json").read_text())["units"] == net.units


def test_only_its_own_folder_is_replaced(tmp_path, one_picture):
    a = analyze(rotation(), starts=16)
    a.write(tmp_path / "out")
    a.write(tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(AutapseError, match="not written by this command"):
        a.write(tmp_path / "other")


def test_the_page_escapes_what_it_shows(tmp_path, one_picture):
    a = analyze(rotation(), starts=16)
    a.write(tmp_path / "out")
    spiked = replace(a, changes=[replace(a.changes[0], words="<script>alert(1)</script>")])
    text = page(spiked, tmp_path / "out")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_table_has_a_value_on_both_sides():
    table = {name: (one, two) for name, one, two in rows(analyze(rotation(), starts=16))}
    assert table["|l|"][0] == "0.90000"
    assert table["fixed points"][0] == "1: 1 stable"


def test_matplotlib_is_named_when_it_is_missing(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingToolError, match=r"pip install 'autapse\[plot\]'"):
        analyze(rotation(), starts=16).write(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_and_prints_json(tmp_path, one_picture):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command)
    two_attractors().save(tmp_path / "net.npz")
    quantize(two_attractors()).save(tmp_path / "q.npz")
    np.save(tmp_path / "x.npy", np.full((1, 30, 1), 0.5))
    result = CliRunner().invoke(app, [str(tmp_path / "net.npz"), "-o", str(tmp_path / "a"), "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["float"]["points"]["stable"] == 2
    assert (tmp_path / "a" / "index.html").is_file()
    arguments = [str(tmp_path / "q.npz"), "-o", str(tmp_path / "b"), "--inputs", str(tmp_path / "x.npy")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "moved most:" in result.stdout
