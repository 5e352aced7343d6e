"""Images and labels in one NumPy archive."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.errors import UserError
from automl_kd.tasks._reading import Found
from automl_kd.tasks._source import Data, Source
from automl_kd.tasks._split import Split

_IMAGES = ("x", "images", "x_train")
_LABELS = ("y", "labels", "y_train")


class Npz(Data):
    """Arrays ``x``, ``y`` (or ``images``, ``labels``, or ``x_train``, ``y_train``), optionally ``x_test``, ``y_test``.

    Images are (N, H, W), (N, H, W, C) or (N, C, H, W), where C is the smaller of the second and the last dimension.
    uint8 is kept and other numbers become float32. Labels are (N,), integers or text; the classes are their distinct
    values in order.
    """

    kind: Literal["npz"]
    path: str | None = None

    def read(self, folder: Path) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the .npz file with --data or as data.path")
        path = folder / Path(self.path).expanduser()
        arrays = _arrays(path)
        image_name, label_name = _first(path, arrays, _IMAGES), _first(path, arrays, _LABELS)
        classes, labels = np.unique(_label_values(path, label_name, arrays), return_inverse=True)
        pool = Split(_images(path, image_name, arrays), torch.from_numpy(labels.astype(np.int64)))
        _same_length(path, image_name, label_name, pool)
        test = _test(path, arrays, classes, pool)
        white = 255.0 if pool.images.dtype == torch.uint8 else 1.0
        given = {} if test is None else {"test": test}
        return Source(pool, tuple(str(name) for name in classes), Found(place=str(path)), given, white)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise UserError(f"{path}: holds one array; it should be a .npz archive with arrays x and y")
        with archive:
            return dict(archive)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{path}: cannot be read as .npz of plain arrays: {error}") from None


def _first(path: Path, arrays: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        if name in arrays:
            return name
    raise UserError(f"{path}: holds {', '.join(arrays) or 'nothing'}; it should hold one of {', '.join(names)}")


def _label_values(path: Path, name: str, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    labels = arrays[name]
    if labels.ndim != 1 or labels.dtype.kind not in "iuUb":
        raise UserError(f"{path}: {name} is {labels.dtype} {labels.shape}; labels should be (N,) of integers or text")
    return labels


def _images(path: Path, name: str, arrays: Mapping[str, NDArray[Any]]) -> Tensor:
    images = arrays[name]
    if images.dtype.kind not in "iufb" or images.ndim not in (3, 4) or 0 in images.shape:
        raise UserError(
            f"{path}: {name} is {images.dtype} {images.shape}; images should be numbers of shape (N, H, W),"
            " (N, H, W, C) or (N, C, H, W)"
        )
    if images.dtype != np.uint8:
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise UserError(f"{path}: {name} holds values that are not finite")
    return torch.from_numpy(np.ascontiguousarray(_channels_first(path, name, images)))


def _channels_first(path: Path, name: str, images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim == 3:
        return images[:, None]
    if images.shape[1] == images.shape[3]:
        raise UserError(f"{path}: {name} is {images.shape}: it cannot be told which dimension holds the channels")
    return images if images.shape[1] < images.shape[3] else images.transpose(0, 3, 1, 2)


def _test(path: Path, arrays: Mapping[str, NDArray[Any]], classes: NDArray[Any], pool: Split) -> Split | None:
    if "x_test" not in arrays and "y_test" not in arrays:
        return None
    for name in ("x_test", "y_test"):
        _first(path, arrays, (name,))
    values = _label_values(path, "y_test", arrays)
    strange = np.setdiff1d(values, classes)
    if len(strange):
        raise UserError(f"{path}: y_test holds the class {strange[0]!s}, which no training image has")
    test = Split(_images(path, "x_test", arrays), torch.from_numpy(np.searchsorted(classes, values).astype(np.int64)))
    _same_length(path, "x_test", "y_test", test)
    if test.images.shape[1:] != pool.images.shape[1:] or test.images.dtype != pool.images.dtype:
        raise UserError(
            f"{path}: x_test holds {test.images.dtype} {tuple(test.images.shape[1:])}, the training images are"
            f" {pool.images.dtype} {tuple(pool.images.shape[1:])}"
        )
    return test


def _same_length(path: Path, images: str, labels: str, split: Split) -> None:
    if len(split.images) != len(split.labels):
        raise UserError(f"{path}: {images} has {len(split.images)} images, {labels} has {len(split.labels)} labels")
