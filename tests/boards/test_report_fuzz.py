"""A damaged report.json: refused in one line, or all that is said of a build can be said."""

import json

import pytest
from builds import make_build
from damage import check, damaged, other_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autapse.errors import FileFormatError
from autapse.gallery import path as exhibit
from autapse.loading import load
from autapse.quantize import quantize
from autapse_boards.report import REPORT_FILE, Report, table

fuzz = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=250,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builds") / "build"
    report = make_build(folder, quantize(load(exhibit("xor"))), tiling="4")
    assert Report.load(folder) == report
    return (folder / REPORT_FILE).read_bytes()


def tell(file):
    assert table(Report.load(file.parent)).row_count > 8


def check_report(folder, content):
    file = folder / REPORT_FILE
    file.write_bytes(content)
    check(tell, file)


@fuzz
@given(data=st.data())
def test_damaged(tmp_path, whole, data):
    check_report(tmp_path, data.draw(damaged(whole)))


@fuzz
@given(data=st.data())
def test_of_other_types(tmp_path, whole, data):
    check_report(tmp_path, json.dumps(data.draw(other_value(json.loads(whole)))).encode())


def test_nested_beyond_reason(tmp_path):
    check_report(tmp_path, b"[" * 100_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"units": "6"}, "units must be of int, not of str"),
        ({"files": {"bitstream": "top.bin"}}, "files lacks 'network'"),
        ({"files": {"bitstream": "../top.bin", "network": "q.npz"}}, "'../top.bin' is not the name of a file"),
        ({"tiling": "many"}, "many"),
        ({"colour": "red"}, "the whole has 'colour', which is unknown"),
        ({"resources": {"logic": {"used": 1}}}, "logic lacks 'available'"),
    ],
)
def test_what_is_said(tmp_path, whole, change, message):
    (tmp_path / REPORT_FILE).write_text(json.dumps({**json.loads(whole), **change}))
    with pytest.raises(FileFormatError, match=f"not a sound report: .*{message}"):
        Report.load(tmp_path)
