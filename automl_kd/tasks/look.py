"""A look at a task's three splits: how many examples each class has, what contradicts itself and what is odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError, counted
from automl_kd.tasks.duplicates import duplicate_warnings
from automl_kd.tasks.reading import DataReading, Found
from automl_kd.tasks.roles import looks_like_split
from automl_kd.tasks.split import Split

_FEW = 5
_RARE = 0.01
_SMALL, _UNEVEN = 20, 10
_DARKER = 8  # times less than others, of a class or a split whose values seem to have another scale
_SHOWN = 3

Splits = Mapping[str, Split]
Extremes = Mapping[str, tuple[NDArray[Any], NDArray[Any]]]


def look(found: Found, splits: Splits, class_names: tuple[str, ...]) -> DataReading:
    """What was read of data that are split.

    Args:
        found: What the kind of data says of itself.
        splits: ``train``, ``validation`` and ``test``.
        class_names: One name a class.
    """
    counts = {name: split.labels.bincount(minlength=len(class_names)) for name, split in splits.items()}
    extremes = {name: _extremes(split) for name, split in splits.items()}
    train = splits["train"]
    warnings = (
        *found.warnings,
        *_rare_classes(counts["train"], class_names),
        *_missing_classes(counts, class_names),
        *_names_of_splits(class_names, found),
        *_channels(train.images),
        *_blank(splits, extremes),
        *_other_scale(splits, extremes, class_names),
        *duplicate_warnings(splits, class_names),
    )
    return DataReading(
        place=found.place,
        layout=found.layout,
        counts={name: tuple(by_class.tolist()) for name, by_class in counts.items()},
        class_names=class_names,
        shape=tuple(train.images.shape[1:]),
        stored=found.stored,
        low=found.low,
        high=found.high,
        pixels=found.pixels,
        left_out=found.left_out,
        warnings=warnings,
    )


def refuse_contradictions(found: Found, train: Split, class_names: Sequence[str]) -> None:
    """Refuse a training split from which nothing can be learned.

    Raises:
        UserError: If it has one class, or all its images are the same.
    """
    if len(class_names) < 2:
        raise UserError(f"{found.place}: all images are of the class {class_names[0]!r}; there should be two or more")
    if all(torch.equal(image, train.images[0]) for image in train.images):
        raise UserError(
            f"{found.place}: all {len(train)} training images are the same (stored values from {found.low:g} to"
            f" {found.high:g}; {found.pixels}), so nothing can be learned from them; look at {train.name(0)} and at"
            " what wrote it"
        )


def _rare_classes(counts: Tensor, class_names: Sequence[str]) -> Iterator[str]:
    rare = (counts < _RARE * int(counts.sum())) | ((counts < _SMALL) & (counts * _UNEVEN < counts.max()))
    if rare.any():
        shown = _some([f"{name} ({count})" for name, count, few in zip(class_names, counts, rare, strict=True) if few])
        yield (
            f"few training images of {shown}, of {int(counts.sum())} in all: a network that never answers so is hardly"
            " worse; add some, or leave the class out"
        )
    elif int(counts.max()) < _FEW:
        yield f"no class has more than {int(counts.max())} training images: add some"


def _missing_classes(counts: Mapping[str, Tensor], class_names: Sequence[str]) -> Iterator[str]:
    for split, by_class in counts.items():
        missing = [name for name, count in zip(class_names, by_class.tolist(), strict=True) if count == 0]
        if missing:
            yield f"{split} has no image of {_some(missing)}: what it says does not hold for them; add some"


def _names_of_splits(class_names: Sequence[str], found: Found) -> Iterator[str]:
    named = [name for name in class_names if looks_like_split(name)]
    if named:
        yield (
            f"{_some(named)} is taken for a class and called like a split; for splits of a folder, lay it out as"
            f" {named[0]}/CLASS/image.png (read as: {found.layout})"
        )


def _channels(images: Tensor) -> Iterator[str]:
    constant = [str(index) for index in range(images.shape[1]) if _is_constant(images[:, index])]
    if constant:
        yield f"channel {_some(constant)} has the same value in every training image: leave it out"
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
    values = split.images.flatten(1).numpy()
    return values.min(1), values.max(1)


def _blank(splits: Splits, extremes: Extremes) -> Iterator[str]:
    blank = [(name, int(index)) for name, (low, high) in extremes.items() for index in np.flatnonzero(low == high)]
    if blank:
        split, index = blank[0]
        yield (
            f"{counted(len(blank), 'image')} with one value in all pixels, such as {splits[split].name(index)}: look at"
            " what wrote such images, or leave them out"
        )


def _other_scale(splits: Splits, extremes: Extremes, class_names: Sequence[str]) -> Iterator[str]:
    """Splits, or classes of the training split, whose largest value is many times below that of the others."""
    labels = splits["train"].labels.numpy()
    brightest = extremes["train"][1]
    tops = {f"class {name!r}": brightest[labels == label] for label, name in enumerate(class_names)}
    tops |= {name: high for name, (_, high) in extremes.items()}
    largest = {name: float(top.max()) for name, top in tops.items() if len(top)}
    most = max(largest.values())
    dark = [f"{name} ({value:g})" for name, value in largest.items() if 0 <= value * _DARKER < most]
    if dark:
        yield (
            f"the largest value of {_some(dark)} is far below {most:g}, the largest of all: values may be stored on"
            " different scales; bring them to one"
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
