"""How fast the board steps, and how often that is shown."""

from __future__ import annotations

import time
from collections import deque

#: Updates a second, at most.
UPDATES_HZ = 40.0
#: Steps a second that can be chosen; None is as many as the board does.
RATES: tuple[int | None, ...] = (5, 10, 40, 200, 1000, None)
_LEAST, _MOST = 8, 4096  # steps of an update at full speed


class Pace:
    """Steps of the next update, and the time between two.

    Parameters
    ----------
    rate
        Steps a second; None for as many as the board does.

    Attributes
    ----------
    period : float
        Seconds from the beginning of an update to that of the next.
    steps : int
        Steps of an update.
    """

    def __init__(self, rate: int | None) -> None:
        self.rate = rate
        # At full speed nothing is waited for: a virtual board that waits slows its clock down.
        self.period = 0.0 if rate is None else 1.0 / min(rate, UPDATES_HZ)
        self.steps = _LEAST if rate is None else max(1, round(rate / UPDATES_HZ))

    def took(self, steps: int, seconds: float) -> None:
        """At full speed, adapt to what an update has taken; one that was cut short by the end of a trial tells less."""
        if self.rate is None and steps == self.steps:
            fitting = int(steps / (UPDATES_HZ * max(seconds, 1e-6)))
            self.steps = min(max(fitting, steps // 2, _LEAST), 2 * steps, _MOST)


class Rate:
    """Events a second, over the last `span` seconds."""

    def __init__(self, span: float = 2.0) -> None:
        self._span = span
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, count: int) -> None:
        """So many more, now."""
        now = time.monotonic()
        self._seen.append((now, count))
        while self._seen[0][0] < now - self._span:
            self._seen.popleft()

    def __call__(self) -> float:
        """Their rate; 0 until there were two."""
        if len(self._seen) < 2 or (span := self._seen[-1][0] - self._seen[0][0]) <= 0:
            return 0.0
        return sum(count for _, count in list(self._seen)[1:]) / span

    def clear(self) -> None:
        """Begin anew, as after a pause."""
        self._seen.clear()
