"""What the tests of the program share."""

import sys

import pytest

from autapse.cli import main


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the program in an empty folder; its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["autapse", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return stop.value.code or 0, captured.out, captured.err

    return call
