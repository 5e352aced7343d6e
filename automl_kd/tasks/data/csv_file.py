"""Texts, or paths of pictures, with labels in a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from automl_kd.core import TEXT_AXES, UserError, percent, whole
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.listed_pictures import PATH, paths_of
from automl_kd.tasks.modalities import Fit, Texts
from automl_kd.tasks.modalities.text import Tokens, numbered
from automl_kd.tasks.picture_data import PictureOptions
from automl_kd.tasks.problems import Problem, ReadLabels
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split
from automl_kd.tasks.splits import Indices
from automl_kd.tasks.table import Table, is_table
from automl_kd.tasks.table_rows import groups_of, rows_by_split

_OF_TEXTS = ("tokens", "length", "vocabulary")
_OF_IMAGES = ("size", "channels", "background", "skip_damaged", "unlabelled")
_PLAIN = "path,label[,split][,group]"


class Csv(PictureOptions, Data):
    """A table with a header: ``text`` or ``image`` names the column of the examples, ``label`` that of the labels.

    Images are paths, relative to the file; they are cropped and scaled to ``size`` x ``size`` in ``channels``. Of texts
    the first ``length`` ``tokens`` are read, and the ``vocabulary`` most frequent ones of the training split known.

    ``label`` names one column, or for labels or values that have one each, several. ``separator`` stands between
    several labels in one cell. ``split`` names a column of ``train``, ``validation`` or ``test``; what is missing is
    drawn. Examples that are equal in the column ``group`` stay in one split.

    A plain list of pictures needs no names of columns: its header is ``path,label[,split][,group]``.
    """

    kind: Literal["csv"]
    path: str | None = None
    text: str | None = None
    image: str | None = None
    label: str | Annotated[tuple[str, ...], Field(min_length=1)] = "label"
    separator: Annotated[str, Field(min_length=1)] = "|"
    split: str | None = None
    group: str | None = None
    tokens: Tokens = "words"
    length: Annotated[int, Field(ge=1, le=4096)] = 64
    vocabulary: Annotated[int, Field(ge=1, le=100_000)] = 4096

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.text is not None and self.image is not None:
            raise ValueError("should name the column of the examples: either text or image")
        modality, others = ("image", _OF_TEXTS) if self.text is None else ("text", _OF_IMAGES)
        strange = [name for name in others if name in self.model_fields_set]
        if strange:
            raise ValueError(f"{strange[0]} is not for the examples of {modality}: leave it out")
        return self

    @property
    def axes(self) -> tuple[str, ...] | None:
        """Of texts where the column of texts is named, else of pictures."""
        return super().axes if self.text is None else TEXT_AXES

    def at(self, place: Path) -> Self:
        """The table of a file; or, of a folder, that of the same name, or the only one."""
        if not place.is_dir():
            return super().at(place)
        same = place / Path(self.path or "").name
        found = [same] if same.is_file() else sorted(filter(is_table, place.iterdir()))
        if len(found) != 1:
            raise UserError(f"{place}: holds {len(found)} .csv and .parquet files; give the one to read")
        return super().at(found[0])

    def place(self, folder: Path) -> Path | None:
        """The file; where it names pictures its folder, which holds them, too."""
        path = super().place(folder)
        return path if path is None or self.text is not None else path.parent

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the .csv or .parquet file with --data or as data.path")
        table = Table.read(folder / Path(self.path).expanduser())
        return self._named(table)._read(folder, table, problem)

    def _named(self, table: Table) -> Self:
        """The same with the names of the columns where the table is a plain list."""
        if self.text is not None or self.image is not None:
            return self
        if PATH not in table.columns:
            raise UserError(
                f"{table.path}: data should name the column of the examples: either text or image; it has"
                f" {', '.join(table.columns)}, and a plain list of pictures has {_PLAIN}"
            )
        update = {"image": PATH}
        update |= {name: name for name in ("split", "group") if name in table.columns and getattr(self, name) is None}
        return self.model_copy(update=update)

    def _read(self, folder: Path, table: Table, problem: type[Problem]) -> Source:
        rows = rows_by_split(table, self.split)
        groups = None if self.group is None else groups_of(table, self.group, rows)
        if self.text is not None:
            return self._of_texts(table, rows, groups, problem)
        return self._of_images(folder, table, rows, groups, problem)

    def _of_texts(
        self, table: Table, rows: dict[str, Indices], groups: Indices | None, problem: type[Problem]
    ) -> Source:
        read = self._labels(table, rows, problem, "text")
        ids, fit, found = self._texts(table, rows)
        splits = {
            split: Split(ids[torch.from_numpy(of)], read.labels[split], partial(_name, table, of))
            for split, of in rows.items()
        }
        return _source(read, fit, found, splits, "text", groups, rows, None)

    def _of_images(
        self, folder: Path, table: Table, rows: dict[str, Indices], groups: Indices | None, problem: type[Problem]
    ) -> Source:
        assert self.image is not None
        found = Found(place=str(table.path), layout=self._layout(table, self.image, rows))
        pictures = self.read_pictures(table.path.parent, paths_of(table, self.image), found)
        rows = {split: pictures.among(of) for split, of in rows.items()}
        read = self._labels(table, rows, problem, "image")
        splits = {
            split: pictures.split(of, read.labels[split], partial(_name, table, of)) for split, of in rows.items()
        }
        pictures, unlabelled = self.with_unlabelled(folder, pictures, splits["train"].labels)
        return _source(read, pictures.fit, pictures.found, splits, "image", groups, rows, unlabelled)

    def _labels(self, table: Table, rows: dict[str, Indices], problem: type[Problem], noun: str) -> ReadLabels:
        names = (self.label,) if isinstance(self.label, str) else self.label
        cells = np.array([table.column("label", name) for name in names]).T

        def labels(of: Indices) -> Labels:
            values = cells[of, 0] if isinstance(self.label, str) else cells[of]
            title = f"column {', '.join(names)}"
            at = partial(_name, table, of)
            return Labels(values, str(table.path), title, at, lambda: names, True, self.separator, noun)

        return problem.read({split: labels(of) for split, of in rows.items()})

    def _texts(self, table: Table, rows: dict[str, Indices]) -> tuple[torch.Tensor, Fit, Found]:
        assert self.text is not None
        texts = table.column("text", self.text)
        if not any(map(str.strip, texts)):
            raise UserError(f"{table.path}: column {self.text} is empty in every row; it should hold the texts")
        ids, every, lengths = numbered(texts, self.tokens, self.length)
        if not every:
            raise UserError(f"{table.path}: column {self.text} holds no {self.tokens}; say data.tokens: characters")
        short, half, long = np.quantile(lengths, (0.05, 0.5, 0.95))
        cut = float((lengths > self.length).mean())
        found = Found(
            place=str(table.path),
            layout=self._layout(table, self.text, rows),
            stored="text",
            low=0,
            high=len(every),
            pixels=f"ids of {self.tokens}",
            told=(
                f"{self.tokens} a text: {short:.0f} in the shortest 5 %, {half:.0f} in half, {long:.0f} in the longest"
                f" 5 %; {percent(cut)} of texts are longer than {self.length} and cut off",
            ),
            warnings=_cut(cut, self.length, long),
            span=None,
        )
        fit = partial(Texts.fitted, every=every, length=self.length, tokens=self.tokens, most=self.vocabulary)
        return ids, fit, found

    def _layout(self, table: Table, column: str, rows: dict[str, Indices]) -> str:
        labels = self.label if isinstance(self.label, str) else ", ".join(self.label)
        split = "splits drawn" if self.split is None else f"{', '.join(rows)} by column {self.split}"
        together = "" if self.group is None else f"; examples of one {self.group} in one split"
        return f"a table of {whole(len(table.rows))} rows, column {column} with labels in {labels}; {split}{together}"


def _source(
    read: ReadLabels,
    fit: Fit,
    found: Found,
    splits: dict[str, Split],
    noun: str,
    groups: Indices | None,
    rows: dict[str, Indices],
    unlabelled: Split | None,
) -> Source:
    pool = splits.pop("train")
    of_pool = None if groups is None else groups[rows["train"]]
    return Source(pool, read.problem, fit, found, splits, noun, of_pool, unlabelled)


def _name(table: Table, rows: Sequence[int] | Indices, index: int) -> str:
    return table.line(int(rows[index]))


def _cut(share: float, length: int, long: float) -> tuple[str, ...]:
    if share <= 0.1:
        return ()
    return (
        f"{percent(share)} of the texts are longer than {length} and were cut off; data.length: {long:.0f} would keep"
        " 95 % of them whole",
    )


DATA.add("csv", DataKind(Csv))
