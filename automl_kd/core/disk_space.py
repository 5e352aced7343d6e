"""What folders take, and what is free where they are."""

from __future__ import annotations

import shutil
from pathlib import Path


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def free_bytes(folder: Path) -> int:
    """Bytes left on the disk that holds a folder."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(existing).free
