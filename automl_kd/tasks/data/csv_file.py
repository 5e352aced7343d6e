"""Texts, or paths of pictures, with labels in a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from automl_kd.core import UserError, percent, whole
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.decoded import Pictures, decoded
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.modalities import Fit, Images, Texts
from automl_kd.tasks.modalities.text import Tokens, numbered
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.roles import roles
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split
from automl_kd.tasks.splits import Indices
from automl_kd.tasks.table import Table

_OF_TEXTS = ("tokens", "length", "vocabulary")
_OF_IMAGES = ("size", "channels")


class Csv(Data):
    """A table with a header: ``text`` or ``image`` names the column of the examples, ``label`` that of the labels.

    Images are paths, relative to the file; they are cropped and scaled to ``size`` x ``size`` in ``channels``. Of texts
    the first ``length`` ``tokens`` are read, and the ``vocabulary`` most frequent ones of the training split known.

    ``label`` names one column, or for labels or values that have one each, several. ``separator`` stands between
    several labels in one cell. ``split`` names a column of ``train``, ``validation`` or ``test``; what is missing is
    drawn.
    """

    kind: Literal["csv"]
    path: str | None = None
    text: str | None = None
    image: str | None = None
    label: str | Annotated[tuple[str, ...], Field(min_length=1)]
    separator: Annotated[str, Field(min_length=1)] = "|"
    split: str | None = None
    size: Annotated[int, Field(ge=4, le=1024)] = 32
    channels: Literal[1, 3] = 3
    tokens: Tokens = "words"
    length: Annotated[int, Field(ge=1, le=4096)] = 64
    vocabulary: Annotated[int, Field(ge=1, le=100_000)] = 4096

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) == (self.image is None):
            raise ValueError("should name the column of the examples: either text or image")
        modality, others = ("image", _OF_TEXTS) if self.text is None else ("text", _OF_IMAGES)
        strange = [name for name in others if name in self.model_fields_set]
        if strange:
            raise ValueError(f"{strange[0]} is not for the examples of {modality}: leave it out")
        return self

    def at(self, place: Path) -> Self:
        """The table of a file; or, of a folder, that of the same name, or the only one."""
        if not place.is_dir():
            return super().at(place)
        same = place / Path(self.path or "").name
        found = [same] if same.is_file() else sorted(place.glob("*.csv"))
        if len(found) != 1:
            raise UserError(f"{place}: holds {len(found)} .csv files; give the one to read")
        return super().at(found[0])

    def place(self, folder: Path) -> Path | None:
        """The file; where it names pictures its folder, which holds them, too."""
        path = super().place(folder)
        return path if path is None or self.image is None else path.parent

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the .csv file with --data or as data.path")
        table = Table.read(folder / Path(self.path).expanduser())
        rows = self._rows_by_split(table)
        names = (self.label,) if isinstance(self.label, str) else self.label
        cells = np.array([table.column("label", name) for name in names]).T
        noun = "text" if self.image is None else "image"

        def labels(of: Indices) -> Labels:
            values = cells[of, 0] if isinstance(self.label, str) else cells[of]
            title = f"column {', '.join(names)}"
            at = partial(_name, table, of)
            return Labels(values, str(table.path), title, at, lambda: names, True, self.separator, noun)

        read = problem.read({split: labels(of) for split, of in rows.items()})
        examples, fit, found = self._texts(table, rows) if self.image is None else self._images(table, rows)
        splits = {
            split: Split(examples[torch.from_numpy(of)], read.labels[split], partial(_name, table, of))
            for split, of in rows.items()
        }
        pool = splits.pop("train")
        return Source(pool, read.problem, fit, found, splits, noun)

    def _rows_by_split(self, table: Table) -> dict[str, Indices]:
        """The positions of the rows of each split; ``train`` is there, ``validation`` and ``test`` may be."""
        if self.split is None:
            return {"train": np.arange(len(table.rows))}
        cells = [cell.strip() for cell in table.column("split", self.split)]
        known = roles(set(cells))
        for row, cell in enumerate(cells):
            if cell not in known:
                raise UserError(
                    f"{table.path}: {table.line(row)}: column {self.split} is {cell!r}; it should be train, validation"
                    " or test"
                )
        found = np.array([known[cell] for cell in cells])
        if "train" not in found:
            raise UserError(f"{table.path}: column {self.split} has no row with train; there should be some")
        return {name: np.flatnonzero(found == name) for name in ("train", "validation", "test") if name in found}

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

    def _images(self, table: Table, rows: dict[str, Indices]) -> tuple[torch.Tensor, Fit, Found]:
        assert self.image is not None
        names = [cell.strip() for cell in table.column("image", self.image)]
        for row, name in enumerate(names):
            if not name or not (table.path.parent / name).is_file():
                wrong = f"{table.path.parent / name}: no such file" if name else f"column {self.image} is empty"
                raise UserError(f"{table.path}: {table.line(row)}: {wrong}")
        pictures = Pictures(table.path.parent, tuple(names), (0,) * len(names), ("",), self.size, self.channels)
        images, said = decoded(pictures)
        of_bytes = images.dtype == np.uint8
        found = Found(
            place=str(table.path),
            layout=self._layout(table, self.image, rows),
            stored=said["stored"],
            low=said["low"],
            high=said["high"],
            pixels=said["pixels"],
            warnings=tuple(said["warnings"]),
            pictures=of_bytes,
            span=(0, 255) if of_bytes else None,
        )
        return torch.from_numpy(images), partial(Images.fitted, white=255.0, found=found), found

    def _layout(self, table: Table, column: str, rows: dict[str, Indices]) -> str:
        labels = self.label if isinstance(self.label, str) else ", ".join(self.label)
        split = "splits drawn" if self.split is None else f"{', '.join(rows)} by column {self.split}"
        return f"a table of {whole(len(table.rows))} rows, column {column} with labels in {labels}; {split}"


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
