"""What pieces of work found, kept in files named by their content."""

from __future__ import annotations

import json
from pathlib import Path

from autapse.errors import AutapseError
from autapse.files import write_beside
from autapse_boards.sweep.pieces import Found, Piece

_MARKER = "autapse-sweep.txt"
_NOTE = "Results of 'autapse sweep', named by a hash of what they depend on. Delete the folder to compute afresh.\n"


class Store:
    """A folder of results. One that is not empty must have been made by a sweep; AutapseError otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            raise AutapseError(f"{folder}: exists and is not a folder")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARKER).is_file():
            raise AutapseError(f"{folder}: not empty, and not written by a sweep; name another")
        folder.mkdir(parents=True, exist_ok=True)
        with write_beside(folder / _MARKER) as file:
            file.write(_NOTE.encode())

    def get(self, piece: Piece) -> Found | None:
        """What was found before; None if nothing was, or the file is damaged."""
        try:
            found = json.loads(self._file(piece).read_text())["found"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, piece: Piece, found: Found) -> None:
        """Keep it, with the content that it belongs to. What trying again could change is not kept."""
        if "refused" in found and not found.get("final", False):
            return
        file = self._file(piece)
        file.parent.mkdir(exist_ok=True)
        with write_beside(file) as stream:
            stream.write((json.dumps({"content": piece.content(), "found": found}, indent=1) + "\n").encode())

    def _file(self, piece: Piece) -> Path:
        return self.folder / piece.kind / f"{piece.key}.json"
