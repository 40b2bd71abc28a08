"""What comparisons of a circuit with the integer model have found, kept beside the build that they are about."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from autapse.errors import FileFormatError, one_line
from autapse.files import write_beside
from autapse.records import record_of

EVIDENCE_FILE = "evidence.json"
_FORMAT, _VERSION = "autapse-evidence", 1


@dataclass(frozen=True)
class Evidence:
    """One comparison, exact in every value.

    Attributes
    ----------
    level
        What was compared: ``rtl``, ``gates``, and so on; ``link`` for a board behind its serial line.
    model_hash
        Of the network, hexadecimal.
    circuit
        The circuit in words: lanes, form, family.
    steps, comparisons, mismatches
        Steps of the network, values compared, and how many of them differed.
    cycles_per_step
        As counted, with inputs waiting; None where that was not counted.
    seconds
        Duration.
    date
        When, in ISO 8601.
    """

    level: str
    model_hash: str
    circuit: str
    steps: int
    comparisons: int
    mismatches: int
    cycles_per_step: int | None
    seconds: float
    date: str

    @property
    def ok(self) -> bool:
        """Nothing differed, and something was compared."""
        return self.mismatches == 0 and self.comparisons > 0


def record(folder: Path, found: Evidence) -> None:
    """Keep `found` in the build folder, in the place of what is known of its level; atomic."""
    kept = [evidence for evidence in recorded(folder, found.model_hash) if evidence.level != found.level]
    data = {"format": _FORMAT, "version": _VERSION, "comparisons": [asdict(e) for e in (*kept, found)]}
    with write_beside(folder / EVIDENCE_FILE) as file:
        file.write((json.dumps(data, indent=2) + "\n").encode())


def recorded(folder: Path, model_hash: str) -> list[Evidence]:
    """What is known of the network with this hash in a build folder; that of other networks does not count.

    FileFormatError if the file cannot be read.
    """
    path = folder / EVIDENCE_FILE
    if not path.is_file():
        return []
    try:
        data = json.loads(path.read_bytes())
        if (data["format"], data["version"]) != (_FORMAT, _VERSION):
            raise FileFormatError(f"{path}: not evidence of version {_VERSION}")
        found = [record_of(Evidence, entry) for entry in data["comparisons"]]
    except FileFormatError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{path}: cannot be read: {one_line(error)}") from None
    return [evidence for evidence in found if evidence.model_hash == model_hash]
