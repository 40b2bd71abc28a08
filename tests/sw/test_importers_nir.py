"""NIR graphs, written here with h5py as nir 1.0.8 does, against loops over their differential equations."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from autapse.errors import FileFormatError, MissingToolError
from autapse.importers import nir
from autapse.loading import load

FIXTURES = Path(__file__).parent / "fixtures"
N, M, STEPS, DT = 4, 2, 200, 2e-3
Graph = tuple[dict[str, Any], list[tuple[str, str]]]

rng = np.random.default_rng(5)
W_IN, W, W_OUT = rng.normal(size=(N, M)), 0.4 * rng.normal(size=(N, N)), rng.normal(size=(3, N))
B, B_OUT = rng.normal(size=N), rng.normal(size=3)
TAU, TAU_SYN = np.linspace(0.01, 0.04, N), np.linspace(0.02, 0.005, N)
R, LEAK, GAIN = np.linspace(0.5, 1.5, N), np.linspace(-0.2, 0.2, N), np.linspace(2.0, 1.0, N)
X = rng.normal(size=(STEPS, M))


def write(path: Path, graph: Graph) -> Path:
    def put(group: Any, value: dict[str, Any]) -> None:
        for key, item in value.items():
            if isinstance(item, dict):
                put(group.create_group(key), item)
            else:
                group[key] = item

    with h5py.File(path, "w") as file:
        file["version"] = "1.0.8"
        put(file.create_group("node"), inner(*graph))
    return path


def inner(nodes: dict[str, Any], edges: list[tuple[str, str]]) -> dict[str, Any]:
    pairs: Any = np.array(edges, dtype=h5py.string_dtype()) if edges else np.zeros((0, 2))
    return {"type": "NIRGraph", "nodes": nodes, "edges": pairs}


def li(**changes: Any) -> dict[str, Any]:
    return {"type": "LI", "tau": TAU, "r": R, "v_leak": LEAK, **changes}


def cuba() -> dict[str, Any]:
    return {"type": "CubaLI", "tau_mem": TAU, "tau_syn": TAU_SYN, "r": R, "v_leak": LEAK, "w_in": GAIN}


ENDS: dict[str, Any] = {
    "x": {"type": "Input", "shape": np.array([M])},
    "into": {"type": "Affine", "weight": W_IN, "bias": B},
    "out": {"type": "Affine", "weight": W_OUT, "bias": B_OUT},
    "y": {"type": "Output", "shape": np.array([3])},
}
BACK = {"back": {"type": "Linear", "weight": W}}
CHAIN = [("x", "into"), ("into", "u"), ("u", "out"), ("out", "y")]
LOOP = [*CHAIN, ("u", "back"), ("back", "u")]


def with_li(**changes: Any) -> Graph:
    return {**ENDS, **BACK, "u": li(**changes)}, LOOP


def euler(step: Callable[[np.ndarray, np.ndarray], np.ndarray], states: int = N) -> np.ndarray:
    """The readout of the last N states, stepped by Euler's rule; independent of `Network`."""
    h, out = np.zeros(states), []
    for x in X:
        h = h + DT * step(h, x)
        out.append(W_OUT @ h[-N:] + B_OUT)
    return np.array(out)


def test_leaky_integrators(tmp_path: Path) -> None:
    net = load(write(tmp_path / "a", with_li()), dt=DT)
    theirs = euler(lambda v, x: (LEAK - v + R * (W_IN @ x + B + W @ v)) / TAU)
    np.testing.assert_allclose(net.run(X).z, theirs, rtol=0, atol=1e-12)
    assert net.activation == "identity"
    assert dict(net.info) == {
        "source": "a",
        "format": "NIR 1.0.8",
        "layers": "u (LI, 4)",
        "state": "current form, which equals the rate form without a nonlinearity",
        "discretisation": "euler, dt = 0.002 s",
    }


def test_exponential(tmp_path: Path) -> None:
    """Exact where the drive is constant over the step: without the loop."""
    net = load(write(tmp_path / "a", ({**ENDS, "u": li()}, CHAIN)), dt=DT, method="exponential")
    np.testing.assert_allclose(net.d, np.exp(-DT / TAU), rtol=1e-15)
    v, out = np.zeros(N), []
    for x in X:
        target = LEAK + R * (W_IN @ x + B)
        v = target + (v - target) * np.exp(-DT / TAU)
        out.append(W_OUT @ v + B_OUT)
    np.testing.assert_allclose(net.run(X).z, out, rtol=0, atol=1e-12)


