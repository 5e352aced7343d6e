"""The decoded pictures of a folder, kept under the cache with what their headers and values said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from automl_kd.core import UserError, cache_dir, locked, sha256_of, write_text
from automl_kd.recipes import digest
from automl_kd.tasks.decode import cut_to_bytes, depth_of, is_transparent, read_bytes, read_deep
from automl_kd.tasks.formats import ERRORS, hint, opened
from automl_kd.tasks.pixels import pixel_rule
from automl_kd.tasks.stored import open_array, writing_array
from automl_kd.tasks.survey import Survey, summary

_VERSION = 1  # of the rules by which pictures are decoded; another one decodes them anew
_WHITE = 255.0


@dataclass(frozen=True)
class Pictures:
    """The files to decode.

    Attributes:
        root: The folder that they lie in.
        names: Their paths, relative to it.
        labels: The class of each.
        classes: The names of the classes.
        size: Height and width to decode them to.
        channels: 3, or 1 for grey.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    size: int
    channels: int

    def file(self, name: str) -> str:
        """The path of one of them."""
        return str(self.root / name)


def decoded(pictures: Pictures) -> tuple[NDArray[Any], dict[str, Any]]:
    """Decoded images (N, C, size, size) and a document about what is stored.

    The images are uint8 where all files hold bytes; otherwise they are float32 in which 255 is white.

    Raises:
        UserError: If a file cannot be read.
    """
    contents = [_content(name, pictures.file(name)) for name in pictures.names]
    key = digest({"files": contents, "size": pictures.size, "channels": pictures.channels})
    path = cache_dir() / "images" / f"{key}.npy"
    with locked(path.with_suffix(".lock")):
        found = _found(path)
        if found is None or open_array(path) is None:
            found = _decode_all(pictures, path)
            write_text(path.with_suffix(".json"), json.dumps(found))
    # Copy on write: PyTorch has no read-only tensors, and nothing must reach the file.
    images: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    return images, found


def _content(name: str, file: str) -> tuple[str, int, str]:
    try:
        return name, Path(file).stat().st_size, sha256_of(Path(file))
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error}") from None


def _found(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("version") == _VERSION else None


@dataclass
class _Damaged:
    """Files that could not be read; the first is named, the others are counted."""

    files: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def watching(self, file: str) -> Iterator[None]:
        try:
            yield
        except UnidentifiedImageError:
            self.files.setdefault(file, "it is of no known format")
        except ERRORS as error:
            self.files.setdefault(file, str(error))

    def refuse(self, total: int) -> None:
        for file, error in self.files.items():
            others = f", nor can {len(self.files) - 1} others of {total}" if len(self.files) > 1 else ""
            raise UserError(f"{file}: cannot be read as an image{others}: {error}{hint(file)}; mend or remove them")


@dataclass
class _Ranges:
    """The smallest and largest stored value by type."""

    by_type: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, depth: np.dtype[Any], low: float, high: float) -> None:
        before = self.by_type.get(depth.name, (low, high))
        self.by_type[depth.name] = (min(low, before[0]), max(high, before[1]))


def _decode_all(pictures: Pictures, path: Path) -> dict[str, Any]:
    survey, damaged, ranges = Survey(pictures.size), _Damaged(), _Ranges()
    depths = _depths(pictures, survey, damaged)
    deep = any(depth != np.uint8 for depth in depths.values())
    shape = (len(pictures.names), pictures.channels, pictures.size, pictures.size)
    with writing_array(path, shape, np.float32 if deep else np.uint8) as array:
        for row, name in zip(array, pictures.names, strict=True):
            if name in depths:
                with damaged.watching(pictures.file(name)):
                    _decode(pictures, name, row, survey, ranges)
        damaged.refuse(len(pictures.names))
        survey.refuse_dark(pictures.root)
        rules = {kind: pixel_rule(np.dtype(kind), *bounds, stretch=True) for kind, bounds in ranges.by_type.items()}
        for row, name in zip(array, pictures.names, strict=True):
            if depths[name] != np.uint8:
                row[:] = rules[depths[name].name].apply(row, _WHITE)
    low, high = (
        bound(values) for bound, values in zip((min, max), zip(*ranges.by_type.values(), strict=True), strict=True)
    )
    return {"version": _VERSION, "low": low, "high": high, **summary(survey, rules, pictures.classes)}


def _depths(pictures: Pictures, survey: Survey, damaged: _Damaged) -> dict[str, np.dtype[Any]]:
    """The type of every picture's values, from its header; their largest decides how all are stored."""
    depths = {}
    for name, label in zip(pictures.names, pictures.labels, strict=True):
        file = pictures.file(name)
        with damaged.watching(file), opened(file) as image:
            depth = depth_of(image)
            survey.add(f"{depth.name} {image.format}", image.width, image.height, label)
            depths[name] = depth
    return depths


def _decode(pictures: Pictures, name: str, row: NDArray[Any], survey: Survey, ranges: _Ranges) -> None:
    with opened(pictures.file(name)) as image:
        depth, cut = depth_of(image), cut_to_bytes(image)
        if depth == np.uint8:
            row[:], low, high = read_bytes(image, pictures.size, pictures.channels)
            survey.transparent += is_transparent(image)
            survey.add_cut(high if cut else None)
        else:
            row[:], low, high = read_deep(image, pictures.size)
        ranges.add(depth, low, high)
        if image.format != "MPO" and getattr(image, "is_animated", False):
            survey.add_several(name)
