"""What a worker process on this machine does first; Dask loads this module in it."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C, which a terminal sends to all its processes, to the program that started this one.

    Otherwise the tools would stop by themselves, and look as if they had failed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
