"""The cells of a Parquet file as text, as a CSV file would hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_kd.core import UserError, import_extra

ENDING = ".parquet"


def parquet_cells(path: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The names of the columns, and the rows.

    Raises:
        UserError: If pyarrow is not installed, the file is missing or damaged, or a column holds no plain values.
    """
    parquet: Any = import_extra("pyarrow.parquet", "parquet", f"{path}: a table in Parquet")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        table = parquet.read_table(path, partitioning=None)
    except (OSError, ValueError) as error:  # what Arrow raises is one of them
        raise UserError(f"{path}: cannot be read as Parquet: {' '.join(str(error).split())}") from None
    columns = tuple(map(str, table.column_names))
    cells = [
        [_text(path, name, value) for value in column.to_pylist()]
        for name, column in zip(columns, table.columns, strict=True)
    ]
    return columns, list(zip(*cells, strict=True))


def _text(path: Path, column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, bytes | list | dict):
        kind = {bytes: "bytes", list: "lists", dict: "structures"}[type(value)]
        raise UserError(f"{path}: column {column} holds {kind}; it should hold text or numbers, and of pictures paths")
    return str(value)
