"""What comparisons found, kept beside a build."""

import dataclasses

import pytest

from autapse.errors import FileFormatError
from autapse.evidence import EVIDENCE_FILE, Evidence, record, recorded

ONE = Evidence("rtl", "00ff", "8 lanes, generic", 200, 10_400, 0, 189, 9.5, "2026-11-24T13:00:00+00:00")


def test_kept_by_level(tmp_path):
    """A later comparison of a level takes the place of the earlier one; other levels stay."""
    assert recorded(tmp_path, "00ff") == []
    gates, later = dataclasses.replace(ONE, level="gates"), dataclasses.replace(ONE, steps=300, mismatches=1)
    for found in (ONE, gates, later):
        record(tmp_path, found)
    assert recorded(tmp_path, "00ff") == [gates, later]
    assert [e.ok for e in recorded(tmp_path, "00ff")] == [True, False]


def test_of_another_network_does_not_count(tmp_path):
    record(tmp_path, ONE)
    assert recorded(tmp_path, "0000") == []
    other = dataclasses.replace(ONE, model_hash="0000", level="gates")
    record(tmp_path, other)
    assert recorded(tmp_path, "0000") == [other]
    assert recorded(tmp_path, "00ff") == []


def test_nothing_compared_is_not_right():
    assert not dataclasses.replace(ONE, comparisons=0).ok


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "autapse-evidence", "version": 2, "comparisons": []}',
        '{"format": "autapse-evidence", "version": 1, "comparisons": [{"level": "rtl"}]}',
    ],
)
def test_what_cannot_be_read(tmp_path, text):
    (tmp_path / EVIDENCE_FILE).write_text(text)
    with pytest.raises(FileFormatError, match=f"{EVIDENCE_FILE}: "):
        recorded(tmp_path, "00ff")
