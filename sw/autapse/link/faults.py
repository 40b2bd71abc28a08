"""A line that fails, for tests: seeded, so that what fails can be seen again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from autapse.link.errors import TransportError
from autapse.link.transport import Transport

#: What can happen to a byte.
FAULTS = ("drop", "flip", "insert", "duplicate", "break", "stall", "disconnect", "reset")


class FaultyTransport:
    """Passes bytes on to another transport, and damages some.

    Parameters
    ----------
    inner
        The sound transport.
    rate
        Faults for each byte, in either direction.
    seed
        Of the faults.
    faults
        Which ones, all equally likely, but for the violent ones; names of :data:`FAULTS`.
    reset
        Resets the device.
    rare
        How many other faults there are for each ``disconnect``, and for each ``reset``.
    """

    def __init__(
        self,
        inner: Transport,
        rate: float,
        seed: int,
        *,
        faults: tuple[str, ...] = FAULTS,
        reset: Callable[[], None] | None = None,
        rare: int = 20,
    ) -> None:
        if unknown := set(faults) - set(FAULTS):
            raise ValueError(f"no fault {unknown.pop()!r}; there are {', '.join(FAULTS)}")
        self.happened: Counter[str] = Counter()
        self.bytes = 0
        self._inner, self._rate, self._reset = inner, rate, reset
        self._random = random.Random(seed)
        self._faults = faults
        self._weights = [1.0 if fault in FAULTS[:6] else 1.0 / rare for fault in faults]
        self._connected = True
        self._stalled = 0  # reads that find nothing
        self._held = {"write": b"", "read": b""}  # behind a stall

    def write(self, data: bytes) -> None:
        """Send `data`, or something like it."""
        self._check()
        self._inner.write(self._damaged("write", data))

    def read(self, timeout: float) -> bytes:
        """What has arrived, or something like it."""
        self._check()
        if self._stalled:
            self._stalled -= 1
            return b""
        self._inner.write(self._damaged("write", b""))
        return self._damaged("read", self._inner.read(0.0 if self._held["read"] else timeout))

    def reopen(self) -> None:
        """Plug it in again."""
        if self._random.random() < 0.3:
            raise TransportError("the line is still unplugged")
        self._connected = True

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()

    def _check(self) -> None:
        if not self._connected:
            raise TransportError("the line was unplugged")

    def _damaged(self, way: str, data: bytes) -> bytes:
        """What passes now of what waits and of `data`."""
        out = bytearray()
        data = self._held[way] + data
        self._held[way] = b""
        for at, byte in enumerate(data):
            self.bytes += 1
            fault = self._fault()
            out += bytes([byte]) if fault is None else self._hurt(fault, byte)
            if fault == "disconnect":
                self._held = dict.fromkeys(self._held, b"")
                break  # the rest is lost
            if fault == "stall":
                self._held[way] = data[at + 1 :]
                break
        return bytes(out)

    def _fault(self) -> str | None:
        if self._random.random() >= self._rate:
            return None
        fault = self._random.choices(self._faults, self._weights)[0]
        self.happened[fault] += 1
        return fault

    def _hurt(self, fault: str, byte: int) -> bytes:
        """What becomes of a byte."""
        match fault:
            case "flip":
                return bytes([byte ^ 1 << self._random.randrange(8)])
            case "insert":
                return bytes([byte, self._random.randrange(256)])
            case "duplicate":
                return bytes([byte, byte])
            case "break":
                return bytes(self._random.randrange(1, 4))
            case "stall":
                self._stalled = self._random.randrange(1, 4)
                return bytes([byte])
            case "disconnect":
                self._connected = False
            case "reset" if self._reset is not None:
                self._reset()
                return bytes([byte])
        return b""  # dropped
