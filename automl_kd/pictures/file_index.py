"""Headers of files that were looked at before, so that files which have not changed are not opened again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automl_kd.core import UserError, cache_dir, check_room, write_text
from automl_kd.pictures.header import Header

_VERSION = 1


class FileIndex:
    """The headers of the files below a folder, kept in the cache.

    A file is known by its path, its bytes' number and the time of its last change, as ``make`` and ``git`` know it: one
    that is changed and keeps all three is taken for what it was.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        name = hashlib.sha256(os.path.realpath(root).encode()).hexdigest()[:32]
        self._path = cache_dir() / "images" / "files" / f"{name}.json"
        self._rows = _read(self._path)

    def state(self, name: str) -> list[int]:
        """By what a file of a relative path is known: its bytes, and when it was changed last, in ns.

        Raises:
            UserError: If there is no such file.
        """
        file = os.path.join(self._root, name)  # ten times as fast as pathlib
        try:
            found = os.stat(file)
        except OSError as error:
            raise UserError(f"{file}: cannot be read: {error.strerror}") from None
        return [found.st_size, found.st_mtime_ns]

    def known(self, name: str, state: list[int]) -> Header | None:
        """The header of a file that has not changed, None of any other."""
        row = self._rows.get(name)
        return Header(*row[2:]) if row is not None and row[:2] == state else None

    def keep(self, headers: Mapping[str, Header], states: Mapping[str, list[int]]) -> None:
        """Keep headers of files, each as it was when its state was asked.

        Raises:
            UserError: If the disk has no room for them.
        """
        self._rows |= {name: [*states[name], *header] for name, header in headers.items()}
        text = json.dumps({"version": _VERSION, "files": self._rows})
        check_room(self._path.parent, len(text))
        write_text(self._path, text)


def _read(path: Path) -> dict[str, list[Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(document["files"]) if document.get("version") == _VERSION else {}
