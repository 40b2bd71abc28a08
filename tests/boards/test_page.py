"""The page of a build: what it says, where it takes that from, and how it looks in a browser."""

import json
import re
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from builds import PATH, make_build
from typer.testing import CliRunner

from autapse.cli import app
from autapse.errors import FileFormatError, MissingToolError
from autapse.evidence import Evidence, record
from autapse.gallery import path
from autapse.loading import load
from autapse.network import Network
from autapse.quantize import quantize
from autapse_boards.page import PAGE_FILE, write_page
from autapse_boards.page.findings import compare
from autapse_boards.page.tables import legs

FIGURES = ("differences", "table-error", "eigenvalues", "timeline", "resources", "critical-path")
LIMIT = 3_000_000


def flipflop():
    return quantize(load(path("flipflop_3bit")), input_range=1.5, operand_bits=8)


def small(activation="tanh", outputs=2, scale=1.0, info=None, leaky=False):
    rng = np.random.default_rng(5)
    units = 6
    net = Network(
        W=scale * np.linalg.qr(rng.normal(size=(units, units)))[0],
        W_in=rng.normal(size=(units, 2)),
        W_out=rng.normal(size=(outputs, units)),
        d=0.8 if leaky else None,
        g=0.2 if leaky else None,
        activation=activation,
        info=info or {},
    )
    return quantize(net, state_range=4.0 if activation in ("relu", "identity") else None)


def evidence(q, level="rtl", **changes):
    values = {"level": level, "model_hash": q.model_hash().hex(), "circuit": "7 lanes, generic", "steps": 1234}
    values |= {"comparisons": 56_789, "mismatches": 0, "cycles_per_step": None, "seconds": 9.0}
    return Evidence(**{**values, "date": "2026-11-24T13:00:00+00:00", **changes})


def text_of(folder):
    """The page without the program that draws, as text."""
    html = (folder / PAGE_FILE).read_text()
    return re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)


def specs(folder):
    """The figures by name."""
    found = re.findall(
        r'<figure id="([^"]+)".*?<script type="application/json">(.*?)</script>', text_of(folder), re.DOTALL
    )
    return {name: json.loads(spec) for name, spec in found}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A build folder of the demo's network, with its page."""
    folder = tmp_path_factory.mktemp("page") / "build"
    make_build(folder, flipflop())
    return folder, write_page(folder)


def test_every_section_and_figure(page):
    folder, written = page
    text = text_of(folder)
    assert written.file == folder / PAGE_FILE
    assert written.bytes == written.file.stat().st_size < LIMIT
    assert written.figures == ("trial-1", "trial-2", "trial-3", *FIGURES)
    assert tuple(specs(folder)) == written.figures
    for name in ("network", "task", "formats", "dynamics", "cycles", "device", "path", "verification", "use"):
        assert f'<section id="{name}">' in text
        assert f'href="#{name}"' in text


def test_nothing_is_fetched(page):
    text = text_of(page[0])
    assert not re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"|url\(|@import|<link", text)
    assert "default-src 'none'" in text


def test_the_figures_hold_the_builds_numbers(page):
    folder, _ = page
    found, q = specs(folder), flipflop()
    spans = found["timeline"]["data"]["values"]
    assert max(s["end"] for s in spans if s["part"] == "operands" and s["step"] == 0) == 189
    assert {s["begin"] for s in spans if s["part"] == "operands" and s["tile"] == 0} == {0, 189}
    used = {row["what"]: (row["used"], row["of"]) for row in found["resources"]["data"]["values"]}
    assert used == {"logic cells": (2351, 5280), "DSP blocks": (8, 8), "block RAMs": (16, 30)}
    errors = [row["low"] for row in found["table-error"]["layer"][1]["data"]["values"]]
    assert errors == pytest.approx(q.activation.errors(), abs=1e-5)
    assert len(found["eigenvalues"]["layer"][1]["data"]["values"]) == 2 * q.units
    pieces = found["critical-path"]["data"]["values"]
    assert sum(piece["ns"] for piece in pieces) == pytest.approx(sum(hop.nanoseconds for hop in PATH))


