"""What is released: one version everywhere, and wheel and sdist that work in a clean environment on each Python."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import autapse

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
PYTHONS = [
    c.rpartition(" ")[2]
    for c in PROJECT["project"]["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", c)
]
#: Of the suite, what needs the core's own dependencies only: run against the installed wheel on each Python.
CORE_TESTS = ("test_fixed.py", "test_quantize.py")
SMOKE = """
import amaranth.back.rtlil, numpy as np, autapse
from autapse.gallery import path
from autapse_hw.core import Core

q = autapse.quantize(autapse.load(path("flipflop_3bit")), input_range=1.5)
x = np.random.default_rng(0).integers(-64, 64, size=(1, 50, q.inputs))
assert (q.run_int(x[:, :25]).z == q.run_int(x).z[:, :25]).all()
core = Core(q, 8)
assert "autapse_core" in amaranth.back.rtlil.convert(core, name="autapse_core")
print("works", autapse.__version__)
"""


def call(*command, cwd=None):
    """The output of a command that must succeed, without this tree on the path."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def interpreter(version):
    """A working interpreter of this version on the machine, or None."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = shutil.which(f"python{version}")
    candidates = sorted(pyenv.glob(f"{version}.*/bin/python")) + ([Path(found)] if found else [])
    for python in candidates:
        code = "import sys, venv, ensurepip; print(*sys.version_info[:2], sep='.')"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return python
    return None


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The sdist and the wheel of this tree, built without the network."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def environment(folder, python, *requirements):
    """The Python of a new environment with these requirements from the package index."""
    call(python, "-m", "venv", "--without-pip", folder)
    clean = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", clean, "install", "--quiet", "--no-compile", *requirements)
    return clean


def test_version_is_everywhere_the_same():
    assert "version" in PROJECT["project"]["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", autapse.__version__)
    assert f"\nversion: {autapse.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    heading = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert heading == "Unreleased" or heading.startswith(f"{autapse.__version__} ")


def test_every_file_of_the_packages_is_in_the_wheel(dist):
    expected = {
        str(file.relative_to((ROOT / package).parent))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(dist[1]) as wheel:
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_the_sdist_makes_the_same_wheel(dist, tmp_path):
    sdist, wheel = dist
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    assert {"README.md", "LICENSE", "CITATION.cff", "tests", "docs", "examples"} <= {p.name for p in tree.iterdir()}
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=tree)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_extras_are_documented():
    page = (ROOT / "docs" / "tutorial" / "install.md").read_text()
    for extra in PROJECT["project"]["optional-dependencies"]:
        assert f"| `{extra}` |" in page, extra
    for version in PYTHONS:
        assert version in page


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_wheel_in_a_clean_environment(dist, version, tmp_path):
    """The command, the model and the gateware, and a part of the suite, with the core's dependencies alone."""
    if (python := interpreter(version)) is None:
        pytest.skip(f"this machine has no Python {version}")
    clean = environment(tmp_path / "venv", python, dist[1], "pytest", "hypothesis")
    assert call(clean.parent / "autapse", "--version") == f"autapse {autapse.__version__}\n"
    assert call(clean, "-W", "error", "-c", SMOKE, cwd=tmp_path) == f"works {autapse.__version__}\n"
    tests = [ROOT / "tests" / "sw" / name for name in CORE_TESTS]
    options = ("-q", "-p", "no:cacheprovider", "-m", "not slow", "-c", ROOT / "pyproject.toml")
    call(clean, "-m", "pytest", *options, *tests, cwd=tmp_path)


@pytest.mark.slow
def test_sdist_in_a_clean_environment_simulates(dist, tmp_path):
    """Installed from source, with the extra of the simulation: circuit against model."""
    clean = environment(tmp_path / "venv", sys.executable, f"{dist[0]}[sim]")
    autapse_command = clean.parent / "autapse"
    gallery = call(clean, "-c", "from autapse.gallery import path; print(path('xor'))").strip()
    call(autapse_command, "quantize", gallery, "-o", "q.npz", cwd=tmp_path)
    assert '"mismatches": 0' in call(autapse_command, "verify", "q.npz", "--steps", 20, "--json", cwd=tmp_path)
