"""The Python snippets of README, docs/circuit.md, ladder.md, boards.md, sweeps.md run; theory.md has its own test."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def snippets(file):
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.DOTALL)


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


def test_circuit_page(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    codes = snippets("docs/circuit.md")
    assert codes
    if shutil.which("ngspice") is None and any("simulate" in code for code in codes):
        pytest.skip("ngspice is not installed: apt-get install ngspice")
    for code in codes:
        exec(compile(code, "docs/circuit.md", "exec"), {})


def test_ladder_page(capsys):
    """The check of a device in the place of a board."""
    (code,) = snippets("docs/ladder.md")
    exec(compile(code, "docs/ladder.md", "exec"), {})
    assert capsys.readouterr().out == "100 2900 0 None\n"  # 50 steps, twice; 52 states of 50, 100 times 3 outputs


@pytest.mark.slow
def test_boards_page(capsys):
    """The virtual board's example, and what it says that it prints."""
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
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
