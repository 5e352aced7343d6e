"""Tables that somebody sent: their cells must not lead to files that were not sent with them."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from automl_kd.core import UserError

_FILE = re.compile(r"\S+|.*\.\w{1,5}")
"""A cell that may name a file: without a space in it, or with an ending."""


def refuse_paths_elsewhere(file: Path, name: Path) -> None:
    """Refuse a table that names files outside the folder in which it was sent.

    Args:
        file: Anything that was sent; what is no table is let through, as is a damaged one, which no search reads.
        name: What its sender calls it, as a path in that folder.

    Raises:
        UserError: If it does.
    """
    from automl_kd.tasks import Table, is_table  # which loads torch

    if not is_table(file):
        return
    try:
        table = Table.read(file)
    except UserError:
        return
    deep = len(name.parts) - 1
    for row, cells in enumerate(table.rows):
        for cell in cells:
            if _leads_out(cell.strip(), deep):
                raise UserError(f"{name}: {table.line(row)}: {cell[:60]!r} leads out of the folder that was sent")


def _leads_out(cell: str, deep: int) -> bool:
    """Whether a cell names a file outside a folder, told from a folder so deep inside."""
    if (not cell.startswith("/") and ".." not in cell) or _FILE.fullmatch(cell) is None:
        return False
    path = PurePosixPath(cell)
    at = deep
    for part in path.parts:
        at += {"..": -1, ".": 0}.get(part, 1)
        if at < 0:
            return True
    return path.is_absolute()
