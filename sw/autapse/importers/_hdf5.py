"""A guard before HDF5 files: on a damaged one libhdf5 can go round in circles, or crash, and Python cannot stop it.

So another process reads the whole file first, within limits of time and memory. That takes some 0.3 s a file. Of a
thousand damaged Keras and NIR files libhdf5 found no end in three and crashed on one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

#: Seconds for any file, and for each byte of it.
SECONDS, SECONDS_A_BYTE = 20.0, 2e-7
_MEMORY = 2 << 30  # bytes for any file, beside eight for each of its own: weights may be compressed

# Objects, attributes and values are all that the importers read. An error is none of the guard's: the importer meets
# the same, and says so in one line.
_READ_ALL = """
import resource, sys
import h5py
def read(name, item):
    dict(item.attrs)
    if isinstance(item, h5py.Dataset):
        item[()]
pages = int(open("/proc/self/statm").read().split()[0]) if sys.platform == "linux" else 0
if pages:
    limit = pages * resource.getpagesize() + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with h5py.File(sys.argv[1], "r") as file:
        read("/", file)
        file.visititems(read)
except MemoryError:
    sys.exit(3)
except Exception:
    pass
"""


def check(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if libhdf5 does not come to an end with the file `path`, crashes, or takes too much memory.

    A file that has not changed is read once a process. OSError if there is none.
    """
    file = Path(path)
    about = file.stat()
    if problem := _problem(str(file.resolve()), about.st_mtime_ns, about.st_size):
        raise ValueError(f"a damaged HDF5 file: {problem}")


def check_bytes(content: bytes) -> None:
    """The same of an HDF5 file that is not on the disk."""
    with tempfile.NamedTemporaryFile(prefix="autapse-", suffix=".h5") as file:
        file.write(content)
        file.flush()
        check(file.name)


@lru_cache(maxsize=64)
def _problem(path: str, changed: int, size: int) -> str | None:
    """What reading the file comes to in another process; None if it ends, with or without an error."""
    limit = SECONDS + SECONDS_A_BYTE * size
    command = [sys.executable, "-c", _READ_ALL, path, str(_MEMORY + 8 * size)]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, env=env, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return f"reading it finds no end within {limit:.0f} s"
    if done.returncode == 3:
        return "reading it takes too much memory"
    return f"libhdf5 crashes on it (signal {-done.returncode})" if done.returncode < 0 else None