def test_words(page):
    text = text_of(page[0])
    for words in (
        "3-bit flip-flop: hold the sign of the last pulse of each input",
        "python examples/train_flipflop.py",
        "500 fresh trials of 200 steps",
        "needs 18 bits with its sign; the accumulator has 18 and holds ±131,071",
        "7 tiles of 27 cycles, and no waiting, so 189 cycles a step",
        "not run for this build",
        "--baud 12000000",
    ):
        assert words in text
    assert f"autapse verify {page[0]} --level gates" in text


def test_the_slowest_path_by_signals():
    assert [(name, round(ns, 2)) for name, ns, _ in legs(PATH)] == [
        ("system.core.engine.drain.left", 1.39),
        ("system.core.engine.drain.turning", 3.27),
        ("system.link.frames.server.awaiting", 5.07),
    ]
    assert legs(PATH)[1][2] == "routing 1.76, logic 1.51"


def test_only_what_was_found_is_told(tmp_path):
    """Counts come from the folder, of this network alone; a schedule that was not kept to is said."""
    folder, q = tmp_path / "build", small()
    make_build(folder, q, tiling="4", form="generic")
    write_page(folder)
    assert "56,789" not in text_of(folder)
    record(folder, evidence(small("relu"), comparisons=31_415))
    write_page(folder)
    assert "31,415" not in text_of(folder)
    record(folder, evidence(q, cycles_per_step=99))
    record(folder, evidence(q, "link", mismatches=7))
    write_page(folder)
    text = text_of(folder)
    assert "1,234" in text
    assert "56,789" in text
    assert "7 wrong" in text
    assert "Counted in simulation: 99 cycles a step, and the schedule says" in text


def test_text_of_others_is_shown_and_not_run(tmp_path):
    folder = tmp_path / "build"
    make_build(folder, small(info={"name": "<script>alert(1)</script>", "source": '"&'}), tiling="4", form="generic")
    write_page(folder)
    text = text_of(folder)
    assert "alert" not in re.sub(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", "", text)
    assert "&#34;&amp;" in text


@pytest.mark.parametrize(
    "options",
    [{"activation": "relu"}, {"activation": "sigmoid", "outputs": 8}, {"leaky": True}, {"activation": "hardtanh"}],
    ids=str,
)
def test_other_networks(tmp_path, options):
    folder, q = tmp_path / "build", small(**options)
    make_build(folder, q, tiling="4", form="generic")
    found = write_page(folder).figures
    assert found == (*(f"trial-{k + 1}" for k in range(min(6, q.outputs))), *FIGURES)
    text = text_of(folder)
    assert "random pulses over the input range (the network names no task)" in text
    assert ("The first 6 of 8 outputs are drawn" in text) == (q.outputs == 8)


def test_a_network_that_grows_beyond_all_numbers(tmp_path):
    c = compare(small("identity", scale=1e3))
    assert "grows beyond all numbers after step" in c.inputs
    assert c.x.shape[1] == c.z_float.shape[1] == c.counts.shape[1] < 200
    assert np.isfinite(c.z_float).all()


def test_refusals(tmp_path, monkeypatch):
    folder = tmp_path / "build"
    with pytest.raises(FileFormatError, match=r"no report.json in it, so not a build"):
        write_page(tmp_path)
    make_build(folder, small(), tiling="4", form="generic")
    small("relu").save(folder / "q.npz")
    with pytest.raises(FileFormatError, match=r"its network is \w+, and its report is of \w+"):
        write_page(folder)
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=r"altair is not installed: pip install 'autapse\[report\]'"):
        write_page(folder)
    assert not (folder / PAGE_FILE).exists()


def test_command(tmp_path):
    folder, other = tmp_path / "build", tmp_path / "other.html"
    make_build(folder, small(), tiling="4", form="generic")
    done = CliRunner().invoke(app, ["report", str(folder), "-o", str(other), "--json"])
    assert done.exit_code == 0
    data = json.loads(done.stdout)
    assert (data["file"], data["bytes"]) == (str(other), other.stat().st_size)
    assert not (folder / PAGE_FILE).exists()


def test_a_build_has_its_own_lanes(tmp_path):
    folder = tmp_path / "build"
    make_build(folder, small(), tiling="4", form="generic")
    done = CliRunner().invoke(app, ["verify", str(folder), "--lanes", "3"])
    assert "a build has its own lanes, 4 of form generic" in str(done.exception)


