"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 60,000 + 10,000 grey images of 28x28, as IDX files."""

from __future__ import annotations

import gzip
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.modalities import Images
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.reading import Found
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Split

_PIXELS = 28
_CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
_UINT8 = 0x08


class FashionMnist(Data):
    """The four files of Fashion-MNIST, gzipped or not, in the folder ``path``."""

    kind: Literal["fashion-mnist"]
    path: str = "/usr/share/datasets/fashion-mnist"

    @property
    def pixels(self) -> int:
        """Height and width."""
        return _PIXELS

    def read(self, folder: Path, problem: type[Problem]) -> Source:
        pool, test = self._read(folder, "train"), self._read(folder, "t10k")
        found = Found(
            place=str(folder / Path(self.path).expanduser()),
            layout="IDX files, train and t10k",
            stored=f"uint8, {pool.tensor.shape[3]}x{pool.tensor.shape[2]}",
            low=float(pool.tensor.numpy().min()),
            high=float(pool.tensor.numpy().max()),
            pixels="divided by 255",
            span=(0, 255),
        )
        return Source(
            pool, Multiclass(_CLASSES), partial(Images.fitted, white=255.0, found=found), found, {"test": test}
        )

    def _read(self, folder: Path, part: str) -> Split:
        root = folder / Path(self.path).expanduser()
        image_file, label_file = (_find(root, f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
        images, labels = read_idx(image_file), read_idx(label_file)
        if images.ndim != 3 or labels.shape != images.shape[:1] or (len(labels) and int(labels.max()) >= len(_CLASSES)):
            raise UserError(
                f"{image_file} {tuple(images.shape)} and {label_file.name} {tuple(labels.shape)} do not go together:"
                f" should be (N, height, width) and N labels below {len(_CLASSES)}"
            )
        return Split(images.unsqueeze(1), labels.long(), f"{part}[{{}}]".format)


def read_idx(path: Path) -> Tensor:
    """An IDX file of bytes, gzipped or not, as a uint8 tensor of the shape that its header states.

    Raises:
        UserError: If the file is damaged or holds something else.
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        zeros, dtype, dimensions = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError(f"{path}: cannot be read as IDX: {error}") from None
    body = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if zeros != 0 or dtype != _UINT8 or body.size != np.prod(shape, dtype=np.int64):
        raise UserError(f"{path}: is no complete IDX file of bytes ({body.size} bytes for shape {shape})")
    return torch.from_numpy(body.reshape(shape).copy())


def _find(root: Path, name: str) -> Path:
    for path in (root / f"{name}.gz", root / name):
        if path.is_file():
            return path
    raise UserError(
        f"no file {name}.gz in {root}: install the Debian package dataset-fashion-mnist (apt-get install"
        " dataset-fashion-mnist), or name the folder that holds the four IDX files with --data"
    )


DATA.add("fashion-mnist", DataKind(FashionMnist, ("multiclass",)))
