"""Large arrays that are made once and mapped into memory by every process: checked, never half written."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from automl_kd.core import check_room, replacing, sha256_of, write_text


@contextmanager
def writing_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[NDArray[Any]]:
    """An array to fill; when the block ends without an error it appears under ``path``, beside its checksum.

    The checksum is of the name, too: an array whose name says what it was made from is not taken for another.

    Raises:
        UserError: If the disk has no room for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Asked beforehand, because a full disk kills a process that writes to a mapping.
    check_room(path.parent, math.prod(shape) * np.dtype(dtype).itemsize)
    with replacing(path) as draft:
        array = np.lib.format.open_memmap(draft, mode="w+", dtype=dtype, shape=shape)
        yield array
        array.flush()
        del array
        # A crash between the two steps leaves a checksum without its array, which reads as absent.
        write_text(_checksum_file(path), _checksum(path.name, draft))


def open_array(path: Path) -> NDArray[Any] | None:
    """The array under ``path``, mapped read-only, or None where what was written under its name is not there."""
    try:
        if _checksum_file(path).read_text(encoding="ascii") != _checksum(path.name, path):
            return None
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    return array


def _checksum(name: str, file: Path) -> str:
    return hashlib.sha256(f"{name} {sha256_of(file)}".encode()).hexdigest()


def _checksum_file(path: Path) -> Path:
    return path.with_suffix(".sha256")