def test_integrators(tmp_path: Path) -> None:
    net = load(write(tmp_path / "a", ({**ENDS, **BACK, "u": {"type": "I", "r": R}}, LOOP)), dt=DT)
    theirs = euler(lambda v, x: R * (W_IN @ x + B + W @ v))
    np.testing.assert_allclose(net.run(X).z, theirs, rtol=1e-10, atol=1e-10)


def test_current_based(tmp_path: Path) -> None:
    net = load(write(tmp_path / "a", ({**ENDS, **BACK, "u": cuba()}, LOOP)), dt=DT)
    assert net.units == 2 * N

    def step(h: np.ndarray, x: np.ndarray) -> np.ndarray:
        i, v = h[:N], h[N:]
        return np.concatenate([(-i + GAIN * (W_IN @ x + B + W @ v)) / TAU_SYN, (LEAK - v + R * i) / TAU])

    np.testing.assert_allclose(net.run(X).z, euler(step, 2 * N), rtol=0, atol=1e-11)


def test_two_layers_and_scale(tmp_path: Path) -> None:
    nodes = {**ENDS, "first": li(), "gain": {"type": "Scale", "scale": GAIN}, "u": li(tau=TAU_SYN)}
    edges = [("x", "into"), ("into", "first"), ("first", "gain"), ("gain", "u"), ("u", "out"), ("out", "y")]
    net = load(write(tmp_path / "a", (nodes, edges)), dt=DT)

    def step(h: np.ndarray, x: np.ndarray) -> np.ndarray:
        a, v = h[:N], h[N:]
        return np.concatenate([(LEAK - a + R * (W_IN @ x + B)) / TAU, (LEAK - v + R * GAIN * a) / TAU_SYN])

    np.testing.assert_allclose(net.run(X).z, euler(step, 2 * N), rtol=0, atol=1e-12)


def test_graphs_inside(tmp_path: Path) -> None:
    """A recurrent layer as exporters write it: a graph of its own."""
    ends = {"in": {"type": "Input", "shape": np.array([N])}, "end": {"type": "Output", "shape": np.array([N])}}
    edges = [("in", "units"), ("units", "back"), ("back", "units"), ("units", "end")]
    nodes = {**ENDS, "u": inner({**ends, **BACK, "units": li()}, edges)}
    net = load(write(tmp_path / "a", (nodes, CHAIN)), dt=DT)
    flat = load(write(tmp_path / "b", with_li()), dt=DT)
    np.testing.assert_array_equal(net.run(X).z, flat.run(X).z)
    assert net.info["layers"] == "u.units (LI, 4)"


@pytest.mark.parametrize("name", ["li.nir", "cuba_nested.nir"])
def test_files_of_the_package(name: str) -> None:
    """The committed files against loops over the parameters that h5py finds in them."""
    net = load(FIXTURES / name, dt=1e-3)
    with h5py.File(FIXTURES / name) as file:
        nodes = file["node/nodes"]
        get = {key: nodes[key] for key in nodes}
        units = get["units"]["nodes/cuba"] if "nodes" in get["units"] else get["units"]
        back = (get["units"]["nodes/back"] if "nodes" in get["units"] else get["back"])["weight"][()]
        p = {key: units[key][()] for key in units if key != "type"}
        gain = get["units"]["nodes/gain/scale"][()] if "nodes" in get["units"] else 1.0
        into, out = ((get[key]["weight"][()], get[key]["bias"][()]) for key in ("into", "out"))
    i, v = np.zeros(5), np.zeros(5)
    x = np.random.default_rng(3).normal(size=(300, 2))
    z = net.run(x).z
    for now, mine in zip(x, z, strict=True):
        drive = into[0] @ now + into[1] + back @ v
        if name == "li.nir":
            v = v + 1e-3 / p["tau"] * (p["v_leak"] - v + p["r"] * drive)
        else:
            i, v = (
                i + 1e-3 / p["tau_syn"] * (-i + p["w_in"] * drive),
                v + 1e-3 / p["tau_mem"] * (p["v_leak"] - v + p["r"] * i),
            )
        np.testing.assert_allclose(mine, out[0] @ (gain * v) + out[1], rtol=0, atol=1e-9)


