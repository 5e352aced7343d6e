"""Decoded pictures in one array on disk, with what was found out about them when they were decoded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.pictures.row_facts import RowFacts, digest_of


@dataclass(frozen=True)
class PictureStore:
    """An array (N, C, side, side) in a file, which every process maps into its memory. Pickled, it is a path.

    Attributes:
        path: The file, as ``numpy.save`` writes it.
        shape: Of the array.
        dtype: Of its values: ``uint8``, or ``float32`` in which 255 is white.
    """

    path: Path
    shape: tuple[int, int, int, int]
    dtype: str

    @classmethod
    def found(cls, path: Path) -> PictureStore | None:
        """The store in a file, None where it is not there, not whole or of another version."""
        try:
            said = _said(path)
            store = cls(path, tuple(said["shape"]), said["dtype"])
            whole = path.stat().st_size == store.offset + store.bytes
        except (OSError, ValueError, KeyError):
            return None
        return store if whole else None

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def bytes(self) -> int:
        """Of all pictures."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def offset(self) -> int:
        """Bytes before the first picture."""
        with self.path.open("rb") as file:
            return header_bytes(file)

    @cached_property
    def array(self) -> NDArray[Any]:
        """All pictures, mapped read-only."""
        return np.asarray(np.load(self.path, mmap_mode="r", allow_pickle=False))

    @cached_property
    def facts(self) -> RowFacts:
        """Of every picture."""
        with np.load(facts_file(self.path), allow_pickle=False) as arrays:
            return RowFacts(**{field.name: arrays[field.name] for field in fields(RowFacts)})

    @cached_property
    def said(self) -> Mapping[str, Any]:
        """What headers and pixels say of all pictures together, as plain data; ``damaged``, why some have none."""
        return _said(self.path)

    def is_sound(self) -> bool:
        """Whether every picture is still what it was when it was written; all are read."""
        return [digest_of(image) for image in self.array] == self.facts.digests()


def header_bytes(file: Any) -> int:
    """Bytes before the array in a file of NumPy, which is read up to there."""
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return int(file.tell())


def said_file(path: Path) -> Path:
    """Where what is said of a store's pictures is kept."""
    return path.with_suffix(".json")


def facts_file(path: Path) -> Path:
    """Where the facts of a store's pictures are kept."""
    return path.with_suffix(".npz")


def _said(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(said_file(path).read_text(encoding="utf-8"))
    return said
