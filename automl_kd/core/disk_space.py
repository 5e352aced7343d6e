"""What folders take, and what is free where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

from automl_kd.core.errors import UserError
from automl_kd.core.formatting import size


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def free_bytes(folder: Path) -> int:
    """Bytes left on the disk that holds a folder."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(existing).free


def check_room(folder: Path, needed: int) -> None:
    """See to it that a folder of the cache can take some bytes more.

    Raises:
        UserError: If its disk has no room for them.
    """
    free = free_bytes(folder)
    if needed > free:
        raise UserError(f"{folder}: {size(needed)} needed, {size(free)} free; make room, or set AUTOML_KD_CACHE")
