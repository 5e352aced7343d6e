"""Images and labels in one NumPy archive."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.core import UserError
from automl_kd.pictures import PixelRule, pixel_rule
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.modalities import Images
from automl_kd.tasks.npz_arrays import Arrays, LabelledArrays
from automl_kd.tasks.problems import Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split

_GIVEN = ("validation", "test")


class Npz(Data):
    """Arrays ``x``, ``y``, optionally ``x_val``, ``y_val`` and ``x_test``, ``y_test``; other common names are known.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W), where C is the smaller of the second and the last dimension.
    Numbers mean what :func:`~automl_kd.pictures.pixel_rule` says for all arrays together; whole numbers from 0 to
    255 are kept as uint8 and others as float32. Labels are what the problem type takes: classes (N,) or (N, 1), as
    integers or text; zeros and ones (N, labels); or values (N,) or (N, values). An array ``names`` names the last two.
    """

    kind: Literal["npz"]
    path: str | None = None

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the .npz file with --data or as data.path")
        path = folder / Path(self.path).expanduser()
        with Arrays.opened(path) as arrays:
            parts = {"train": arrays.labelled("train")}
            parts |= {name: arrays.labelled(name) for name in _GIVEN if arrays.has(name)}
            read = problem.read({name: part.stored_labels(path, arrays.names) for name, part in parts.items()})
            left_out, doubtful = arrays.left_out(), arrays.doubtful()
        _same_kind(path, parts)
        low, high = (float(bound) for bound in _range(path, parts))
        rule = pixel_rule(_common_type(parts), low, high)
        images, white = _converted(parts, rule)
        splits = {
            name: Split(torch.from_numpy(images[name]), read.labels[name], f"{part.image_name}[{{}}]".format)
            for name, part in parts.items()
        }
        train = parts["train"]
        odd = () if rule.odd is None else (f"{train.image_name}: {rule.odd}",)
        found = Found(
            place=str(path),
            layout="arrays " + ", ".join(part.words for part in parts.values()),
            stored=f"{train.images.dtype}, {train.images.shape[3]}x{train.images.shape[2]}",
            low=low,
            high=high,
            pixels=rule.words,
            left_out=left_out,
            warnings=(*doubtful, *odd, *train.odd_shape(), *read.warnings),
            span=(rule.black, rule.white),
        )
        pool = splits.pop("train")
        return Source(pool, read.problem, partial(Images.fitted, white=white, found=found), found, splits)


def _same_kind(path: Path, parts: Mapping[str, LabelledArrays]) -> None:
    train = parts["train"].images
    for part in parts.values():
        kinds = part.images.dtype.kind + train.dtype.kind
        alike = part.images.dtype == train.dtype or kinds in ("ff", "iu", "ui", "ii", "uu")
        if part.images.shape[1:] != train.shape[1:] or not alike:
            raise UserError(
                f"{path}: {part.image_name} holds {part.images.dtype} {part.images.shape[1:]}, the training images are"
                f" {train.dtype} {train.shape[1:]}"
            )


def _common_type(parts: Mapping[str, LabelledArrays]) -> np.dtype[Any]:
    return np.result_type(*(part.images.dtype for part in parts.values()))


def _range(path: Path, parts: Mapping[str, LabelledArrays]) -> tuple[float, float]:
    bounds = [(part.images.min(), part.images.max()) for part in parts.values()]
    for part, (low, high) in zip(parts.values(), bounds, strict=True):
        if not (np.isfinite(low) and np.isfinite(high)):
            strange = ~np.isfinite(part.images).all(axis=(1, 2, 3))
            raise UserError(
                f"{path}: {part.image_name} holds values that are not finite, in {strange.sum()} images, the first of"
                f" which is {part.image_name}[{strange.argmax()}]; leave these out, or replace the values"
            )
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _converted(parts: Mapping[str, LabelledArrays], rule: PixelRule) -> tuple[dict[str, NDArray[Any]], float]:
    """The images of every part as the task stores them, and the value that is white."""
    if rule.of_bytes and all(_whole(part.images) for part in parts.values()):
        return {
            name: np.ascontiguousarray(part.images.astype(np.uint8, copy=False)) for name, part in parts.items()
        }, 255.0
    return {name: np.ascontiguousarray(rule.apply(part.images, 1.0)) for name, part in parts.items()}, 1.0


def _whole(images: NDArray[Any]) -> bool:
    """Whether uint8 holds all values; stops at the first image of which it does not."""
    if images.dtype.kind != "f":
        return True
    return all(np.array_equal(image, image.astype(np.uint8)) for image in images)


DATA.add("npz", DataKind(Npz))