SPIKING = ["LIF", "IF", "CubaLIF", "Threshold", "Delay", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten"]


@pytest.mark.parametrize("kind", SPIKING)
def test_what_is_not_linear_is_named(kind: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a", ({**ENDS, **BACK, "u": li(type=kind)}, LOOP))
    with pytest.raises(FileFormatError, match=f"node 'u' is a {kind}, which is not a linear rate unit"):
        load(path)


REFUSED: dict[str, tuple[Graph, str]] = {
    "no states": (({**ENDS}, [("x", "into"), ("into", "out"), ("out", "y")]), "no integrators"),
    "two inputs": (({**ENDS, "u": li(), "x2": ENDS["x"]}, CHAIN), "has 2 nodes Input; expected one"),
    "no output": (({"x": ENDS["x"], "u": li()}, []), "has 0 nodes Output"),
    "through": (({**ENDS, "u": li()}, [*CHAIN, ("into", "out")]), "the Output depends on the Input without"),
    "loop": (({**ENDS, **BACK, "u": li()}, [*CHAIN, ("back", "back"), ("back", "u")]), "a loop through 'back' passes"),
    "size": (({**ENDS, "u": li()}, [("x", "u"), *CHAIN[2:]]), "node 'u' takes 4 values, but 'x' gives 2"),
    "edge": (({**ENDS, "u": li()}, [*CHAIN, ("u", "nowhere")]), "names 'nowhere', which is no node of it"),
    "missing": (({**ENDS, "u": {"type": "LI", "tau": TAU, "r": R}}, CHAIN), "node 'u' has no v_leak"),
    "sizes": (with_li(r=np.ones(3)), "r of node 'u' must have 4 values; it has 3"),
    "axes": (
        ({**ENDS, "u": li(), "out": {"type": "Linear", "weight": B}}, CHAIN),
        "weight of node 'out' .Linear. must",
    ),
    "text": (with_li(tau="slow"), "tau of node 'u' must be of numbers"),
    "NaN": (with_li(tau=np.full(N, np.nan)), "tau of node 'u' must be finite; 4 of 4"),
    "tau": (with_li(tau=np.zeros(N)), "node 'u' has a time constant of 0 s; expected more than 0"),
    "stiff": (with_li(tau=np.full(N, 1e-4)), "dt = 0.002 s is too long for node 'u'"),
    "no type": (({**ENDS, "u": {"tau": TAU}}, CHAIN), "node 'u' is a node without a type"),
    "inner ends": (({**ENDS, "u": inner({"units": li()}, [])}, CHAIN), "the inner graph 'u' has 0 nodes Input"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    graph, message = REFUSED[case]
    path = write(tmp_path / "net.nir", graph)
    with pytest.raises(FileFormatError, match=message) as caught:
        load(path, dt=DT)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_options(tmp_path: Path) -> None:
    path = write(tmp_path / "a", with_li())
    for options, message in (
        ({}, "continuous time: give the step in seconds, as in load.path, dt=1e-3"),
        ({"dt": 0.0}, "dt must be a time above 0 in seconds; it is 0"),
        ({"dt": float("nan")}, "dt must be a time above 0"),
        ({"dt": 1e-3, "method": "heun"}, "method must be one of euler, exponential; not 'heun'"),
    ):
        with pytest.raises(FileFormatError, match=message):
            load(path, **options)


def test_scalars_stand_for_all(tmp_path: Path) -> None:
    net = load(write(tmp_path / "a", with_li(r=1.0, v_leak=0.0)), dt=DT)
    np.testing.assert_allclose(net.W, W, rtol=0, atol=1e-15)


def test_nested_too_deep(tmp_path: Path) -> None:
    node = inner({"units": li()}, [])
    for _ in range(9):
        node = inner({"g": node}, [])
    with pytest.raises(FileFormatError, match="graphs inside graphs, more than 8 deep"):
        load(write(tmp_path / "a", ({"g": node}, [])), dt=DT)


def test_other_layouts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a", "w") as file:
        file["other"] = 1
    with pytest.raises(FileFormatError, match="an HDF5 file without the group node of NIR"):
        nir.load(tmp_path / "a", dt=DT)
    with h5py.File(tmp_path / "a", "w") as file:
        file["node/type"] = "LI"
    with pytest.raises(FileFormatError, match="its outermost node is a LI; expected a NIRGraph"):
        load(tmp_path / "a", dt=DT)
    with pytest.raises(FileNotFoundError, match="nowhere: no such file"):
        nir.load(tmp_path / "nowhere", dt=DT)


def test_missing_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a", with_li())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingToolError, match=r"pip install 'autapse\[nir\]'"):
        nir.load(path, dt=DT)


def test_like_the_package(tmp_path: Path) -> None:
    """The package reads the same parameters from our test files as we do."""
    import nir as package

    graph = package.read(write(tmp_path / "a", with_li()))
    np.testing.assert_array_equal(graph.nodes["u"].tau, TAU)
