"""An array that is filled piece by piece: what was filled stays filled when the process is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl_kd.core import check_room
from automl_kd.pictures.store import header_bytes


class Draft:
    """A file of NumPy beside its place, and a journal of the rows that are in it.

    Whoever uses it holds the lock of the place.

    Args:
        path: The place.
        shape: Of the array.
        dtype: Of its values.

    Raises:
        UserError: If the disk has no room for it.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        self._path = path
        self.file = path.with_name(f".{path.name}.draft")
        self._journal = path.with_name(f".{path.name}.journal")
        self._row_bytes = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
        if not self._is_begun(shape[0]):
            self._begin(shape, dtype)
        with self.file.open("rb") as stream:
            self._start = header_bytes(stream)

    def offset(self, row: int) -> int:
        """Where a row begins in the file, in bytes."""
        return self._start + row * self._row_bytes

    def entries(self) -> Iterator[tuple[int, list[Any]]]:
        """What is in the journal: the first of some rows, and what is said of them."""
        for line in self._journal.read_text(encoding="utf-8").splitlines():
            try:
                first, said = json.loads(line)
            except ValueError:  # a line in which the process was killed, and what the next one wrote behind it
                continue
            yield first, said

    def enter(self, first: int, said: Sequence[Any]) -> None:
        """Say in the journal that rows are in the file."""
        with self._journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([first, said]) + "\n")

    def publish(self) -> None:
        """Put the file, whole and synced, into its place."""
        with self.file.open("rb") as stream:
            os.fsync(stream.fileno())
        self.file.chmod(0o644)
        self.file.replace(self._path)
        self._journal.unlink()

    def discard(self) -> None:
        """Leave nothing behind."""
        self.file.unlink(missing_ok=True)
        self._journal.unlink(missing_ok=True)

    def _is_begun(self, rows: int) -> bool:
        try:
            with self.file.open("rb") as stream:
                whole = header_bytes(stream) + rows * self._row_bytes
            return self._journal.is_file() and self.file.stat().st_size == whole
        except (OSError, ValueError):
            return False

    def _begin(self, shape: tuple[int, ...], dtype: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.discard()
        check_room(self._path.parent, shape[0] * self._row_bytes)
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        with self.file.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            stream.truncate(stream.tell() + shape[0] * self._row_bytes)
        self._journal.touch()
