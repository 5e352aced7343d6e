"""What kind of data lies at a place, as the ``data`` of a task file says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from automl_kd.core import UserError
from automl_kd.tasks.listed_pictures import PATH
from automl_kd.tasks.roles import looks_like_split
from automl_kd.tasks.table import Table, is_table

_LABELS = ("label", "labels", "class", "category", "target")
_SPLITS, _GROUPS = ("split", "set", "part", "fold"), ("group",)
_LOOKED_AT = 50


def data_at(place: Path) -> dict[str, str]:
    """Kind of the data and, of a table, what its columns hold.

    Raises:
        UserError: If there is nothing, or a table does not show which of its columns is which.
    """
    if place.is_dir():
        return {"kind": "image-folder"}
    if place.suffix == ".npz" and place.is_file():
        return {"kind": "npz"}
    if place.is_file() and is_table(place):
        return {"kind": "csv"} | _columns(Table.read(place))
    found = "is no such data" if place.exists() else "no such file or folder"
    raise UserError(
        f"{place}: {found}; it should be a folder of pictures, a .csv or .parquet file that lists pictures or texts, or"
        " an .npz file of arrays"
    )


def _columns(table: Table) -> dict[str, str]:
    """What a table's columns hold; nothing of a plain list of pictures, whose header says it."""
    if {PATH, "label"} <= set(table.columns):
        return {}
    rest = list(table.columns)
    found: dict[str, str] = {}

    def take(option: str, name: str | None) -> None:
        if name is not None:
            rest.remove(name)
            found[option] = name

    take("split", next((name for name in _named(rest, _SPLITS) if _holds_splits(table, name)), None))
    take("group", next(iter(_named(rest, _GROUPS)), None))
    take("label", next(iter(_named(rest, _LABELS)), None))
    image = next((name for name in rest if _holds_pictures(table, name)), None)
    take("image", image)
    if image is None:
        take("text", next((name for name in rest if _holds_texts(table, name)), None))
    if "label" not in found and len(rest) == 1:
        take("label", rest[0])
    if "label" not in found or not found.keys() & {"image", "text"}:
        raise UserError(
            f"{table.path}: its columns {', '.join(table.columns)} do not show which holds pictures or texts and which"
            " their labels; call them path and label, or write a task file with data.image or data.text and data.label"
        )
    return found


def _named(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    return [column for column in columns if column.lower() in names]


def _holds_splits(table: Table, column: str) -> bool:
    return all(looks_like_split(cell.strip()) for cell in set(table.column("split", column)))


def _holds_pictures(table: Table, column: str) -> bool:
    cells = table.column("image", column)[:_LOOKED_AT]
    return all(cell.strip() and (table.path.parent / cell.strip()).is_file() for cell in cells)


def _holds_texts(table: Table, column: str) -> bool:
    """Whether most cells are of several words."""
    cells = table.column("text", column)[:_LOOKED_AT]
    return 2 * sum(" " in cell.strip() for cell in cells) > len(cells)
