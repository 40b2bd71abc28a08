"""Commands that run until they are stopped, which is their regular end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Stopped(BaseException):
    """A signal came."""


@contextmanager
def until_stopped() -> Iterator[None]:
    """SIGINT and SIGTERM end the block; SIGINT also where a shell had it ignored, as for jobs in the background."""

    def stop(*_: Any) -> None:
        raise _Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
