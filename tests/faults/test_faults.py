"""The list of planted faults is sound, its page is up to date, and a sample is caught. `make faults` plants all."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from faults import Fault, read_faults  # noqa: E402 - beside this file, under importlib's import mode

FAULTS = read_faults()
SAMPLE = ("negation without its carry", "lost CRC bit: fifteen are compared", "rounding: a half goes down")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{Path(f.file).stem}: {f.what}")
def test_a_fault_can_be_planted(fault: Fault) -> None:
    """Its text is there once, what it becomes is Python, and the tests that should catch it exist."""
    compile(fault.apply((ROOT / fault.file).read_text()), fault.file, "exec")
    assert fault.old != fault.new
    for test in fault.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text()
        assert not name or re.search(rf"^def {name.partition('[')[0]}\(", text, re.MULTILINE), test


def test_there_are_enough_and_each_has_a_name() -> None:
    assert len(FAULTS) >= 60
    assert len({(f.file, f.what) for f in FAULTS}) == len(FAULTS)
    assert {f.file.partition("/")[0] for f in FAULTS} == {"hw", "sw"}


def test_a_text_that_is_gone_is_an_error() -> None:
    fault = Fault("a sign", "some.py", "a + b", "a - b", ())
    assert fault.apply("c = a + b") == "c = a - b"
    for text, count in (("c = a", 0), ("a + b + (a + b)", 2)):
        with pytest.raises(ValueError, match=rf"some.py has the text of the fault 'a sign' {count} times, not once: a"):
            fault.apply(text)


def test_the_page_has_every_fault() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = re.findall(r"^\| `(\S+)` \| (.*?) \| `(.*)` \|$", page, re.MULTILINE)
    assert [(file, what) for file, what, _ in rows] == [(f.file.partition("/")[2], f.what) for f in FAULTS]
    assert f"**{len(FAULTS)} of {len(FAULTS)} planted faults are caught.**" in page


@pytest.mark.slow
def test_a_sample_is_caught() -> None:
    for what in SAMPLE:
        done = subprocess.run(
            [sys.executable, HERE / "plant.py", "--only", what], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 of 1 planted faults caught" in done.stdout
