"""Three disjoint splits in which every class keeps its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from automl_kd.core import UserError
from automl_kd.recipes import Part

Indices = NDArray[np.int64]


def _share_or_count(value: float) -> float:
    if value >= 1 and value != int(value):
        raise ValueError(f"{value:g} is neither a share below 1 nor a whole number of images")
    return value


Size = Annotated[float, Field(gt=0, strict=True), AfterValidator(_share_or_count)]
"""A share of the images (below 1) or their number."""


class Splits(Part):
    """Sizes of the splits and the seed that draws them.

    ``test`` is only for data without a test set of their own. Of ``train`` and ``test``, the one left out takes what
    the others leave; with both left out, test is a fifth.
    """

    train: Size | None = None
    validation: Size = 0.15
    test: Size | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


def stratify(
    labels: Indices, sizes: Mapping[str, float | None], seed: int, class_names: Sequence[str]
) -> dict[str, Indices]:
    """Disjoint sets of indices, each with the classes in the proportions of the whole (largest remainders).

    Args:
        labels: The class of every image (N,).
        sizes: Size by split; None takes what is left and comes last.
        seed: Decides which images go where.
        class_names: For errors.

    Returns:
        Ascending indices by split.

    Raises:
        UserError: If the images do not suffice, or a class is too small to be in every split.
    """
    # RandomState's stream is frozen by NumPy's policy; that of Generator may change between versions.
    order = np.random.RandomState(seed).permutation(len(labels))
    left = [order[labels[order] == label] for label in range(len(class_names))]
    drawn: dict[str, Indices] = {}
    for split, size in sizes.items():
        available = sum(map(len, left))
        count = available if size is None else int(size) if size >= 1 else round(size * len(labels))
        if not 0 < count <= available:
            raise UserError(f"splits.{split}: {count} images asked for, {available} of {len(labels)} are left for it")
        counts = _apportion(np.array([len(members) for members in left]), count)
        for name, members, taken in zip(class_names, left, counts, strict=True):
            if taken == 0:
                total = int((labels == class_names.index(name)).sum())
                raise UserError(
                    f"class {name!r} has {total} images, too few for one in the {split} split of {count}:"
                    f" it needs more images, or splits.{split} a larger share"
                )
            assert taken <= len(members)
        drawn[split] = np.sort(np.concatenate([members[:taken] for members, taken in zip(left, counts, strict=True)]))
        left = [members[taken:] for members, taken in zip(left, counts, strict=True)]
    return drawn


def _apportion(members: Indices, count: int) -> Indices:
    quotas = members * count / members.sum()
    counts: Indices = np.floor(quotas).astype(np.int64)
    by_remainder = np.argsort(counts - quotas, kind="stable")
    counts[by_remainder[: count - counts.sum()]] += 1
    return counts
