"""A folder of pictures: one sub-folder a class, or splits with one sub-folder a class each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from automl_kd.core import UserError
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.layout import Layout, layout_of
from automl_kd.tasks.picture_data import PictureOptions, ReadPictures
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split


class ImageFolder(PictureOptions, Data):
    """``path/CLASS/*.jpg`` or ``path/train/CLASS/*.jpg``: cropped and scaled to ``size`` x ``size``.

    Decoded images are kept under the cache, by the hash of file names and contents.
    """

    kind: Literal["image-folder"]
    path: str | None = None

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the folder of classes with --data or as data.path")
        root = folder / Path(self.path).expanduser()
        layout = layout_of(root)
        read = self._read(root, layout)
        splits = _splits(read, layout)
        read, unlabelled = self.with_unlabelled(folder, read, splits["train"].labels)
        pool = splits.pop("train")
        return Source(pool, Multiclass(layout.classes), read.fit, read.found, splits, unlabelled=unlabelled)

    def _read(self, root: Path, layout: Layout) -> ReadPictures:
        below = os.path.join(root, "")
        names = [file.removeprefix(below) for part in layout.parts.values() for file in part.files]
        labels = [label for part in layout.parts.values() for label in part.labels]
        found = Found(place=str(root), layout=layout.words, left_out=layout.left_out, warnings=layout.warnings)
        return self.read_pictures(root, names, found, labels, layout.classes)


def _splits(read: ReadPictures, layout: Layout) -> dict[str, Split]:
    splits, first = {}, 0
    for role, part in layout.parts.items():
        rows = read.among(np.arange(first, first + len(part.files)))
        labels = torch.tensor(part.labels, dtype=torch.int64)[torch.from_numpy(rows - first)]
        splits[role] = read.split(rows, labels, [read.names[row] for row in rows].__getitem__)
        first += len(part.files)
    return splits


DATA.add("image-folder", DataKind(ImageFolder, ("multiclass",)))
