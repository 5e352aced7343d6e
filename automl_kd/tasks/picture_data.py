"""What kinds of data that hold picture files have in common: their options, and how the files become examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr

from automl_kd.core import IMAGE_AXES, UserError, counted, whole
from automl_kd.pictures import Colour, Decoded, Pictures, decoded, decoded_like, rgb
from automl_kd.recipes import Part
from automl_kd.tasks.listed_pictures import listed_pictures
from automl_kd.tasks.modalities import Fit, Images
from automl_kd.tasks.reading import Found, LeftOut, some
from automl_kd.tasks.source import Hints
from automl_kd.tasks.split import Split
from automl_kd.tasks.splits import Indices
from automl_kd.tasks.stored_pictures import StoredPictures

_WHITE = 255.0


@dataclass(frozen=True)
class ReadPictures:
    """Picture files that were read as examples.

    Attributes:
        names: Their paths.
        decoded: All of them.
        examples: Those that could be read.
        found: What they say of themselves.
    """

    names: tuple[str, ...]
    decoded: Decoded
    examples: StoredPictures
    found: Found

    @property
    def fit(self) -> Fit:
        """Makes the modality of the examples once they are split."""
        return partial(Images.fitted, white=_WHITE, found=self.found, size=self.decoded.size.side)

    def among(self, rows: Indices) -> Indices:
        """Of some positions in ``names``, those that could be read."""
        return rows[np.isin(rows, self.decoded.rows)]

    def split(self, rows: Indices, labels: torch.Tensor, name: Callable[[int], str]) -> Split:
        """The examples at some positions in ``names``, all of which could be read.

        Args:
            rows: The positions.
            labels: Of them.
            name: What a message calls each of them.
        """
        return Split(StoredPictures(self.decoded.store, rows), labels, name)


class PictureOptions(Part):
    """How picture files are shown to networks.

    Attributes:
        size: Height and width, to which the square in the middle of each is scaled. Left out, it is the teacher's where
            the task file names one that says it, else 224; and of smaller pictures the median of their shorter sides,
            down to a multiple of 8.
        channels: 3, or 1 for grey.
        background: What is seen behind transparent parts: a colour's name, ``#rrggbb`` or ``[r, g, b]``.
        skip_damaged: Whether files that cannot be read are left out, with a warning; otherwise they are refused.
        unlabelled: More pictures, without labels, which students may learn from: a folder, at any depth below it, or a
            list with a column ``path``.
    """

    size: Annotated[int, Field(ge=4, le=1024)] | None = None
    channels: Literal[1, 3] = 3
    background: Colour = "white"
    skip_damaged: bool = False
    unlabelled: str | None = None
    _hints: Hints = PrivateAttr(default_factory=Hints)

    @property
    def axes(self) -> tuple[str, ...] | None:
        """Of pictures."""
        return IMAGE_AXES

    @property
    def pixels(self) -> int | None:
        """Height and width where the options say them; else the files are looked at."""
        return self.size

    def knowing(self, hints: Hints) -> Self:
        """The same data, which use what else is known when they are read."""
        informed = self.model_copy()
        informed._hints = hints
        return informed

    def read_pictures(
        self, root: Path, names: Sequence[str], found: Found, labels: Sequence[int] = (), classes: Sequence[str] = ()
    ) -> ReadPictures:
        """Decode pictures.

        Args:
            root: The folder that they lie in.
            names: Their paths, relative to it.
            found: What is known of them so far.
            labels: The class of each, where they have one.
            classes: The names of the classes.
        """
        pictures = self._pictures(root, names, labels, classes)
        read = decoded(pictures, self._hints.size, self._hints.progress)
        said, of_bytes = read.store.said, read.store.dtype == "uint8"
        return ReadPictures(
            pictures.names,
            read,
            StoredPictures(read.store, read.rows),
            replace(
                found,
                stored=said["stored"],
                low=said["low"],
                high=said["high"],
                pixels=said["pixels"],
                left_out=(*found.left_out, *_damaged(said["damaged"])),
                warnings=(*found.warnings, *_skipped(said["damaged"], ""), *said["warnings"]),
                told=(*found.told, _in_words(read)),
                pictures=True,
                deep=read.plan.bounds(),
                span=(0, 255) if of_bytes else None,
                background=rgb(self.background),
            ),
        )

    def with_unlabelled(
        self, folder: Path, read: ReadPictures, labels: torch.Tensor
    ) -> tuple[ReadPictures, Split | None]:
        """Read the pictures without labels, too, where there are any, and say so.

        Args:
            folder: Where relative paths start.
            read: The pictures with labels.
            labels: Of some of these, (N, …).

        Raises:
            UserError: If there are no such pictures, or they are of another kind than those with labels.
        """
        if self.unlabelled is None:
            return read, None
        try:
            listed = listed_pictures(folder / Path(self.unlabelled).expanduser())
            pictures = self._pictures(listed.root, listed.names)
            more = decoded_like(read.decoded, pictures, self._hints.progress)
        except UserError as error:
            raise UserError(f"data.unlabelled: {error}") from None
        names = [str(listed.root / listed.names[row]) for row in more.rows]
        zeros = torch.zeros(len(more.rows), *labels.shape[1:], dtype=labels.dtype)
        split = Split(StoredPictures(more.store, more.rows), zeros, names.__getitem__)
        warnings = (*listed.warnings, *_skipped(more.store.said["damaged"], "unlabelled "))
        told = f"{whole(len(split))} unlabelled images in {listed.place}; stored as {more.store.said['stored']}"
        found = replace(read.found, told=(*read.found.told, told), warnings=(*read.found.warnings, *warnings))
        return replace(read, found=found), split

    def _pictures(
        self, root: Path, names: Sequence[str], labels: Sequence[int] = (), classes: Sequence[str] = ()
    ) -> Pictures:
        return Pictures(
            root=root,
            names=tuple(names),
            labels=tuple(labels) or (0,) * len(names),
            classes=tuple(classes) or ("",),
            size=self.size,
            channels=self.channels,
            background=self.background,
            skip_damaged=self.skip_damaged,
        )


def _damaged(damaged: Mapping[str, Any]) -> tuple[LeftOut, ...]:
    return (LeftOut("damaged", len(damaged), next(iter(damaged))),) if damaged else ()


def _skipped(damaged: Mapping[str, Any], which: str) -> tuple[str, ...]:
    if not damaged:
        return ()
    reason = next(iter(damaged.values()))
    return (f"{which}{counted(len(damaged), 'image')} damaged and left out: {some(list(damaged))} ({reason})",)


def _in_words(read: Decoded) -> str:
    side, kept = read.size.side, read.store.shape[2]
    stored = f", kept at {kept} x {kept}" if kept != side else ""
    return f"shown to networks at {side} x {side}, {read.size.words}{stored}"
