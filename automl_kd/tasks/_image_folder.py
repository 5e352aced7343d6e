"""A folder with one sub-folder of images a class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field

from automl_kd.errors import UserError
from automl_kd.files import locked, sha256_of
from automl_kd.paths import cache_dir
from automl_kd.recipes import digest
from automl_kd.tasks._reading import Found
from automl_kd.tasks._source import Data, Source
from automl_kd.tasks._split import Split
from automl_kd.tasks._stored import open_array, writing_array

_ENDINGS = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class ImageFolder(Data):
    """``path/CLASS/*.jpg`` (or PNG, …): scaled and cropped to ``size`` x ``size``, in colour or, with 1 channel, grey.

    Decoded images are kept under the cache, by the hash of file names and contents.
    """

    kind: Literal["image-folder"]
    path: str | None = None
    size: Annotated[int, Field(ge=4, le=1024)] = 32
    channels: Literal[1, 3] = 3

    def read(self, folder: Path) -> Source:
        if self.path is None:
            raise UserError("this task needs data: give the folder of classes with --data or as data.path")
        root = folder / Path(self.path).expanduser()
        classes, files, labels = _list(root)
        images = self._decoded(root, files)
        return Source(Split(torch.from_numpy(images), torch.tensor(labels)), classes, Found(place=str(root)))

    def _decoded(self, root: Path, files: list[Path]) -> NDArray[np.uint8]:
        contents = [(str(file.relative_to(root)), file.stat().st_size, _sha256(file)) for file in files]
        key = digest({"files": contents, "size": self.size, "channels": self.channels})
        path = cache_dir() / "images" / f"{key}.npy"
        with locked(path.with_suffix(".lock")):
            if open_array(path) is None:
                shape = (len(files), self.channels, self.size, self.size)
                with writing_array(path, shape, np.uint8) as array:
                    for row, file in zip(array, files, strict=True):
                        row[:] = self._decode(file)
        # Copy on write: PyTorch has no read-only tensors, and nothing must reach the file.
        decoded: NDArray[np.uint8] = np.load(path, mmap_mode="c", allow_pickle=False)
        return decoded

    def _decode(self, file: Path) -> NDArray[np.uint8]:
        try:
            with Image.open(file) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGB" if self.channels == 3 else "L")
                image = ImageOps.fit(upright, (self.size, self.size), Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(f"{file}: cannot be read as an image: {error}") from None
        pixels = np.asarray(image, np.uint8).reshape(self.size, self.size, self.channels)
        return pixels.transpose(2, 0, 1)


def _list(root: Path) -> tuple[tuple[str, ...], list[Path], list[int]]:
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; it should hold one sub-folder of images for each class")
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(folders) < 2:
        raise UserError(f"{root}: holds {len(folders)} sub-folders; it should hold one for each of two or more classes")
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _ENDINGS and file.is_file())
        if not found:
            raise UserError(f"{folder}: holds no images ({', '.join(sorted(_ENDINGS))})")
        files += found
        labels += [label] * len(found)
    return tuple(folder.name for folder in folders), files, labels


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error}") from None