def test_the_snippet_of_the_documentation(tmp_path, monkeypatch, capsys):
    page = Path(__file__).resolve().parents[2] / "docs" / "howto" / "report.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    make_build(tmp_path / "build", small(), tiling="4", form="generic")
    exec(compile(code, page.name, "exec"), {})
    assert capsys.readouterr().out.startswith("build/report.html ")


@pytest.mark.slow
def test_verified_on_demand(tmp_path):
    """The counts of a comparison come onto the page, and the counted cycles are the schedule's."""
    folder = tmp_path / "build"
    make_build(folder, small(), tiling="4", form="generic")
    done = CliRunner().invoke(app, ["report", str(folder), "--verify", "20"])
    assert done.exit_code == 0, done.exception
    (found,) = json.loads((folder / "evidence.json").read_text())["comparisons"]
    assert found["mismatches"] == 0
    text = text_of(folder)
    assert f"{found['comparisons']:,}" in text
    assert f"<b>{found['cycles_per_step']}</b> cycles a step, as the schedule says" in text


def opened(browser, file, width, scheme):
    """The page in a window, offline, once all is drawn; and what the browser had to say."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    view, said = context.new_page(), []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.goto(file.as_uri())
    view.wait_for_selector("html[data-drawn]", timeout=30_000)
    return view, said


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_in_a_browser(page, browser, width, scheme):
    """No word on the console, every figure drawn with ink that can be seen, nothing wider than the window."""
    _, written = page
    view, said = opened(browser, written.file, width, scheme)
    assert said == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    ground = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 3 * 128) == (scheme == "light")
    for name in written.figures:
        drawn = view.locator(f"#{name} svg")
        box = drawn.bounding_box()
        assert 250 < box["width"] <= width, name
        assert box["height"] > 40, name
        marks = drawn.locator(".mark-line path, .mark-symbol path, .mark-rect path")
        inks = marks.evaluate_all("all => all.flatMap(e => [getComputedStyle(e).stroke, getComputedStyle(e).fill])")
        # Black is what a colour that is not known becomes; there is none on the page.
        assert set(inks) - {"none", "rgba(0, 0, 0, 0)", ground}, name
        assert "rgb(0, 0, 0)" not in inks, name
    view.context.close()


@pytest.mark.slow
def test_zoom(page, browser):
    """Buttons, keyboard and mouse move all figures of a group; another trial is drawn in all of them."""
    view, said = opened(browser, page[1].file, 1280, "light")
    tools = view.locator(".tools[data-group=trials]")

    def steps(name):
        labels = view.locator(f"#{name} .mark-text.role-axis-label").first.locator("text").all_text_contents()
        return sorted(int(label) for label in labels)

    def line(name):
        return view.locator(f"#{name} .mark-line path").first.get_attribute("d")

    def settled(check):
        for _ in range(50):
            if check():
                return True
            view.wait_for_timeout(100)
        return False

    whole = steps("trial-1")
    tools.get_by_label("Zoom in").click()
    assert settled(lambda: steps("differences")[0] >= 50)
    near = steps("trial-1")
    assert near == steps("trial-2") == steps("differences") != whole
    tools.get_by_label("Move right").focus()
    view.keyboard.press("Enter")
    assert settled(lambda: min(steps("trial-3")) > min(near))
    box = view.locator("#trial-1 svg").bounding_box()
    view.mouse.move(box["x"] + 400, box["y"] + 60)
    view.mouse.down()
    view.mouse.move(box["x"] + 800, box["y"] + 60, steps=4)
    view.mouse.up()
    assert settled(lambda: min(steps("trial-3")) < min(near))
    tools.get_by_role("button", name="All").click()
    assert settled(lambda: steps("trial-2") == whole)
    first = line("trial-2"), line("differences")
    tools.locator("select").select_option(value="1")
    assert settled(lambda: line("trial-2") != first[0] and line("differences") != first[1])
    view.locator("#trial-2 svg").hover(position={"x": 400, "y": 60})
    view.locator("#vg-tooltip-element.visible").wait_for()
    assert said == []
    view.context.close()
