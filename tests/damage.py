"""Damaged files: what hypothesis makes of a sound one, and the limits that reading one must keep."""

import io
import resource
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from autapse.errors import FileFormatError

#: Seconds and bytes of memory that reading one small damaged file may take.
SECONDS, MEMORY = 10, 300 << 20


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` cut off, with flipped bits, with a stretch of other bytes, or with one moved; or random bytes alone."""
    kind = draw(st.sampled_from(("cut", "bits", "stretch", "moved", "random")))
    if kind == "random":
        return draw(st.binary(max_size=200))
    at = draw(st.integers(0, max(len(whole) - 1, 0)))
    if kind == "cut":
        return whole[:at]
    made = bytearray(whole)
    if kind == "stretch":
        new = draw(
            st.one_of(st.binary(min_size=1, max_size=16), st.sampled_from((b"\0", b"\xff")).map(lambda b: 8 * b))
        )
        made[at : at + len(new)] = new
    elif kind == "moved":
        length, to = draw(st.integers(1, 64)), draw(st.integers(0, len(whole)))
        made[to:to] = made[at : at + length]
    else:
        for place in [at, *draw(st.lists(st.integers(0, len(whole) - 1), max_size=3))]:
            made[place] ^= 1 << draw(st.integers(0, 7))
    return bytes(made)


@st.composite
def resealed(draw: st.DrawFn, whole: bytes) -> bytes:
    """The zip archive `whole` with a damaged member whose checksum is right, so that the reader behind meets it."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    members[name] = draw(damaged(members[name]))
    return packed(members)


def packed(members: dict[str, bytes]) -> bytes:
    """A zip archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@contextmanager
def limits() -> Iterator[None]:
    """AssertionError if the block takes more time or memory than one small file may."""

    def stop(*_: object) -> None:
        raise AssertionError(f"not read after {SECONDS} s")

    before, start = signal.signal(signal.SIGALRM, stop), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)
    assert grown < MEMORY, f"{grown:,} bytes of memory"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def other_value(draw: st.DrawFn, tree: Any) -> Any:
    """A decoded JSON text with one of its values, at any depth, left out or of another kind."""
    if isinstance(tree, dict) and tree and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(sorted(tree)))
        if draw(st.integers(0, 5)):
            return {**tree, name: draw(other_value(tree[name]))}
        return {key: value for key, value in tree.items() if key != name}
    if isinstance(tree, list) and tree and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(tree) - 1))
        return [*tree[:at], draw(other_value(tree[at])), *tree[at + 1 :]]
    return draw(JSON)


def check(read: Callable[[Path], Any], path: Path, *others: type[Exception]) -> None:
    """Whatever is in the file, it is read, or refused in one line that names it."""
    message = f"{path}: "
    with limits():
        try:
            read(path)
        except (FileFormatError, *others) as error:
            message = str(error)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 600
