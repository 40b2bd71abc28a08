"""A Verilated design as a transport, at its serial pins."""

import struct
import subprocess
from pathlib import Path

from amaranth.lib import wiring

from autapse_sim.simulator import compile_program
from autapse_sim.verilog import design_source

BIT = 4  # cycles


def compile_line(folder: Path, component: wiring.Component) -> Path:
    """The program of a component with the pins `rx` and `tx`, for :class:`Verilated`."""
    main = (Path(__file__).parent / "line.cpp").read_text()
    return compile_program(folder, "line", design_source(component, "line"), main, "the line did not compile")


class Verilated:
    """A compiled design as a transport; its time passes only while it is read."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._waiting = b""
        self.cycles = 20_000  # without an answer, for a read
        self.reset()

    def write(self, data: bytes) -> None:
        self._waiting += self._run(0, data)

    def read(self, timeout: float) -> bytes:
        data, self._waiting = self._waiting, b""
        return data + self._run(0 if data or not timeout else self.cycles, b"")

    def reset(self) -> None:
        self._run(0, b"", 1)

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _run(self, cycles: int, data: bytes, reset: int = 0) -> bytes:
        ours, theirs = self._process.stdin, self._process.stdout
        assert ours is not None
        assert theirs is not None
        ours.write(struct.pack("<4I", cycles, BIT, reset, len(data)) + data)
        ours.flush()
        return theirs.read(*struct.unpack("<I", theirs.read(4)))
