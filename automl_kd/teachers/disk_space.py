"""Folders of arrays that stay within a bound: what was used longest ago goes first."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path


def touch(path: Path) -> None:
    """Note that an array was used now."""
    with suppress(FileNotFoundError):  # another process made room; an open mapping keeps its content
        now = time.time_ns()  # the kernel's own stamp may be the same for two files
        os.utime(path, ns=(now, now))


def make_room(folder: Path, needed: int, limit: int, keep: Collection[Path]) -> None:
    """Delete arrays under ``folder`` until ``needed`` more bytes stay within ``limit``.

    A process that has one of them open reads on undisturbed: the kernel frees a file when its last mapping is closed.
    The caller holds the folder's lock, so that a draft can only be what a killed process left.

    Args:
        folder: The ``*.npy`` in its sub-folders are counted.
        needed: Bytes about to be written.
        limit: Bytes that all arrays may take.
        keep: Arrays that must stay.
    """
    for draft in folder.glob("*/.*.npy.*"):
        draft.unlink(missing_ok=True)
    arrays = {path: path.stat() for path in folder.glob("*/*.npy")}
    total = needed + sum(stat.st_size for stat in arrays.values())
    for path in sorted(arrays.keys() - set(keep), key=lambda path: arrays[path].st_mtime_ns):
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        path.with_suffix(".sha256").unlink(missing_ok=True)
        total -= arrays[path].st_size
