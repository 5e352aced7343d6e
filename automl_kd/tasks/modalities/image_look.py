"""A look at images: what contradicts itself and what is odd about their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import counted
from automl_kd.tasks.reading import Found, some
from automl_kd.tasks.split import Examples, Split
from automl_kd.tasks.stored_pictures import StoredPictures

_DARKER = 8  # times less than others, of a class or a split whose values seem to have another scale

Splits = Mapping[str, Split]


@dataclass(frozen=True, eq=False)
class Extremes:
    """What is asked of each of N images of C channels.

    Attributes:
        low: The smallest value by channel, (N, C).
        high: The largest.
        equal: Whether all channels are equal, (N,).
    """

    low: NDArray[Any]
    high: NDArray[Any]
    equal: NDArray[np.bool_]

    @classmethod
    def of(cls, images: Examples) -> Extremes:
        """Those of images; of pictures on disk they are known."""
        if isinstance(images, StoredPictures):
            return cls(images.facts.low, images.facts.high, images.facts.equal)
        # NumPy is ten times as fast as torch at bytes.
        values = images[:].flatten(2).numpy()
        return cls(values.min(2), values.max(2), (values[:, :1] == values).all((1, 2)))


def odd_images(splits: Splits, groups: Mapping[str, NDArray[np.bool_]]) -> tuple[str, ...]:
    """What is odd about images, a warning a line.

    Args:
        splits: By name.
        groups: Training images that belong together, by what a message calls them.
    """
    extremes = {name: Extremes.of(split.inputs) for name, split in splits.items()}
    return (
        *_channels(extremes["train"]),
        *_blank(splits, extremes),
        *_other_scale(extremes, groups),
    )


def all_the_same(train: Split, found: Found) -> str | None:
    """What is said where all training images are the same, None where two differ."""
    if not _are_equal(train.inputs):
        return None
    return (
        f"all {len(train)} training images are the same (stored values from {found.low:g} to {found.high:g};"
        f" {found.pixels}), so nothing can be learned from them; look at {train.name(0)} and at what wrote it"
    )


def _are_equal(images: Examples) -> bool:
    if not isinstance(images, Tensor):
        return len(set(images.digests())) == 1
    return all(torch.equal(image, images[0]) for image in images)


def _channels(extremes: Extremes) -> Iterator[str]:
    channels = extremes.low.shape[1]
    constant = np.flatnonzero(extremes.low.min(0) == extremes.high.max(0))
    if len(constant):
        yield f"channel {some(list(map(str, constant)))} has the same value in every training image: leave it out"
    elif channels == 3 and extremes.equal.all():
        yield (
            "the 3 channels of every image are equal, as grey pictures stored in colour: with one (data.channels: 1 of"
            " a folder, x[..., :1] of an array) students are cheaper"
        )


def _blank(splits: Splits, extremes: Mapping[str, Extremes]) -> Iterator[str]:
    blank = [
        (name, int(index))
        for name, each in extremes.items()
        for index in np.flatnonzero(each.low.min(1) == each.high.max(1))
    ]
    if blank:
        split, index = blank[0]
        yield (
            f"{counted(len(blank), 'image')} with one value in all pixels, such as {splits[split].name(index)}: look at"
            " what wrote such images, or leave them out"
        )


def _other_scale(extremes: Mapping[str, Extremes], groups: Mapping[str, NDArray[np.bool_]]) -> Iterator[str]:
    """Splits, or groups of the training split, whose largest value is many times below that of the others."""
    brightest = extremes["train"].high.max(1)
    tops = {name: brightest[members] for name, members in groups.items()}
    tops |= {name: each.high.max(1) for name, each in extremes.items()}
    largest = {name: float(top.max()) for name, top in tops.items() if len(top)}
    most = max(largest.values())
    dark = [f"{name} ({value:g})" for name, value in largest.items() if 0 <= value * _DARKER < most]
    if dark:
        yield (
            f"the largest value of {some(dark)} is far below {most:g}, the largest of all: values may be stored on"
            " different scales; bring them to one"
        )
