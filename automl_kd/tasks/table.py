"""A table in a CSV or Parquet file: its columns by name, and the place of every row."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from automl_kd.core import UserError, unknown
from automl_kd.tasks.parquet import ENDING, parquet_cells

_LIKELY = ";\t|"


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a CSV file whose first row names the columns, or of a Parquet file.

    Attributes:
        path: The file.
        columns: The names, in their order.
        rows: The cells of each row.
        lines: The line in the file on which each row begins, from 1; of Parquet its number.
        unit: What a message calls these: ``line``, or ``row``.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    unit: str = "line"

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read a file of Parquet, or of UTF-8, with or without a byte order mark; empty lines are passed over.

        Raises:
            UserError: If it is missing, not UTF-8, or no table.
        """
        table = cls._of_parquet(path) if path.suffix == ENDING else cls._of_csv(path)
        if not table.rows:
            raise UserError(f"{path}: holds no row below its header; there should be one an example")
        return table

    @classmethod
    def _of_parquet(cls, path: Path) -> Table:
        columns, rows = parquet_cells(path)
        return cls(path, columns, tuple(rows), tuple(range(1, len(rows) + 1)), "row")

    @classmethod
    def _of_csv(cls, path: Path) -> Table:
        reader = csv.reader(io.StringIO(_decoded(path), newline=""))
        rows, lines = [], []
        try:
            columns = tuple(name.strip() for name in next(reader, ()))
            _check_columns(path, columns)
            before = reader.line_num
            for row in reader:
                if row:
                    if len(row) != len(columns):
                        raise UserError(
                            f"{path}: line {before + 1} has {len(row)} cells, the header has {len(columns)}"
                        )
                    rows.append(tuple(row))
                    lines.append(before + 1)
                before = reader.line_num
        except csv.Error as error:
            raise UserError(f"{path}: line {reader.line_num}: no CSV: {error}") from None
        return cls(path, columns, tuple(rows), tuple(lines))

    def column(self, option: str, name: str) -> list[str]:
        """The cells of a column.

        Args:
            option: Of the task file that names it, for the error.
            name: Of the column.

        Raises:
            UserError: If there is no such column; the message lists those there are.
        """
        if name not in self.columns:
            said = unknown("column", name, self.columns)
            raise UserError(f"{self.path}: data.{option}: {said}; it has {', '.join(self.columns)}")
        place = self.columns.index(name)
        return [row[place] for row in self.rows]

    def line(self, row: int) -> str:
        """What a message calls a row."""
        return f"{self.unit} {self.lines[row]}"


def is_table(path: Path) -> bool:
    """Whether a file is read as a table, by its ending."""
    return path.suffix in (".csv", ENDING)


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Counted from the file's beginning, where the codec leaves a byte order mark out.
        start = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
        line = content[:start].count(b"\n") + 1
        raise UserError(
            f"{path}: line {line}, byte {start}: 0x{content[start]:02x} is not UTF-8; store the file as UTF-8, for"
            " example by iconv -t UTF-8"
        ) from None


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    if not columns:
        raise UserError(f"{path}: is empty; its first row should name the columns")
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: two columns are called {twice!r}; each needs a name of its own")
    if len(columns) == 1:
        likely = next((each for each in _LIKELY if each in columns[0]), None)
        if likely is not None:
            raise UserError(f"{path}: its header holds {likely!r} and no comma; store it with commas between the cells")
