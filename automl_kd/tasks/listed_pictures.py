"""Pictures without labels: all below a folder, or those of a list."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from automl_kd.core import UserError, counted
from automl_kd.tasks.layout import pictures_of
from automl_kd.tasks.reading import LeftOut
from automl_kd.tasks.table import Table, is_table
from automl_kd.tasks.walk import Tally, files_below

PATH = "path"
"""The column of a plain list that names the pictures."""


@dataclass(frozen=True)
class ListedPictures:
    """Picture files without labels.

    Attributes:
        place: The folder or list that they come from.
        root: The folder that they lie in.
        names: Their paths, relative to it.
        warnings: What was left out, a line each.
    """

    place: Path
    root: Path
    names: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def listed_pictures(place: Path) -> ListedPictures:
    """The pictures of a folder, at any depth below it, or of a list with a column ``path``.

    Raises:
        UserError: If there are none.
    """
    if place.is_dir():
        return _below(place)
    if not place.exists() or not is_table(place):
        what = "should be a folder of pictures, or a list of their paths in a .csv or .parquet file"
        raise UserError(f"{place}: {what if place.exists() else f'no such file or folder; it {what}'}")
    table = Table.read(place)
    return ListedPictures(place, place.parent, tuple(paths_of(table, PATH)))


def paths_of(table: Table, column: str) -> list[str]:
    """The paths in a column of a table, relative to its file, each of an existing file.

    Raises:
        UserError: If there is no such column or file.
    """
    names = [cell.strip() for cell in table.column("image", column)]
    for row, name in enumerate(names):
        if not name or not (table.path.parent / name).is_file():
            wrong = f"{table.path.parent / name}: no such file" if name else f"column {column} is empty"
            raise UserError(f"{table.path}: {table.line(row)}: {wrong}")
    return names


def _below(folder: Path) -> ListedPictures:
    tally = Tally(folder)
    start = os.path.join(folder, "")
    names = tuple(file.removeprefix(start) for file in pictures_of(files_below(folder, tally), tally))
    said = tuple(f"unlabelled {_words(each)}, such as {each.example}" for each in tally.left_out)
    if not names:
        but = "".join(f"; left out: {_words(each)}" for each in tally.left_out[:1])
        raise UserError(f"{folder}: holds no pictures at any depth{but}")
    return ListedPictures(folder, folder, names, said)


def _words(left_out: LeftOut) -> str:
    return f"{counted(left_out.count, 'file')} left out: {left_out.reason}"
