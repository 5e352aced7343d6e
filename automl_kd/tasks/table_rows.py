"""The rows of a table by split and by group, as its columns say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from automl_kd.core import UserError
from automl_kd.tasks.roles import roles
from automl_kd.tasks.splits import Indices
from automl_kd.tasks.table import Table


def rows_by_split(table: Table, column: str | None) -> dict[str, Indices]:
    """The positions of the rows of each split; ``train`` is there, ``validation`` and ``test`` may be.

    Args:
        table: The table.
        column: That says which; None where all are to be split.
    """
    if column is None:
        return {"train": np.arange(len(table.rows))}
    cells = [cell.strip() for cell in table.column("split", column)]
    known = roles(set(cells))
    for row, cell in enumerate(cells):
        if cell not in known:
            raise UserError(
                f"{table.path}: {table.line(row)}: column {column} is {cell!r}; it should be train, validation or test"
            )
    found = np.array([known[cell] for cell in cells])
    if "train" not in found:
        raise UserError(f"{table.path}: column {column} has no row with train; there should be some")
    return {name: np.flatnonzero(found == name) for name in ("train", "validation", "test") if name in found}


def groups_of(table: Table, column: str, rows: Mapping[str, Indices]) -> Indices:
    """The group of every row, from 0; a row whose cell is empty is a group of its own.

    Args:
        table: The table.
        column: Of the groups' names.
        rows: The positions of the rows of each split that is given.

    Raises:
        UserError: If a group is torn apart by the splits that are given.
    """
    cells = [cell.strip() for cell in table.column("group", column)]
    names = [(cell,) if cell else row for row, cell in enumerate(cells)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    first: dict[object, tuple[str, int]] = {}
    for split, of in rows.items():
        for row in of:
            other, at = first.setdefault(names[row], (split, row))
            if other != split:
                raise UserError(
                    f"{table.path}: group {cells[row]} of column {column} is torn apart: {table.line(at)} is in"
                    f" {other} and {table.line(row)} in {split}; keep a group in one split, or leave data.split out"
                )
    return np.array([numbers[name] for name in names], np.int64)
