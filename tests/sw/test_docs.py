"""Every Python snippet of the README and of docs/ runs, and the commands of the tutorial and the how-to pages.

docs/theory.md has a test of its own. That the pages build without a warning is for `make check`.
"""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autapse.cli import main

ROOT = Path(__file__).resolve().parents[2]


PAGES = [p for p in (ROOT / "docs").rglob("*.md") if not p.relative_to(ROOT / "docs").parts[0].startswith("_")]
BLOCK = re.compile(r"^```(python|console|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: Pages whose commands are run too; elsewhere, and in blocks ```sh, they are for a person, a board, or a long time.
WALKED = ("tutorial", "howto")
SLOW = {"keras_to_board", "own_task", "closed_loop", "simulate_in_ci", "circuit"}
#: Tested by itself, below or in its own module.
APART = {"theory", "boards", "sweeps", "report"}
#: Pages that begin with what another page has left in its folder.
FOLLOWED_BY = {"keras_to_board": ("howto/report.md",)}


def snippets(file):
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.DOTALL)


def walk(page, monkeypatch):
    """Run the blocks of a page in their order, as a reader would; what Python prints must be what the page says."""
    names, printed = {"__name__": "__main__"}, None
    for kind, text in BLOCK.findall(page.read_text()):
        if kind == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(text, str(page), "exec"), names)
            printed = output.getvalue()
        elif kind == "text" and printed is not None:
            assert printed == text
            printed = None
        elif kind == "console" and page.parent.name in WALKED:
            for line in text.splitlines():
                command(line, monkeypatch)


def command(line, monkeypatch):
    """Run a line of the page, which calls autapse, here; it must succeed."""
    arguments = shlex.split(line, comments=True)
    assert arguments[0] == "autapse", line
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code, line


@pytest.mark.slow
def test_readme(monkeypatch, tmp_path, capsys):
    """The first example, and what it says that it prints."""
    monkeypatch.chdir(tmp_path)
    (code,) = snippets("README.md")
    exec(compile(code, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert float(re.search(r"largest difference ([\d.e-]+)", out)[1]) < 0.1
    assert "mismatches=0" in out
    assert (tmp_path / "q.npz").is_file()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(p, id=p.stem, marks=[pytest.mark.slow] if p.stem in SLOW else [])
        for p in sorted(PAGES)
        if p.stem not in APART and "```python" in p.read_text()
    ],
)
def test_page(page, monkeypatch, tmp_path):
    """In an empty folder with the examples' files in it, as in a checkout."""
    if "ngspice" in page.read_text() and shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed: apt-get install ngspice")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    walk(page, monkeypatch)
    for name in FOLLOWED_BY.get(page.stem, ()):
        walk(ROOT / "docs" / name, monkeypatch)


def test_a_page_that_lies_is_caught(monkeypatch, tmp_path):
    page = tmp_path / "howto" / "page.md"
    page.parent.mkdir()
    for text in ("```python\nprint(1)\n```\n```text\n2\n```\n", "```console\nautapse inspect nothing.npz\n```\n"):
        page.write_text(text)
        with pytest.raises(AssertionError):
            walk(page, monkeypatch)


@pytest.mark.slow
def test_boards_page(capsys):
    """The virtual board's example: bytes went over its wires, both ways."""
    (code,) = snippets("docs/boards.md")
    exec(compile(code, "docs/boards.md", "exec"), {})
    received, sent = map(int, re.search(r"bytes over the wires (\d+) (\d+)", capsys.readouterr().out).groups())
    assert received > 20 * 3
    assert sent > 20 * 3


@pytest.mark.slow
def test_sweeps_page(tmp_path):
    """As a script of its own: Dask starts processes that import it."""
    (code,) = snippets("docs/sweeps.md")
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4
    assert (tmp_path / "estimates" / "sweep.parquet").is_file()


def test_boards_page_has_every_board():
    from autapse_boards import BOARDS

    page = (ROOT / "docs/boards.md").read_text()
    for b in BOARDS.values():
        rate = f"{b.bridge.name} | {b.bridge.fastest:,}"
        pins = (" ".join(map(str, of)) if of else "-" for of in (b.reset, b.led))
        row = (f"`{b.name}`", b.title, b.device, f"{b.clock_hz / 1e6:g} MHz", rate, b.wiring, *pins)
        assert f"| {' | '.join(row)} |" in page


def test_links_lead_somewhere():
    for page in (*sorted(ROOT.glob("*.md")), *sorted(PAGES)):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
