"""The netlist, and what happens when ngspice is missing or fails."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from autapse.circuit import Equation, Stimulus, find_ngspice, netlist, run_ngspice, synthesize
from autapse.circuit.components import components
from autapse.circuit.levels import Form
from autapse.circuit.ngspice import read_raw
from autapse.errors import AutapseError, MissingToolError, ToolFailedError
from autapse.fixed import FloatArray


def equation(n: int = 3, activation: str = "tanh") -> Equation:
    rng = np.random.default_rng(2)
    return Equation(
        W=rng.normal(size=(n, n)),
        W_in=rng.normal(size=(n, 2)),
        b=rng.normal(size=n),
        h0=rng.uniform(-1, 1, n),
        activation=activation,
    )


def lines(n: int = 3, form: Form = "parallel", activation: str = "tanh") -> list[str]:
    eq = equation(n, activation)
    text = netlist(synthesize(eq, form), Stimulus.default(eq), "a title")
    return text.replace("\n+", "").splitlines()


@pytest.mark.parametrize("form", ["parallel", "series"])
def test_structure(form: Form) -> None:
    got = lines(form=form)
    assert got[0] == f"* a title: {form} form, 3 units, 2 inputs, tanh"
    assert got[-1] == ".end"
    names = [line.split()[0] for line in got if line[:1].isalpha()]
    assert sum(line.startswith(".subckt") for line in got) == sum(line.startswith(".ends") for line in got)
    for k in range(1, 4):
        assert any(re.match(rf"\* unit {k}: tau = 1, h\(0\) = ", line) for line in got)
        assert names.count(f"xunit{k}") == names.count(f"xamp{k}") == 1
    assert len([line for line in got if " pwl(" in line]) == 2
    (tran,) = (line for line in got if line.startswith(".tran"))
    assert tran.endswith(" uic")
    saved = "v(h1) v(h2) v(h3)" if form == "parallel" else "i(vh1) i(vh2) i(vh3)"
    assert f".save {saved}" in got


def test_golden() -> None:
    """One unit, one input, no bias: every number by hand. C = 100 nF, so alpha = 0.5e-4 S and beta = 2e-4 S."""
    eq = Equation(W=[[0.5]], W_in=[[-2.0]], h0=[0.25])  # type: ignore[arg-type]
    got = netlist(synthesize(eq), Stimulus(np.array([0.0, 3.0]), np.array([[0.0], [1.5]]))).splitlines()
    assert "xunit1 h1 oneport r=10000 s=1e-07 start=0.25" in got
    assert "xamp1 p1 h1 amplifier top=0.0001" in got
    assert "rx1_1 x1n p1 5000" in got  # from the inverted source, for W_in < 0
    assert "xrs1 p1 0 active r=-4000" in got  # -(0.5e-4 + 2e-4) S
    assert "vx1 x1 0 pwl(0 0 0.003 1.5)" in got
    assert "b1 0 state i={top}*(tanh(-i(vs)/{top}))" in got
    assert not any("gyrator" in line for line in got if not line.startswith("*"))


@pytest.mark.parametrize(
    ("activation", "expression"),
    [
        ("tanh", "{top}*(tanh(v(port)/{top}))"),
        ("sigmoid", "{top}*(0.5+0.5*tanh(0.5*(v(port)/{top})))"),
        ("relu", "{top}*(uramp(v(port)/{top}))"),
        ("hardtanh", "{top}*(uramp((v(port)/{top})+1)-uramp((v(port)/{top})-1)-1)"),
    ],
)
def test_activations(activation: str, expression: str) -> None:
    assert f"b1 f 0 v={expression}" in lines(form="series", activation=activation)


@pytest.mark.parametrize("form", ["parallel", "series"])
def test_linear_has_no_amplifier(form: Form) -> None:
    got = "\n".join(line for line in lines(form=form, activation="identity") if not line.startswith("*"))
    assert "amp" not in got
    assert "b1" not in got


def test_values_are_exact() -> None:
    eq = equation()
    c = synthesize(eq)
    got = lines()
    for part in components(c):
        if part.kind == "gyrator":
            pattern = rf"x{part.name} p\d p\d gyrator g=(\S+)"
            (found,) = (m[1] for line in got if (m := re.fullmatch(pattern, line)))
            assert 1.0 / float(found) == pytest.approx(part.value, rel=1e-14)
        elif "." not in part.name:
            (found,) = (line.split()[-1] for line in got if line.split()[:1] in ([part.name], [f"x{part.name}"]))
            assert float(found.removeprefix("r=")) == pytest.approx(part.value, rel=1e-14)


def test_parallel_nport_by_its_elements() -> None:
    """Currents into the grounded ports for one volt at a terminal, element by element from the text."""
    eq = equation(5)
    c = synthesize(eq)
    got = lines(5)
    body = got[next(i for i, line in enumerate(got) if line.startswith(".subckt nport")) + 1 :]
    terminals = got[got.index(next(line for line in got if line.startswith(".subckt nport")))].split()[2:]
    Y: FloatArray = np.zeros((len(terminals) + 1, len(terminals) + 1))  # delivered to [to], for a volt at [from]
    index = {name: i for i, name in enumerate([*terminals, "0"])}
    for line in body[: body.index(".ends")]:
        if line.startswith("*"):
            continue
        name, a, b, *rest = line.split()
        i, j = index[a], index[b]
        if rest[0] == "gyrator":
            g = float(rest[1].removeprefix("g="))
            Y[j, i] += g
            Y[i, j] -= g
        else:
            assert name.startswith("x") == (rest[0] == "active")
            g = 1.0 / float(rest[-1].removeprefix("r="))
            Y[i, j] += g
            Y[j, i] += g
            Y[i, i] -= g
            Y[j, j] -= g
    per_time = c.storage / c.seconds
    np.testing.assert_allclose(Y[:5, :5] / per_time[:, None], eq.W, atol=1e-12)
    at = [index[name] for name in ("x1", "x2", "one")]
    inverted = [index[name] for name in ("x1n", "x2n", "onen")]
    drive = (Y[:5][:, at] - Y[:5][:, inverted]) / per_time[:, None]
    np.testing.assert_allclose(drive, np.column_stack([eq.W_in, eq.b]), atol=1e-12)


def test_series_nport_by_its_elements() -> None:
    """Voltages of the open chains for one ampere in a loop or a source, element by element from the text."""
    eq = equation(4)
    c = synthesize(eq, "series")
    got = lines(4, "series")
    body = got[next(i for i, line in enumerate(got) if line.startswith(".subckt nport")) + 1 :]
    body = [line for line in body[: body.index(".ends")] if not line.startswith("*")]
    loops = {f"vi{k + 1}": k for k in range(4)}
    flows = loops | {"vx1": 4, "vx2": 5, "vone": 6}
    raised = np.zeros((4, 7))  # [loop, ampere in]
    where: dict[str, int] = {}  # the loop of each node
    shared: dict[tuple[str, str], FloatArray] = {}  # the voltage over each resistor, for each ampere
    ohms: dict[tuple[str, str], float] = {}
    for line in body:
        name, a, b, *rest = line.split()
        if name in loops:
            where[b] = loops[name]
    for line in body:  # the chains are written from ground on
        name, a, b, *rest = line.split()
        if name.startswith(("r", "xr")):
            where[b] = where[a]
            ohms[a, b] = float(rest[-1].removeprefix("r="))
            shared[a, b] = -ohms[a, b] * np.eye(7)[where[a]]
        elif name.startswith(("h", "e")):
            where[a] = where[b]
    for line in body:
        name, a, b, *rest = line.split()
        if name.startswith("f"):
            shared[a, b] = shared[a, b] + ohms[a, b] * float(rest[1]) * np.eye(7)[flows[rest[0]]]
        elif name.startswith("h"):
            raised[where[a]] += float(rest[1]) * np.eye(7)[flows[rest[0]]]
    for (a, _), volts in shared.items():
        raised[where[a]] += volts
    for line in body:
        name, a, b, *rest = line.split()
        if name.startswith("e"):
            raised[where[a]] -= shared[rest[0], rest[1]]
    wanted = np.column_stack([eq.W, eq.W_in, eq.b])
    np.testing.assert_allclose(raised * (c.seconds / c.storage)[:, None], wanted, atol=1e-12)


def test_a_unit_that_nothing_reaches() -> None:
    eq = Equation(W=np.zeros((1, 1)), W_in=np.zeros((1, 1)))
    assert "vi1 0 p1 0" in netlist(synthesize(eq, "series"), Stimulus.default(eq)).splitlines()


def test_lines_are_short() -> None:
    eq = equation(20)
    text = netlist(synthesize(eq), Stimulus.default(eq))
    assert max(len(line) for line in text.splitlines()) <= 120
    with pytest.raises(AutapseError, match="the stimulus has 1 inputs; the network has 2"):
        netlist(synthesize(eq), Stimulus(np.array([0.0, 1.0]), np.zeros((2, 1))))


def test_ngspice_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="ngspice is not installed: apt-get install ngspice"):
        find_ngspice()
    with pytest.raises(MissingToolError, match="apt-get install ngspice"):
        run_ngspice("", 1.0)


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a program called ngspice on the PATH."""
    program = folder / "ngspice"
    program.write_text(f"#!{sys.executable}\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


HEADER = "b'No. Variables: 2\\nNo. Points: 2\\nBinary:\\n'"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "print('fine'); print('Error: unknown device'); print('line 3'); exit(1)",
            "exit code 1.*unknown device; line 3",
        ),
        ("print('bye')", r"ngspice failed \(exit code 0\): bye"),
        ("exit(2)", r"ngspice failed \(exit code 2\): no message"),
        ("open('circuit.raw', 'w').write('text')", "no header of a binary one"),
        (f"open('circuit.raw', 'wb').write({HEADER} + bytes(24))", "damaged raw file: 3 numbers for 2 x 2"),
        (
            f"open('circuit.raw', 'wb').write({HEADER} + bytes(32)); print('Timestep too small')",
            "stopped at 0 s of 1 s",
        ),
        ("import time; time.sleep(20)", "did not finish within 2 s"),
    ],
)
def test_ngspice_failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, message: str) -> None:
    fake(tmp_path, monkeypatch, code)
    with pytest.raises(ToolFailedError, match=message):
        run_ngspice("", 1.0, timeout=2.0)


def test_raw_file() -> None:
    table = np.arange(6.0).reshape(2, 3)
    times, values = read_raw(b"Title: x\nNo. Variables: 3\nNo. Points: 2\nBinary:\n" + table.tobytes())
    np.testing.assert_array_equal(times, [0.0, 3.0])
    np.testing.assert_array_equal(values, [[1.0, 2.0], [4.0, 5.0]])
