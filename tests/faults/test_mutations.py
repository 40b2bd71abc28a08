"""Yosys's mutations: proofs, the reasons of survivors, the page, and a sample. `make mutations` runs all."""

import re
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from equivalence import prepare, proof  # noqa: E402 - beside this file, under importlib's import mode
from mutants import Mutation, cores  # noqa: E402
from mutate import Outcome, Reason, judge, read_reasons, share, summary  # noqa: E402

from autapse_sim.verilog import run_yosys  # noqa: E402

SAMPLE = 30
COUNTER = """
module farm(input clk, input up, output never, output low);
  reg [1:0] count = 0;
  always @(posedge clk) count <= count == 2 ? 0 : count + up;
  assign never = &count;
  assign low = ~count[0];
  wire unused = up & count[0];
endmodule
"""


def mutation(mode: str, cell: str, **options: object) -> Mutation:
    command = f"mutate -ctrl mutation 2 1 -mode {mode} -module farm -cell {cell} -port Y -portbit 0"
    return Mutation("counter", 1, mode, "store.reader", "Y[0]", "autapse_hw/core.py", 1, command)


def test_what_is_proved_of_a_counter(tmp_path: Path) -> None:
    """Of three values: `never` is 0, but in no state that is reached; the next value matters, and so does an output."""
    (tmp_path / "counter.v").write_text(COUNTER)
    names = "rename -enumerate -pattern never_% t:$reduce_and; rename -enumerate -pattern not_% t:$not; "
    names += "rename -enumerate -pattern add_% t:$add; "
    run_yosys(tmp_path, "log", f"read_verilog counter.v; prep -top farm; {names}write_rtlil flat.il", "no counter")
    prepare(tmp_path)
    assert proof(tmp_path, mutation("none", "not_0")) == "any state"
    assert proof(tmp_path, mutation("const0", "never_0")) == "induction"
    assert proof(tmp_path, mutation("const1", "never_0")) is None
    assert proof(tmp_path, mutation("inv", "not_0")) is None
    assert proof(tmp_path, mutation("inv", "add_0")) is None


def test_shares() -> None:
    m = mutation("inv", "c")
    outcomes = [Outcome(m, "round 1, state: 1"), Outcome(m, None, "induction"), Outcome(m, None), Outcome(m, "x")]
    assert share(outcomes, adjusted=False) == 50
    assert share(outcomes, adjusted=True) == pytest.approx(200 / 3)
    assert summary(outcomes).startswith("2 of 4 mutations are caught (50.0 %); 1 are proved")


def test_a_reason_is_of_a_part_and_a_line() -> None:
    first = (ROOT / "hw/autapse_hw/core.py").read_text().splitlines()[0]
    for part, text, fits in (
        ("reader", "", True),
        ("store", first[4:9], True),
        ("store.reader", first, True),
        ("read", "", False),
        ("store", "another line", False),
    ):
        assert Reason(part, text, "").fits(mutation("inv", "c")) == fits
        assert Reason(part, text, "", "counter").fits(mutation("inv", "c")) == fits
        assert not Reason(part, text, "", "another").fits(mutation("inv", "c"))


def test_reasons_are_of_lines_that_are_there() -> None:
    source = "\n".join(file.read_text() for file in (ROOT / "hw" / "autapse_hw").rglob("*.py"))
    for reason in read_reasons():
        assert reason.text in source, reason
        assert reason.why
        assert not reason.place.startswith("$"), reason


def test_the_page_has_the_figures() -> None:
    page = (ROOT / "docs" / "mutations.md").read_text()
    figures = re.search(r"\*\*(\d+) of (\d+) mutations are caught .*; (\d+) are proved .* ([\d.]+) % are caught", page)
    assert figures is not None
    caught, all_of_them, proved = (int(figures[k]) for k in (1, 2, 3))
    assert all_of_them >= 1000
    rows = re.findall(r"^\| `[^|]*` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    left = all_of_them - caught - proved
    assert [sum(int(row[k]) for row in rows) for k in range(4)] == [all_of_them, caught, proved, left]
    survivors = page.partition("## Survivors")[2]
    assert len(re.findall(rf"^\| ({'|'.join(cores())}) \|", survivors, re.MULTILINE)) == left


@pytest.mark.slow
def test_a_sample_is_caught(tmp_path: Path) -> None:
    found = judge(tmp_path, "leaky", SAMPLE, 3, prove=False)
    assert len(found) == SAMPLE
    assert sum(outcome.caught is not None for outcome in found) >= 0.8 * SAMPLE, summary(found)
