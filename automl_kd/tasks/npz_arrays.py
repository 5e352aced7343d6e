"""The arrays of a NumPy archive: found by their names, never unpickled, with their axes in order."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from automl_kd.core import UserError
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.reading import LeftOut

# The names of images and labels by split, those of Keras and MedMNIST among them; capitals do not count.
_NAMES = {
    "train": (
        ("x", "images", "x_train", "train_images", "train_x", "data"),
        ("y", "labels", "y_train", "train_labels", "train_y", "target", "targets"),
    ),
    "validation": (
        ("x_val", "x_valid", "x_validation", "val_images", "valid_images", "val_x"),
        ("y_val", "y_valid", "y_validation", "val_labels", "valid_labels", "val_y"),
    ),
    "test": (("x_test", "test_images", "test_x"), ("y_test", "test_labels", "test_y")),
}
_DAMAGED = (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
_USUAL_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class LabelledArrays:
    """Images (N, C, H, W) and their labels (N, …) as stored.

    Attributes:
        image_name: Of the array of images.
        label_name: Of the array of labels.
        images: The images, channels first.
        labels: The labels.
        stored_shape: Of the images, as they lie in the archive.
    """

    image_name: str
    label_name: str
    images: NDArray[Any]
    labels: NDArray[Any]
    stored_shape: tuple[int, ...]

    @property
    def words(self) -> str:
        """Their names and axes for people."""
        axes = "N, C, H, W" if self.images.shape == self.stored_shape else "N, H, W, C"
        return f"{self.image_name} ({axes if len(self.stored_shape) == 4 else 'N, H, W'}) and {self.label_name}"

    def name_of(self, index: int) -> str:
        """What a message calls an image."""
        return f"{self.image_name}[{index}]"

    def odd_shape(self) -> tuple[str, ...]:
        """A warning where another dimension looks more like channels than the one that was taken."""
        channels = self.images.shape[1]
        if channels in _USUAL_CHANNELS:
            return ()
        height, width = self.images.shape[2:]
        return (
            f"{self.image_name}: {self.stored_shape} was read as {channels} channels of {height}x{width} pixels; where"
            " that is not meant, store (N, C, H, W) or (N, H, W, C) with C the smallest of the three",
        )

    def stored_labels(self, path: Path, names: Callable[[], tuple[str, ...]]) -> Labels:
        """The labels as a problem type reads them.

        Args:
            path: Of the archive.
            names: Gives the names of labels or values.
        """
        return Labels(self.labels, str(path), self.label_name, f"{self.label_name}[{{}}]".format, names)


class Arrays:
    """An archive that is open; only arrays that are asked for are read."""

    def __init__(self, path: Path, archive: NpzFile) -> None:
        self._path = path
        self._archive = archive
        self._names = {name.lower(): name for name in reversed(archive.files)}
        self._read: set[str] = set()

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Arrays]:
        """Open an archive.

        Raises:
            UserError: If it is missing, damaged or no archive of plain arrays.
        """
        try:
            archive = np.load(path, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise UserError(f"{path}: holds one array; it should be a .npz archive with arrays x and y")
            with archive:
                yield cls(path, archive)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file") from None
        except _DAMAGED as error:
            raise UserError(f"{path}: cannot be read as .npz of plain arrays: {error}") from None

    def has(self, split: str) -> bool:
        """Whether an array is named after the images or the labels of a split."""
        return any(name in self._names for names in _NAMES[split] for name in names)

    def labelled(self, split: str) -> LabelledArrays:
        """The images and labels of a split.

        Raises:
            UserError: If one of them is missing, or they are not what they should be.
        """
        image_name, label_name = (self._found(names) for names in _NAMES[split])
        labels = self._array(label_name)
        if labels.dtype.kind == "S":
            labels = np.char.decode(labels, "utf-8")
        if labels.ndim == 0:
            raise UserError(f"{self._path}: {label_name} is a single value; there should be a label an image")
        images = self._array(image_name)
        if images.dtype.kind not in "iufb" or images.ndim not in (3, 4) or 0 in images.shape:
            raise UserError(
                f"{self._path}: {image_name} is {images.dtype} {images.shape}; images should be numbers of shape"
                f" (N, H, W), (N, H, W, C) or (N, C, H, W){_flat_hint(images)}"
            )
        if len(images) != len(labels):
            last = images.shape[-1] == len(labels)
            hint = f"; its last axis has {len(labels)}: store np.moveaxis({image_name}, -1, 0)" if last else ""
            raise UserError(
                f"{self._path}: {image_name} has {len(images)} images, {label_name} has {len(labels)} labels{hint}"
            )
        ordered = _channels_first(self._path, image_name, images)
        return LabelledArrays(image_name, label_name, ordered, labels, images.shape)

    def names(self) -> tuple[str, ...]:
        """The array ``names``, empty where there is none."""
        if "names" not in self._names:
            return ()
        return tuple(map(str, self._array(self._names["names"]).ravel()))

    def left_out(self) -> tuple[LeftOut, ...]:
        """The arrays that nobody asked for."""
        unread = [name for name in self._archive.files if name not in self._read]
        return (LeftOut("an array of another name", len(unread), unread[0]),) if unread else ()

    def doubtful(self) -> tuple[str, ...]:
        """A warning where the archive holds two arrays that could be the same thing."""
        known = {name for parts in _NAMES.values() for names in parts for name in names}
        unread = [name for name in self._archive.files if name not in self._read and name.lower() in known]
        read = ", ".join(sorted(self._read))
        return (f"the archive also holds {', '.join(unread)}, left out: {read} were read",) if unread else ()

    def _array(self, name: str) -> NDArray[Any]:
        self._read.add(name)
        array = self._archive[name]
        if not isinstance(array, np.ndarray):
            raise UserError(f"{self._path}: {name} is no array of NumPy")
        return array

    def _found(self, names: tuple[str, ...]) -> str:
        for name in names:
            if name in self._names:
                return self._names[name]
        held = ", ".join(self._archive.files) or "nothing"
        raise UserError(f"{self._path}: holds {held}; it should hold one of {', '.join(names)}")


def _flat_hint(images: NDArray[Any]) -> str:
    if images.ndim != 2:
        return ""
    for channels in (1, 3):
        side = round((images.shape[1] / channels) ** 0.5)
        if side > 1 and channels * side * side == images.shape[1]:
            return f"; for pictures of {side}x{side} store x.reshape(-1, {channels}, {side}, {side})"
    return ""


def _channels_first(path: Path, name: str, images: NDArray[Any]) -> NDArray[Any]:
    if images.ndim == 3:
        return images[:, None]
    if images.shape[1] == images.shape[3]:
        raise UserError(f"{path}: {name} is {images.shape}: it cannot be told which dimension holds the channels")
    return images if images.shape[1] < images.shape[3] else images.transpose(0, 3, 1, 2)
