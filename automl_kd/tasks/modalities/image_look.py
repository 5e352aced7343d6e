"""A look at images: what contradicts itself and what is odd about their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import counted
from automl_kd.tasks.reading import Found, some
from automl_kd.tasks.split import Split

_DARKER = 8  # times less than others, of a class or a split whose values seem to have another scale

Splits = Mapping[str, Split]
Extremes = Mapping[str, tuple[NDArray[Any], NDArray[Any]]]


def odd_images(splits: Splits, groups: Mapping[str, NDArray[np.bool_]]) -> tuple[str, ...]:
    """What is odd about images, a warning a line.

    Args:
        splits: By name.
        groups: Training images that belong together, by what a message calls them.
    """
    extremes = {name: _extremes(split) for name, split in splits.items()}
    return (
        *_channels(splits["train"].tensor),
        *_blank(splits, extremes),
        *_other_scale(extremes, groups),
    )


def all_the_same(train: Split, found: Found) -> str | None:
    """What is said where all training images are the same, None where two differ."""
    if not all(torch.equal(image, train.tensor[0]) for image in train.tensor):
        return None
    return (
        f"all {len(train)} training images are the same (stored values from {found.low:g} to {found.high:g};"
        f" {found.pixels}), so nothing can be learned from them; look at {train.name(0)} and at what wrote it"
    )


def _channels(images: Tensor) -> Iterator[str]:
    constant = [str(index) for index in range(images.shape[1]) if _is_constant(images[:, index])]
    if constant:
        yield f"channel {some(constant)} has the same value in every training image: leave it out"
    elif images.shape[1] == 3 and all(torch.equal(image[:1].expand_as(image), image) for image in images):
        yield (
            "the 3 channels of every image are equal, as grey pictures stored in colour: with one (data.channels: 1 of"
            " a folder, x[..., :1] of an array) students are cheaper"
        )


def _is_constant(plane: Tensor) -> bool:
    first = plane[0, 0, 0]
    return all(bool((image == first).all()) for image in plane)


def _extremes(split: Split) -> tuple[NDArray[Any], NDArray[Any]]:
    """The smallest and the largest value of every image; NumPy is ten times as fast as torch at bytes."""
    values = split.tensor.flatten(1).numpy()
    return values.min(1), values.max(1)


def _blank(splits: Splits, extremes: Extremes) -> Iterator[str]:
    blank = [(name, int(index)) for name, (low, high) in extremes.items() for index in np.flatnonzero(low == high)]
    if blank:
        split, index = blank[0]
        yield (
            f"{counted(len(blank), 'image')} with one value in all pixels, such as {splits[split].name(index)}: look at"
            " what wrote such images, or leave them out"
        )


def _other_scale(extremes: Extremes, groups: Mapping[str, NDArray[np.bool_]]) -> Iterator[str]:
    """Splits, or groups of the training split, whose largest value is many times below that of the others."""
    brightest = extremes["train"][1]
    tops = {name: brightest[members] for name, members in groups.items()}
    tops |= {name: high for name, (_, high) in extremes.items()}
    largest = {name: float(top.max()) for name, top in tops.items() if len(top)}
    most = max(largest.values())
    dark = [f"{name} ({value:g})" for name, value in largest.items() if 0 <= value * _DARKER < most]
    if dark:
        yield (
            f"the largest value of {some(dark)} is far below {most:g}, the largest of all: values may be stored on"
            " different scales; bring them to one"
        )
