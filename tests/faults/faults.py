"""The list of planted faults, `faults.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("faults.toml")


@dataclass(frozen=True)
class Fault:
    """One mutation.

    Attributes
    ----------
    what
        What goes wrong, in a few words.
    file
        The file, from the root of the tree.
    old, new
        The text, which the file has once, and what it becomes.
    tests
        The tests that are run first: files, or single tests.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """The text of the file with the fault. ValueError where the text to change is not there exactly once."""
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file} has the text of the fault '{self.what}' {count} times, not once: {self.old}")
        return text.replace(self.old, self.new)


def read_faults() -> list[Fault]:
    """All of them."""
    groups = tomllib.loads(LIST.read_text(encoding="utf-8"))["group"]
    return [Fault(**fault, file=g["file"], tests=tuple(g["tests"])) for g in groups for fault in g["fault"]]
