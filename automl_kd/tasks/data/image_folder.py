"""A folder of pictures: one sub-folder a class, or splits with one sub-folder a class each."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from automl_kd.core import UserError
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.decoded import Pictures, decoded
from automl_kd.tasks.layout import Layout, layout_of
from automl_kd.tasks.modalities import Images
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split


class ImageFolder(Data):
    """``path/CLASS/*.jpg`` or ``path/train/CLASS/*.jpg``: cropped and scaled to ``size`` x ``size``.

    Pictures are in colour or, with 1 channel, grey. Decoded images are kept under the cache, by the hash of file names
    and contents.
    """

    kind: Literal["image-folder"]
    path: str | None = None
    size: Annotated[int, Field(ge=4, le=1024)] = 32
    channels: Literal[1, 3] = 3

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the folder of classes with --data or as data.path")
        root = folder / Path(self.path).expanduser()
        layout = layout_of(root)
        pictures = self._pictures(root, layout)
        images, said = decoded(pictures)
        splits, first = {}, 0
        for role, part in layout.parts.items():
            last = first + len(part.files)
            labels = torch.tensor(part.labels, dtype=torch.int64)
            splits[role] = Split(torch.from_numpy(images[first:last]), labels, pictures.names[first:last].__getitem__)
            first = last
        found = Found(
            place=str(root),
            layout=layout.words,
            stored=said["stored"],
            low=said["low"],
            high=said["high"],
            pixels=said["pixels"],
            left_out=layout.left_out,
            warnings=(*layout.warnings, *said["warnings"]),
            pictures=images.dtype == np.uint8,
            span=(0, 255) if images.dtype == np.uint8 else None,
        )
        pool = splits.pop("train")
        return Source(pool, Multiclass(layout.classes), partial(Images.fitted, white=255.0, found=found), found, splits)

    def _pictures(self, root: Path, layout: Layout) -> Pictures:
        below = os.path.join(root, "")
        return Pictures(
            root=root,
            names=tuple(file.removeprefix(below) for part in layout.parts.values() for file in part.files),
            labels=tuple(label for part in layout.parts.values() for label in part.labels),
            classes=layout.classes,
            size=self.size,
            channels=self.channels,
        )


DATA.add("image-folder", DataKind(ImageFolder, ("multiclass",)))
